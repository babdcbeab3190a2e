import { canJoin } from '@partyline/domain/session';
import { insertParticipant } from '@partyline/store/rooms';
import { inTransaction } from '@partyline/store/store';
import { sessionDeadline } from './apply-session-event.ts';
import { changeSession } from './change-session.ts';
import { currentSession } from './current-session.ts';
import type { AskProvider, OpenedMedia } from './ask-provider.ts';
import type { Deps } from './deps.ts';
import { roomEnded, roomFull } from './refusals.ts';
import { isFull } from './settle.ts';

/**
 * A client token for one more browser; opens the room's next session when the last is over. The roster gets its entry only with a token in
 * hand, so that a provider who cannot be reached leaves nobody there who was never let in. Throws 404 and 409 for the room, and what asking
 * the provider throws.
 */
export async function issueToken(
  deps: Pick<Deps, 'store' | 'jobs' | 'ids' | 'report'> & { readonly provider: Pick<AskProvider, 'issueToken'> },
  tenantId: string,
  roomId: string,
  { name }: { name: string },
): Promise<OpenedMedia & { participantId: string; sessionId: string }> {
  const sessionId = await currentSession(deps, tenantId, roomId);
  const participantId = deps.ids.next('part');
  const running = await changeSession(deps, tenantId, sessionId, (view) => {
    if (isFull(view)) throw roomFull();
    return canJoin(view.session.state) ? sessionDeadline(view) : null;
  });
  if (!running?.result) throw roomEnded();
  const media = await deps.provider.issueToken({ tenantId, sessionId, participantId, expiresAt: running.result });
  await inTransaction(deps.store, tenantId, (tx) => insertParticipant(tx, tenantId, roomId, { id: participantId, name, kind: 'browser' }));
  return { ...media, participantId, sessionId };
}
