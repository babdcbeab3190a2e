import type { LegRow } from '@partyline/store/legs/legs';
import { isUp } from '@partyline/domain/leg';
import { nextState } from '@partyline/domain/machine';
import { canJoin, sessionMachine, type EndReason, type SessionEvent } from '@partyline/domain/session';
import { updateClockMarks, findNextDeadline, countPresence } from '@partyline/domain/session-clock';
import { verdict } from '@partyline/domain/verdict';
import type { SessionView } from '@partyline/store/sessions/session-lock';
import { endLeg, requestHangUp, wasNeverPlaced } from './leg-transitions.ts';

function moveSession({ session, now }: SessionView, event: SessionEvent): boolean {
  const next = nextState(sessionMachine, session.state, event);
  if (next === null || next === session.state) return false;
  session.state = next;
  if (next === 'live') session.live_at = now;
  if (next === 'ending') session.ending_at = now;
  if (next === 'ended') session.ended_at = now;
  return true;
}

/** The one door: decides that a session ends, and why. `false` when that is decided already. Its hang-ups are owed by `settle`, in the same transaction. */
export function decideEnd(view: SessionView, reason: EndReason): boolean {
  if (!moveSession(view, 'endDecided')) return false;
  view.session.end_reason = reason;
  return true;
}

/** May a call be made for it? Not when it is past its end, or its room has ended, though nobody has ended it yet: it will be, when this change is settled. */
export const canDial = ({ session, room, now }: SessionView): boolean =>
  canJoin(session.state) && room.state === 'active' && session.due_at > now;

/** Are as many people in as the room takes? Admission asks the same in SQL. */
export const isRoomFull = ({ room, legs }: SessionView): boolean =>
  legs.filter((leg) => leg.kind !== 'bridge' && isUp(leg)).length >= room.max_participants;

/** Is the bridge leg to be dialled now? The row says so, since the session was last settled. */
export const shouldDialBridge = (view: SessionView): boolean =>
  view.session.bridge_due_at !== null && view.session.bridge_due_at <= view.now && canDial(view);

/** Before the next try to bridge, after so many failures: 1 s, 2 s, 4 s … 30 s. */
const bridgeBackOffMs = (failures: number): number => Math.min(30_000, 1_000 * 2 ** Math.min(failures - 1, 5));

/** Longest that a dial without an answer can go on at the vendor: it rings for 60 s at most, and then some. Let go then, so that another can be dialled. */
export const UNOBSERVED_AFTER_MS = 90_000;

/** Was nothing heard of what was dialled? Of a bridge the video side tells that it rings; that it came through only its call's own webhook does. */
const isUnobserved = (leg: LegRow): boolean =>
  leg.state === 'dialling' || (leg.state === 'ringing' && leg.kind === 'bridge' && leg.voice_call_id === null);

/**
 * Brings a session into agreement with its legs, after any change and as often as one likes: goes live with the first person, starts and
 * stops the clocks, ends it when one has run out, owes every leg of an ending session its hang-up, and calls it ended when all are closed.
 * @param before the legs' states as they were, by id, to see which bridge just dropped
 */
export function settleSession(view: SessionView, before: ReadonlyMap<string, LegRow['state']>): void {
  const { session, room, legs, now } = view;
  session.settle_due_at = null;

  const here = countPresence(legs);
  if (here.browsers + here.phones > 0) moveSession(view, 'joined');

  // A crash between the room's end and its session's leaves this for the reconciler. The reason is the room's.
  if (room.state === 'ended') decideEnd(view, room.end_reason ?? 'ended-by-tenant');
  if (canJoin(session.state)) {
    Object.assign(session, updateClockMarks(session, here, now));
    const due = findNextDeadline(session, room);
    session.due_at = due.at;
    session.due_reason = due.reason;
    if (due.at <= now) decideEnd(view, due.reason);
  }

  for (const leg of legs)
    if (isUnobserved(leg) && leg.dialled_at !== null && now.getTime() - leg.dialled_at.getTime() > UNOBSERVED_AFTER_MS)
      requestHangUp(leg, 'unobserved', now);
  if (!canJoin(session.state)) {
    // Also when it is over: a token outlives its session, and who comes in by it costs money.
    for (const leg of legs) requestHangUp(leg, session.end_reason ?? 'ended-by-tenant', now);
  }
  for (const leg of legs)
    if (leg.state === 'ending' && wasNeverPlaced(leg)) endLeg(leg, verdict('client', 'cancelled-before-dial'), now);
  if (!canJoin(session.state) && !legs.some(isUp)) moveSession(view, 'legsClosed');
  settleBridge(view, before);
}

/**
 * Notes when the bridge is to be dialled: as soon as both sides are there, or anybody when it is always on (design §5); after a pause when one has just
 * dropped. Never before the host that a room waits for: the bridge would set the conference going for the callers who are held.
 */
function settleBridge({ session, room, legs, now }: SessionView, before: ReadonlyMap<string, LegRow['state']>): void {
  const bridges = legs.filter((leg) => leg.kind === 'bridge');
  const dropped = bridges.some((leg) => leg.state === 'ended' && before.get(leg.id) !== 'ended');
  if (dropped) session.bridge_failures += 1;
  if (bridges.some((leg) => leg.state === 'joined')) session.bridge_failures = 0;
  const here = countPresence(legs);
  const bothSides = room.bridge === 'always' ? here.browsers + here.phones > 0 : here.browsers > 0 && here.phones > 0;
  const held = room.wait_for_host && !session.had_host;
  if (session.state !== 'live' || !bothSides || held || bridges.some(isUp)) session.bridge_due_at = null;
  else if (dropped) session.bridge_due_at = new Date(now.getTime() + bridgeBackOffMs(session.bridge_failures));
  else session.bridge_due_at ??= now;
}
