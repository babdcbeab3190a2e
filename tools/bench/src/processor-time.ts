import { readdirSync, readFileSync } from 'node:fs';

/** The kernel counts in these units for every program, whatever its own tick is: 100 a second on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/**
 * Seconds of processor time (user and system, all threads) that a process has used, and of the children that it has outlived. From
 * /proc/<pid>/stat, to a hundredth of a second: the process measured has no part in it, and does nothing for it.
 */
export function processorSeconds(pid: number): number {
  const { own, reaped } = readStat(pid);
  return (own + reaped) / TICKS_PER_SECOND;
}

/** As `processorSeconds`, with the children that live now: Postgres has a process for each connection. What a child used that ends meanwhile is then its parent's. */
export function familySeconds(pid: number): number {
  const children = readdirSync('/proc')
    .map(Number)
    .filter(Number.isInteger)
    .flatMap((other) => statOfChild(other, pid) ?? []);
  return children.reduce((sum, { own, reaped }) => sum + (own + reaped) / TICKS_PER_SECOND, processorSeconds(pid));
}

/** The process that started `pid`. */
export const parentOf = (pid: number): number => readStat(pid).parent;

/** Says so before anything is started, where there is no /proc to read. */
export function assertMeasurable(): void {
  try {
    readStat(process.pid);
  } catch (error) {
    throw new Error('Processor time is read from /proc, which this system has not: run the benches on Linux.', {
      cause: error,
    });
  }
}

function readStat(pid: number): { parent: number; own: number; reaped: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The second field is the program's name in brackets, and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const field = (number: number): number => Number(fields[number - 3]);
  return { parent: field(4), own: field(14) + field(15), reaped: field(16) + field(17) };
}

function statOfChild(pid: number, parent: number): ReturnType<typeof readStat> | undefined {
  try {
    const stat = readStat(pid);
    return stat.parent === parent ? stat : undefined;
  } catch {
    // It ended while we looked.
    return undefined;
  }
}
