import { isUp } from '@partyline/domain/leg';
import { markParticipantRemoved, readParticipant } from '@partyline/store/participants/participants';
import { findNewestSession } from '@partyline/store/sessions/sessions';
import { inTransaction } from '@partyline/store/database/store';
import { changeSession } from '../sessions/change-session.ts';
import type { Deps } from '../deps.ts';
import { noSuchParticipant } from '../errors.ts';
import { requestHangUp } from '../sessions/leg-transitions.ts';

/**
 * Sends somebody out: their connections are owed their hang-up, and a browser that comes back by the same token is hung up too. Who has a PIN can call again:
 * take that as well. Throws 404. Answers which connections are to end.
 */
export async function removeParticipant(
  deps: Pick<Deps, 'store' | 'jobs' | 'report'>,
  tenantId: string,
  participantId: string,
): Promise<{ legIds: string[] }> {
  const found = await readParticipant(deps.store, tenantId, participantId);
  if (found === null) throw noSuchParticipant();
  // The lock of the session that they are in, or may come into at this moment: whoever comes first of the two, the other sees it.
  const session = await inTransaction(deps.store, tenantId, (tx) => findNewestSession(tx, tenantId, found.person.room_id));
  if (session === null) {
    await inTransaction(deps.store, tenantId, (tx) => markParticipantRemoved(tx, tenantId, participantId));
    return { legIds: [] };
  }
  const changed = await changeSession(deps, tenantId, session.id, async (view, tx) => {
    await markParticipantRemoved(tx, tenantId, participantId);
    const theirs = view.legs.filter((leg) => leg.participant_id === participantId && isUp(leg));
    for (const leg of theirs) requestHangUp(leg, 'removed', view.now);
    return theirs.map(({ id }) => id);
  });
  return { legIds: changed?.result ?? [] };
}
