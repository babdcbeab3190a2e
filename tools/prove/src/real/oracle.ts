import type { FaultClass } from '@partyline/dev/faults/faults';
import type { LedgerLeg } from '@partyline/vonage-emulator/control-client';
import { GOOD_BYE_S, KEYING_S, MAX_TRIES } from '../pin-entry.ts';

/** The constants of reliability.md (c), in seconds. Only the inventory's period is scaled to fit into a run. */
export interface Constants {
  /** Reconcile period and call timeout as the table has them; the services' own are no longer. */
  readonly reconcileS: number;
  readonly callTimeoutS: number;
  readonly inventoryS: number;
  /** Hang-ups a second that the vendor's limit leaves room for. */
  readonly hangUpsPerS: number;
}

export const standard = (inventoryMs: number): Constants => ({
  reconcileS: 5,
  callTimeoutS: 5,
  inventoryS: inventoryMs / 1000,
  hangUpsPerS: 10,
});

/** A stray call is hung up after two inventories this far apart; the services do not scale it. */
const QUARANTINE_S = 30;
/** A caller who is not let in has this long at the most: each try its time, and a good-bye. */
const UNADMITTED_S = MAX_TRIES * KEYING_S + GOOD_BYE_S;

interface Bound {
  /** Seconds after the end was decided. */
  readonly withinS: number;
  /** Does the outage's own length come on top? */
  readonly plusOutage: boolean;
  /** For how long it still matters after it is over. */
  readonly echoS: number;
}

/**
 * X(F), as in reliability.md (c). `webhooks-lost` rules only legs of which a webhook was lost, and `provider-lost-create` only those made
 * while answers were lost: what happened to others is no excuse.
 */
export function bounds({ reconcileS, callTimeoutS, inventoryS }: Constants): Record<FaultClass | 'none', Bound> {
  // What was cut off is made good within a round and a call; what was not seen is not known before an inventory.
  const echoS = reconcileS;
  const unseenS = inventoryS + 30;
  const orphanS = 2 * inventoryS + QUARANTINE_S;
  return {
    none: { withinS: 5, plusOutage: false, echoS: 0 },
    'webhooks-noise': { withinS: 5, plusOutage: false, echoS: 0 },
    kill: { withinS: 10 + reconcileS + callTimeoutS, plusOutage: false, echoS },
    'provider-lost-answer': { withinS: 20, plusOutage: false, echoS },
    freeze: { withinS: 30, plusOutage: false, echoS },
    redis: { withinS: 30, plusOutage: false, echoS },
    'provider-no-effect': { withinS: 30, plusOutage: true, echoS },
    'provider-429': { withinS: 30, plusOutage: true, echoS },
    'provider-error': { withinS: 30, plusOutage: true, echoS },
    postgres: { withinS: 30, plusOutage: true, echoS },
    'webhooks-lost': { withinS: unseenS, plusOutage: true, echoS: unseenS },
    'provider-lost-create': { withinS: orphanS, plusOutage: false, echoS: orphanS },
  };
}

/** A fault that was played, in milliseconds since 1970. */
export interface Window {
  readonly name: string;
  readonly target: string;
  readonly class: FaultClass;
  readonly from: number;
  readonly until: number;
}

export interface SessionSeen {
  readonly id: string;
  /** When its end was decided; null while it runs. */
  readonly endingAt: number | null;
}

/** A leg of the vendor's ledger with the session it belongs to, by the ids of both worlds. */
export interface LegSeen {
  readonly leg: LedgerLeg;
  readonly session: SessionSeen | null;
  /** How often the vendor was asked to end it. */
  readonly asks: number;
  /** Was a webhook about it lost? Then we may not know it. */
  readonly unseen: boolean;
}

export interface Judged extends LegSeen {
  /** From when it should have been gone; null: it may stay. */
  readonly owedAt: number | null;
  readonly dueAt: number | null;
  /** The class whose bound holds. */
  readonly class: FaultClass | 'none';
  readonly lateMs: number;
  readonly falseKill: boolean;
  readonly tooManyAsks: boolean;
}

/** Ended by what we told the vendor, not by a person or one of its timers. */
const BY_US = new Set(['rest-hangup', 'forceDisconnected']);

/** Judges every leg by the vendor's ledger alone: is it gone in time, and was it left alone until then? */
export function judge(
  legs: readonly LegSeen[],
  windows: readonly Window[],
  now: number,
  constants: Constants,
): Judged[] {
  const table = bounds(constants);
  return legs.map((seen) => {
    const { leg, session, asks } = seen;
    const endedAt = leg.endedAt ?? now;
    const owedAt = whenOwed(seen);
    const rule =
      owedAt === null
        ? null
        : dueOf(
            owedAt,
            endedAt,
            together(legs, owedAt),
            windows.filter((window) => mayConcern(seen, window)),
            table,
            constants,
          );
    return {
      ...seen,
      owedAt,
      dueAt: rule?.dueAt ?? null,
      class: rule?.class ?? 'none',
      lateMs: rule === null ? 0 : Math.max(0, endedAt - rule.dueAt),
      falseKill: leg.endedAt !== undefined && isFalseKill(leg, session, legs),
      // I7: ceil(outage / 15 s) + 5.
      tooManyAsks: asks > Math.ceil(Math.max(0, endedAt - (owedAt ?? endedAt)) / 15_000) + 5,
    };
  });
}

