import type { ProviderAccount } from '@partyline/contracts/provider-accounts/provider-account';
import type { AccountRow } from '@partyline/store/provider-accounts/provider-accounts';

/** What a tenant must know to connect its account with the platform. */
export interface ConnectionDetails {
  /** The URLs to set at Vonage. */
  readonly webhookUrls: (accountId: string) => NonNullable<ProviderAccount['addresses']>;
  /** Host and port to which SIP trunks send calls; null: not configured. */
  readonly sipAddress: string | null;
}

const maskKey = (lastCharacters: string): string => `****${lastCharacters}`;

/** An account as the API shows it, without secrets. */
export const showAccount = (row: AccountRow, details: ConnectionDetails): ProviderAccount => ({
  id: row.id,
  label: row.label,
  voice: row.voice_kind === 'sip' ? showSip(row, details) : showVonage(row),
  video: {
    kind: row.media_kind as ProviderAccount['video']['kind'],
    apiKey: row.media_key_end === null ? null : maskKey(row.media_key_end),
  },
  version: row.version,
  verifiedAt: row.verified_at.toISOString(),
  oldSecretsUntil: row.old_until?.toISOString() ?? null,
  addresses: row.voice_kind === 'sip' ? null : details.webhookUrls(row.id),
  numbers: [...row.numbers],
  createdAt: row.created_at.toISOString(),
});

type ShownVoice<Kind> = ProviderAccount['voice'] & { readonly kind: Kind };

const showVonage = (row: AccountRow): ShownVoice<'vonage'> => ({
  kind: 'vonage',
  apiKey: maskKey(row.voice_key_end ?? ''),
  applicationId: row.application_id ?? '',
  region: row.voice_region as ShownVoice<'vonage'>['region'],
  sipDomain: row.sip_domain,
});

const showSip = (row: AccountRow, { sipAddress }: ConnectionDetails): ShownVoice<'sip'> => ({
  kind: 'sip',
  trunk:
    row.trunk_host === null
      ? null
      : {
          host: row.trunk_host,
          transport: row.trunk_transport as NonNullable<ShownVoice<'sip'>['trunk']>['transport'],
        },
  addresses: [...row.trunk_addresses],
  sipAddress,
});
