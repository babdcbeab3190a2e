/** The least that a run must do to pass. A run that did less fails. */
export const REQUIRED_AMOUNTS = {
  full: {
    simulatedDays: 1_000,
    simulatedLegs: 1_000_000,
    simulatedFaults: 1_000_000,
    modelSequences: 20_000,
    killPoints: 500,
    realFaults: 60,
    realLegs: 400,
  },
  quick: {
    simulatedDays: 15,
    simulatedLegs: 15_000,
    simulatedFaults: 13_000,
    modelSequences: 10_000,
    killPoints: 100,
    realFaults: 8,
    realLegs: 40,
  },
} as const;

/**
 * Faults that every run must inject, and how often. The seed draws the others, so that a run can
 * lack one of them.
 */
export const REQUIRED_FAULTS = {
  full: {
    simulated: {
      'gateway-lost': 2_500,
      'all-down': 400,
      'phone-silent': 800,
      'deadline-ignored': 600,
      'deadline-late': 600,
      'redis-full': 5_000,
      'false-connected': 2_000,
      'false-answered': 2_000,
      'list-shows-ended-connection': 5_000,
      'list-shows-ended-call': 1_000,
      'look-up-shows-ended-call': 1_000,
      'false-disconnected': 2_000,
      'false-completed': 1_000,
    },
    real: ['redis-full', 'redis-half-open', 'postgres-half-open', 'postgres-read-only'],
  },
  quick: {
    simulated: {
      'gateway-lost': 10,
      'phone-silent': 1,
      'deadline-ignored': 1,
      'deadline-late': 1,
      'redis-full': 50,
      'false-connected': 20,
      'false-answered': 20,
      'list-shows-ended-connection': 50,
      'list-shows-ended-call': 5,
      'look-up-shows-ended-call': 5,
      'false-disconnected': 20,
      'false-completed': 10,
    },
    real: ['redis-full', 'redis-half-open', 'postgres-half-open', 'postgres-read-only'],
  },
} as const;

/** What only the self-hosted provider has, and how often every run must use or reach it. */
export const REQUIRED_USES = {
  full: {
    'session-prolonged': 6_000,
    'deadline-moved': 8_000,
    'deadline-reached': 40,
    'browser-muted': 4_000,
    'phone-muted': 2_000,
  },
  quick: {
    'session-prolonged': 50,
    'deadline-moved': 50,
    'browser-muted': 30,
    'phone-muted': 15,
  },
} as const;

/** One line for each use of the self-hosted provider that was too rare in the simulation. */
export function listMissingUses(quick: boolean, uses: Readonly<Record<string, number>>): string[] {
  return Object.entries(REQUIRED_USES[quick ? 'quick' : 'full'])
    .filter(([name, count]) => (uses[name] ?? 0) < count)
    .map(([name, count]) => `the simulation has ${name} ${uses[name] ?? 0} times; ${count} are required`);
}

/** One line for each fault of the simulation that was injected too rarely. */
export function listMissingSimulatedFaults(quick: boolean, injected: Readonly<Record<string, number>>): string[] {
  return Object.entries(REQUIRED_FAULTS[quick ? 'quick' : 'full'].simulated)
    .filter(([name, count]) => (injected[name] ?? 0) < count)
    .map(([name, count]) => `the simulation injected ${name} ${injected[name] ?? 0} times; ${count} are required`);
}

/** One line for each fault of real processes that was not injected. */
export function listMissingRealFaults(quick: boolean, injected: ReadonlySet<string>): string[] {
  return REQUIRED_FAULTS[quick ? 'quick' : 'full'].real
    .filter((name) => !injected.has(name))
    .map((name) => `the run did not inject ${name} into real processes`);
}

type Amounts = Partial<Record<keyof (typeof REQUIRED_AMOUNTS)['full'], number>>;

const LABELS: Record<keyof Amounts, string> = {
  simulatedDays: 'simulated days',
  simulatedLegs: 'simulated legs',
  simulatedFaults: 'simulated faults',
  modelSequences: 'random histories',
  killPoints: 'kill points',
  realFaults: 'faults on real processes',
  realLegs: 'legs on real processes',
};

/** One line for each amount of `done` that is below the required amount. */
export function listShortfalls(quick: boolean, done: Amounts): string[] {
  const required = REQUIRED_AMOUNTS[quick ? 'quick' : 'full'];
  return (Object.keys(done) as (keyof Amounts)[])
    .filter((key) => done[key]! < required[key])
    .map((key) => `the run did ${done[key]} ${LABELS[key]}; ${required[key]} are required`);
}
