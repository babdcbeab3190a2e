import { VerdictError } from '@partyline/domain/verdict';
import { countLiveKeys, lockKeys, readKey, revokeKey, type KeyRow } from '@partyline/store/keys/keys';
import { inTransaction } from '@partyline/store/database/store';
import { assertCanRevoke, type KeyCaller } from './create-key.ts';
import type { Deps } from '../deps.ts';
import { noSuchKey } from '../errors.ts';

/**
 * Ends a key at once; again: the same answer. Throws 404, `scope-exceeded` (403) for one that may do more than whoever asks, and `last-admin-key` (409) for the
 * last that may do everything: without one, a tenant could make no other.
 */
export async function endKey(
  deps: Pick<Deps, 'store'>,
  tenantId: string,
  caller: Pick<KeyCaller, 'scopes'>,
  keyId: string,
): Promise<{ before: KeyRow; after: KeyRow }> {
  return inTransaction(deps.store, tenantId, async (tx) => {
    await lockKeys(tx, tenantId);
    const before = await readKey(tx, tenantId, keyId);
    if (before === null) throw noSuchKey();
    assertCanRevoke(caller, before.scopes);
    if (
      before.state === 'live' &&
      before.scopes.includes('admin') &&
      (await countLiveKeys(tx, tenantId)).admins === 1
    ) {
      throw new VerdictError('client', 'last-admin-key', 'This is the last key with the scope admin.', {
        fix: 'Create another with POST /v1/keys first, or rotate this one.',
      });
    }
    return { before, after: await revokeKey(tx, tenantId, keyId) };
  });
}
