import { VerdictError } from '@partyline/domain/verdict';
import { ProviderError } from '@partyline/provider-contract/provider-error';
import type { AccountVault } from '../providers/account-vault.ts';
import type { BuildProviders } from '../providers/open-providers.ts';
import type { CredentialsToTest } from '../providers/rpc-messages.ts';

/**
 * Tests an account's credentials: lists its live calls and opens an empty video session, which
 * costs nothing. Throws `provider-account-rejected` (422) with the field of the rejected
 * credentials, `application-in-use` (409) for a new account whose application has live calls, and
 * the errors of the provider.
 */
export async function testCredentials(
  { vault, build }: { vault: AccountVault; build: BuildProviders },
  { encryptedCredentials, isNew, ...binding }: CredentialsToTest,
): Promise<Record<string, never>> {
  const { voice, media } = build(await vault.decrypt(binding, Buffer.from(encryptedCredentials, 'base64')), {
    tenantId: binding.tenantId,
    accountId: binding.accountId,
    old: null,
    isNew,
  });
  const [calls, session] = await Promise.allSettled([
    voice.listLiveCalls(),
    media.openSession({ conversation: 'credentials-test' }),
  ]);
  if (calls.status === 'rejected') throw toRejection(calls.reason, '/voice', 'voice');
  if (session.status === 'rejected') throw toRejection(session.reason, '/video', 'video');
  // The sweep would hang up these calls as orphan calls.
  if (isNew && calls.value.length > 0)
    throw new VerdictError(
      'client',
      'application-in-use',
      'This application has live calls that Partyline did not place.',
      { field: '/voice/applicationId', fix: 'Create an application that nothing else uses: docs/accounts.md.' },
    );
  return {};
}

function toRejection(error: unknown, field: string, part: string): unknown {
  if (!(error instanceof ProviderError) || !['refused', 'not-found'].includes(error.failure)) return error;
  return new VerdictError(
    'client',
    'provider-account-rejected',
    `The provider rejected the ${part} credentials (${error.verdict.reason}).`,
    { field, fix: "Compare the credentials with the provider's dashboard. Nothing was stored." },
  );
}
