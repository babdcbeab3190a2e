import { HANG_UP_INTERVAL_MS } from '@partyline/conference/providers/rate-limit-providers';

/**
 * How long after its session's end a leg may still be up, by what went wrong meanwhile (reliability.md (c)): the outage's own length, and
 * then so much. To every line comes N/H: legs that end together, at nine hang-ups a second. A vendor that fails a leg again and again is
 * an outage of its own, as long as from the first to the last attempt that it wasted.
 */
const BOUND_AFTER_EPISODE_MS: Readonly<Record<string, number>> = {
  none: 5_000,
  kill: 30_000,
  pause: 30_000,
  'all-dead': 30_000,
  'redis-flush': 30_000,
  'redis-away': 30_000,
  'postgres-restart': 30_000,
  'postgres-loses-commits': 150_000,
  'rest-500': 30_000,
  'rest-503': 30_000,
  'rest-429': 30_000,
  'rest-silent': 30_000,
  'webhooks-lost': 90_000,
  'webhooks-late': 90_000,
  'clock-skew': 5_000,
};

/** As above, for single faults that hit the leg itself. */
const BOUND_AFTER_HIT_MS: Readonly<Record<string, number>> = {
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
};

/** A fault that lasts. */
export interface FaultEpisode {
  readonly fault: string;
  readonly from: number;
  readonly to: number;
}

/** How far back an episode may have been and still matter: its margin, from its own end. */
const marginAfter = (episode: FaultEpisode): number => BOUND_AFTER_EPISODE_MS[episode.fault] ?? 30_000;
const MAX_MARGIN_MS = Math.max(...Object.values(BOUND_AFTER_EPISODE_MS));
const MAX_EPISODE_MS = 400_000;

interface Bound {
  readonly deadline: number;
  /** The fault that gave the leg the most time. */
  readonly fault: string;
}

/**
 * When a leg must be gone at the latest that was to end at `from`.
 * @param episodes in order of their beginning
 * @param failedLists when an inventory failed, in order: who is found by inventory only waits for the next
 * @param more how many legs end with it, how many attempts at it the vendor wasted, and when it did so last
 */
export function computeBound(
  from: number,
  touched: ReadonlySet<string> | null,
  episodes: readonly FaultEpisode[],
  failedLists: readonly number[],
  { together, wasted, wastedAt }: { together: number; wasted: number; wastedAt: number },
): Bound {
  let deadline = from + BOUND_AFTER_EPISODE_MS['none']!;
  let fault = 'none';
  const queue = together * HANG_UP_INTERVAL_MS;
  if (touched !== null) {
    for (const each of touched) {
      const until = from + (BOUND_AFTER_HIT_MS[each] ?? 30_000);
      if (until > deadline) {
        deadline = until;
        fault = each;
      }
    }
  }
  let i = findFirstAfter(episodes, from - MAX_MARGIN_MS - MAX_EPISODE_MS);
  for (; i < episodes.length; i++) {
    const episode = episodes[i]!;
    if (episode.from > deadline + queue) break;
    const margin = marginAfter(episode);
    if (episode.to + margin < from) continue;
    const until = Math.max(episode.to, from) + margin;
    if (until > deadline) {
      deadline = until;
      fault = episode.fault;
    }
  }
  if (needsInventory(touched, fault)) {
    // An inventory that fails or is cut short counts as none; each moves the promise to the next.
    const more = BOUND_AFTER_EPISODE_MS['webhooks-lost']!;
    for (const at of failedLists)
      if (at >= from - INVENTORY_MARGIN_MS && at <= deadline) deadline = Math.max(deadline, at + more);
    for (let n = findFirstAfter(episodes, from - MAX_EPISODE_MS); n < episodes.length; n++) {
      const episode = episodes[n]!;
      if (episode.from > deadline) break;
      if (FAULTS_FAILING_INVENTORY.includes(episode.fault) && episode.to >= from - INVENTORY_MARGIN_MS)
        deadline = Math.max(deadline, episode.to + more);
    }
  }
  if (wasted > 1) deadline = Math.max(deadline, wastedAt + BOUND_AFTER_OUTAGE_MS);
  return { deadline: deadline + queue, fault };
}

const BOUND_AFTER_OUTAGE_MS = 30_000;
const INVENTORY_MARGIN_MS = 70_000;
const FAULTS_FAILING_INVENTORY = [
  'kill',
  'pause',
  'all-dead',
  'postgres-restart',
  'postgres-loses-commits',
  'rest-500',
  'rest-503',
  'rest-429',
  'rest-silent',
];
const FAULTS_FOUND_BY_INVENTORY = [
  'webhook-lost',
  'webhook-late',
  'create-answer-lost',
  'webhooks-lost',
  'webhooks-late',
  'postgres-loses-commits',
];
const needsInventory = (touched: ReadonlySet<string> | null, fault: string): boolean =>
  FAULTS_FOUND_BY_INVENTORY.includes(fault) || (touched !== null && FAULTS_FOUND_BY_INVENTORY.some((each) => touched.has(each)));

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
