/**
 * The current time, passed in as an argument so that the simulation can run the same code on
 * virtual time.
 */
export interface Clock {
  now(): Date;
}

/**
 * Creates opaque identifiers, `<prefix>_<22 or more URL-safe characters>`, from at least 128 random
 * bits. Not for PINs.
 */
export interface Ids {
  next(prefix: IdPrefix): string;
}

/** The kind of thing that an identifier names. The prefix makes the kind visible in a log. */
type IdPrefix =
  'ten' | 'key' | 'room' | 'pin' | 'ses' | 'conv' | 'leg' | 'part' | 'evt' | 'ep' | 'req' | 'aud' | 'acct' | 'sip';

/**
 * Returns a uniform random integer in `[0, below)`.
 * PINs are secrets: production code passes a cryptographic source (`randomInt` of `node:crypto`).
 */
export type RandomInt = (below: number) => number;
