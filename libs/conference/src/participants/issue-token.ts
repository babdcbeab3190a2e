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
 * A client token for one more browser; opens the room's next session when the last is over. The roster gets its entry only with a token in
 * hand, so that a provider who cannot be reached leaves nobody there who was never let in. Throws 404 and 409 for the room, 429 when
 * the tenant has as many people connected as it may, and what asking the provider throws.
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
    // A token is no connection yet; whoever comes with it beyond the limit is let go (apply-session-event.ts).
    await enforceLimit(tx, tenantId, 'live-legs', 1);
    await enforceSpend(tx, tenantId, { roomId, direction: 'webrtc', number: null }, 1);
    return canJoin(view.session.state) ? sessionDeadline(view) : null;
  });
  if (!running?.result) throw roomEnded();
  const media = await deps.provider.issueToken({ tenantId, sessionId, participantId, expiresAt: running.result });
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
