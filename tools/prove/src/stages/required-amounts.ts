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
