import { canJoin, type EndReason } from '@partyline/domain/session';
import { closeRoom, lockRoom, newestSession } from '@partyline/store/rooms/rooms';
import { inTransaction } from '@partyline/store/database/store';
import { changeSession } from './change-session.ts';
import type { Deps } from '../deps.ts';
import { noSuchRoom, roomEnded } from '../errors.ts';
import { decideEnd } from './settle-session.ts';

/** How long a PIN stays taken after its room ended, so that a late caller does not land in a stranger's room (design §5). */
export const PIN_QUARANTINE_S = 24 * 3600;

export interface Ending {
  /** This call decided it; `false`: it was decided before, and the first reason stands. */
  readonly decided: boolean;
  readonly state: 'ending' | 'ended';
}

/**
 * Ends a session, whoever asks: from here on nobody joins, and every leg is owed its hang-up in the same transaction. The second caller
 * is told that it is already ending. `null` when the tenant has no such session.
 */
export async function endSession(
  deps: Pick<Deps, 'store' | 'jobs' | 'report'>,
  tenantId: string,
  sessionId: string,
  reason: EndReason,
): Promise<Ending | null> {
  const changed = await changeSession(deps, tenantId, sessionId, (view) => decideEnd(view, reason));
  if (changed === null) return null;
  return { decided: changed.result, state: changed.view.session.state === 'ended' ? 'ended' : 'ending' };
}

/** Ends a room for good: its PIN lets nobody in any more, and its session ends, for the first reason that the room was ended for. Throws when there is none (404) or it has ended (409). */
export async function endRoom(
  deps: Pick<Deps, 'store' | 'jobs' | 'report'>,
  tenantId: string,
  roomId: string,
  reason: EndReason = 'ended-by-tenant',
): Promise<Ending & { sessionId: string | null }> {
  const { session, why, again } = await inTransaction(deps.store, tenantId, async (tx) => {
    const room = await lockRoom(tx, tenantId, roomId);
    if (room === null) throw noSuchRoom();
    if (room.state !== 'ended') await closeRoom(tx, tenantId, roomId, reason, PIN_QUARANTINE_S);
    return {
      session: await newestSession(tx, tenantId, roomId),
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
