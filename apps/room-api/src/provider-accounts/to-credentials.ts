import type { CreateProviderAccount } from '@partyline/contracts/provider-accounts/provider-account';
import { VerdictError } from '@partyline/domain/verdict';
import type { AccountCredentials } from '@partyline/provider-contract/account-credentials';

/**
 * Returns the credentials of a body.
 * Throws `invalid-body` (422) unless its voice provider, video provider and callback secret belong
 * together.
 */
export function toCredentials({
  voice,
  video,
  callbackSecret,
}: Omit<CreateProviderAccount, 'label'>): AccountCredentials {
  if (voice.kind === 'sip') {
    if (video.kind !== 'janus') throw invalidBody('/video/kind', 'must be janus with the voice provider sip');
    if (callbackSecret !== undefined)
      throw invalidBody('/callbackSecret', 'must be left out with the voice provider sip');
    return { voice, video };
  }
  if (video.kind === 'janus')
    throw invalidBody('/video/kind', 'must be opentok or unified with the voice provider vonage');
  if (callbackSecret === undefined) throw invalidBody('/callbackSecret', 'is required');
  return { voice, video, callbackSecret };
}

const invalidBody = (pointer: string, detail: string): VerdictError =>
  new VerdictError('client', 'invalid-body', 'The body is invalid.', {
    fix: 'Correct the fields in errors. /docs describes every field.',
    issues: [{ pointer, detail }],
  });
