import { assertCountryOfNumber } from '@partyline/domain/describe-number';
import { isTenantAccount } from '@partyline/domain/platform-account';
import {
  clearGuesses,
  lockNumber,
  saveNumber,
  type OperatorNumberRow,
  type NewNumber,
} from '@partyline/store/numbers/numbers';
import { EVERY_TENANT, inTransaction } from '@partyline/store/database/store';
import { readTenant } from '@partyline/store/tenants/tenants';
import type { Deps } from '../deps.ts';
import { noSuchNumber, noSuchTenant } from '../errors.ts';
import { lockNumberAccount } from './create-number.ts';
import { endRoomsOfSuspendedTenant, numberHasRooms } from './end-suspended-rooms.ts';

/**
 * Changes a dial-in number. A number with active rooms keeps its tenant and its provider account;
 * a number that changes its tenant loses its tenant's account unless another is given, and a number
 * that changes its account starts without wrong PINs and slow mode. Rooms of a suspended tenant are
 * ended. Throws 404 and 409, and 422 for a country that is not the number's.
 */
export async function updateNumber(
  deps: Pick<Deps, 'store' | 'jobs' | 'report'>,
  e164: string,
  changes: Partial<Omit<NewNumber, 'e164'>>,
): Promise<{ before: OperatorNumberRow; after: OperatorNumberRow }> {
  const { store } = deps;
  assertCountryOfNumber(e164, changes.country ?? null);
  if (typeof changes.dedicated_to === 'string' && (await readTenant(store, changes.dedicated_to)) === null)
    throw noSuchTenant();
  if (changes.dedicated_to !== undefined) await endRoomsOfSuspendedTenant(deps, e164, changes.dedicated_to);
  return inTransaction(store, EVERY_TENANT, async (tx) => {
    const locked = await lockNumber(tx, e164);
    if (locked === null) throw noSuchNumber();
    const { rooms, ...before } = locked;
    const changesTenant = changes.dedicated_to !== undefined && changes.dedicated_to !== before.dedicated_to;
    const after = {
      ...before,
      ...(changesTenant && isTenantAccount(before.account_id) ? { account_id: null } : {}),
      ...changes,
    };
    const changesAccount = after.account_id !== before.account_id;
    if ((changesTenant || changesAccount) && rooms > 0) throw numberHasRooms(rooms);
    await lockNumberAccount(tx, after);
    await saveNumber(tx, after);
    if (!changesAccount) return { before, after };
    await clearGuesses(tx, e164);
    return { before, after: { ...after, slow_until: null } };
  });
}