function mayConcern({ leg, unseen }: LegSeen, window: Window): boolean {
  if (window.class === 'webhooks-lost') return unseen;
  return (
    window.class !== 'provider-lost-create' ||
    (leg.createdAt >= window.from && leg.createdAt <= window.until + LOST_LATER_MS)
  );
}

/** A request that was under way when the fault ended is answered no better. */
const LOST_LATER_MS = 1_000;

function whenOwed({ leg, session }: LegSeen): number | null {
  // Nobody's yet: a caller who has not keyed a PIN.
  if (session === null) return leg.kind === 'voice-inbound' ? leg.createdAt + UNADMITTED_S * 1000 : leg.createdAt;
  // One that is made after the end was decided is owed its hang-up from its first moment.
  return session.endingAt === null ? null : Math.max(session.endingAt, leg.createdAt);
}

/** How many legs were to be ended in the ten seconds before, this one too: the vendor takes only so many a second. */
function together(legs: readonly LegSeen[], at: number): number {
  return legs.filter((each) => {
    const owed = whenOwed(each);
    return owed !== null && owed <= at && owed > at - 10_000 && (each.leg.endedAt ?? Infinity) > at;
  }).length;
}

function dueOf(
  owedAt: number,
  endedAt: number,
  count: number,
  windows: readonly Window[],
  table: ReturnType<typeof bounds>,
  { hangUpsPerS }: Constants,
): { dueAt: number; class: FaultClass | 'none' } {
  let dueAt = 0;
  let ruling: FaultClass | 'none' = 'none';
  // What begins before the leg is due moves the bound, and so may bring in what begins after it: until it stands.
  for (let before = -1; before !== dueAt;) {
    before = dueAt;
    const until = Math.min(endedAt, Math.max(dueAt, owedAt));
    const active = windows.filter(
      (window) => window.from < Math.max(until, owedAt + 1) && window.until + table[window.class].echoS * 1000 > owedAt,
    );
    ruling = active.reduce<FaultClass | 'none'>(
      (worst, window) => (table[window.class].withinS > table[worst].withinS ? window.class : worst),
      'none',
    );
    dueAt =
      owedAt +
      (table[ruling].withinS + count / hangUpsPerS) * 1000 +
      lengthOf(
        active.filter((window) => table[window.class].plusOutage),
        owedAt,
      );
  }
  return { dueAt, class: ruling };
}

/** Milliseconds that are covered by any of the windows, from an instant on. */
function lengthOf(windows: readonly Window[], from: number): number {
  let length = 0;
  let covered = from;
  for (const window of windows.toSorted((a, b) => a.from - b.from)) {
    length += Math.max(0, window.until - Math.max(covered, window.from));
    covered = Math.max(covered, window.until);
  }
  return length;
}

function isFalseKill(leg: LedgerLeg, session: SessionSeen | null, legs: readonly LegSeen[]): boolean {
  const endedAt = leg.endedAt!;
  // Nobody's: it must have had its time to key a PIN.
  if (session === null)
    return leg.kind === 'voice-inbound' && leg.endReason === 'rest-hangup' && endedAt < leg.createdAt + KEYING_S * 1000;
  if (session.endingAt !== null && endedAt >= session.endingAt) return false;
  // Told to leave by our instructions, out of the conference it was in.
  const sentAway = leg.endReason === 'ncco-complete' && leg.conversation !== undefined;
  if (!BY_US.has(leg.endReason ?? '') && !sentAway) return false;
  // Of two bridges one must go.
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

/** The sequence numbers that a session's events lack, and those it has more than once. */
export function gaps(seqs: readonly number[]): { lost: number; duplicated: number } {
  const distinct = new Set(seqs);
  return { lost: Math.max(0, ...seqs) - distinct.size, duplicated: seqs.length - distinct.size };
}

/** A session that ended by one of its clocks: when that ran out, and when the end was decided. */
export interface Decided {
  readonly id: string;
  readonly dueAt: number;
  readonly endingAt: number;
}

/** Clocks that ran out and were noticed too late: by how much, past the bound of what failed meanwhile. */
export function lateDecisions(
  decided: readonly Decided[],
  windows: readonly Window[],
  constants: Constants,
): { readonly id: string; readonly lateMs: number }[] {
  const table = bounds(constants);
  // The clock is in the database: what the vendor does or says does not matter any more.
  const relevant = windows.filter(
    (window) =>
      window.class === 'kill' || window.class === 'freeze' || window.class === 'redis' || window.class === 'postgres',
  );
  return decided.flatMap(({ id, dueAt, endingAt }) => {
    const lateMs = endingAt - dueOf(dueAt, endingAt, 0, relevant, table, constants).dueAt;
    return lateMs > 0 ? [{ id, lateMs }] : [];
  });
}

export interface Delays {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** From when a leg was owed its end to when the vendor had ended it, by the class whose bound held. */
export function delays(judged: readonly Judged[], now: number): Record<string, Delays> {
  const byClass = new Map<string, number[]>();
  for (const each of judged) {
    const endedAt = each.leg.endedAt ?? now;
    // Gone before it had to: by itself.
    if (each.owedAt === null || each.session === null || endedAt < each.owedAt) continue;
    byClass.set(each.class, [...(byClass.get(each.class) ?? []), endedAt - each.owedAt]);
  }
  return Object.fromEntries(
    [...byClass].map(([name, list]) => {
      const sorted = list.toSorted((a, b) => a - b);
      const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
      return [name, { count: sorted.length, p50: at(0.5), p99: at(0.99), max: sorted.at(-1) ?? 0 }];
    }),
  );
}
