import type { Target } from './target.ts';

/** One family of bad inputs: how they are made, and when one counts as accepted. */
export interface Group<Needs = Target> {
  readonly name: string;
  /** One line for the help text. */
  readonly summary: string;
  /** The smallest number of inputs of a run. A group with fewer proves nothing and fails. */
  readonly minInputs: number;
  /** It needs our own gateways. */
  readonly needsGateways?: true;
  run(target: Needs, tally: Tally): Promise<void>;
}

/** Counts the inputs and those that were accepted. */
export interface Tally {
  readonly inputs: number;
  /** A sentence per accepted input. Empty when the target is secure. */
  readonly accepted: readonly string[];
  /** Records one input and the fault in its handling; null when it was rejected as it should be. */
  record(input: string, wrong: string | null): void;
  /** Measured figures, for information only. */
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
    record(input, wrong) {
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
  readonly minInputs: number;
  readonly accepted: readonly string[];
  readonly figures: Readonly<Record<string, number>>;
  readonly seconds: number;
}

/** Runs one group. An error counts as an accepted input, because a rejection was not observed. */
export async function runGroup<Needs>(group: Group<Needs>, target: Needs): Promise<Result> {
  const tally = createTally();
  const started = performance.now();
  try {
    await group.run(target, tally);
  } catch (error) {
    tally.record(
      `after ${tally.inputs} inputs`,
      `the group failed: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  return {
    inputs: tally.inputs,
    minInputs: group.minInputs,
    accepted: tally.accepted,
    figures: tally.figures,
    seconds: Math.round((performance.now() - started) / 100) / 10,
  };
}

/** The failures of a run; empty when it passed. */
export const failuresOf = (
  name: string,
  { inputs, minInputs, accepted }: Pick<Result, 'inputs' | 'minInputs' | 'accepted'>,
): string[] => [
  ...accepted.map((one) => `${name}: ${one}`),
  ...(inputs < minInputs ? [`${name}: made ${inputs} inputs, but needs at least ${minInputs}`] : []),
];
