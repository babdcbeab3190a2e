import { VerdictError } from '@partyline/domain/verdict';
import { deleteNumber, insertNumber, lockNumber, saveNumber, type NumberRow } from '@partyline/store/numbers';
import { holdAccount } from '@partyline/store/provider-accounts';
import { EVERY_TENANT, inTransaction, type Tx } from '@partyline/store/store';
import { readTenant } from '@partyline/store/tenants';
import type { Deps } from './deps.ts';
import { noSuchNumber, noSuchTenant } from './refusals.ts';

/** An operator adds a dial-in number. Throws 404 for its tenant and its account, 409 when it is there already. */
export async function createNumber({ store }: Pick<Deps, 'store'>, number: NumberRow): Promise<NumberRow> {
  if (number.dedicated_to !== null && (await readTenant(store, number.dedicated_to)) === null) throw noSuchTenant();
  const made = await inTransaction(store, EVERY_TENANT, async (tx) => {
    await holdItsAccount(tx, number);
    return insertNumber(tx, number);
  });
  if (made === null) throw new VerdictError('client', 'number-exists', 'This number is there already.', { field: '/number', fix: 'Change it with PATCH /v1/operator/numbers/{number}.' });
  return made;
}

/**
 * An operator changes a number. One that changes hands must have no rooms, which would be another tenant's, and leaves its account; nor may one that changes its
 * account, in which its rooms live. Throws 404 and 409.
 */
export async function changeNumber({ store }: Pick<Deps, 'store'>, e164: string, wanted: Partial<Omit<NumberRow, 'e164'>>): Promise<NumberRow> {
  if (typeof wanted.dedicated_to === 'string' && (await readTenant(store, wanted.dedicated_to)) === null) throw noSuchTenant();
  return inTransaction(store, EVERY_TENANT, async (tx) => {
    const before = await lockNumber(tx, e164);
    if (before === null) throw noSuchNumber();
    const { rooms, ...row } = before;
    const changesHands = wanted.dedicated_to !== undefined && wanted.dedicated_to !== row.dedicated_to;
    const after = { ...row, ...(changesHands ? { account_id: null } : {}), ...wanted };
    if ((changesHands || after.account_id !== row.account_id) && rooms > 0) throw hasRooms(rooms);
    await holdItsAccount(tx, after);
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

/** Its account must be its tenant's, and is not deleted meanwhile. Throws 404, and `not-dedicated` (422) for a number that is nobody's own. */
async function holdItsAccount(tx: Tx, { dedicated_to, account_id }: NumberRow): Promise<void> {
  if (account_id === null) return;
  if (dedicated_to === null) throw new VerdictError('client', 'not-dedicated', 'Only a number that is one tenant’s own can lead to an account of its own.', { field: '/providerAccountId', fix: 'Give its tenantId too.' });
  if (!(await holdAccount(tx, dedicated_to, account_id))) throw new VerdictError('client', 'provider-account-not-found', 'The number’s tenant has no such provider account.', { field: '/providerAccountId', fix: 'Give the id that the tenant’s GET /v1/provider-accounts shows.' });
}

const hasRooms = (rooms: number): VerdictError => new VerdictError('client', 'number-has-rooms', `${rooms} active rooms are on this number.`, { fix: 'Wait until they have ended, or end them.' });
