import { findNewestSession } from '@partyline/store/sessions/sessions';
import { VerdictError } from '@partyline/domain/verdict';
import { hideRoom } from '@partyline/store/rooms/rooms';
import { inTransaction } from '@partyline/store/database/store';
import type { Deps } from '../deps.ts';
import { endSession, type EndResult } from '../sessions/end-session.ts';
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
  const ended = await endRoom(deps, tenantId, roomId).catch((error: unknown) => {
    if (error instanceof VerdictError && error.verdict.reason === 'room-ended') return null;
    throw error;
  });
  const sessionId = await inTransaction(deps.store, tenantId, async (tx) => {
    await hideRoom(tx, tenantId, roomId);
    return (await findNewestSession(tx, tenantId, roomId))?.id ?? null;
  });
  if (ended !== null) return ended;
  const result = sessionId === null ? null : await endSession(deps, tenantId, sessionId, 'ended-by-tenant');
  return { ...(result ?? { decided: false, state: 'ended' as const }), sessionId };
}
