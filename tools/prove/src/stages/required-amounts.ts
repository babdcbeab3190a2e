/** What a run must have done before it may call itself green: a proof that did less proves less. */
export const ASKED = {
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

type Amounts = Partial<Record<keyof (typeof ASKED)['full'], number>>;

const NAMES: Record<keyof Amounts, string> = {
  simulatedDays: 'simulated days',
  simulatedLegs: 'simulated legs',
  simulatedFaults: 'simulated faults',
  modelSequences: 'random histories',
  killPoints: 'kill points',
  realFaults: 'faults on real processes',
  realLegs: 'legs on real processes',
};

/** One line for each amount that fell short. */
export function shortOf(quick: boolean, done: Amounts): string[] {
  const asked = ASKED[quick ? 'quick' : 'full'];
  return (Object.keys(done) as (keyof Amounts)[])
    .filter((what) => done[what]! < asked[what])
    .map((what) => `${done[what]} ${NAMES[what]} were done, and ${asked[what]} are asked`);
}
