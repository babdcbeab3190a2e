import type { FaultClass } from '@partyline/dev/faults/faults';
import type { LedgerLeg } from '@partyline/vonage-emulator/control-client';
import { GOODBYE_SECONDS, MAX_PIN_ATTEMPTS, MAX_SILENT_PROMPTS, PIN_ENTRY_SECONDS } from '../pin-entry.ts';
import { findCertainEnd, isEndExplained, type SessionFacts, type Visit } from '../session-end.ts';

/**
 * The bounds of docs/guarantee.md. Only the interval of the inventory is scaled to fit into a
 * run.
 */
export interface BoundConstants {
  /** The services' own reconcile interval is no longer than this. */
  readonly reconcileS: number;
  readonly callTimeoutS: number;
  readonly inventoryS: number;
  /** Hang-ups per second that the provider's rate limit allows. */
  readonly hangUpsPerSecond: number;
}

export const createConstants = (inventoryMs: number): BoundConstants => ({
  reconcileS: 5,
  callTimeoutS: 5,
  inventoryS: inventoryMs / 1000,
  hangUpsPerSecond: 10,
});

/**
 * An orphan call is hung up after two inventories at least this far apart. The services do not
 * scale it.
 */
const ORPHAN_QUARANTINE_SECONDS = 30;
/** The longest stay of a caller who is not admitted: every prompt and a goodbye. */
const UNADMITTED_SECONDS = (MAX_PIN_ATTEMPTS + MAX_SILENT_PROMPTS - 1) * PIN_ENTRY_SECONDS + GOODBYE_SECONDS;

interface Bound {
  /** Seconds after the end was decided. */
  readonly withinS: number;
  /** Whether the length of the outage is added. */
  readonly addsOutage: boolean;
  /** How long a fault still counts after it ended. */
  readonly echoS: number;
}

/**
 * The bound for each class of fault, as in docs/guarantee.md. `webhooks-lost` applies only to
 * legs with a lost webhook, `provider-lost-create` only to legs created while answers were lost.
 */
export function computeBounds({
  reconcileS,
  callTimeoutS,
  inventoryS,
}: BoundConstants): Record<FaultClass | 'none', Bound> {
  // Interrupted work is repeated within one reconcile interval. A missed fact waits for an
  // inventory.
  const echoS = reconcileS;
  const missedS = inventoryS + 30;
  const orphanS = 2 * inventoryS + ORPHAN_QUARANTINE_SECONDS;
  return {
    none: { withinS: 5, addsOutage: false, echoS: 0 },
    'webhooks-noise': { withinS: 5, addsOutage: false, echoS: 0 },
    kill: { withinS: 10 + reconcileS + callTimeoutS, addsOutage: false, echoS },
    'provider-lost-answer': { withinS: 20, addsOutage: false, echoS },
    freeze: { withinS: 30, addsOutage: false, echoS },
    redis: { withinS: 30, addsOutage: false, echoS },
    'provider-no-effect': { withinS: 30, addsOutage: true, echoS },
    'provider-429': { withinS: 30, addsOutage: true, echoS },
    'provider-error': { withinS: 30, addsOutage: true, echoS },
    postgres: { withinS: 30, addsOutage: true, echoS },
    'webhooks-lost': { withinS: missedS, addsOutage: true, echoS: missedS },
    'provider-lost-create': { withinS: orphanS, addsOutage: false, echoS: orphanS },
  };
}

/** An injected fault. Times are in milliseconds since 1970. */
export interface FaultWindow {
  readonly name: string;
  readonly target: string;
  readonly class: FaultClass;
  readonly from: number;
  readonly until: number;
}

export interface SessionEvidence {
  readonly id: string;
  /** What its tenant requested. `createdAt` is the time of the request that created the room. */
  readonly requested: Pick<SessionFacts, 'createdAt' | 'clocks' | 'endRequestedAt'>;
  /** When its end was decided. Null while it runs. */
  readonly endingAt: number | null;
}

/** A leg of the provider's ledger with the session that it belongs to. */
export interface LegEvidence {
  readonly leg: LedgerLeg;
  readonly session: SessionEvidence | null;
  /** When a telephone joined the conference. Null: it did not, or it is not a telephone. */
  readonly joinedAt: number | null;
  readonly hangUpAttempts: number;
  readonly lastHangUpAttemptAt: number | null;
  /** Whether a webhook about the leg was lost. The platform may then not know the leg. */
  readonly hasLostWebhook: boolean;
}

