import { createHash } from 'node:crypto';

/**
 * The SIP header that carries the one-time token of a bridge leg. Headers that the provider adds
 * prove nothing and are not read.
 */
export const BRIDGE_HEADER = 'X-Partyline-Leg';

/** Returns the SHA-256 hash under which a leg's row stores its token. */
export const bridgeTokenHash = (token: string): Buffer => createHash('sha256').update(token).digest();
