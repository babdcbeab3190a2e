import {
  recordVerification,
  readEncryptedAccount,
  type AccountRow,
} from '@partyline/store/provider-accounts/provider-accounts';
import { noSuchAccount } from '../errors.ts';
import type { AccountDeps } from './create-account.ts';

/**
 * Tests whether the provider still accepts an account's credentials, and records the time.
 * Throws 404, and the errors of `createAccount`.
 */
export async function verifyAccount(
  deps: Pick<AccountDeps, 'store' | 'provider'>,
  tenantId: string,
  accountId: string,
): Promise<AccountRow> {
  const row = await readEncryptedAccount(deps.store, tenantId, accountId);
  if (row === null) throw noSuchAccount();
  await deps.provider.verifyAccount({
    tenantId,
    accountId,
    voiceKind: row.voice_kind,
    mediaKind: row.media_kind,
    version: row.version,
    encryptedCredentials: Buffer.from(row.ciphertext).toString('base64'),
    isNew: false,
  });
  const verified = await recordVerification(deps.store, tenantId, accountId, row.version);
  if (verified === null) throw noSuchAccount();
  return verified;
}
