import { insertParticipant } from '@partyline/store/rooms';
import { sessionDeadline } from './apply-session-event.ts';
import { changeSession } from './change-session.ts';
import { currentSession } from './current-session.ts';
import type { AskProvider, OpenedMedia } from './ask-provider.ts';
import type { Deps } from './deps.ts';
import { roomEnded } from './refusals.ts';

/** A client token for one more browser; opens the room's next session when the last is over. Throws 404 and 409 for the room, and what asking the provider throws. */
export async function issueToken(
  deps: Pick<Deps, 'store' | 'jobs' | 'ids' | 'report'> & { readonly provider: Pick<AskProvider, 'issueToken'> },
  tenantId: string,
  roomId: string,
  { name }: { name: string },
): Promise<OpenedMedia & { participantId: string; sessionId: string }> {
  const sessionId = await currentSession(deps, tenantId, roomId);
  const participantId = deps.ids.next('part');
  const seated = await changeSession(deps, tenantId, sessionId, async (view, tx) => {
    await insertParticipant(tx, tenantId, roomId, { id: participantId, name, kind: 'browser' });
    return sessionDeadline(view);
  });
  if (seated === null) throw roomEnded();
  const media = await deps.provider.issueToken({ tenantId, sessionId, participantId, expiresAt: seated.result });
  return { ...media, participantId, sessionId };
}
