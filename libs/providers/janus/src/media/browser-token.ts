import type { MediaProvider } from '@partyline/provider-contract/media-provider';
import { ProviderError } from '@partyline/provider-contract/provider-error';
import { signToken } from '@partyline/provider-contract/signature';
import type { JanusAccount } from '../account.ts';
import { conferenceId, type BrowserClaims } from '../wire.ts';

const MAX_DATA_CHARACTERS = 1_000;
const MAX_LIFETIME_S = 30 * 86_400;

/**
 * Signs the token of one browser. media-gateway verifies it (apps/media-gateway/src/browsers).
 * @throws ProviderError `refused` for an invalid expiry, session or data
 */
export function issueBrowserToken(
  { account, secret }: Pick<JanusAccount, 'account' | 'secret'>,
  input: Parameters<MediaProvider['issueToken']>[0],
  now: Date,
): string {
  if (input.data.length > MAX_DATA_CHARACTERS)
    throw new ProviderError(
      'refused',
      'token-data-too-long',
      'The data of a client token must have at most 1000 characters.',
    );
  if (!conferenceId.safeParse(input.mediaSessionId).success)
    throw new ProviderError('refused', 'bad-provider-id', 'The session id is not valid.');
  const [iat, exp] = [now, input.expiresAt].map((time) => Math.floor(time.getTime() / 1_000)) as [number, number];
  if (!(exp > iat && exp - iat <= MAX_LIFETIME_S))
    throw new ProviderError('refused', 'bad-token-expiry', 'A client token must expire within thirty days.');
  const claims: BrowserClaims = {
    aud: 'browser',
    conference: input.mediaSessionId,
    account,
    data: input.data,
    starts: input.startsConference ?? true,
    iat,
    exp,
  };
  return signToken({ ...claims }, secret);
}
