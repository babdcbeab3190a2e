import { isClosed, legMachine, type LegEvent } from '@partyline/domain/leg';
import { nextState } from '@partyline/domain/machine';
import type { Verdict } from '@partyline/domain/verdict';
import type { LegRow } from '@partyline/store/legs/legs';

/**
 * Moves a leg by its table and stamps when; `false` when the table ignores the event. The only writer of a leg's state in TypeScript;
 * admission and answering write it in SQL, and a test holds them to the same table.
 */
export function moveLeg(leg: LegRow, event: LegEvent, now: Date): boolean {
  const next = nextState(legMachine, leg.state, event);
  if (next === null) return false;
  // What comes late or twice tells nothing that was not known when the last request was made.
  const told =
    leg.state === 'ending' &&
    ((event === 'answered' && leg.answered_at !== null) ||
      (event === 'joined' && leg.joined_at !== null) ||
      event === 'ringing');
  leg.state = next;
  if (event === 'dialSent') leg.dialled_at ??= now;
  if (event === 'answered' || event === 'joined') leg.answered_at ??= now;
  if (event === 'joined') leg.joined_at ??= now;
  // To be asked (again) at once: the last request, if there was one, was made before this was known.
  if (next === 'ending' && !told) leg.hangup_attempted_at = null;
  return true;
}

/** Owes a leg its hang-up. The first reason stands. */
export function requestHangUp(leg: LegRow, reason: string, now: Date): void {
  if (!moveLeg(leg, 'hangUpRequested', now)) return;
  leg.hangup_requested_at ??= now;
  leg.hangup_reason ??= reason;
}

/**
 * Notes that the provider was seen to have closed one side of a leg, and ends the leg when that was the last. The caller stores the
 * observation in the same transaction. The first verdict with a reason other than plain success stands: it says what went wrong.
 */
export function closeHandle(leg: LegRow, handle: 'media' | 'voice' | 'sip', how: Verdict, now: Date): void {
  if (handle === 'media') leg.media_closed_at ??= now;
  if (handle === 'voice') leg.voice_closed_at ??= now;
  if (handle === 'sip') leg.sip_ended_at ??= now;
  if (leg.outcome === null || (leg.outcome === 'success' && how.outcome !== 'success' && leg.state !== 'ended')) {
    leg.outcome = how.outcome;
    leg.reason = how.reason;
  }
  if (isClosed(leg, leg.sip_ended_at !== null)) endLeg(leg, how, now);
}

/** Ends a leg. Only for a leg all of whose sides are seen closed, or that the provider never made. */
export function endLeg(leg: LegRow, how: Verdict, now: Date): void {
  if (!moveLeg(leg, 'closed', now)) return;
  leg.ended_at = now;
  leg.confirmed_at = now;
  leg.outcome ??= how.outcome;
  leg.reason ??= how.reason;
}

/** Learns a leg's name at the provider. One that is to be hung up is asked (again) at once: what was asked before could not name it. */
export function attachProviderId(leg: LegRow, handle: 'media_connection_id' | 'voice_call_id', id: string): void {
  if (leg[handle] !== null) return;
  leg[handle] = id;
  if (leg.state === 'ending') leg.hangup_attempted_at = null;
}

/** A phone whose ringing was asked for and never begun: there is nothing at the provider to be seen closed. */
export const wasNeverPlaced = (leg: LegRow): boolean =>
  leg.kind === 'outbound' && leg.dialled_at === null && leg.voice_call_id === null;
