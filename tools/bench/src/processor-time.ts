import { readdirSync, readFileSync } from 'node:fs';

/** The unit of the times in /proc: 100 ticks per second on every Linux that Node supports. */
const TICKS_PER_SECOND = 100;

/**
 * Seconds of processor time (user and system, all threads) of a process and of its ended children.
 * Read from /proc/<pid>/stat with a precision of 10 ms, at no cost to the measured process.
 */
export function processorSeconds(pid: number): number {
  const { own, reaped } = readStat(pid);
  return (own + reaped) / TICKS_PER_SECOND;
}

/** Like `processorSeconds`, with the running children: Postgres has one process per connection. */
export function processTreeSeconds(pid: number): number {
  const children = readdirSync('/proc')
    .map(Number)
    .filter(Number.isInteger)
    .flatMap((other) => statOfChild(other, pid) ?? []);
  return children.reduce((sum, { own, reaped }) => sum + (own + reaped) / TICKS_PER_SECOND, processorSeconds(pid));
}

/** The parent process of `pid`. */
export const parentPidOf = (pid: number): number => readStat(pid).parent;

/** Throws where /proc cannot be read. */
export function assertProcAvailable(): void {
  try {
    readStat(process.pid);
  } catch (error) {
    throw new Error('Processor time is read from /proc, which this system does not have. Run the benches on Linux.', {
      cause: error,
    });
  }
}

function readStat(pid: number): { parent: number; own: number; reaped: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The second field is the program's name in parentheses; the name may contain any character.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const field = (number: number): number => Number(fields[number - 3]);
  return { parent: field(4), own: field(14) + field(15), reaped: field(16) + field(17) };
}

function statOfChild(pid: number, parent: number): ReturnType<typeof readStat> | undefined {
  try {
    const stat = readStat(pid);
    return stat.parent === parent ? stat : undefined;
  } catch {
    // The process ended during the read.
    return undefined;
  }
}