export interface JudgedLeg extends LegEvidence {
  /** From when it should have ended. Null if it may stay. */
  readonly endDueAt: number | null;
  /** The latest permitted end. */
  readonly boundAt: number | null;
  /** The class of fault whose bound applies. */
  readonly class: FaultClass | 'none';
  /** How long it was up after its bound. */
  readonly lateMs: number;
  readonly isFalseKill: boolean;
  readonly hasTooManyAttempts: boolean;
}

/** End reasons of legs that the platform ended by a request. */
const PLATFORM_END_REASONS = new Set(['rest-hangup', 'forceDisconnected']);

/**
 * Judges every leg by the provider's ledger: whether it ended within its bound, and not by mistake.
 */
export function judgeLegs(
  legs: readonly LegEvidence[],
  windows: readonly FaultWindow[],
  now: number,
  constants: BoundConstants,
): JudgedLeg[] {
  const table = computeBounds(constants);
  return legs.map((each) => {
    const { leg, session, hangUpAttempts } = each;
    const endedAt = leg.endedAt ?? now;
    const endDueAt = computeEndDue(each);
    const bound =
      endDueAt === null
        ? null
        : computeBound(
            endDueAt,
            endedAt,
            countSimultaneousEnds(legs, endDueAt),
            windows.filter((window) => canConcern(each, window)),
            table,
            constants,
          );
    // The platform repeats its hang-up until it learns of the end.
    const confirmedAt = each.hasLostWebhook ? Math.max(endedAt, each.lastHangUpAttemptAt ?? 0) : endedAt;
    const outageMs = Math.max(0, confirmedAt - (endDueAt ?? confirmedAt));
    return {
      ...each,
      endDueAt,
      boundAt: bound?.boundAt ?? null,
      class: bound?.class ?? 'none',
      lateMs: bound === null ? 0 : Math.max(0, endedAt - bound.boundAt),
      isFalseKill: leg.endedAt !== undefined && wasFalselyKilled(leg, session, legs),
      // I7: ceil(outage / 15 s) + 5.
      hasTooManyAttempts: hangUpAttempts > Math.ceil(outageMs / 15_000) + 5,
    };
  });
}

/** A request that was in flight when the fault ended loses its answer too. */
const LOST_ANSWER_MARGIN_MS = 1_000;

function canConcern({ leg, hasLostWebhook }: LegEvidence, window: FaultWindow): boolean {
  if (window.class === 'webhooks-lost') return hasLostWebhook;
  return (
    window.class !== 'provider-lost-create' ||
    (leg.createdAt >= window.from && leg.createdAt <= window.until + LOST_ANSWER_MARGIN_MS)
  );
}

function computeEndDue({ leg, session }: LegEvidence): number | null {
  // A caller who has not entered a PIN belongs to no session.
  if (session === null) return leg.kind === 'voice-inbound' ? leg.createdAt + UNADMITTED_SECONDS * 1000 : leg.createdAt;
  // The hang-up of a leg created after the end was decided is due at once.
  return session.endingAt === null ? null : Math.max(session.endingAt, leg.createdAt);
}

/**
 * The number of legs whose end became due in the ten seconds until `at`. They share the provider's
 * rate limit.
 */
function countSimultaneousEnds(legs: readonly LegEvidence[], at: number): number {
  return legs.filter((each) => {
    const endDueAt = computeEndDue(each);
    return endDueAt !== null && endDueAt <= at && endDueAt > at - 10_000 && (each.leg.endedAt ?? Infinity) > at;
  }).length;
}

/** @param count legs that end at the same time */
function computeBound(
  endDueAt: number,
  endedAt: number,
  count: number,
  windows: readonly FaultWindow[],
  table: ReturnType<typeof computeBounds>,
  { hangUpsPerSecond }: BoundConstants,
): { boundAt: number; class: FaultClass | 'none' } {
  let boundAt = 0;
  let worst: FaultClass | 'none' = 'none';
  // A fault that starts before the bound moves it, and may so include a later fault. Repeat until
  // stable.
  for (let before = -1; before !== boundAt;) {
    before = boundAt;
    const until = Math.min(endedAt, Math.max(boundAt, endDueAt));
    const active = windows.filter(
      (window) =>
        window.from < Math.max(until, endDueAt + 1) && window.until + table[window.class].echoS * 1000 > endDueAt,
    );
    worst = active.reduce<FaultClass | 'none'>(
      (found, window) => (table[window.class].withinS > table[found].withinS ? window.class : found),
      'none',
    );
    boundAt =
      endDueAt +
      (table[worst].withinS + count / hangUpsPerSecond) * 1000 +
      computeOutageMs(
        active.filter((window) => table[window.class].addsOutage),
        endDueAt,
      );
  }
  return { boundAt, class: worst };
}

