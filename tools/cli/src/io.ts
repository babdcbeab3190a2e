/** The process's environment and standard streams. */
export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  out(line: string): void;
  err(line: string): void;
  /** Reads standard input to its end. */
  readInput(): Promise<string>;
  /** Whether standard output may have colours. */
  readonly hasColour: boolean;
  /** Whether standard error may have colours: each stream can go to a file. */
  readonly hasErrorColour: boolean;
  /** The current time, in milliseconds since 1970. */
  now(): number;
  /** Aborted at Ctrl-C or SIGTERM. */
  readonly interrupted: AbortSignal;
}

/** Whether a stream may have colours: it goes to a terminal, and NO_COLOR is not set. */
export function allowsColour({ isTTY = false }: { readonly isTTY?: boolean }, env: Io['env']): boolean {
  const { NO_COLOR = '', FORCE_COLOR = '', TERM } = env;
  // https://no-color.org: set and not empty.
  if (NO_COLOR !== '') return false;
  return (isTTY && TERM !== 'dumb') || (FORCE_COLOR !== '' && FORCE_COLOR !== '0');
}
