import { isUp } from '@partyline/domain/leg';
import { appendRoomEvent } from '@partyline/store/events/append-events';
import { markParticipantRemoved, readParticipant } from '@partyline/store/participants/participants';
import { findNewestSession } from '@partyline/store/sessions/sessions';
import { inTransaction } from '@partyline/store/database/store';
import { changeSession } from '../sessions/change-session.ts';
import type { Deps } from '../deps.ts';
import { noSuchParticipant } from '../errors.ts';
import { requestHangUp } from '../sessions/leg-transitions.ts';

/**
 * Removes a participant: requests the hang-up of their legs, and rejects later connections with the
 * same token. A participant with a personal PIN can call again until the PIN is removed too.
 * Emits `participant.removed` in the room's newest session, or in the room's own events if it never
 * had one. Returns the legs that are to end. Throws 404.
 */
export async function removeParticipant(
  deps: Pick<Deps, 'store' | 'jobs' | 'report'>,
  tenantId: string,
  participantId: string,
): Promise<{ legIds: string[] }> {
  const found = await readParticipant(deps.store, tenantId, participantId);
  if (found === null) throw noSuchParticipant();
  const removed = { type: 'participant.removed', data: { participantId } };
  // The session's lock serialises the removal with a connection that the participant opens at the
  // same time.
  const session = await inTransaction(deps.store, tenantId, (tx) =>
    findNewestSession(tx, tenantId, found.person.room_id),
  );
  if (session === null) {
    await inTransaction(deps.store, tenantId, async (tx) => {
      if (await markParticipantRemoved(tx, tenantId, participantId))
        await appendRoomEvent(tx, tenantId, found.person.room_id, removed);
    });
    return { legIds: [] };
  }
  const changed = await changeSession(deps, tenantId, session.id, async (view, tx, record) => {
    if (await markParticipantRemoved(tx, tenantId, participantId)) record(removed);
    const legs = view.legs.filter((leg) => leg.participant_id === participantId && isUp(leg));
    for (const leg of legs) requestHangUp(leg, 'removed', view.now);
    return legs.map(({ id }) => id);
  });
  return { legIds: changed?.result ?? [] };
}
