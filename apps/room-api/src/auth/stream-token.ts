import type { RequestVault } from '@partyline/conference/crypto/request-vault';

/** What a stream token allows: to read events as its key, limited to a room and to types. */
export interface StreamGrant {
  readonly tenantId: string;
  readonly keyId: string;
  /** Null: all rooms. */
  readonly roomId: string | null;
  /** Empty: all types. */
  readonly types: readonly string[];
  readonly expiresAt: string;
}

const PREFIX = 'plst_';
const BOUND_TO = 'stream-token';

export const isStreamToken = (text: string): boolean => text.startsWith(PREFIX);

/**
 * The token of a grant. Encrypted with authentication, so that only this deployment can create one.
 */
export const writeStreamToken = (vault: RequestVault, grant: StreamGrant): string =>
  PREFIX + vault.encrypt(JSON.stringify(grant), BOUND_TO).toString('base64url');

/** The grant of a token; null for any text that this deployment did not create. */
export function readStreamToken(vault: RequestVault, token: string): StreamGrant | null {
  try {
    return JSON.parse(vault.decrypt(Buffer.from(token.slice(PREFIX.length), 'base64url'), BOUND_TO)) as StreamGrant;
  } catch {
    return null;
  }
}
