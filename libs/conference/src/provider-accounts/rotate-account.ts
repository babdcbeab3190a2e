import { VerdictError } from '@partyline/domain/verdict';
import type { AccountCredentials } from '@partyline/provider-contract/account-credentials';
import {
  readEncryptedAccount,
  replaceCredentials,
  type AccountRow,
} from '@partyline/store/provider-accounts/provider-accounts';
import type { AccountBinding } from '../providers/account-vault.ts';
import { noSuchAccount } from '../errors.ts';
import { assertPrivateKey, type AccountDeps } from './create-account.ts';

/** The credentials to replace. An absent field keeps its value. */
interface NewCredentials {
  readonly voice?:
    | ({ readonly [K in Exclude<keyof AccountCredentials['voice'], 'sip'>]?: string | undefined } & {
        readonly sip?: { readonly [K in 'domain' | 'username' | 'password']?: string | undefined } | undefined;
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
  const after = mergeCredentials(before, changes);
  assertPrivateKey(after.voice.privateKey);
  const next: AccountBinding = { ...binding, version: binding.version + 1 };
  const ciphertext = await deps.accounts.encrypt(next, after);
  await deps.provider.verifyAccount({ ...next, encryptedCredentials: ciphertext.toString('base64'), isNew: false });
  const row = await replaceCredentials(deps.store, tenantId, accountId, {
    version: binding.version,
    ciphertext,
    overlapS,
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

/**
 * Live calls and sessions belong to the application, project and account that the old credentials
 * name, so a rotation may not change these identifiers.
 */
function mergeCredentials(
  before: AccountCredentials,
  { voice = {}, video = {}, callbackSecret }: NewCredentials,
): AccountCredentials {
  const assertSame = (field: string, previous: string | undefined, given: string | undefined): void => {
    if (given !== undefined && given.toLowerCase() !== previous?.toLowerCase())
      throw new VerdictError('client', 'provider-account-differs', 'These are the credentials of another account.', {
        field,
        fix: 'Leave out the fields that identify the account. For another account, use POST /v1/provider-accounts.',
      });
  };
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
