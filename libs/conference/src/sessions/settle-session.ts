import type { LegRow } from '@partyline/store/legs/legs';
import { backoff } from '@partyline/domain/backoff';
import { isUp } from '@partyline/domain/leg';
import { nextState } from '@partyline/domain/machine';
import { canJoin, sessionMachine, type EndReason, type SessionEvent } from '@partyline/domain/session';
import { updateClockMarks, findNextDeadline, countPresence } from '@partyline/domain/session-clock';
import { verdict } from '@partyline/domain/verdict';
import type { SessionView } from '@partyline/store/sessions/session-lock';
import { endLeg, REPLACED_REASON, requestHangUp, wasNeverPlaced } from './leg-transitions.ts';

function moveSession({ session, now }: SessionView, event: SessionEvent): boolean {
  const next = nextState(sessionMachine, session.state, event);
  if (next === null || next === session.state) return false;
  session.state = next;
  if (next === 'live') session.live_at = now;
  if (next === 'ending') session.ending_at = now;
  if (next === 'ended') session.ended_at = now;
  return true;
}

/**
 * Decides that a session ends, and why; every way to end a session calls this function. `false`
 * when an earlier call decided it. `settleSession` requests the hang-ups in the same transaction.
 */
export function decideEnd(view: SessionView, reason: EndReason): boolean {
  if (!moveSession(view, 'endDecided')) return false;
  view.session.end_reason = reason;
  return true;
}

/**
 * Whether a call may be placed for a session. `false` also when the session is due to end, or its
 * room has ended, and settling has not applied that yet.
 */
export const canDial = ({ session, room, now }: SessionView): boolean =>
  canJoin(session.state) && room.state === 'active' && session.due_at > now;

/**
 * Whether the room has its maximum of participants, without those that are being hung up.
 * Admission checks the same in SQL.
 */
export const isRoomFull = ({ room, legs }: SessionView): boolean =>
  legs.filter((leg) => leg.kind !== 'bridge' && isUp(leg) && leg.state !== 'ending').length >= room.max_participants;

/** Whether the dial of the bridge leg is due, as the last settling of the session decided. */
export const shouldDialBridge = (view: SessionView): boolean =>
  view.session.bridge_due_at !== null && view.session.bridge_due_at <= view.now && canDial(view);

const BRIDGE_BACK_OFF = { firstMs: 1_000, maxMs: 30_000 };

/**
 * A dial without any event is hung up after this time, so that another can be placed. Longer than
 * the provider lets a call ring: 60 s.
 */
export const UNOBSERVED_AFTER_MS = 90_000;

/**
 * Whether the provider reported nothing about a dial. The ringing of a bridge leg is reported by
 * its media handle, so only a voice call id shows that the call arrived.
 */
const isUnobserved = (leg: LegRow): boolean =>
  leg.state === 'dialling' || (leg.state === 'ringing' && leg.kind === 'bridge' && leg.voice_call_id === null);

/**
 * Recomputes a session from its legs after a change: moves it to `live` with the first participant,
 * updates the clocks and the deadline, ends it when the deadline has passed, requests the hang-ups
 * of an ending session, and moves it to `ended` when all legs are closed. Idempotent.
 * @param before the states of the legs before the change, by id
 */
export function settleSession(view: SessionView, before: ReadonlyMap<string, LegRow['state']>): void {
  const { session, room, legs, now } = view;
  session.settle_due_at = null;

  const present = countPresence(legs);
  // SQL admits and answers calls without settling, so a call can be over before it is counted.
  const wasPresent = countPresence(
    legs.flatMap(({ id, kind, role }) => {
      const state = before.get(id);
      return state === undefined ? [] : [{ kind, role, state }];
    }),
  );
  if (present.browsers + present.phones + wasPresent.browsers + wasPresent.phones > 0) moveSession(view, 'joined');

  // A crash can leave an ended room with a running session. Its reason is the room's.
  if (room.state === 'ended') decideEnd(view, room.end_reason ?? 'ended-by-tenant');
  if (canJoin(session.state)) {
    Object.assign(session, updateClockMarks(session, present, now, wasPresent));
    const due = findNextDeadline(session, room);
    session.due_at = due.at;
    session.due_reason = due.reason;
    if (due.at <= now) decideDueEnd(view, due);
  }

  for (const leg of legs)
    if (isUnobserved(leg) && leg.dialled_at !== null && now.getTime() - leg.dialled_at.getTime() > UNOBSERVED_AFTER_MS)
      requestHangUp(leg, 'unobserved', now);
  closeReplacedCalls(view);
  if (!canJoin(session.state)) {
    // Also after the end: a token outlives its session, and a late browser leg costs money.
    for (const leg of legs) requestHangUp(leg, session.end_reason ?? 'ended-by-tenant', now);
  }
  for (const leg of legs)
    if (leg.state === 'ending' && wasNeverPlaced(leg)) endLeg(leg, verdict('client', 'cancelled-before-dial'), now);
  if (!canJoin(session.state) && !legs.some(isUp)) moveSession(view, 'legsClosed');
  settleBridge(view, before);
}

