import { readLastUse } from '@partyline/store/sessions/sessions';
import { computeExpiry } from '@partyline/domain/room-expiry';
import { canJoin } from '@partyline/domain/session';
import { lockRoom, scheduleExpiryCheck } from '@partyline/store/rooms/rooms';
import { inTransaction } from '@partyline/store/database/store';
import type { Deps } from '../deps.ts';
import { endRoom } from './end-room.ts';

/**
 * Ends a room after its `expiresAt` or its idle days. Otherwise sets the time of the next check. A
 * room with a running session is not idle; it is checked again when its idle days could be over at
 * the earliest.
 */
export async function expireRoom(
  deps: Pick<Deps, 'store' | 'jobs' | 'report'>,
  tenantId: string,
  roomId: string,
): Promise<'ended' | 'later'> {
  const expired = await inTransaction(deps.store, tenantId, async (tx) => {
    const room = await lockRoom(tx, tenantId, roomId);
    if (room === null || room.state === 'ended') return false;
    const last = await readLastUse(tx, tenantId, roomId);
    const usedAt = last === null ? room.created_at : canJoin(last.state) ? room.now : (last.ended_at ?? room.now);
    const at = computeExpiry(room, usedAt);
    if (at !== null && at <= room.now) return true;
    await scheduleExpiryCheck(tx, tenantId, roomId, at);
    return false;
  });
  if (!expired) return 'later';
  await endRoom(deps, tenantId, roomId, 'room-expired');
  return 'ended';
}
