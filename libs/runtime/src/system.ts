import { randomBytes, randomInt } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { Clock, Ids, RandomInt } from '@partyline/domain/clock';

/**
 * The system clock. This file is the only source of time and randomness; other code receives them
 * as arguments.
 */
export const systemClock: Clock = { now: () => new Date() };

const ID_BYTES = 16;
/**
 * A buffer of random bytes: reading 4 kB from the system costs little more than 16 bytes. No byte
 * is used twice.
 */
let randomPool = Buffer.alloc(0);
let usedBytes = 0;
function nextIdBytes(): Buffer {
  if (usedBytes === randomPool.length) {
    randomPool = randomBytes(256 * ID_BYTES);
    usedBytes = 0;
  }
  return randomPool.subarray(usedBytes, (usedBytes += ID_BYTES));
}

export const systemIds: Ids = { next: (prefix) => `${prefix}_${nextIdBytes().toString('base64url')}` };

export const systemRandomInt: RandomInt = (below) => randomInt(below);

/** Returns 256 random bits as URL-safe text. */
export const systemSecret = (): string => randomBytes(32).toString('base64url');

/** Monotonic milliseconds, and timers; `setTimer` returns a function that stops the timer. */
export const systemTimers = {
  now: (): number => performance.now(),
  setTimer(ms: number, callback: () => void): () => void {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};

/** Resolves after the work that waits for the event loop. */
export const systemYield = (): Promise<void> => setImmediate();

export const systemSleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
