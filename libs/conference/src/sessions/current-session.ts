import { insertSession, findNewestSession } from '@partyline/store/sessions/sessions';
import { canJoin } from '@partyline/domain/session';
import { lockRoom } from '@partyline/store/rooms/rooms';
import { inTransaction } from '@partyline/store/database/store';
import { lockSession } from '@partyline/store/sessions/session-lock';
import type { Deps } from '../deps.ts';
import { noSuchRoom, roomEnded, roomNotOpen } from '../errors.ts';

/**
 * Returns the id of the room's running session; opens a session when the last one has ended.
 * Throws `room-not-found` (404), `room-ended` and `room-not-open` (409).
 */
export async function findOrOpenSession(
  deps: Pick<Deps, 'store' | 'ids'>,
  tenantId: string,
  roomId: string,
): Promise<string> {
  return inTransaction(deps.store, tenantId, async (tx) => {
    // Lock order as in admission: room, then session. The room's lock prevents a second session.
    const room = await lockRoom(tx, tenantId, roomId);
    if (room === null) throw noSuchRoom();
    if (room.state === 'ended') throw roomEnded();
    if (room.starts_at !== null && room.starts_at > room.now)
      throw roomNotOpen(`This room opens at ${room.starts_at.toISOString()}.`);
    if (room.ends_at !== null && room.ends_at <= room.now)
      throw roomNotOpen(`This room closed at ${room.ends_at.toISOString()}.`);
    const newest = await findNewestSession(tx, tenantId, roomId);
    const view = newest === null ? null : await lockSession(tx, tenantId, newest.id);
    if (view !== null && canJoin(view.session.state)) return view.session.id;
    const id = deps.ids.next('ses');
    await insertSession(tx, tenantId, room, {
      id,
      conversation: deps.ids.next('conv'),
      mediaSessionId: null,
      accountId: room.account_id,
    });
    return id;
  });
}
