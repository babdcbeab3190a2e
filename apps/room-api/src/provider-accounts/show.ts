import type { ProviderAccount } from '@partyline/contracts/provider-accounts/provider-account';
import type { AccountRow } from '@partyline/store/provider-accounts/provider-accounts';

const maskKey = (lastCharacters: string): string => `****${lastCharacters}`;

/**
 * An account as the API shows it, without secrets.
 * @param addresses the URLs to set at the provider
 */
export const showAccount = (row: AccountRow, addresses: ProviderAccount['addresses']): ProviderAccount => ({
  id: row.id,
  label: row.label,
  voice: {
    kind: row.voice_kind as ProviderAccount['voice']['kind'],
    apiKey: maskKey(row.voice_key_end),
    applicationId: row.application_id,
    region: row.voice_region as ProviderAccount['voice']['region'],
    sipDomain: row.sip_domain,
  },
  video: {
    kind: row.media_kind as ProviderAccount['video']['kind'],
    apiKey: row.media_key_end === null ? null : maskKey(row.media_key_end),
  },
  version: row.version,
  verifiedAt: row.verified_at.toISOString(),
  oldSecretsUntil: row.old_until?.toISOString() ?? null,
  addresses,
  numbers: [...row.numbers],
  createdAt: row.created_at.toISOString(),
});
