import { insertLeg, type LegRow } from '@partyline/store/legs/legs';
import { isUp } from '@partyline/domain/leg';
import { lockLimit } from '@partyline/store/limits/limits';
import { findParticipant } from '@partyline/store/participants/participants';
import { type SessionView } from '@partyline/store/sessions/session-lock';
import type { Tx } from '@partyline/store/database/store';
import type { Deps } from '../deps.ts';
import { REPLACED_REASON, requestHangUp } from '../sessions/leg-transitions.ts';
import { sessionDeadline } from '../sessions/session-deadline.ts';

/** The connection of a browser that has no leg. */
interface NewBrowser {
  readonly connectionId: string;
  readonly participantId: string | null;
  /** The provider's creation time of the connection. */
  readonly createdAt: Date | null;
  /** `false`: the connection closed before its first event arrived. */
  readonly isConnected: boolean;
  /** The browser was admitted before, so the limits are not checked again. */
  readonly isReadmitted?: boolean;
}

/**
 * Inserts the leg of a browser's connection. A connection that may not join gets a leg too, as it
 * costs money until it is closed; its hang-up is requested at once.
 */
export async function insertBrowser(
  { ids }: Pick<Deps, 'ids'>,
  view: SessionView,
  tx: Tx,
  { connectionId, participantId, createdAt: madeAt, isConnected: comes, isReadmitted = false }: NewBrowser,
): Promise<LegRow> {
  const person = participantId === null ? null : await findParticipant(tx, view.session.tenant_id, participantId);
  const leg = await insertLeg(tx, view.session.tenant_id, view.session, {
    id: ids.next('leg'),
    kind: 'webrtc',
    role: person?.role ?? 'participant',
    state: 'requested',
    participant_id: participantId,
    media_connection_id: connectionId,
    deadline_at: sessionDeadline(view),
    media_created_at: madeAt,
  });
  // The room can fill up after a token was issued. A participant who reconnects is not counted
  // twice, and legs that are ending are not counted.
  const others = view.legs.filter(
    (each) =>
      each.kind !== 'bridge' &&
      isUp(each) &&
      each.state !== 'ending' &&
      (each.participant_id === null || each.participant_id !== participantId),
  );
  if (!isReadmitted && others.length >= view.room.max_participants) requestHangUp(leg, 'room-full', view.now);
  view.legs.push(leg);
  // The participant was removed and connects again with the same token.
  if (person !== null && person.removed_at !== null) requestHangUp(leg, 'removed', view.now);
  // A connection that has already closed replaces no other.
  if ((comes && closeReplacedConnections(view, leg) > 0) || isReadmitted) return leg;
  // Tokens can be used at any time, so the limit can be exceeded; the new leg is hung up.
  const { allowed, used } = await lockLimit(tx, view.session.tenant_id, 'live-legs');
  if (used > allowed) requestHangUp(leg, 'limit-live-legs', view.now);
  return leg;
}

/**
 * Connections of one participant without a known order that are kept: the dropping one and the new.
 */
const MAX_UNORDERED_CONNECTIONS = 2;

/**
 * Requests the hang-up of the older connections of a participant, so that a token admits one
 * browser at a time. The provider's creation times decide, not the order of the events, which may
 * be duplicated, late or out of order: a reloaded page keeps its new connection. Without distinct
 * times any choice could close the wrong connection, so two are kept and a third is hung up.
 * @returns the number of replaced connections
 */
function closeReplacedConnections(view: SessionView, leg: LegRow): number {
  if (leg.participant_id === null) return 0;
  const theirs = view.legs.filter(
    (each) =>
      each.kind === 'webrtc' && each.participant_id === leg.participant_id && isUp(each) && each.state !== 'ending',
  );
  const newest = Math.max(...theirs.map((each) => each.media_created_at?.getTime() ?? -Infinity));
  const replaced = theirs.filter((each) => each.media_created_at !== null && each.media_created_at.getTime() < newest);
  for (const each of replaced) requestHangUp(each, REPLACED_REASON, view.now);
  if (theirs.length - replaced.length > MAX_UNORDERED_CONNECTIONS) requestHangUp(leg, 'too-many-connections', view.now);
  return replaced.length;
}
