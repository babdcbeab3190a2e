import type { RefusedCallback } from '@partyline/provider-contract/callback';
import { createTokenReader } from '@partyline/provider-contract/signature';
import { browserClaims, type BrowserClaims } from '../wire.ts';

export type BrowserTokenVerification =
  { readonly ok: true; readonly claims: BrowserClaims } | { readonly ok: false; readonly refused: RefusedCallback };

/** A token of `issueBrowserToken` has far fewer characters. A longer one is rejected unread. */
const MAX_TOKEN_CHARACTERS = 4_096;

/**
 * Creates a verifier of browsers' tokens. It checks the signature, the audience, the form of the
 * claims, and the expiry. It never throws.
 * @param secrets valid signature secrets: one, or two during a rotation
 */
export function createBrowserTokenVerifier(
  secrets: readonly string[],
): (token: string, now: Date) => BrowserTokenVerification {
  const read = createTokenReader(secrets);
  return (token, now) => {
    if (token.length > MAX_TOKEN_CHARACTERS) return { ok: false, refused: 'malformed-token' };
    const claims = read(token);
    if (typeof claims === 'string') return { ok: false, refused: claims };
    if (claims['aud'] !== 'browser') return { ok: false, refused: 'wrong-audience' };
    const parsed = browserClaims.safeParse(claims);
    if (!parsed.success) return { ok: false, refused: 'malformed-token' };
    // In this form the check also rejects NaN, from an invalid date.
    if (!(now.getTime() < parsed.data.exp * 1_000)) return { ok: false, refused: 'expired' };
    return { ok: true, claims: parsed.data };
  };
}
