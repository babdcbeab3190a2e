import { VerdictError } from '@partyline/domain/verdict';
import {
  isSip,
  type AccountCredentials,
  type SipCredentials,
  type TrunkCredentials,
  type VonageCredentials,
} from '@partyline/provider-contract/account-credentials';
import {
  readEncryptedAccount,
  replaceCredentials,
  type AccountRow,
} from '@partyline/store/provider-accounts/provider-accounts';
import type { AccountBinding } from '../providers/account-vault.ts';
import { noSuchAccount } from '../errors.ts';
import { checkCredentials, readTrunk, type AccountDeps } from './create-account.ts';

/** Null: the account places no more calls. */
type TrunkChange = { readonly [K in keyof TrunkCredentials]?: TrunkCredentials[K] | undefined } | null;

/** The credentials to replace. An absent field keeps its value. */
interface NewCredentials {
  readonly voice?:
    | ({
        readonly [K in Exclude<keyof VonageCredentials['voice'], 'sip'>]?: string | undefined;
      } & {
        readonly sip?: { readonly [K in 'domain' | 'username' | 'password']?: string | undefined } | undefined;
        readonly trunk?: TrunkChange | undefined;
        readonly addresses?: readonly string[] | undefined;
      })
    | undefined;
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
 * Replaces an account's credentials after the provider has accepted the new ones. Requests use them
 * at once; webhooks signed with the old secrets stay valid for `overlapS` seconds.
 * Throws 404, `provider-account-differs` (422) for credentials of another account,
 * `provider-account-changed` (409), and the errors of `createAccount`.
 */
export async function rotateAccount(
  deps: AccountDeps,
  tenantId: string,
  accountId: string,
  changes: NewCredentials,
  overlapS: number,
): Promise<AccountRow> {
  const { before, binding } = await readCredentials(deps, tenantId, accountId);
  const after = checkCredentials(mergeCredentials(before, changes), deps.addresses);
  const next: AccountBinding = { ...binding, version: binding.version + 1 };
  const ciphertext = await deps.accounts.encrypt(next, after);
  await deps.provider.verifyAccount({ ...next, encryptedCredentials: ciphertext.toString('base64'), isNew: false });
  const row = await replaceCredentials(deps.store, tenantId, accountId, {
    version: binding.version,
    ciphertext,
    // The gateways sign the webhooks of a trunk account, so none can have an old signature.
    overlapS: isSip(after) ? 0 : overlapS,
    trunk: readTrunk(after),
  });
  if (row === null)
    throw new VerdictError(
      'client',
      'provider-account-changed',
      'Another request has rotated or deleted this account in the meantime.',
      { fix: 'Read the account again, and repeat the rotation if it is still needed.' },
    );
  return row;
}

async function readCredentials(
  deps: AccountDeps,
  tenantId: string,
  accountId: string,
): Promise<{ before: AccountCredentials; binding: AccountBinding }> {
  const row = await readEncryptedAccount(deps.store, tenantId, accountId);
  if (row === null) throw noSuchAccount();
  const binding: AccountBinding = {
    tenantId,
    accountId,
    voiceKind: row.voice_kind,
    mediaKind: row.media_kind,
    version: row.version,
  };
  return { before: await deps.accounts.decrypt(binding, row.ciphertext), binding };
}

type AssertSame = (field: string, previous: string | undefined, given: string | undefined) => void;

const assertSame: AssertSame = (field, previous, given) => {
  if (given !== undefined && given.toLowerCase() !== previous?.toLowerCase())
    throw new VerdictError('client', 'provider-account-differs', 'These are the credentials of another account.', {
      field,
      fix: 'Leave out the fields that identify the account. For another account, use POST /v1/provider-accounts.',
    });
};

const mergeCredentials = (before: AccountCredentials, changes: NewCredentials): AccountCredentials =>
  isSip(before) ? mergeSip(before, changes) : mergeVonage(before, changes);

/**
 * The host of the trunk cannot change: calls to it leave from the address of the platform, which the
 * trunk of another owner may trust, and the operator has seen this host only.
 */
function mergeSip({ voice: before, video }: SipCredentials, changes: NewCredentials): SipCredentials {
  const { kind, trunk, addresses, ...rest } = changes.voice ?? {};
  assertSame('/voice/kind', before.kind, kind);
  assertSame('/video/kind', video.kind, changes.video?.kind);
  for (const name of ['apiKey', 'apiSecret', 'applicationId', 'privateKey', 'signatureSecret', 'region'] as const)
    assertSame(`/voice/${name}`, undefined, rest[name]);
  for (const name of ['domain', 'username', 'password'] as const)
    assertSame(`/voice/sip/${name}`, undefined, rest.sip?.[name]);
  for (const name of ['apiKey', 'apiSecret'] as const) assertSame(`/video/${name}`, undefined, changes.video?.[name]);
  assertSame('/callbackSecret', undefined, changes.callbackSecret);
  const merged = trunk === undefined ? before.trunk : mergeTrunk(before.trunk, trunk);
  return {
    voice: {
      kind: before.kind,
      addresses: addresses ?? before.addresses,
      ...(merged !== undefined && { trunk: merged }),
    },
    video,
  };
}

/**
 * Throws `provider-account-differs` (422) for another host, also for the first one, and
 * `invalid-body` (422) for a user without a password.
 */
function mergeTrunk(before: TrunkCredentials | undefined, change: TrunkChange): TrunkCredentials | undefined {
  if (change === null) return undefined;
  assertSame('/voice/trunk/host', before?.host, change.host ?? before?.host ?? '');
  if (before === undefined) return undefined;
  const username = change.username ?? before.username;
  const password = change.password ?? before.password;
  if ((username === undefined) !== (password === undefined))
    throw incomplete(
      username === undefined ? 'username' : 'password',
      'A trunk has both a username and a password, or neither.',
    );
  return {
    host: before.host,
    transport: change.transport ?? before.transport,
    ...(username !== undefined && password !== undefined && { username, password }),
  };
}

const incomplete = (field: string, message: string): VerdictError =>
  new VerdictError('client', 'invalid-body', message, {
    field: `/voice/trunk/${field}`,
    fix: 'Give the field that is missing.',
  });

/**
 * Live calls and sessions belong to the application, project and account that the old credentials
 * name, so a rotation may not change these identifiers.
 */
function mergeVonage(
  before: VonageCredentials,
  { voice = {}, video = {}, callbackSecret }: NewCredentials,
): VonageCredentials {
  if (voice.trunk !== undefined) assertSame('/voice/trunk', undefined, 'trunk');
  if (voice.addresses !== undefined) assertSame('/voice/addresses', undefined, 'addresses');
  for (const name of ['kind', 'apiKey', 'applicationId', 'region'] as const)
    assertSame(`/voice/${name}`, before.voice[name], voice[name]);
  const { sip } = before.voice;
  assertSame('/voice/sip/domain', sip?.domain, voice.sip?.domain);
  if (sip === undefined)
    for (const name of ['username', 'password'] as const)
      assertSame(`/voice/sip/${name}`, undefined, voice.sip?.[name]);
  assertSame('/video/kind', before.video.kind, video.kind);
  const project = before.video.kind === 'opentok' ? before.video : undefined;
  assertSame('/video/apiKey', project?.apiKey, video.apiKey);
  if (project === undefined) assertSame('/video/apiSecret', undefined, video.apiSecret);
  return {
    voice: {
      ...before.voice,
      apiSecret: voice.apiSecret ?? before.voice.apiSecret,
      privateKey: voice.privateKey ?? before.voice.privateKey,
      signatureSecret: voice.signatureSecret ?? before.voice.signatureSecret,
      ...(sip && {
        sip: {
          ...sip,
          username: voice.sip?.username ?? sip.username,
          password: voice.sip?.password ?? sip.password,
        },
      }),
    },
    video: project === undefined ? before.video : { ...project, apiSecret: video.apiSecret ?? project.apiSecret },
    callbackSecret: callbackSecret ?? before.callbackSecret,
  };
}
