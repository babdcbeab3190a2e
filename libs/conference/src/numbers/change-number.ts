import { VerdictError } from '@partyline/domain/verdict';
import {
  deleteNumber,
  insertNumber,
  listRoomsOfSuspended,
  lockNumber,
  saveNumber,
  type GuardedNumberRow,
  type NewNumber,
  type NumberRow,
} from '@partyline/store/numbers/numbers';
import { holdAccount } from '@partyline/store/provider-accounts/provider-accounts';
import { EVERY_TENANT, inTransaction, type Tx } from '@partyline/store/database/store';
import { readTenant } from '@partyline/store/tenants/tenants';
import type { Deps } from '../deps.ts';
import { endRoom } from '../rooms/end-room.ts';
import { noSuchNumber, noSuchTenant } from '../errors.ts';

/** An operator adds a dial-in number. Throws 404 for its tenant and its account, 409 when it is there already. */
export async function createNumber({ store }: Pick<Deps, 'store'>, number: NewNumber): Promise<GuardedNumberRow> {
  if (number.dedicated_to !== null && (await readTenant(store, number.dedicated_to)) === null) throw noSuchTenant();
  const made = await inTransaction(store, EVERY_TENANT, async (tx) => {
    await holdItsAccount(tx, number);
    return insertNumber(tx, number);
  });
  if (made === null)
    throw new VerdictError('client', 'number-exists', 'This number is there already.', {
      field: '/number',
      fix: 'Change it with PATCH /v1/operator/numbers/{number}.',
    });
  return made;
}

/**
 * An operator changes a number. One that changes hands must have no rooms, which would be another tenant's, and leaves its account; nor may one that changes its
 * account, in which its rooms live. Rooms of a
 * suspended tenant are ended. Throws 404 and 409.
 */
export async function changeNumber(
  deps: Pick<Deps, 'store' | 'jobs' | 'report'>,
  e164: string,
  wanted: Partial<Omit<NewNumber, 'e164'>>,
): Promise<{ before: GuardedNumberRow; after: GuardedNumberRow }> {
  const { store } = deps;
  if (typeof wanted.dedicated_to === 'string' && (await readTenant(store, wanted.dedicated_to)) === null)
    throw noSuchTenant();
  if (wanted.dedicated_to !== undefined) await endRoomsOfSuspended(deps, e164, wanted.dedicated_to);
  return inTransaction(store, EVERY_TENANT, async (tx) => {
    const before = await lockNumber(tx, e164);
    if (before === null) throw noSuchNumber();
    const { rooms, ...row } = before;
    const changesHands = wanted.dedicated_to !== undefined && wanted.dedicated_to !== row.dedicated_to;
    const after = { ...row, ...(changesHands ? { account_id: null } : {}), ...wanted };
    if ((changesHands || after.account_id !== row.account_id) && rooms > 0) throw hasRooms(rooms);
    await holdItsAccount(tx, after);
    await saveNumber(tx, after);
    return { before: row, after };
  });
}

/** An operator takes a number away. Throws 404, and 409 while rooms are on it; those of a suspended tenant are ended. */
export async function removeNumber(
  deps: Pick<Deps, 'store' | 'jobs' | 'report'>,
  e164: string,
): Promise<GuardedNumberRow> {
  await endRoomsOfSuspended(deps, e164, null);
  return inTransaction(deps.store, EVERY_TENANT, async (tx) => {
    const before = await lockNumber(tx, e164);
    if (before === null) throw noSuchNumber();
    if (before.rooms > 0) throw hasRooms(before.rooms);
    await deleteNumber(tx, e164);
    return before;
  });
}

/** Its account must be its tenant's, and is not deleted meanwhile. Throws 404, and `number-not-dedicated` (422) for a number that is nobody's own. */
async function holdItsAccount(tx: Tx, { dedicated_to, account_id }: NumberRow): Promise<void> {
  if (account_id === null) return;
  if (dedicated_to === null)
    throw new VerdictError(
      'client',
      'number-not-dedicated',
      'Only a number that is one tenant’s own can lead to an account of its own.',
      { field: '/providerAccountId', fix: 'Give its tenantId too.' },
    );
  if (!(await holdAccount(tx, dedicated_to, account_id)))
    throw new VerdictError(
      'client',
      'provider-account-not-found',
      'The number’s tenant has no such provider account.',
      { field: '/providerAccountId', fix: 'Give the id that the tenant’s GET /v1/provider-accounts shows.' },
    );
}

/** Rooms that are ended before the operator has an answer; when there are more, the number has rooms still, and asking again ends the next. */
const AT_ONCE = 200;

/** A suspended tenant cannot end its rooms, and would keep its number by them for good. @param next whose the number is to be: unless it is theirs already */
async function endRoomsOfSuspended(
  deps: Pick<Deps, 'store' | 'jobs' | 'report'>,
  e164: string,
  next: string | null,
): Promise<void> {
  for (const { tenant_id: tenantId, id } of await listRoomsOfSuspended(deps.store, e164, AT_ONCE)) {
    if (tenantId === next) return;
    await endRoom(deps, tenantId, id, 'tenant-suspended').catch((error: unknown) => {
      if (!(error instanceof VerdictError) || error.verdict.reason !== 'room-ended') throw error;
    });
  }
}

const hasRooms = (rooms: number): VerdictError =>
  new VerdictError('client', 'number-has-rooms', `${rooms} active rooms are on this number.`, {
    fix: 'Wait until they have ended, or end them.',
  });
