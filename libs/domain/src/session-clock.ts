import { isPresent, type LegKind, type LegState } from './leg.ts';
import type { EndReason, SessionState } from './session.ts';

/**
 * A room's clocks, in whole seconds; `null` switches that clock off. Each is its own clock (never joined is not the same as everybody
 * left), and each ends the session with its own reason.
 */
export interface SessionClocks {
  /** Longest a session may run from its creation; always set. It is what the dead-man's timers at the provider are derived from. */
  readonly max_duration_s: number;
  /** Nobody ever joined. */
  readonly never_used_s: number | null;
  /** The last browser left and phones remain. */
  readonly browsers_left_s: number | null;
  /** The last phone left and browsers remain. */
  readonly phones_left_s: number | null;
  /** One single person remains. */
  readonly alone_s: number | null;
  /** Everybody left. */
  readonly empty_s: number | null;
  /** The last host left. */
  readonly host_left_s: number | null;
}

/** When a room is over by its tenant's calendar; `null`: its sessions end by their clocks alone. */
export interface Schedule {
  readonly ends_at: Date | null;
}

/** Since when each clock runs; `null`: it does not run. */
export interface ClockMarks {
  readonly browsers_left_at: Date | null;
  readonly phones_left_at: Date | null;
  readonly alone_since: Date | null;
  readonly empty_since: Date | null;
  readonly host_left_at: Date | null;
}

/** Who has been there at all. */
interface Seen {
  readonly had_browser: boolean;
  readonly had_phone: boolean;
  readonly had_host: boolean;
}

export interface Presence {
  readonly browsers: number;
  readonly phones: number;
  /** Of both. */
  readonly hosts: number;
}

/** Who is there now. Counted from the legs, never kept by adding and subtracting: lost or doubled events cannot make it drift. */
export function presence(legs: readonly { kind: LegKind; state: LegState; role: string }[]): Presence {
  const there = legs.filter(isPresent);
  return {
    browsers: there.filter((leg) => leg.kind === 'webrtc').length,
    phones: there.filter((leg) => leg.kind === 'inbound' || leg.kind === 'outbound').length,
    hosts: there.filter((leg) => leg.role === 'host').length,
  };
}

/** Starts and stops the clocks after somebody came or went. A clock that runs already keeps its start. */
export function mark(before: ClockMarks & Seen, here: Presence, now: Date): ClockMarks & Seen {
  const had_browser = before.had_browser || here.browsers > 0;
  const had_phone = before.had_phone || here.phones > 0;
  const had_host = before.had_host || here.hosts > 0;
  const people = here.browsers + here.phones;
  const since = (running: boolean, start: Date | null): Date | null => (running ? (start ?? now) : null);
  return {
    had_browser,
    had_phone,
    had_host,
    browsers_left_at: since(had_browser && here.browsers === 0, before.browsers_left_at),
    phones_left_at: since(had_phone && here.phones === 0, before.phones_left_at),
    alone_since: since(people === 1, before.alone_since),
    empty_since: since((had_browser || had_phone) && people === 0, before.empty_since),
    host_left_at: since(had_host && here.hosts === 0, before.host_left_at),
  };
}

interface Due {
  readonly at: Date;
  readonly reason: EndReason;
}

/** The earliest instant at which the session is to end by itself, and why. Always answers: no live state without a deadline. */
export function nextDue(
  session: { created_at: Date; state: SessionState } & ClockMarks,
  clocks: SessionClocks & Schedule,
): Due {
  const due: Due[] = [];
  const add = (start: Date | null, seconds: number | null, reason: EndReason): void => {
    if (start !== null && seconds !== null) due.push({ at: new Date(start.getTime() + seconds * 1000), reason });
  };
  add(session.created_at, clocks.max_duration_s, 'max-duration');
  add(session.state === 'open' ? session.created_at : null, clocks.never_used_s, 'never-used');
  add(session.browsers_left_at, clocks.browsers_left_s, 'browsers-left');
  add(session.phones_left_at, clocks.phones_left_s, 'phones-left');
  add(session.alone_since, clocks.alone_s, 'alone');
  add(session.empty_since, clocks.empty_s, 'empty');
  add(session.host_left_at, clocks.host_left_s, 'host-left');
  add(clocks.ends_at, 0, 'schedule-ended');
  return due.reduce((first, next) => (next.at < first.at ? next : first));
}
