import { ProviderError } from '@partyline/provider-contract/provider-error';
import { toProviderError } from '../errors.ts';
import { asObject } from '../untrusted-json.ts';

/** The limit of our contract. Vonage's limit is 1024, which the unified SDK does not check. */
const MAX_DATA_CHARACTERS = 1_000;
/**
 * Vonage rejects a longer lifetime when the client connects; the SDKs do not check it (contract
 * section 1).
 */
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
 * Creates a client token with an SDK and checks its expiry. `@vonage/jwt` silently replaces a past
 * expiry with fifteen minutes from now, and a missing one with a day; the legacy SDK throws. Both
 * become `refused`.
 * @param make calls the SDK with the expiry in seconds since 1970
 * @throws ProviderError `refused` for invalid input
 */
export function issueClientToken(input: TokenInput, make: (expireTime: number) => string): string {
  if (input.data.length > MAX_DATA_CHARACTERS)
    throw refusedError('token-data-too-long', 'The data of a client token must have at most 1000 characters.');
  const expireTime = Math.floor(input.expiresAt.getTime() / 1_000);
  if (!Number.isFinite(expireTime)) throw refusedError('bad-token-expiry', 'A client token must have an expiry.');
  let token: string;
  try {
    token = make(expireTime);
  } catch (error) {
    throw toProviderError(error, 'read');
  }
  const { exp, iat } = claimsOf(token);
  if (exp !== expireTime) throw refusedError('bad-token-expiry', 'The expiry of a client token must be in the future.');
  if (typeof iat !== 'number' || expireTime - iat > MAX_LIFETIME_S)
    throw refusedError('bad-token-expiry', 'A client token must expire within thirty days.');
  return token;
}
