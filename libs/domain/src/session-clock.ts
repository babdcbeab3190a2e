import { isPresent, type LegKind, type LegState } from './leg.ts';
import type { EndReason, SessionState } from './session.ts';

/**
 * The clocks of a room, in whole seconds; `null` switches a clock off. The clocks are independent
 * (a session that was never joined is not one that became empty), and each ends the session with
 * its own reason.
 */
export interface SessionClocks {
  /**
   * Maximum time from the session's creation; always set. The dead-man's timers at the provider are
   * derived from it.
   */
  readonly max_duration_s: number;
  /** No participant ever joined. */
  readonly never_used_s: number | null;
  /** The last browser left. */
  readonly browsers_left_s: number | null;
  /** The last phone left. */
  readonly phones_left_s: number | null;
  /** One participant remains. */
  readonly alone_s: number | null;
  /** All participants left. */
  readonly empty_s: number | null;
  /** The last host left. */
  readonly host_left_s: number | null;
}

/** The scheduled end of a room; `null`: its sessions end by their clocks only. */
export interface Schedule {
  readonly ends_at: Date | null;
}

/** The start of each clock; `null`: the clock is not running. */
export interface ClockMarks {
  readonly browsers_left_at: Date | null;
  readonly phones_left_at: Date | null;
  readonly alone_since: Date | null;
  readonly empty_since: Date | null;
  readonly host_left_at: Date | null;
}

/** Which kinds of participant have ever been present. */
interface Attendance {
  readonly had_browser: boolean;
  readonly had_phone: boolean;
  readonly had_host: boolean;
}

export interface Presence {
  readonly browsers: number;
  readonly phones: number;
  /** Browsers and phones with the role of host. */
  readonly hosts: number;
}

/**
 * Counts the participants that are present. Counted from the legs each time, so that lost or
 * duplicate events cannot cause drift.
 */
export function countPresence(legs: readonly { kind: LegKind; state: LegState; role: string }[]): Presence {
  const present = legs.filter(isPresent);
  return {
    browsers: present.filter((leg) => leg.kind === 'webrtc').length,
    phones: present.filter((leg) => leg.kind === 'inbound' || leg.kind === 'outbound').length,
    hosts: present.filter((leg) => leg.role === 'host').length,
  };
}

/**
 * Starts and stops the clocks after a change of presence. A clock that is already running keeps its
 * start.
 * @param wasHere who was present before the change, counted or not
 */
export function updateClockMarks(
  before: ClockMarks & Attendance,
  here: Presence,
  now: Date,
  wasHere: Presence = here,
): ClockMarks & Attendance {
  const had_browser = before.had_browser || here.browsers + wasHere.browsers > 0;
  const had_phone = before.had_phone || here.phones + wasHere.phones > 0;
  const had_host = before.had_host || here.hosts + wasHere.hosts > 0;
  const participants = here.browsers + here.phones;
  const since = (running: boolean, start: Date | null): Date | null => (running ? (start ?? now) : null);
  return {
    had_browser,
    had_phone,
    had_host,
    browsers_left_at: since(had_browser && here.browsers === 0, before.browsers_left_at),
    phones_left_at: since(had_phone && here.phones === 0, before.phones_left_at),
    alone_since: since(participants === 1, before.alone_since),
    empty_since: since((had_browser || had_phone) && participants === 0, before.empty_since),
    host_left_at: since(had_host && here.hosts === 0, before.host_left_at),
  };
}

const DEPARTURE_REASONS: ReadonlySet<EndReason> = new Set([
  'browsers-left',
  'phones-left',
  'alone',
  'empty',
  'host-left',
]);
/** Whether a clock that a departure started ended the session. */
export const isDeparture = (reason: string | null): boolean => DEPARTURE_REASONS.has(reason as EndReason);

interface Deadline {
  readonly at: Date;
  readonly reason: EndReason;
  /**
   * When the departure was observed that started this clock; null: the deadline follows from no
   * observation. A wrong observation must not end a session (presence_checked_at).
   */
  readonly departedAt: Date | null;
}

/**
 * Returns the earliest deadline of a session and its reason. Every live session has one, because
 * `max_duration_s` is always set.
 */
export function findNextDeadline(
  session: { created_at: Date; state: SessionState } & ClockMarks,
  clocks: SessionClocks & Schedule,
): Deadline {
  const due: Deadline[] = [];
  const add = (start: Date | null, seconds: number | null, reason: EndReason, isObserved = true): void => {
    if (start !== null && seconds !== null)
      due.push({ at: new Date(start.getTime() + seconds * 1000), reason, departedAt: isObserved ? start : null });
  };
  add(session.created_at, clocks.max_duration_s, 'max-duration', false);
  add(session.state === 'open' ? session.created_at : null, clocks.never_used_s, 'never-used', false);
  add(session.browsers_left_at, clocks.browsers_left_s, 'browsers-left');
  add(session.phones_left_at, clocks.phones_left_s, 'phones-left');
  add(session.alone_since, clocks.alone_s, 'alone');
  add(session.empty_since, clocks.empty_s, 'empty');
  add(session.host_left_at, clocks.host_left_s, 'host-left');
  add(clocks.ends_at, 0, 'schedule-ended', false);
  return due.reduce((first, next) => (next.at < first.at ? next : first));
}
