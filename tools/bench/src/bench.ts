import type { Processes } from '@partyline/dev/processes/processes';

/** The input of every bench. */
export interface BenchRun {
  /** Prints progress. */
  readonly log: (line: string) => void;
  /** Prints a line of the result; silent with --json. */
  readonly print: (line: string) => void;
  /** Holds every started process, so that it stops when the bench ends, also after an error. */
  readonly processes: Processes;
  readonly options: BenchOptions;
}

export interface BenchOptions {
  readonly seconds: number;
  readonly rounds: number;
  readonly pins: number;
  readonly connections: number;
  /** Calls that are up at the same time, and short calls, of the self-hosted bench. */
  readonly calls: number;
  readonly churn: number;
  /** The folder for a CPU profile of the measured service. */
  readonly profile?: string;
}

export interface Bench {
  readonly summary: string;
  /**
   * Throws when a reply is wrong or a process does not start. A missed target is a result, not an
   * error.
   */
  run(run: BenchRun): Promise<object>;
}
