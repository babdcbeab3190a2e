/** The process's environment and standard streams. */
export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  out(line: string): void;
  err(line: string): void;
  /** Reads standard input to its end. */
  readInput(): Promise<string>;
  /** Aborted at Ctrl-C or SIGTERM. */
  readonly interrupted: AbortSignal;
}
