import { HANG_UP_INTERVAL_MS } from '@partyline/conference/providers/rate-limit-providers';

/**
 * How long a leg may stay up after the end of its session or of the fault, whichever is later
 * (docs/guarantee.md). N/H is added: legs that end together, at nine hang-ups per second. A
 * provider that fails repeatedly for one leg is an outage of its own, from the first to the last
 * failed attempt.
 */
const BOUND_AFTER_EPISODE_MS: Readonly<Record<string, number>> = {
  none: 5_000,
  kill: 30_000,
  pause: 30_000,
  'all-killed': 30_000,
  'redis-flush': 30_000,
  'redis-down': 30_000,
  'redis-full': 30_000,
  'postgres-restart': 30_000,
  'postgres-loses-commits': 150_000,
  'rest-500': 30_000,
  'rest-503': 30_000,
  'rest-429': 30_000,
  'rest-silent': 30_000,
  'webhooks-lost': 90_000,
  'webhooks-late': 90_000,
  'clock-skew': 5_000,
  // Its calls and browsers end. It delays no others.
  'gateway-lost': 5_000,
  'all-down': 30_000,
};

/** The same for single faults of requests and webhooks about the leg itself. */
const BOUND_AFTER_SINGLE_FAULT_MS: Readonly<Record<string, number>> = {
  'timeout-applied': 20_000,
  'timeout-not-applied': 30_000,
  'upstream-500': 30_000,
  'upstream-503': 30_000,
  'upstream-429': 30_000,
  'upstream-silent': 30_000,
  'accepted-but-alive': 30_000,
  'wrong-region-404': 30_000,
  'early-put-400': 20_000,
  'create-answer-lost': 150_000,
  'webhook-lost': 90_000,
  'webhook-late': 90_000,
  'false-disconnected': 150_000,
  'false-completed': 150_000,
  // Lost in Redis before the end was due.
  'hang-up-job-lost': 30_000,
};
const DEFAULT_BOUND_MS = 30_000;

/** A browser that left without a webhook is detected within this time (docs/guarantee.md). */
export const DETECTION_MS = 150_000;

/** A fault of the schedule with its duration. */
export interface FaultEpisode {
  readonly fault: string;
  readonly from: number;
  readonly to: number;
}

const MAX_BOUND_MS = Math.max(...Object.values(BOUND_AFTER_EPISODE_MS));
const MAX_EPISODE_MS = 400_000;
const BOUND_AFTER_FAILED_ATTEMPT_MS = 30_000;
/** Each inventory makes one attempt to close a leg that is ended in our rows. */
const BOUND_AFTER_FAILED_ORPHAN_ATTEMPT_MS = 90_000;
/** An inventory that fails this long before the end of the session can still delay the next one. */
const INVENTORY_MARGIN_MS = 70_000;
const FAULTS_FAILING_INVENTORY = [
  'kill',
  'pause',
  'all-killed',
  'all-down',
  'postgres-restart',
  'postgres-loses-commits',
  'rest-500',
  'rest-503',
  'rest-429',
  'rest-silent',
];
const PROVIDER_OUTAGES: ReadonlySet<string> = new Set(['rest-500', 'rest-503', 'rest-429', 'rest-silent']);
/** After these faults only an inventory finds the leg. */
const FAULTS_FOUND_BY_INVENTORY = [
  'false-disconnected',
  'false-completed',
  'webhook-lost',
  'webhook-late',
  'create-answer-lost',
  'webhooks-lost',
  'webhooks-late',
  'postgres-loses-commits',
];

interface Bound {
  readonly deadline: number;
  /** The fault that gave the leg the most time. */
  readonly fault: string;
}

interface BoundInput {
  /** When the end of the leg was due. */
  readonly from: number;
  /** Single faults of the leg. */
  readonly faults: ReadonlySet<string> | null;
  /** In order of their start. */
  readonly episodes: readonly FaultEpisode[];
  /** The times of failed lists, in order. */
  readonly failedLists: readonly number[];
  /** The times of lists that omitted the leg, in order. */
  readonly omittedAt: readonly number[];
  /** Legs that end at the same time, this one included. */
  readonly simultaneousEnds: number;
  /** Hang-up attempts that failed because of the provider, and the time of the last. */
  readonly failedAttempts: number;
  readonly lastFailedAttemptAt: number;
  /** Our rows say that the leg had ended before it did, because of a wrong report. */
  readonly isOrphan: boolean;
}

