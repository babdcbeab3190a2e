import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 50;

/**
 * Polls until a condition holds.
 * @returns when it held, in milliseconds since 1970; null if it did not hold within the time
 */
export async function poll(holds: () => boolean | Promise<boolean>, withinMs: number): Promise<number | null> {
  const deadline = Date.now() + withinMs;
  while (!(await holds())) {
    if (Date.now() > deadline) return null;
    await sleep(POLL_MS);
  }
  return Date.now();
}

/** Polls until a condition holds. @throws Error that names it */
export async function until(what: string, holds: () => boolean | Promise<boolean>, withinMs: number): Promise<void> {
  if ((await poll(holds, withinMs)) === null)
    throw new Error(`Timed out after ${withinMs / 1_000} s waiting for: ${what}.`);
}
