import { insertLeg, type LegRow } from '@partyline/store/legs/legs';
import { isUp } from '@partyline/domain/leg';
import { holdLimit } from '@partyline/store/limits/limits';
import { findPerson } from '@partyline/store/participants/participants';
import { type SessionView } from '@partyline/store/sessions/session-lock';
import type { Tx } from '@partyline/store/database/store';
import type { Deps } from '../deps.ts';
import { requestHangUp } from '../sessions/leg-transitions.ts';
import { sessionDeadline } from '../sessions/session-deadline.ts';

/** A browser's connection that is new to us. */
interface NewBrowser {
  readonly connectionId: string;
  readonly participantId: string | null;
  /** When it was made, by the vendor's clock. */
  readonly createdAt: Date | null;
  /** `false`: it was over before we heard of it. */
  readonly isConnected: boolean;
}

/** Makes the leg of a browser's connection; it is there and costs money, so also of one who may not come in: that one is owed its hang-up at once. */
export async function insertBrowser(
  { ids }: Pick<Deps, 'ids'>,
  view: SessionView,
  tx: Tx,
  { connectionId, participantId, createdAt: madeAt, isConnected: comes }: NewBrowser,
): Promise<LegRow> {
  const person = participantId === null ? null : await findPerson(tx, view.session.tenant_id, participantId);
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
  // A token outlives the seat that was free when it was given. Who is in and connects anew is not one more; nor is who is about to go.
  const others = view.legs.filter(
    (each) =>
      each.kind !== 'bridge' &&
      isUp(each) &&
      each.state !== 'ending' &&
      (each.participant_id === null || each.participant_id !== participantId),
  );
  if (others.length >= view.room.max_participants) requestHangUp(leg, 'room-full', view.now);
  view.legs.push(leg);
  // Sent out, and back by the same token.
  if (person?.removed) requestHangUp(leg, 'removed', view.now);
  // One that was over before we heard of it takes nobody's place.
  if (comes && closeReplacedConnections(view, leg) > 0) return leg;
  // One too many, as a token can be used at any time; the leg is there, and is let go.
  const { allowed, used } = await holdLimit(tx, view.session.tenant_id, 'live-legs');
  if (used > allowed) requestHangUp(leg, 'limit-live-legs', view.now);
  return leg;
}

/** Connections of one person that nobody can tell the order of: one that drops, and one that is new. */
const MAX_UNORDERED_CONNECTIONS = 2;

/**
 * Lets a person have one connection at a time, so that one token is one place: of several, only the one that the vendor says was made last stays. Its own times decide, and not the order
 * in which it told us, in which they come twice, late and the other way round: so the newer is never let go for the older, and a page that is loaded anew goes on working. Where the
 * vendor gave no time, or the same to both, any choice could hang up the wrong one, so none is made: two stay, and a third is let go. Answers how many gave way.
 */
function closeReplacedConnections(view: SessionView, leg: LegRow): number {
  if (leg.participant_id === null) return 0;
  const theirs = view.legs.filter(
    (each) =>
      each.kind === 'webrtc' && each.participant_id === leg.participant_id && isUp(each) && each.state !== 'ending',
  );
  const newest = Math.max(...theirs.map((each) => each.media_created_at?.getTime() ?? -Infinity));
  const replaced = theirs.filter((each) => each.media_created_at !== null && each.media_created_at.getTime() < newest);
  for (const each of replaced) requestHangUp(each, 'replaced', view.now);
  if (theirs.length - replaced.length > MAX_UNORDERED_CONNECTIONS) requestHangUp(leg, 'too-many-connections', view.now);
  return replaced.length;
}
