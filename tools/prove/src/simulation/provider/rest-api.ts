import { ProviderError } from '@partyline/provider-contract/provider-error';
import type { Life, Reply } from '../runtime/process.ts';
import type { Random } from '../runtime/random.ts';
import type { Scheduler } from '../runtime/scheduler.ts';
import { touch, type Entry, type Ledger } from './ledger.ts';
import type { Weather } from './fault-profile.ts';

const PROVIDER_TIMEOUT_MS = 4_000;

export const notFound = (): ProviderError =>
  new ProviderError('not-found', 'upstream-404', 'The vendor does not know it.');
export const tooYoung = (): ProviderError =>
  new ProviderError('busy', 'call-too-young', 'The vendor does not take this so soon after the call was made.', {
    retryAfterMs: 2_000,
  });
const timeout = (): ProviderError =>
  new ProviderError('unknown', 'upstream-timeout', 'The vendor did not answer in time.');
const failed = (reads: boolean): ProviderError =>
  new ProviderError(reads ? 'busy' : 'unknown', 'upstream-500', 'The vendor failed.');
const busy = (reason: string): ProviderError =>
  new ProviderError('busy', reason, 'The vendor is busy.', { retryAfterMs: 1_000 });

interface Request<T> {
  readonly life: Life;
  readonly label: string;
  /** Asking changes nothing. */
  readonly reads: boolean;
  /** Voice requests count against 15 a second, creates against 3; the video side is not limited (its limit is not documented). */
  readonly limit: 'rest' | 'create' | 'none';
  readonly entry: Entry | null;
  /** A request to end `entry`. */
  readonly asks?: boolean;
  readonly act: () => T;
  /** What was made, when the answer is lost on the way: to mark it as hit. */
  readonly made?: (value: T) => Entry | null;
}

/** The vendor's REST API: limits, latency, and every way in which a request can go wrong. */
export class Rest {
  readonly #scheduler: Scheduler;
  readonly #weather: Weather;
  readonly #random: Random;
  readonly #ledger: Ledger;
  readonly #windows = { rest: { second: -1, count: 0 }, create: { second: -1, count: 0 } };
  /** Requests refused for their number. */
  refused = 0;
  peakPerSecond = 0;
  /** When a list could not be had. */
  readonly failedLists: number[] = [];

  constructor({
    scheduler,
    weather,
    random,
    ledger,
  }: {
    scheduler: Scheduler;
    weather: Weather;
    random: Random;
    ledger: Ledger;
  }) {
    this.#scheduler = scheduler;
    this.#weather = weather;
    this.#random = random;
    this.#ledger = ledger;
  }

  request<T>({ life, label, reads, limit, entry, asks = false, act, made }: Request<T>): Promise<T> {
    return life.seam(`vendor ${label}`, () => {
      const wasted = entry?.wasted;
      const reply = this.#settled({ reads, limit, entry, act, made, label });
      if ('error' in reply && label.startsWith('list')) this.failedLists.push(this.#scheduler.now);
      if (entry !== null && entry.wasted !== wasted) entry.wastedAt = this.#scheduler.now;
      if (asks && entry !== null) this.#count(entry, reply.ms);
      if (entry !== null)
        this.#ledger.tell(
          entry,
          `${life.process.name} ${label}: ${'error' in reply ? (reply.error as ProviderError).verdict.reason : 'ok'}`,
        );
      return reply;
    });
  }

  #count(entry: Entry, ms: number): void {
    entry.asks += 1;
    entry.firstAskAt ??= this.#scheduler.now;
    entry.lastAskAt = this.#scheduler.now;
    entry.inFlight += 1;
    if (entry.inFlight > entry.mostInFlight) entry.mostInFlight = entry.inFlight;
    this.#scheduler.after(ms, () => (entry.inFlight -= 1));
  }

  /** As `#outcome`, with what the vendor itself refuses as an answer. */
  #settled<T>(request: Omit<Request<T>, 'life' | 'asks'>): Reply<T> {
    try {
      return this.#outcome(request);
    } catch (error) {
      return { ms: 100, error };
    }
  }

  #outcome<T>({
    reads,
    limit,
    entry,
    act,
    made,
    label,
  }: Omit<Request<T>, 'life' | 'asks'>): { ms: number; value: T } | { ms: number; error: unknown } {
    const weather = this.#weather;
    const latency = this.#random.between(40, 200);
    const hit = (fault: string, value?: T): void => {
      touch(entry, fault);
      if (value !== undefined && made !== undefined)
        touch(made(value), fault === 'timeout-applied' ? 'create-answer-lost' : fault);
    };
    /** Does it although the answer will be lost. */
    const doAll = (fault: string): void => {
      try {
        hit(fault, act());
      } catch {
        hit(fault);
      }
    };
    if (limit !== 'none' && !this.#within(limit)) {
      this.refused += 1;
      weather.count('upstream-429');
      hit('upstream-429');
      return { ms: latency, error: busy('upstream-429') };
    }
    if (weather.stormy) {
      if (weather.rest === '429' || weather.rest === '503') {
        hit(`upstream-${weather.rest}`);
        weather.count(`upstream-${weather.rest}`);
        return { ms: latency, error: busy(`upstream-${weather.rest}`) };
      }
      if (weather.rest === '500' || weather.rest === 'silent') {
        weather.count(weather.rest === '500' ? 'upstream-500' : 'upstream-silent');
        if (weather.applied()) doAll('timeout-applied');
        else hit('upstream-silent');
        return weather.rest === '500'
          ? { ms: latency, error: failed(reads) }
          : { ms: PROVIDER_TIMEOUT_MS, error: timeout() };
      }
      if (weather.strikes('timeout-applied')) {
        doAll('timeout-applied');
        return { ms: PROVIDER_TIMEOUT_MS, error: timeout() };
      }
      if (weather.strikes('timeout-not-applied')) {
        hit('timeout-not-applied');
        return { ms: PROVIDER_TIMEOUT_MS, error: timeout() };
      }
      if (weather.strikes('upstream-500')) {
        hit('upstream-500');
        if (weather.applied()) doAll('timeout-applied');
        return { ms: latency, error: failed(reads) };
      }
      if (label === 'hang-up' && weather.strikes('wrong-region-404')) {
        hit('wrong-region-404');
        return { ms: latency, error: notFound() };
      }
    }
    return { ms: latency, value: act() };
  }

  #within(limit: 'rest' | 'create'): boolean {
    const window = this.#windows[limit];
    const second = Math.floor(this.#scheduler.now / 1000);
    if (window.second !== second) {
      window.second = second;
      window.count = 0;
    }
    window.count += 1;
    if (limit === 'rest' && window.count > this.peakPerSecond) this.peakPerSecond = window.count;
    return window.count <= (limit === 'rest' ? 15 : 3);
  }
}
