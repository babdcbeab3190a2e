/** What a command needs from the world. */
export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  out(line: string): void;
  err(line: string): void;
  /** All of standard input. */
  readInput(): Promise<string>;
  /** Fires at Ctrl-C or SIGTERM. */
  readonly interrupted: AbortSignal;
}
