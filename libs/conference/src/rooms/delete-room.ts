import { appendRoomEvent } from '@partyline/store/events/append-events';
import { hideRoom } from '@partyline/store/rooms/rooms';
import { inTransaction } from '@partyline/store/database/store';
import type { Deps } from '../deps.ts';
import type { EndResult } from '../sessions/end-session.ts';
import { endRoom } from './end-room.ts';

/**
 * Ends a room, unless it has ended, and removes it from its tenant's lists. It stays readable,
 * because its ledger proves its hang-ups. Throws 404.
 */
export async function deleteRoom(
  deps: Pick<Deps, 'store' | 'jobs' | 'report'>,
  tenantId: string,
  roomId: string,
): Promise<EndResult & { sessionId: string | null }> {
  const ended = await endRoom(deps, tenantId, roomId);
  await inTransaction(deps.store, tenantId, async (tx) => {
    if (await hideRoom(tx, tenantId, roomId))
      await appendRoomEvent(tx, tenantId, roomId, { type: 'room.deleted', data: {} });
  });
  return ended;
}
