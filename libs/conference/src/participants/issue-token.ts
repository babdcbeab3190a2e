import { canJoin } from '@partyline/domain/session';
import { insertParticipant } from '@partyline/store/participants/participants';
import type { Role } from '@partyline/store/legs/legs';
import { inTransaction } from '@partyline/store/database/store';
import { sessionDeadline } from '../sessions/session-deadline.ts';
import { changeSession } from '../sessions/change-session.ts';
import { findOrOpenSession } from '../sessions/current-session.ts';
import type { ProviderRpc, OpenedMedia } from '../providers/rpc-messages.ts';
import type { Deps } from '../deps.ts';
import { enforceLimit } from '../limits/enforce-limit.ts';
import { enforceSpend } from '../limits/enforce-spend.ts';
import { roomEnded, roomFull } from '../errors.ts';
import { isRoomFull } from '../sessions/settle-session.ts';

/**
 * Issues a client token for one more browser, and opens the room's next session when the last one
 * has ended. The participant is stored only after the provider has issued the token, so an
 * unreachable provider leaves no participant behind. Throws 404 and 409 for the room, 429 at the
 * limit of live legs, 402 `spend-limit`, and the errors of the provider RPC.
 */
export async function issueToken(
  deps: Pick<Deps, 'store' | 'jobs' | 'ids' | 'report'> & { readonly provider: Pick<ProviderRpc, 'issueToken'> },
  tenantId: string,
  roomId: string,
  { name, role }: { name: string; role?: Role },
): Promise<OpenedMedia & { participantId: string; sessionId: string }> {
  const sessionId = await findOrOpenSession(deps, tenantId, roomId);
  const participantId = deps.ids.next('part');
  const running = await changeSession(deps, tenantId, sessionId, async (view, tx) => {
    if (isRoomFull(view)) throw roomFull();
    // A token is not a connection yet. A browser that joins beyond the limit is hung up
    // (insert-browser.ts).
    await enforceLimit(tx, tenantId, 'live-legs', 1);
    await enforceSpend(tx, tenantId, { roomId, direction: 'webrtc', number: null }, 1);
    return canJoin(view.session.state)
      ? { expiresAt: sessionDeadline(view), startsConference: role === 'host' || !view.room.wait_for_host }
      : null;
  });
  if (!running?.result) throw roomEnded();
  const media = await deps.provider.issueToken({ tenantId, sessionId, participantId, ...running.result });
  await inTransaction(deps.store, tenantId, (tx) =>
    insertParticipant(tx, tenantId, roomId, {
      id: participantId,
      name,
      kind: 'browser',
      ...(role === undefined ? {} : { role }),
    }),
  );
  return { ...media, participantId, sessionId };
}
