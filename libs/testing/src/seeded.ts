/**
 * Returns a uniform random source that is reproducible for a seed: `random(below)` gives an integer
 * in `[0, below)`. Not for secrets.
 */
export function seededRandomInt(seed: number): (below: number) => number {
  // mulberry32: small, and random enough for test values.
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const LENGTH = 22;

/**
 * Reproducible ids for a seed, in the real form `<prefix>_<22 characters>`. Implements the domain's
 * `Ids`.
 */
export class SeededIds {
  readonly #random: (below: number) => number;

  constructor(seed = 1) {
    this.#random = seededRandomInt(seed);
  }

  next(prefix: string): string {
    const characters = Array.from({ length: LENGTH }, () => ALPHABET[this.#random(ALPHABET.length)]);
    return `${prefix}_${characters.join('')}`;
  }
}
