import { createPrivateKey } from 'node:crypto';
import type { Ids } from '@partyline/domain/clock';
import { VerdictError } from '@partyline/domain/verdict';
import type { AccountCredentials } from '@partyline/provider-contract/account-credentials';
import {
  deleteAccount as deleteRow,
  insertAccount,
  noteVerified,
  readSealedAccount,
  replaceCredentials,
  type AccountRow,
} from '@partyline/store/provider-accounts/provider-accounts';
import type { Store } from '@partyline/store/database/store';
import type { AccountVault, SealedAs } from '../providers/account-vault.ts';
import type { AskProvider } from '../provider-rpc/handlers.ts';
import { noSuchAccount } from '../errors.ts';

interface AccountDeps {
  readonly store: Store;
  readonly ids: Ids;
  readonly provider: Pick<AskProvider, 'verifyAccount'>;
  readonly accounts: AccountVault;
}

/** Accounts that a tenant may have. */
export const MOST_ACCOUNTS = 10;

/**
 * Keeps a tenant's own account once the provider has taken its credentials. Throws `provider-account-rejected` (422), `too-many-provider-accounts`,
 * `application-taken` and `application-in-use` (409), `accounts-not-configured` (503), and what asking the provider throws; then nothing is kept.
 */
export async function createAccount(
  deps: AccountDeps,
  tenantId: string,
  { label, ...credentials }: AccountCredentials & { label: string },
): Promise<AccountRow> {
  assertPrivateKey(credentials.voice.privateKey);
  const { voice, video } = credentials;
  const as: SealedAs = {
    tenantId,
    accountId: deps.ids.next('acct'),
    voiceKind: voice.kind,
    mediaKind: video.kind,
    version: 1,
  };
  const sealed = await deps.accounts.seal(as, credentials);
  await deps.provider.verifyAccount({ ...as, sealed: sealed.toString('base64'), fresh: true });
  const made = await insertAccount(
    deps.store,
    tenantId,
    {
      id: as.accountId,
      label,
      voiceKind: as.voiceKind,
      mediaKind: as.mediaKind,
      applicationId: voice.applicationId,
      voiceKeyEnd: endOf(voice.apiKey),
      mediaKeyEnd: video.kind === 'opentok' ? endOf(video.apiKey) : null,
      sealed,
    },
    MOST_ACCOUNTS,
  );
  if (made === 'too-many')
    throw new VerdictError(
      'client',
      'too-many-provider-accounts',
      `You have ${MOST_ACCOUNTS} accounts, which is as many as there can be.`,
      { fix: 'Delete one that you do not need: GET /v1/provider-accounts lists them.' },
    );
  if (made === 'taken') throw applicationTaken();
  return made;
}

const applicationTaken = (): VerdictError =>
  new VerdictError('client', 'application-taken', 'This application is an account here already.', {
    field: '/voice/applicationId',
    fix: 'Make another application at the vendor, used by nothing else: docs/accounts.md.',
  });

/** What may be shown of a key. */
const endOf = (key: string): string => (key.length > 4 ? key.slice(-4) : '');

function assertPrivateKey(pem: string): void {
  try {
    if (createPrivateKey(pem.replaceAll(String.raw`\n`, '\n')).asymmetricKeyType === 'rsa') return;
  } catch {
    // What it says is not told on: it could hold a part of the key.
  }
  throw new VerdictError('client', 'invalid-body', 'The private key cannot be read.', {
    field: '/voice/privateKey',
    fix: 'Give the RSA key that the vendor gave for the application, whole, with its line breaks.',
  });
}

/** What is new of an account's credentials; what is left out stays. */
interface NewCredentials {
  readonly voice?: { readonly [K in keyof AccountCredentials['voice']]?: string | undefined } | undefined;
  readonly video?:
    | {
        readonly kind?: string | undefined;
        readonly apiKey?: string | undefined;
        readonly apiSecret?: string | undefined;
      }
    | undefined;
  readonly callbackSecret?: string | undefined;
}

/**
 * New credentials for an account, once the provider has taken them: good for requests at once, while webhooks signed with the old secrets are taken for `overlapS`
 * seconds more. Throws 404, `provider-account-differs` (422) when they are another account's, `provider-account-changed` (409), and as `createAccount`.
 */
