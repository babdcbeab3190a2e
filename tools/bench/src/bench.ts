import type { Processes } from '@partyline/dev/processes/processes';

/** What every bench is given. */
export interface BenchRun {
  /** Progress, for a person who waits. */
  readonly log: (line: string) => void;
  /** The result, for a person; not printed with --json. */
  readonly print: (line: string) => void;
  /** Whatever is started goes in here, so that it ends with the bench, however that ends. */
  readonly processes: Processes;
  readonly options: BenchOptions;
}

export interface BenchOptions {
  readonly seconds: number;
  readonly rounds: number;
  readonly pins: number;
  readonly connections: number;
  /** A folder to put a CPU profile of our own service in. */
  readonly profile?: string;
}

export interface Bench {
  readonly summary: string;
  /** Throws when a reply was wrong or something did not start; a target that was missed is a result, not an error. */
  run(run: BenchRun): Promise<object>;
}