/** Milliseconds after `from` that at least one of the windows covers. */
function computeOutageMs(windows: readonly FaultWindow[], from: number): number {
  let length = 0;
  let covered = from;
  for (const window of windows.toSorted((a, b) => a.from - b.from)) {
    length += Math.max(0, window.until - Math.max(covered, window.from));
    covered = Math.max(covered, window.until);
  }
  return length;
}

function wasFalselyKilled(leg: LedgerLeg, session: SessionEvidence | null, legs: readonly LegEvidence[]): boolean {
  const endedAt = leg.endedAt!;
  // A caller without a session must have had the time to enter a PIN.
  if (session === null)
    return (
      leg.kind === 'voice-inbound' &&
      leg.endReason === 'rest-hangup' &&
      endedAt < leg.createdAt + PIN_ENTRY_SECONDS * 1000
    );
  if (session.endingAt !== null && endedAt >= session.endingAt) return false;
  // The NCCO of a call ends it when the platform removes it from the conference.
  const isRemoved = leg.endReason === 'ncco-complete' && leg.conversation !== undefined;
  if (!PLATFORM_END_REASONS.has(leg.endReason ?? '') && !isRemoved) return false;
  // Of two bridge legs of one session, one must end.
  if (leg.kind !== 'sip-interconnect' && leg.kind !== 'voice-sip') return true;
  return !legs.some(
    ({ leg: other }) =>
      other.kind === leg.kind &&
      other.id !== leg.id &&
      other.sessionId === leg.sessionId &&
      other.createdAt < endedAt &&
      (other.endedAt ?? Infinity) > leg.createdAt,
  );
}

interface SessionVisits {
  readonly ofSession: readonly LegEvidence[];
  /** In the order of `ofSession`. */
  readonly visits: readonly Visit[];
}

/** The legs of participants by session, and what Partyline must know of them. */
function listVisits(
  legs: readonly LegEvidence[],
  windows: readonly FaultWindow[],
  constants: BoundConstants,
): ReadonlyMap<SessionEvidence, SessionVisits> {
  const table = computeBounds(constants);
  const legsBySession = new Map<SessionEvidence, LegEvidence[]>();
  for (const each of legs) {
    const { leg, session } = each;
    if (session === null || leg.kind === 'sip-interconnect' || leg.kind === 'voice-sip') continue;
    legsBySession.set(session, [...(legsBySession.get(session) ?? []), each]);
  }
  const toVisit = (each: LegEvidence): Visit => {
    const { leg, joinedAt } = each;
    const until = leg.endedAt ?? Infinity;
    const concerning = windows.filter((window) => canConcern(each, window));
    const knownAfter = (at: number): number => computeBound(at, Infinity, 0, concerning, table, constants).boundAt;
    const isBrowser = leg.kind === 'webrtc';
    return {
      kind: isBrowser ? 'browser' : 'phone',
      participant: leg.id,
      from: leg.createdAt,
      until,
      knownBy: isBrowser
        ? computeBound(leg.createdAt, until, 0, concerning, table, constants).boundAt
        : (joinedAt ?? Infinity),
      goneBy: until === Infinity ? Infinity : knownAfter(until),
    };
  };
  return new Map(
    [...legsBySession].map(([session, ofSession]) => [session, { ofSession, visits: ofSession.map(toVisit) }]),
  );
}

/** A session that was ended although neither its tenant nor its participants caused it. */
export interface UnexplainedEnd {
  readonly session: SessionEvidence;
  /** Its participants that the platform hung up. */
  readonly hungUp: readonly LegEvidence[];
}

