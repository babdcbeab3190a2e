import { VerdictError } from '@partyline/domain/verdict';
import { listRoomsOfSuspendedTenant } from '@partyline/store/numbers/numbers';
import type { Deps } from '../deps.ts';
import { endRoom } from '../rooms/end-room.ts';

/**
 * Rooms ended per request. With more rooms, the request fails with `number-has-rooms`; the next one
 * ends more.
 */
const MAX_ROOMS_PER_REQUEST = 200;

/**
 * Ends the rooms on a number whose tenant is suspended. A suspended tenant cannot end rooms, so its
 * rooms would keep the number assigned forever.
 * @param nextTenantId the number's future tenant (null: shared or deleted); its own rooms stay
 */
export async function endRoomsOfSuspendedTenant(
  deps: Pick<Deps, 'store' | 'jobs' | 'report'>,
  e164: string,
  nextTenantId: string | null,
): Promise<void> {
  for (const { tenant_id: tenantId, id } of await listRoomsOfSuspendedTenant(deps.store, e164, MAX_ROOMS_PER_REQUEST)) {
    if (tenantId === nextTenantId) return;
    await endRoom(deps, tenantId, id, 'tenant-suspended');
  }
}

export const numberHasRooms = (rooms: number): VerdictError =>
  new VerdictError('client', 'number-has-rooms', `This number has ${rooms} active rooms.`, {
    fix: 'End the rooms, or wait until they have ended.',
  });
