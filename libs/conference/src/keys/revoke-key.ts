import { VerdictError } from '@partyline/domain/verdict';
import { countLiveKeys, lockKeys, readKey, revokeKey as markRevoked, type KeyRow } from '@partyline/store/keys/keys';
import { inTransaction } from '@partyline/store/database/store';
import { assertCanRevoke, type KeyCaller } from './create-key.ts';
import type { Deps } from '../deps.ts';
import { noSuchKey } from '../errors.ts';

/**
 * Revokes a key at once; a repetition gives the same result. Throws 404, `scope-exceeded` (403) for
 * a key with more scopes than the caller's, and `last-admin-key` (409), because a tenant without an
 * admin key could not create another.
 */
export async function revokeKey(
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
      throw new VerdictError('client', 'last-admin-key', 'This is the last key with the admin scope.', {
        fix: 'Create another admin key with POST /v1/keys first, or rotate this one.',
      });
    }
    return { before, after: await markRevoked(tx, tenantId, keyId) };
  });
}
