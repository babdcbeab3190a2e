/** The process's environment and standard streams. */
export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  out(line: string): void;
  err(line: string): void;
  /** Reads standard input to its end. */
  readInput(): Promise<string>;
  /** Whether the output may have colours: it goes to a terminal, and NO_COLOR is not set. */
  readonly hasColour: boolean;
  /** The current time, in milliseconds since 1970. */
  now(): number;
  /** Aborted at Ctrl-C or SIGTERM. */
  readonly interrupted: AbortSignal;
}
