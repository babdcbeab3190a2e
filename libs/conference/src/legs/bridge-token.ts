import { createHash } from 'node:crypto';

/** The header in which a bridge leg shows its one-time token. The vendor adds headers of its own; those prove nothing and are not read. */
export const BRIDGE_HEADER = 'X-Partyline-Leg';

export const bridgeTokenHash = (token: string): Buffer => createHash('sha256').update(token).digest();
