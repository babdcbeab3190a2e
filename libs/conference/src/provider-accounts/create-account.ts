import { createPrivateKey } from 'node:crypto';
import type { Ids } from '@partyline/domain/clock';
import { VerdictError } from '@partyline/domain/verdict';
import { isSip, type AccountCredentials } from '@partyline/provider-contract/account-credentials';
import {
  insertAccount,
  type AccountRow,
  type TrunkOfAccount,
} from '@partyline/store/provider-accounts/provider-accounts';
import type { Store } from '@partyline/store/database/store';
import type { AccountBinding, AccountVault } from '../providers/account-vault.ts';
import type { ProviderRpc } from '../providers/rpc-messages.ts';
import { checkTrunk, type TrunkPolicy } from './check-trunk.ts';

export interface AccountDeps {
  readonly store: Store;
  readonly ids: Ids;
  readonly provider: Pick<ProviderRpc, 'verifyAccount'>;
  readonly accounts: AccountVault;
  /** Which trunks tenants may name. */
  readonly addresses: TrunkPolicy;
}

/** Provider accounts that one tenant may have. */
export const MAX_PROVIDER_ACCOUNTS = 10;

/**
 * Stores a tenant's own provider account after the provider has accepted its credentials.
 * Throws `provider-account-rejected` and `trunk-address-rejected` (422), `too-many-provider-accounts`,
 * `application-taken` and `application-in-use` (409), `accounts-not-configured` and
 * `sip-not-configured` (503), and the errors of the provider RPC; nothing is stored then.
 */
export async function createAccount(
  deps: AccountDeps,
  tenantId: string,
  { label, ...given }: AccountCredentials & { label: string },
): Promise<AccountRow> {
  const credentials = checkCredentials(given, deps.addresses);
  const { voice, video } = credentials;
  const binding: AccountBinding = {
    tenantId,
    accountId: deps.ids.next('acct'),
    voiceKind: voice.kind,
    mediaKind: video.kind,
    version: 1,
  };
  const ciphertext = await deps.accounts.encrypt(binding, credentials);
  await deps.provider.verifyAccount({ ...binding, encryptedCredentials: ciphertext.toString('base64'), isNew: true });
  const created = await insertAccount(
    deps.store,
    tenantId,
    {
      id: binding.accountId,
      label,
      voiceKind: binding.voiceKind,
      mediaKind: binding.mediaKind,
      applicationId: voice.kind === 'sip' ? null : voice.applicationId,
      voiceRegion: voice.kind === 'sip' ? null : (voice.region ?? null),
      sipDomain: voice.kind === 'sip' ? null : (voice.sip?.domain ?? null),
      voiceKeyEnd: voice.kind === 'sip' ? null : lastCharacters(voice.apiKey),
      mediaKeyEnd: video.kind === 'opentok' ? lastCharacters(video.apiKey) : null,
      trunk: readTrunk(credentials),
      ciphertext,
    },
    MAX_PROVIDER_ACCOUNTS,
  );
  if (created === 'too-many')
    throw new VerdictError(
      'client',
      'too-many-provider-accounts',
      `You have ${MAX_PROVIDER_ACCOUNTS} provider accounts, which is the maximum.`,
      { fix: 'Delete one that you do not need: GET /v1/provider-accounts lists them.' },
    );
  if (created === 'application-in-use') throw applicationTaken();
  return created;
}

const applicationTaken = (): VerdictError =>
  new VerdictError('client', 'application-taken', 'This application belongs to an existing provider account.', {
    field: '/voice/applicationId',
    fix: 'Create a separate Vonage application that nothing else uses: docs/accounts.md.',
  });

/** The part of an API key that may be displayed. */
const lastCharacters = (key: string): string => (key.length > 4 ? key.slice(-4) : '');

/**
 * Returns credentials whose form is valid, in canonical form.
 * Throws `invalid-body` (422) for an invalid private key, and the errors of `checkTrunk`.
 */
export function checkCredentials(credentials: AccountCredentials, policy: TrunkPolicy): AccountCredentials {
  if (isSip(credentials)) return checkTrunk(credentials, policy);
  assertPrivateKey(credentials.voice.privateKey);
  return credentials;
}

/** The part of the credentials that is stored unencrypted. */
export function readTrunk({ voice }: AccountCredentials): TrunkOfAccount {
  if (voice.kind !== 'sip') return { host: null, transport: null, addresses: [] };
  return { host: voice.trunk?.host ?? null, transport: voice.trunk?.transport ?? null, addresses: voice.addresses };
}

/** Throws `invalid-body` (422) unless `pem` is an RSA private key. */
function assertPrivateKey(pem: string): void {
  try {
    if (createPrivateKey(pem.replaceAll(String.raw`\n`, '\n')).asymmetricKeyType === 'rsa') return;
  } catch {
    // The error of createPrivateKey is dropped, because it could contain a part of the key.
  }
  throw new VerdictError('client', 'invalid-body', 'The private key cannot be read.', {
    field: '/voice/privateKey',
    fix: 'Give the complete RSA private key of the Vonage application, with its line breaks.',
  });
}
