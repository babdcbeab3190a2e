import { isClosed, legMachine, type LegEvent } from '@partyline/domain/leg';
import { nextState } from '@partyline/domain/machine';
import { END_REASONS } from '@partyline/domain/session';
import type { Verdict } from '@partyline/domain/verdict';
import type { LegRow } from '@partyline/store/legs/legs';

/**
 * Applies an event to a leg by the state table and sets the timestamps; `false` when the table
 * ignores the event. No other TypeScript writes the state of a leg. Admission and answering write
 * it in SQL, and a test compares them with the table.
 */
export function moveLeg(leg: LegRow, event: LegEvent, now: Date): boolean {
  const next = nextState(legMachine, leg.state, event);
  if (next === null) return false;
  // A late or duplicate event adds nothing to what the last hang-up attempt acted on.
  const isStale =
    leg.state === 'ending' &&
    ((event === 'answered' && leg.answered_at !== null) ||
      (event === 'joined' && leg.joined_at !== null) ||
      event === 'ringing');
  leg.state = next;
  if (event === 'dialSent') leg.dialled_at ??= now;
  if (event === 'answered' || event === 'joined') leg.answered_at ??= now;
  if (event === 'joined') leg.joined_at ??= now;
  // Makes the next attempt due at once: the last one preceded this event.
  if (next === 'ending' && !isStale) leg.hangup_attempted_at = null;
  return true;
}

/** The hang-up reason of a connection whose participant has a newer one. */
export const REPLACED_REASON = 'replaced';

/** Requests the hang-up of a leg. The first reason is kept. */
export function requestHangUp(leg: LegRow, reason: string, now: Date): void {
  if (!moveLeg(leg, 'hangUpRequested', now)) return;
  leg.hangup_requested_at ??= now;
  leg.hangup_reason ??= reason;
}

/**
 * Marks one handle of a leg closed, and ends the leg when it was the last. The calling function
 * stores the observation in the same transaction. The first verdict other than success is kept, as
 * it says what failed.
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

/**
 * Hang-up reasons that do not say how one connection ended: those of a session, and of a dial
 * without events.
 */
const GENERAL_HANG_UP_REASONS: ReadonlySet<string> = new Set([...END_REASONS, 'unobserved']);

/**
 * Ends a leg whose handles are all observed closed, or that was never placed at the provider. A
 * hang-up of this leg alone (`removed`, `replaced`, ...) is its reason, whatever the provider
 * reports.
 */
export function endLeg(leg: LegRow, how: Verdict, now: Date): void {
  if (!moveLeg(leg, 'closed', now)) return;
  leg.ended_at = now;
  leg.confirmed_at = now;
  leg.outcome ??= how.outcome;
  leg.reason ??= how.reason;
  if (leg.hangup_reason !== null && !GENERAL_HANG_UP_REASONS.has(leg.hangup_reason)) leg.reason = leg.hangup_reason;
}

/**
 * Stores the provider id of a leg's handle. If the leg is to be hung up, the next attempt is due at
 * once: earlier attempts had no id to close.
 */
export function attachProviderId(leg: LegRow, handle: 'media_connection_id' | 'voice_call_id', id: string): void {
  if (leg[handle] !== null) return;
  leg[handle] = id;
  // Lists that lacked a connection without an id say nothing about this one.
  if (handle === 'media_connection_id') leg.media_missing_since = null;
  if (leg.state === 'ending') leg.hangup_attempted_at = null;
}

/**
 * Whether a requested outbound call was never placed, so that the provider has nothing to close.
 */
export const wasNeverPlaced = (leg: LegRow): boolean =>
  leg.kind === 'outbound' && leg.dialled_at === null && leg.voice_call_id === null;
