import { ProviderError } from '@partyline/provider-contract/provider-error';
import { toProviderError } from '../errors.ts';
import { asObject } from '../untrusted-json.ts';

/** The contract's bound; the vendor's is 1024, and the unified SDK checks none. */
const MAX_DATA_CHARACTERS = 1_000;
/** The vendor refuses a longer life when the client connects; neither SDK does (contract section 1). */
const MAX_LIFETIME_S = 30 * 86_400;

interface TokenInput {
  readonly mediaSessionId: string;
  readonly data: string;
  readonly expiresAt: Date;
}

const refusedError = (reason: string, message: string): ProviderError => new ProviderError('refused', reason, message);

function claimsOf(token: string): Readonly<Record<string, unknown>> {
  try {
    return asObject(JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')));
  } catch {
    return {};
  }
}

/**
 * Makes a client token with an SDK and looks at what came out. Unified: an expiry that has passed silently becomes fifteen minutes from
 * now (`@vonage/jwt`), and what has no expiry becomes a day; legacy throws. Both end as `refused`.
 * @param make the SDK's call, given the expiry in seconds since 1970
 * @throws ProviderError `refused`
 */
export function issueClientToken(input: TokenInput, make: (expireTime: number) => string): string {
  if (input.data.length > MAX_DATA_CHARACTERS)
    throw refusedError('token-data-too-long', 'A client token carries at most 1000 characters of data.');
  const expireTime = Math.floor(input.expiresAt.getTime() / 1_000);
  if (!Number.isFinite(expireTime)) throw refusedError('bad-token-expiry', 'A client token needs an expiry.');
  let token: string;
  try {
    token = make(expireTime);
  } catch (error) {
    throw toProviderError(error, 'read');
  }
  const { exp, iat } = claimsOf(token);
  if (exp !== expireTime) throw refusedError('bad-token-expiry', 'A client token’s expiry must lie ahead.');
  if (typeof iat !== 'number' || expireTime - iat > MAX_LIFETIME_S)
    throw refusedError('bad-token-expiry', 'A client token may live thirty days at most.');
  return token;
}
