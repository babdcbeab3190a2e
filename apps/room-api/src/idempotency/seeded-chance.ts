import { createHmac } from 'node:crypto';
import type { Ids, RandomInt } from '@partyline/domain/clock';

/** What a request draws: its ids, secrets and random numbers. */
export interface Chance {
  readonly ids: Ids;
  readonly secret: () => string;
  readonly random: RandomInt;
}

const WORD = 2 ** 32;

/**
 * Drawn from a seed: as unknown as that to others, and the same again for whoever has it. Each kind of id has a row of its own, so that one more of one kind does
 * not change the others.
 * @param seed 256 random bits
 */
export function seededChance(seed: Buffer): Chance {
  const drawn = new Map<string, number>();
  const next = (what: string): Buffer => {
    const no = (drawn.get(what) ?? 0) + 1;
    drawn.set(what, no);
    return createHmac('sha256', seed).update(`${what} ${no}`).digest();
  };
  return {
    ids: { next: (prefix) => `${prefix}_${next(`id ${prefix}`).subarray(0, 16).toString('base64url')}` },
    secret: () => next('secret').toString('base64url'),
    random(below) {
      // Those beyond the last whole multiple would make small numbers likelier.
      for (;;) {
        const word = next('random').readUInt32BE();
        if (word < WORD - (WORD % below)) return word % below;
      }
    },
  };
}
