import { VerdictError } from '@partyline/domain/verdict';
import { deleteNumber, insertNumber, lockNumber, saveNumber, type NumberRow } from '@partyline/store/numbers';
import { EVERY_TENANT, inTransaction } from '@partyline/store/store';
import { readTenant } from '@partyline/store/tenants';
import type { Deps } from './deps.ts';
import { noSuchNumber, noSuchTenant } from './refusals.ts';

/** An operator adds a dial-in number. Throws 404 for its tenant, 409 when it is there already. */
export async function createNumber({ store }: Pick<Deps, 'store'>, number: NumberRow): Promise<NumberRow> {
  if (number.dedicated_to !== null && (await readTenant(store, number.dedicated_to)) === null) throw noSuchTenant();
  const made = await inTransaction(store, EVERY_TENANT, (tx) => insertNumber(tx, number));
  if (made === null) throw new VerdictError('client', 'number-exists', 'This number is there already.', { field: '/number', fix: 'Change it with PATCH /v1/operator/numbers/{number}.' });
  return made;
}

/** An operator changes a number. One that changes hands must have no rooms: they would be another tenant's. Throws 404 and 409. */
export async function changeNumber({ store }: Pick<Deps, 'store'>, e164: string, wanted: Partial<Omit<NumberRow, 'e164'>>): Promise<NumberRow> {
  if (typeof wanted.dedicated_to === 'string' && (await readTenant(store, wanted.dedicated_to)) === null) throw noSuchTenant();
  return inTransaction(store, EVERY_TENANT, async (tx) => {
    const before = await lockNumber(tx, e164);
    if (before === null) throw noSuchNumber();
    const { rooms, ...row } = before;
    const after = { ...row, ...wanted };
    if (after.dedicated_to !== row.dedicated_to && rooms > 0) throw hasRooms(rooms);
    await saveNumber(tx, after);
    return after;
  });
}

/** An operator takes a number away. Throws 404, and 409 while rooms are on it. */
export async function removeNumber({ store }: Pick<Deps, 'store'>, e164: string): Promise<void> {
  await inTransaction(store, EVERY_TENANT, async (tx) => {
    const before = await lockNumber(tx, e164);
    if (before === null) throw noSuchNumber();
    if (before.rooms > 0) throw hasRooms(before.rooms);
    await deleteNumber(tx, e164);
  });
}

const hasRooms = (rooms: number): VerdictError => new VerdictError('client', 'number-has-rooms', `${rooms} active rooms are on this number.`, { fix: 'Wait until they have ended, or end them.' });
