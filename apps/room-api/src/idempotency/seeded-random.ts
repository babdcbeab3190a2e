import { createHmac } from 'node:crypto';
import type { Ids, RandomInt } from '@partyline/domain/clock';

/** The randomness of a request: ids, secrets and numbers. */
export interface RandomSources {
  readonly ids: Ids;
  readonly secret: () => string;
  readonly random: RandomInt;
}

const UINT32_RANGE = 2 ** 32;

/**
 * Deterministic randomness from a secret seed. Each kind of id has its own sequence, so that one
 * more id of one kind does not change the others.
 * @param seed 256 random bits
 */
export function seedRandomSources(seed: Buffer): RandomSources {
  const counters = new Map<string, number>();
  const next = (sequence: string): Buffer => {
    const no = (counters.get(sequence) ?? 0) + 1;
    counters.set(sequence, no);
    return createHmac('sha256', seed).update(`${sequence} ${no}`).digest();
  };
  return {
    ids: { next: (prefix) => `${prefix}_${next(`id ${prefix}`).subarray(0, 16).toString('base64url')}` },
    secret: () => next('secret').toString('base64url'),
    random(below) {
      // Rejects values above the last multiple of `below`: they would make small numbers more
      // likely.
      for (;;) {
        const word = next('random').readUInt32BE();
        if (word < UINT32_RANGE - (UINT32_RANGE % below)) return word % below;
      }
    },
  };
}
