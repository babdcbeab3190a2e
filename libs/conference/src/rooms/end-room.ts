import { findNewestSession } from '@partyline/store/sessions/sessions';
import { canJoin, type EndReason } from '@partyline/domain/session';
import { inTransaction } from '@partyline/store/database/store';
import { closeRoom, lockRoom } from '@partyline/store/rooms/rooms';
import type { Deps } from '../deps.ts';
import { noSuchRoom, roomEnded } from '../errors.ts';
import { PIN_QUARANTINE_SECONDS } from '../pins/pin-quarantine.ts';
import { endSession, type EndResult } from '../sessions/end-session.ts';

/** Ends a room for good: its PIN lets nobody in any more, and its session ends, for the first reason that the room was ended for. Throws when there is none (404) or it has ended (409). */
export async function endRoom(
  deps: Pick<Deps, 'store' | 'jobs' | 'report'>,
  tenantId: string,
  roomId: string,
  reason: EndReason = 'ended-by-tenant',
): Promise<EndResult & { sessionId: string | null }> {
  const { session, why, again } = await inTransaction(deps.store, tenantId, async (tx) => {
    const room = await lockRoom(tx, tenantId, roomId);
    if (room === null) throw noSuchRoom();
    if (room.state !== 'ended') await closeRoom(tx, tenantId, roomId, reason, PIN_QUARANTINE_SECONDS);
    return {
      session: await findNewestSession(tx, tenantId, roomId),
      why: room.end_reason ?? reason,
      again: room.state === 'ended',
    };
  });
  const sessionId = session?.id ?? null;
  // A crash here leaves an ended room with a running session: who asks again ends it, and nobody new can come in.
  const end = sessionId === null ? null : await endSession(deps, tenantId, sessionId, why);
  if (again && end?.decided !== true) throw roomEnded();
  if (end === null) return { decided: true, state: 'ended', sessionId };
  // Whatever else changes a running session between the two sees that the room has ended, and decides in this call's name.
  return { decided: end.decided || (!again && canJoin(session!.state)), state: end.state, sessionId };
}
