import { canJoin } from '@partyline/domain/session';
import { insertSession, lockRoom, newestSessionId } from '@partyline/store/rooms';
import { inTransaction } from '@partyline/store/store';
import { lockSession } from '@partyline/store/session-view';
import type { Deps } from './deps.ts';
import { noSuchRoom, roomEnded } from './refusals.ts';

/** The room's running session, or a new one when the last is over: a room holds many over time. Throws 404 and 409 for the room. */
export async function currentSession(deps: Pick<Deps, 'store' | 'ids'>, tenantId: string, roomId: string): Promise<string> {
  return inTransaction(deps.store, async (tx) => {
    const newest = await newestSessionId(tx, tenantId, roomId);
    // Session before room, as everywhere: one order of locks.
    const view = newest === null ? null : await lockSession(tx, tenantId, newest);
    const room = await lockRoom(tx, tenantId, roomId);
    if (room === null) throw noSuchRoom();
    if (room.state === 'ended') throw roomEnded();
    if (view !== null && canJoin(view.session.state)) return view.session.id;
    const id = deps.ids.next('ses');
    await insertSession(tx, tenantId, room, { id, conversation: deps.ids.next('conv'), mediaSessionId: null });
    return id;
  });
}