/**
 * Requests the hang-up of the earlier calls of a person with a personal PIN, who has one place: the
 * call that was admitted last has it. Admission has given that call the state of the earlier one.
 */
function closeReplacedCalls({ legs, now }: SessionView): void {
  const newest = new Map<string, LegRow>();
  const calls = legs.filter((leg) => leg.kind === 'inbound' && isUp(leg) && leg.state !== 'ending');
  for (const leg of calls) {
    const other = newest.get(leg.participant_id ?? leg.id);
    if (other === undefined || isNewer(leg, other)) newest.set(leg.participant_id ?? leg.id, leg);
  }
  for (const leg of calls)
    if (newest.get(leg.participant_id ?? leg.id) !== leg) requestHangUp(leg, REPLACED_REASON, now);
}

/**
 * Whether a call was admitted after the other. One that is not yet in the conference was: a
 * telephone that rang first can key its PIN last.
 */
function isNewer(leg: LegRow, other: LegRow): boolean {
  const [joinedAt, otherJoinedAt] = [leg, other].map(({ joined_at }) => joined_at?.getTime() ?? Infinity);
  if (joinedAt !== otherJoinedAt) return joinedAt! > otherJoinedAt!;
  return (
    leg.created_at > other.created_at || (leg.created_at.getTime() === other.created_at.getTime() && leg.id > other.id)
  );
}

/**
 * After this time past its deadline a session ends although the provider could not be asked who is
 * still connected: its legs cost money.
 */
export const MAX_PRESENCE_CHECK_MS = 120_000;

/**
 * Ends a session that is due. A clock that a departure started ends it only after the provider was
 * asked since that departure (legs/check-presence.ts), because a callback may be wrong. A deadline
 * that follows from no departure ends it at once.
 */
function decideDueEnd(view: SessionView, due: ReturnType<typeof findNextDeadline>): void {
  const { session, room, now } = view;
  const { departedAt } = due;
  const isChecked =
    departedAt === null ||
    (session.presence_checked_at !== null && session.presence_checked_at >= departedAt) ||
    now.getTime() - due.at.getTime() > MAX_PRESENCE_CHECK_MS;
  if (isChecked) return void decideEnd(view, due.reason);
  const firm = findNextDeadline({ ...session, ...NO_CLOCK_MARKS }, room);
  if (firm.at <= now) decideEnd(view, firm.reason);
}
const NO_CLOCK_MARKS = {
  browsers_left_at: null,
  phones_left_at: null,
  alone_since: null,
  empty_since: null,
  host_left_at: null,
};

/**
 * Sets when the bridge is due: as soon as a browser and a phone are present, or any participant
 * where the room's bridge is `always`; after a back-off when the bridge has
 * dropped. Not while the room waits for its host: the bridge would start the conference for the
 * waiting callers. Never where browsers join the voice conference itself.
 */
function settleBridge({ session, room, legs, now }: SessionView, before: ReadonlyMap<string, LegRow['state']>): void {
  const bridges = legs.filter((leg) => leg.kind === 'bridge');
  const dropped = bridges.some((leg) => leg.state === 'ended' && before.get(leg.id) !== 'ended');
  if (dropped) session.bridge_failures += 1;
  if (bridges.some((leg) => leg.state === 'joined')) session.bridge_failures = 0;
  const { browsers, phones } = countPresence(legs);
  const isNeeded = room.bridge === 'always' ? browsers + phones > 0 : browsers > 0 && phones > 0;
  const isWaiting = room.wait_for_host && !session.had_host;
  const meetsDirectly = session.media_session_id === session.conversation;
  if (meetsDirectly || session.state !== 'live' || !isNeeded || isWaiting || bridges.some(isUp))
    session.bridge_due_at = null;
  else if (dropped) session.bridge_due_at = new Date(now.getTime() + backoff(session.bridge_failures, BRIDGE_BACK_OFF));
  else session.bridge_due_at ??= now;
}
