import { findNewestSession } from '@partyline/store/sessions/sessions';
import { canJoin, type EndReason } from '@partyline/domain/session';
import { appendRoomEvent } from '@partyline/store/events/append-events';
import { inTransaction } from '@partyline/store/database/store';
import { closeRoom, lockRoom } from '@partyline/store/rooms/rooms';
import type { Deps } from '../deps.ts';
import { noSuchRoom } from '../errors.ts';
import { PIN_QUARANTINE_SECONDS } from '../pins/pin-quarantine.ts';
import { endSession, type EndResult } from '../sessions/end-session.ts';

/**
 * Ends a room: releases its PINs and ends its session, with the reason for which the room was first
 * ended. A later call changes nothing and returns `decided: false`. Throws 404.
 */
export async function endRoom(
  deps: Pick<Deps, 'store' | 'jobs' | 'report'>,
  tenantId: string,
  roomId: string,
  reason: EndReason = 'ended-by-tenant',
): Promise<EndResult & { sessionId: string | null }> {
  const { session, endReason, wasEnded } = await inTransaction(deps.store, tenantId, async (tx) => {
    const room = await lockRoom(tx, tenantId, roomId);
    if (room === null) throw noSuchRoom();
    if (room.state !== 'ended') {
      await closeRoom(tx, tenantId, roomId, reason, PIN_QUARANTINE_SECONDS);
      await appendRoomEvent(tx, tenantId, roomId, { type: 'room.ended', data: { reason } });
    }
    return {
      session: await findNewestSession(tx, tenantId, roomId),
      endReason: room.end_reason ?? reason,
      wasEnded: room.state === 'ended',
    };
  });
  const sessionId = session?.id ?? null;
  // A crash here leaves an ended room with a running session: the next request ends it, and no user
  // can join.
  const end = sessionId === null ? null : await endSession(deps, tenantId, sessionId, endReason);
  if (end === null) return { decided: !wasEnded, state: 'ended', sessionId };
  // Any other change of the session between the two transactions finds the room ended and ends the
  // session on behalf of this call.
  return { decided: end.decided || (!wasEnded && canJoin(session!.state)), state: end.state, sessionId };
}
