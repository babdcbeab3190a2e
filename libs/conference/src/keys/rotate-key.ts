import { VerdictError } from '@partyline/domain/verdict';
import { insertKey, lockKeys, readKey, retireKey, type KeyRow } from '@partyline/store/keys/keys';
import { inTransaction } from '@partyline/store/database/store';
import { assertKeyQuota, assertCanGrant, type KeyCaller } from './create-key.ts';
import type { Deps } from '../deps.ts';
import { generateKey } from './generate-key.ts';
import { noSuchKey } from '../errors.ts';

/**
 * A new key in place of another, with the same label, scopes and end, told once; the old one lives on for `overlapS` seconds. Throws 404, `key-inactive` (409)
 * for one that is over, `scope-exceeded` (403) for one that may do more than whoever asks, and `too-many-keys` (409) when both are to live.
 */
export async function rotateKey(
  deps: Pick<Deps, 'store' | 'ids' | 'secret'>,
  tenantId: string,
  caller: KeyCaller,
  keyId: string,
  { overlapS }: { overlapS: number },
): Promise<{ old: KeyRow; row: KeyRow; key: string }> {
  const drawn = generateKey(deps, caller.env);
  return inTransaction(deps.store, tenantId, async (tx) => {
    await lockKeys(tx, tenantId);
    const before = await readKey(tx, tenantId, keyId);
    if (before === null) throw noSuchKey();
    if (before.state !== 'live')
      throw new VerdictError('client', 'key-inactive', `This key is ${before.state}.`, {
        fix: 'Create a new one with POST /v1/keys.',
      });
    assertCanGrant(caller, before.scopes);
    const old = await retireKey(tx, tenantId, keyId, overlapS);
    await assertKeyQuota(tx, tenantId);
    const row = await insertKey(tx, tenantId, {
      id: drawn.id,
      label: before.label,
      scopes: before.scopes,
      secretHash: drawn.secretHash,
      expiresAt: before.expires_at,
    });
    return { old, row, key: drawn.key };
  });
}