/** Finds the sessions whose end neither a request nor a clock of the room explains. */
export function findUnexplainedEnds(
  legs: readonly LegEvidence[],
  windows: readonly FaultWindow[],
  constants: BoundConstants,
): UnexplainedEnd[] {
  return [...listVisits(legs, windows, constants)].flatMap(([session, { ofSession, visits: attendance }]) => {
    const { endingAt, requested } = session;
    if (endingAt === null || isEndExplained({ ...requested, attendance }, endingAt)) return [];
    const hungUp = ofSession.filter(
      ({ leg }, i) =>
        attendance[i]!.knownBy < Infinity &&
        leg.createdAt <= endingAt &&
        (leg.endedAt ?? Infinity) > endingAt &&
        PLATFORM_END_REASONS.has(leg.endReason ?? ''),
    );
    return [{ session, hungUp }];
  });
}

/** A clock waits as long for the provider, which it asks who is still connected. */
const MAX_PRESENCE_CHECK_MS = 120_000;

/**
 * Finds the sessions that were not ended although one of their clocks must have ended them, with the
 * time by which the end was late.
 * @param now when the run ended the sessions that were left
 */
export function findMissedExpiries(
  legs: readonly LegEvidence[],
  windows: readonly FaultWindow[],
  now: number,
  constants: BoundConstants,
): { readonly session: SessionEvidence; readonly lateMs: number }[] {
  const table = computeBounds(constants);
  const maxDelayMs = Math.max(...Object.values(table).map(({ withinS }) => withinS)) * 1000;
  return [...listVisits(legs, windows, constants)].flatMap(([session, { visits }]) => {
    const dueAt = findCertainEnd(session.requested, visits, maxDelayMs);
    if (dueAt === Infinity) return [];
    const { boundAt } = computeBound(dueAt, Infinity, 0, windows, table, constants);
    const isProviderFailing = windows.some(
      (window) => window.class.startsWith('provider') && window.from < boundAt && window.until > dueAt - maxDelayMs,
    );
    const lateMs = Math.min(session.endingAt ?? now, now) - boundAt - (isProviderFailing ? MAX_PRESENCE_CHECK_MS : 0);
    return lateMs > 0 ? [{ session, lateMs }] : [];
  });
}

/** Counts the sequence numbers that are missing from a session's events, and the duplicates. */
export function countGaps(seqs: readonly number[]): { lost: number; duplicated: number } {
  const distinct = new Set(seqs);
  return { lost: Math.max(0, ...seqs) - distinct.size, duplicated: seqs.length - distinct.size };
}

/** A session that ended by one of its clocks. */
export interface ClockExpiry {
  readonly id: string;
  /** When the clock expired. */
  readonly dueAt: number;
  /** When the end was decided. */
  readonly endingAt: number;
  /** A departure started the clock. The provider is asked before it ends the session. */
  readonly isDeparture: boolean;
}

/**
 * Sessions whose end was decided after the bound of the faults meanwhile, with the time by which it
 * was late.
 */
export function findLateExpiries(
  expiries: readonly ClockExpiry[],
  windows: readonly FaultWindow[],
  constants: BoundConstants,
): { readonly id: string; readonly lateMs: number }[] {
  const table = computeBounds(constants);
  // The clock is in the database. Faults of the provider excuse no late decision but a departure's.
  const relevant = windows.filter(
    (window) =>
      window.class === 'kill' || window.class === 'freeze' || window.class === 'redis' || window.class === 'postgres',
  );
  const ofProvider = windows.filter((window) => window.class.startsWith('provider'));
  return expiries.flatMap(({ id, dueAt, endingAt, isDeparture }) => {
    const concerning = isDeparture ? [...relevant, ...ofProvider] : relevant;
    const lateMs = endingAt - computeBound(dueAt, endingAt, 0, concerning, table, constants).boundAt;
    return lateMs > 0 ? [{ id, lateMs }] : [];
  });
}

export interface Delays {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/**
 * Milliseconds from when the end of a leg was due to its end at the provider, by the class whose
 * bound applied.
 */
export function computeDelays(judged: readonly JudgedLeg[], now: number): Record<string, Delays> {
  const byClass = new Map<string, number[]>();
  for (const each of judged) {
    const endedAt = each.leg.endedAt ?? now;
    // A leg that ended before its end was due ended by itself.
    if (each.endDueAt === null || each.session === null || endedAt < each.endDueAt) continue;
    byClass.set(each.class, [...(byClass.get(each.class) ?? []), endedAt - each.endDueAt]);
  }
  return Object.fromEntries(
    [...byClass].map(([name, list]) => {
      const sorted = list.toSorted((a, b) => a - b);
      const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
      return [name, { count: sorted.length, p50: at(0.5), p99: at(0.99), max: sorted.at(-1) ?? 0 }];
    }),
  );
}
