import { setTimeout as sleep } from 'node:timers/promises';

const WITHIN_MS = 20_000;
const POLL_MS = 50;

/**
 * Polls until a condition holds.
 * @returns when it held, in milliseconds since 1970; null if it did not hold within the time
 */
export async function poll(
  holds: () => boolean | Promise<boolean>,
  withinMs: number,
  everyMs = POLL_MS,
): Promise<number | null> {
  const deadline = Date.now() + withinMs;
  while (!(await holds())) {
    if (Date.now() > deadline) return null;
    await sleep(everyMs);
  }
  return Date.now();
}

/**
 * Polls until a condition holds.
 * @returns when it held, in milliseconds since 1970
 * @throws Error that names it
 */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  withinMs = WITHIN_MS,
  everyMs = POLL_MS,
): Promise<number> {
  const heldAt = await poll(holds, withinMs, everyMs);
  if (heldAt === null) throw new Error(`Timed out after ${withinMs / 1_000} s waiting for: ${what}.`);
  return heldAt;
}
