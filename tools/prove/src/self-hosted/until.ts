import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 50;

/** Polls until a condition holds. @throws Error that names it */
export async function until(what: string, holds: () => boolean | Promise<boolean>, withinMs: number): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`Timed out after ${withinMs / 1_000} s waiting for: ${what}.`);
    await sleep(POLL_MS);
  }
}
