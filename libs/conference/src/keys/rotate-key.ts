import { VerdictError } from '@partyline/domain/verdict';
import { insertKey, lockKeys, readKey, retireKey, type KeyRow } from '@partyline/store/keys/keys';
import { inTransaction } from '@partyline/store/database/store';
import { assertCanGrant, assertExpiryWithin, assertKeyQuota, type KeyCaller } from './create-key.ts';
import type { Deps } from '../deps.ts';
import { generateKey } from './generate-key.ts';
import { noSuchKey } from '../errors.ts';

/**
 * Replaces a key with a new one of the same label, scopes and expiry. Only this result contains the
 * plaintext key. The old key stays valid for `overlapS` seconds. Throws 404, `key-inactive` (409),
 * `scope-exceeded` (403) for a key with more scopes than the caller's, `expiry-exceeded` (403) for
 * one that expires later, and `too-many-keys` (409) when both keys together exceed the quota.
 */
export async function rotateKey(
  deps: Pick<Deps, 'store' | 'ids' | 'secret'>,
  tenantId: string,
  caller: KeyCaller,
  keyId: string,
  { overlapS }: { overlapS: number },
): Promise<{ old: KeyRow; row: KeyRow; key: string }> {
  const generated = generateKey(deps, caller.env);
  return inTransaction(deps.store, tenantId, async (tx) => {
    await lockKeys(tx, tenantId);
    const before = await readKey(tx, tenantId, keyId);
    if (before === null) throw noSuchKey();
    if (before.state !== 'live')
      throw new VerdictError('client', 'key-inactive', `This key is ${before.state}.`, {
        fix: 'Create a new key with POST /v1/keys.',
      });
    assertCanGrant(caller, before.scopes);
    assertExpiryWithin(caller, before.expires_at);
    const old = await retireKey(tx, tenantId, keyId, overlapS);
    await assertKeyQuota(tx, tenantId);
    const row = await insertKey(tx, tenantId, {
      id: generated.id,
      label: before.label,
      scopes: before.scopes,
      secretHash: generated.secretHash,
      expiresAt: before.expires_at,
    });
    return { old, row, key: generated.key };
  });
}