/** The time at which a leg must have ended. */
export function computeBound({
  from,
  faults,
  episodes,
  failedLists,
  omittedAt,
  simultaneousEnds,
  failedAttempts,
  lastFailedAttemptAt,
  isOrphan,
}: BoundInput): Bound {
  let deadline = from + BOUND_AFTER_EPISODE_MS['none']!;
  let fault = 'none';
  const queueMs = simultaneousEnds * HANG_UP_INTERVAL_MS;
  for (const each of faults ?? []) {
    const until = from + (BOUND_AFTER_SINGLE_FAULT_MS[each] ?? DEFAULT_BOUND_MS);
    if (until > deadline) {
      deadline = until;
      fault = each;
    }
  }
  const untilNextAttempt =
    lastFailedAttemptAt + (isOrphan ? BOUND_AFTER_FAILED_ORPHAN_ATTEMPT_MS : BOUND_AFTER_FAILED_ATTEMPT_MS);
  const isRepeated = failedAttempts > (isOrphan ? 0 : 1);
  // Repeated failures of the leg's attempts are an outage, so another may begin before they end.
  const attemptsUntil = isRepeated ? untilNextAttempt : 0;
  for (let i = findFirstAfter(episodes, from - MAX_BOUND_MS - MAX_EPISODE_MS); i < episodes.length; i++) {
    const episode = episodes[i]!;
    if (episode.from > Math.max(deadline, attemptsUntil) + queueMs) break;
    const boundMs = BOUND_AFTER_EPISODE_MS[episode.fault] ?? DEFAULT_BOUND_MS;
    if (episode.to + boundMs < from) continue;
    const until = Math.max(episode.to, from) + boundMs;
    if (until > deadline) {
      deadline = until;
      fault = episode.fault;
    }
  }
  if (needsInventory(faults, fault))
    deadline = extendByFailedInventories(deadline, BOUND_AFTER_EPISODE_MS['webhooks-lost']!, {
      from,
      episodes,
      failedLists,
      omittedAt,
    });
  // The attempts that an outage of the provider failed are not counted, but are failures too.
  const isAfterOutage = failedAttempts === 1 && PROVIDER_OUTAGES.has(fault);
  if (isRepeated || isAfterOutage) deadline = Math.max(deadline, untilNextAttempt);
  return { deadline: deadline + queueMs, fault };
}

/**
 * A failed or incomplete inventory does not count. Each one moves the bound to the next.
 * @param boundMs the bound of an inventory that succeeds
 */
export function extendByFailedInventories(
  bound: number,
  boundMs: number,
  { from, episodes, failedLists, omittedAt }: Pick<BoundInput, 'from' | 'episodes' | 'failedLists' | 'omittedAt'>,
): number {
  let deadline = bound;
  for (const at of omittedAt.length === 0 ? failedLists : [...failedLists, ...omittedAt].toSorted((a, b) => a - b))
    if (at >= from - INVENTORY_MARGIN_MS && at <= deadline) deadline = Math.max(deadline, at + boundMs);
  for (let i = findFirstAfter(episodes, from - MAX_EPISODE_MS); i < episodes.length; i++) {
    const episode = episodes[i]!;
    if (episode.from > deadline) break;
    if (FAULTS_FAILING_INVENTORY.includes(episode.fault) && episode.to >= from - INVENTORY_MARGIN_MS)
      deadline = Math.max(deadline, episode.to + boundMs);
  }
  return deadline;
}

const needsInventory = (faults: ReadonlySet<string> | null, fault: string): boolean =>
  FAULTS_FOUND_BY_INVENTORY.includes(fault) ||
  (faults !== null && FAULTS_FOUND_BY_INVENTORY.some((each) => faults.has(each)));

/** The index of the first episode that starts at `at` or later. */
function findFirstAfter(episodes: readonly FaultEpisode[], at: number): number {
  let low = 0;
  let high = episodes.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (episodes[middle]!.from < at) low = middle + 1;
    else high = middle;
  }
  return low;
}
