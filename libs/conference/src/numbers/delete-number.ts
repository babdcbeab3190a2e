import { deleteNumber as deleteRow, lockNumber, type OperatorNumberRow } from '@partyline/store/numbers/numbers';
import { EVERY_TENANT, inTransaction } from '@partyline/store/database/store';
import type { Deps } from '../deps.ts';
import { noSuchNumber } from '../errors.ts';
import { endRoomsOfSuspendedTenant, numberHasRooms } from './end-suspended-rooms.ts';

/**
 * Deletes a dial-in number and returns the deleted row. Rooms of a suspended tenant are ended.
 * Throws 404, and `number-has-rooms` (409) while other rooms use the number.
 */
export async function deleteNumber(
  deps: Pick<Deps, 'store' | 'jobs' | 'report'>,
  e164: string,
): Promise<OperatorNumberRow> {
  await endRoomsOfSuspendedTenant(deps, e164, null);
  return inTransaction(deps.store, EVERY_TENANT, async (tx) => {
    const before = await lockNumber(tx, e164);
    if (before === null) throw noSuchNumber();
    if (before.rooms > 0) throw numberHasRooms(before.rooms);
    await deleteRow(tx, e164);
    return before;
  });
}
