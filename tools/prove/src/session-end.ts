/** A connection of a participant, as the provider's ledger shows it. Times in milliseconds. */
export interface Attendance {
  readonly kind: 'browser' | 'phone';
  /** Several connections of one participant count once. */
  readonly participant: string;
  /** When the connection was created. Partyline cannot know of it earlier. */
  readonly from: number;
  /** When Partyline must know that it is present. Infinity: it was never in the conference. */
  readonly knownBy: number;
  /** When it ended or was rejected. Infinity: it is up. */
  readonly until: number;
}

/** The clocks that a tenant requested, in seconds; null: off. */
export interface RequestedClocks {
  readonly max_duration_s: number;
  readonly never_used_s: number | null;
  readonly browsers_left_s: number | null;
  readonly phones_left_s: number | null;
  readonly alone_s: number | null;
  readonly empty_s: number | null;
}

/** What is known about a session without Partyline's rows. */
export interface SessionFacts {
  readonly createdAt: number;
  readonly clocks: RequestedClocks;
  /** When the tenant first requested the end of the room. Null: it did not. */
  readonly endRequestedAt: number | null;
  readonly attendance: readonly Attendance[];
}

/**
 * Whether the tenant's request or one of the room's clocks explains that a session was ended at
 * `decidedAt`. A clock must have run all the time until then. A participant stops a clock from
 * `knownBy`, since Partyline learns late of some connections; an end starts one at once.
 */
export function isEndExplained(
  { createdAt, clocks, endRequestedAt, attendance }: SessionFacts,
  decidedAt: number,
): boolean {
  if (endRequestedAt !== null && endRequestedAt <= decidedAt) return true;
  /**
   * @param canStart whether the clock can have started by this time
   * @param maxPresent the number of participants with which it runs
   */
  const hasExpired = (
    seconds: number | null,
    maxPresent: number,
    kind: Attendance['kind'] | null,
    canStart: (each: Attendance, at: number) => boolean,
  ): boolean => {
    if (seconds === null) return false;
    const startAt = decidedAt - seconds * 1000;
    const counted = attendance.filter((each) => kind === null || each.kind === kind);
    return (
      startAt >= createdAt &&
      counted.some((each) => canStart(each, startAt)) &&
      countMostPresent(counted, startAt, decidedAt) <= maxPresent
    );
  };
  const hasJoined = ({ from }: Attendance, at: number): boolean => from <= at;
  const hasLeft = ({ until }: Attendance, at: number): boolean => until <= at;
  return (
    decidedAt >= createdAt + clocks.max_duration_s * 1000 ||
    (clocks.never_used_s !== null &&
      decidedAt >= createdAt + clocks.never_used_s * 1000 &&
      !attendance.some(({ knownBy }) => knownBy < decidedAt)) ||
    hasExpired(clocks.browsers_left_s, 0, 'browser', hasLeft) ||
    hasExpired(clocks.phones_left_s, 0, 'phone', hasLeft) ||
    hasExpired(clocks.alone_s, 1, null, hasJoined) ||
    hasExpired(clocks.empty_s, 0, null, hasLeft)
  );
}

/** The most participants that are known to be present at one instant of [from, to). */
function countMostPresent(attendance: readonly Attendance[], from: number, to: number): number {
  const isKnownAt = ({ knownBy, until }: Attendance, at: number): boolean => knownBy <= at && until > at;
  const instants = [from, ...attendance.map(({ knownBy }) => knownBy).filter((at) => at > from && at < to)];
  return Math.max(
    ...instants.map(
      (at) => new Set(attendance.filter((each) => isKnownAt(each, at)).map(({ participant }) => participant)).size,
    ),
  );
}

/** A connection with the time by which Partyline must know that it is gone. */
export interface Visit extends Attendance {
  /** Infinity: it is up. */
  readonly goneBy: number;
}

/**
 * The first time by which a clock of the room must have ended the session; Infinity: none must. A
 * connection counts as present from its start until `goneBy`, since Partyline learns late that it
 * left, and as seen from `knownBy` to `until`.
 * @param delayMs how long Partyline may take to end the session after a clock expired; a
 *   participant who joins meanwhile stops it
 */
export function findCertainEnd(
  { createdAt, clocks }: Pick<SessionFacts, 'createdAt' | 'clocks'>,
  visits: readonly Visit[],
  delayMs: number,
): number {
  const findExpiry = (seconds: number | null, kind: Attendance['kind'] | null, present: 0 | 1): number => {
    if (seconds === null) return Infinity;
    const counted = visits.filter((visit) => kind === null || visit.kind === kind);
    const starts = counted.flatMap(({ knownBy, goneBy }) => [knownBy, goneBy]).filter(Number.isFinite);
    const expiries = starts
      .filter((start) => counted.some(({ knownBy, until }) => knownBy <= start && knownBy < until))
      .map((start) => [start, start + seconds * 1000 + delayMs] as const)
      .filter(
        ([start, end]) =>
          counted.filter(({ from, goneBy }) => from < end && goneBy > start).length <= present &&
          counted.filter(({ knownBy, until }) => knownBy <= start && until >= end).length >= present,
      );
    return Math.min(Infinity, ...expiries.map(([, end]) => end));
  };
  const unusedAt = createdAt + (clocks.never_used_s ?? Infinity) * 1000 + delayMs;
  return Math.min(
    visits.some(({ from }) => from < unusedAt) ? Infinity : unusedAt,
    findExpiry(clocks.browsers_left_s, 'browser', 0),
    findExpiry(clocks.phones_left_s, 'phone', 0),
    findExpiry(clocks.alone_s, null, 1),
    findExpiry(clocks.empty_s, null, 0),
  );
}
