import type { Target } from './target.ts';

/** One family of bad inputs: what makes them, and the rule by which one counts as accepted. */
export interface Group<Needs = Target> {
  readonly name: string;
  /** What is thrown at what, in a line. */
  readonly says: string;
  /** How many inputs a run must make at least: a group that made fewer has proved nothing, and fails. */
  readonly least: number;
  run(target: Needs, tally: Tally): Promise<void>;
}

/** Counts what became of each input. */
export interface Tally {
  readonly inputs: number;
  /** What was accepted, each in a sentence; none is as it should be. */
  readonly accepted: readonly string[];
  /** One input and what was wrong with how it was met: null when it was refused as it should be. */
  judge(input: string, wrong: string | null): void;
  /** What was measured on the way. It is told, and nothing hangs on it. */
  readonly figures: Readonly<Record<string, number>>;
  measure(what: string, figure: number): void;
}

function createTally(): Tally {
  const accepted: string[] = [];
  const figures: Record<string, number> = {};
  let inputs = 0;
  return {
    get inputs() {
      return inputs;
    },
    accepted,
    figures,
    judge(input, wrong) {
      inputs += 1;
      if (wrong !== null) accepted.push(`${input}: ${wrong}`);
    },
    measure(what, figure) {
      figures[what] = figure;
    },
  };
}

export interface Result {
  readonly inputs: number;
  readonly least: number;
  readonly accepted: readonly string[];
  readonly figures: Readonly<Record<string, number>>;
  readonly seconds: number;
}

/** Runs one group. What it throws counts as accepted: nobody has seen that input refused. */
export async function runGroup<Needs>(group: Group<Needs>, target: Needs): Promise<Result> {
  const tally = createTally();
  const started = performance.now();
  try {
    await group.run(target, tally);
  } catch (error) {
    tally.judge(
      `after ${tally.inputs} inputs`,
      `the group broke off: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  return {
    inputs: tally.inputs,
    least: group.least,
    accepted: tally.accepted,
    figures: tally.figures,
    seconds: Math.round((performance.now() - started) / 100) / 10,
  };
}

/** What is wrong with a run; empty when it held. */
export const complaints = (
  name: string,
  { inputs, least, accepted }: Pick<Result, 'inputs' | 'least' | 'accepted'>,
): string[] => [
  ...accepted.map((one) => `${name}: ${one}`),
  ...(inputs < least ? [`${name}: made ${inputs} inputs, and ${least} are needed to prove anything`] : []),
];

/** Does `work` for every item, at most `width` at a time. */
export async function inParallel<T>(
  items: Iterable<T>,
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items[Symbol.iterator]();
  const one = async (): Promise<void> => {
    for (let next = rest.next(); next.done !== true; next = rest.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: width }, one));
}
