/** The time of day, passed in: nothing outside the edges asks the machine (the simulation runs the same code on virtual time). */
export interface Clock {
  now(): Date;
}

/** Makes opaque identifiers, `<prefix>_<22 or more URL-safe characters>`, from at least 128 random bits; never a PIN. */
export interface Ids {
  next(prefix: IdPrefix): string;
}

/** What an identifier names; its prefix lets a reader of a log tell a leg from a session. */
type IdPrefix =
  'ten' | 'key' | 'room' | 'pin' | 'ses' | 'conv' | 'leg' | 'part' | 'evt' | 'ep' | 'req' | 'aud' | 'acct';

/**
 * A uniform random integer in `[0, below)`.
 * PINs are a secret, so the edge must pass a cryptographic source (`node:crypto` `randomInt`).
 */
export type RandomInt = (below: number) => number;
