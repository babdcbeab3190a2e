import { isUp } from '@partyline/domain/leg';
import { inTransaction } from '@partyline/store/database/store';
import { appendRoomEvent } from '@partyline/store/events/append-events';
import { readParticipant, saveParticipantName } from '@partyline/store/participants/participants';
import { findNewestSession } from '@partyline/store/sessions/sessions';
import type { Deps } from '../deps.ts';
import { noSuchParticipant } from '../errors.ts';
import { changeSession } from '../sessions/change-session.ts';

/**
 * Renames a participant, and emits `participant.updated` when the name changed: in the room's
 * newest session, or in the room's own events if it never had one. Throws 404.
 */
export async function renameParticipant(
  deps: Pick<Deps, 'store' | 'jobs' | 'report'>,
  tenantId: string,
  participantId: string,
  name: string,
): Promise<void> {
  const found = await readParticipant(deps.store, tenantId, participantId);
  if (found === null) throw noSuchParticipant();
  const session = await inTransaction(deps.store, tenantId, async (tx) => {
    const newest = await findNewestSession(tx, tenantId, found.person.room_id);
    if (newest === null && (await saveParticipantName(tx, tenantId, participantId, name)))
      await appendRoomEvent(tx, tenantId, found.person.room_id, {
        type: 'participant.updated',
        data: { participantId, muted: false },
      });
    return newest;
  });
  if (session === null) return;
  await changeSession(deps, tenantId, session.id, async (view, tx, record) => {
    if (!(await saveParticipantName(tx, tenantId, participantId, name))) return;
    const muted = view.legs.some((leg) => leg.participant_id === participantId && isUp(leg) && leg.muted);
    record({ type: 'participant.updated', data: { participantId, muted } });
  });
}
