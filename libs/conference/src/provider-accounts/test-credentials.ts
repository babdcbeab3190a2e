import { VerdictError } from '@partyline/domain/verdict';
import { ProviderError } from '@partyline/provider-contract/provider-error';
import type { AccountVault, SealedAs } from '../providers/account-vault.ts';
import type { BuildProviders } from '../providers/open-providers.ts';

export interface TryAccount extends SealedAs {
  /** Base64: credentials never travel in clear. */
  readonly sealed: string;
  /** They are not an account of ours yet: whatever lives in their application is somebody else's. */
  readonly fresh: boolean;
}

/**
 * Tries out the credentials of an account: lists its live calls and opens an empty video session, which costs nothing. Throws `provider-account-rejected` (422), which
 * points to the side that the provider refused, `application-in-use` (409) for a fresh one in whose application calls are up, and what asking throws.
 */
export async function tryAccount(
  { vault, build }: { vault: AccountVault; build: BuildProviders },
  { sealed, fresh, ...as }: TryAccount,
): Promise<Record<string, never>> {
  const { voice, media } = build(await vault.open(as, Buffer.from(sealed, 'base64')), {
    tenantId: as.tenantId,
    old: null,
  });
  const [calls, session] = await Promise.allSettled([voice.listLiveCalls(), media.openSession()]);
  if (calls.status === 'rejected') throw refusal(calls.reason, '/voice', 'telephone');
  if (session.status === 'rejected') throw refusal(session.reason, '/video', 'video');
  // The inventory would hang them up as nobody's.
  if (fresh && calls.value.length > 0) {
    throw new VerdictError(
      'client',
      'application-in-use',
      'Calls are up in this application that are not Partyline’s.',
      { field: '/voice/applicationId', fix: 'Make an application that nothing else uses: docs/accounts.md.' },
    );
  }
  return {};
}

function refusal(error: unknown, field: string, side: string): unknown {
  if (!(error instanceof ProviderError) || !['refused', 'not-found'].includes(error.failure)) return error;
  return new VerdictError(
    'client',
    'provider-account-rejected',
    `The provider does not take the credentials of the ${side} side (${error.verdict.reason}).`,
    { field, fix: 'Compare them with the vendor’s dashboard. Nothing was kept.' },
  );
}
