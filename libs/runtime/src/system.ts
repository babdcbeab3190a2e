import { randomBytes, randomInt } from 'node:crypto';
import type { Clock, Ids, RandomInt } from '@partyline/domain/clock';

/** The one place where the machine's clock and its randomness come in; everything else is given them. */
export const systemClock: Clock = { now: () => new Date() };

const ID_BYTES = 16;
/** Drawn ahead: asking the system for 4 kB costs little more than for 16 bytes. No byte is used twice. */
let drawn = Buffer.alloc(0);
let used = 0;
function nextIdBytes(): Buffer {
  if (used === drawn.length) {
    drawn = randomBytes(256 * ID_BYTES);
    used = 0;
  }
  return drawn.subarray(used, (used += ID_BYTES));
}

export const systemIds: Ids = { next: (prefix) => `${prefix}_${nextIdBytes().toString('base64url')}` };

export const systemRandomInt: RandomInt = (below) => randomInt(below);

/** 256 bits, URL-safe. */
export const systemSecret = (): string => randomBytes(32).toString('base64url');

export const systemSleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