export async function rotateAccount(
  deps: AccountDeps,
  tenantId: string,
  accountId: string,
  wanted: NewCredentials,
  overlapS: number,
): Promise<AccountRow> {
  const { before, as } = await open(deps, tenantId, accountId);
  const after = merge(before, wanted);
  assertPrivateKey(after.voice.privateKey);
  const next: SealedAs = { ...as, version: as.version + 1 };
  const sealed = await deps.accounts.seal(next, after);
  await deps.provider.verifyAccount({ ...next, sealed: sealed.toString('base64'), fresh: false });
  const row = await replaceCredentials(deps.store, tenantId, accountId, { version: as.version, sealed, overlapS });
  if (row === null)
    throw new VerdictError(
      'client',
      'provider-account-changed',
      'Somebody else has rotated or deleted this account meanwhile.',
      { fix: 'Look at it, and rotate again if need be.' },
    );
  return row;
}

/** Asks the provider whether it still takes an account's credentials. Throws 404, and as `createAccount`. */
export async function verifyAccount(deps: AccountDeps, tenantId: string, accountId: string): Promise<AccountRow> {
  const row = await readSealedAccount(deps.store, tenantId, accountId);
  if (row === null) throw noSuchAccount();
  await deps.provider.verifyAccount({
    tenantId,
    accountId,
    voiceKind: row.voice_kind,
    mediaKind: row.media_kind,
    version: row.version,
    sealed: Buffer.from(row.sealed).toString('base64'),
    fresh: false,
  });
  const noted = await noteVerified(deps.store, tenantId, accountId, row.version);
  if (noted === null) throw noSuchAccount();
  return noted;
}

/** Deletes an account and wipes its credentials. Throws 404, and `provider-account-in-use` (409) while something lives there. */
export async function deleteAccount(
  { store }: Pick<AccountDeps, 'store'>,
  tenantId: string,
  accountId: string,
): Promise<void> {
  const deleted = await deleteRow(store, tenantId, accountId);
  if (deleted === null) throw noSuchAccount();
  if (deleted === 'in-use') {
    throw new VerdictError(
      'client',
      'provider-account-in-use',
      'Numbers lead to this account, or a session or call of it is up.',
      {
        fix: 'Have the platform’s operator give its numbers another account, and try again when all of its calls are confirmed hung up.',
      },
    );
  }
}

async function open(
  deps: AccountDeps,
  tenantId: string,
  accountId: string,
): Promise<{ before: AccountCredentials; as: SealedAs }> {
  const row = await readSealedAccount(deps.store, tenantId, accountId);
  if (row === null) throw noSuchAccount();
  const as: SealedAs = {
    tenantId,
    accountId,
    voiceKind: row.voice_kind,
    mediaKind: row.media_kind,
    version: row.version,
  };
  return { before: await deps.accounts.open(as, row.sealed), as };
}

/** The new credentials among the old. What is up lives in the application, the project and the account that they name, so these stay. */
function merge(
  before: AccountCredentials,
  { voice = {}, video = {}, callbackSecret }: NewCredentials,
): AccountCredentials {
  const same = (field: string, was: string | undefined, is: string | undefined): void => {
    if (is !== undefined && is.toLowerCase() !== was?.toLowerCase())
      throw new VerdictError('client', 'provider-account-differs', 'These are the credentials of another account.', {
        field,
        fix: 'Leave out what names the account; for another one, create an account: POST /v1/provider-accounts.',
      });
  };
  for (const name of ['kind', 'apiKey', 'applicationId'] as const)
    same(`/voice/${name}`, before.voice[name], voice[name]);
  same('/video/kind', before.video.kind, video.kind);
  const project = before.video.kind === 'opentok' ? before.video : undefined;
  same('/video/apiKey', project?.apiKey, video.apiKey);
  if (project === undefined) same('/video/apiSecret', undefined, video.apiSecret);
  return {
    voice: {
      ...before.voice,
      apiSecret: voice.apiSecret ?? before.voice.apiSecret,
      privateKey: voice.privateKey ?? before.voice.privateKey,
      signatureSecret: voice.signatureSecret ?? before.voice.signatureSecret,
    },
    video: project === undefined ? before.video : { ...project, apiSecret: video.apiSecret ?? project.apiSecret },
    callbackSecret: callbackSecret ?? before.callbackSecret,
  };
}
