import { ProviderError } from '@partyline/provider-contract/provider-error';
import type { Life, Reply } from '../runtime/process.ts';
import type { Random } from '../runtime/random.ts';
import type { Scheduler } from '../runtime/scheduler.ts';
import { recordFault, type LedgerEntry, type Ledger } from './ledger.ts';
import type { FaultProfile } from './fault-profile.ts';

const PROVIDER_TIMEOUT_MS = 4_000;

export const notFound = (): ProviderError =>
  new ProviderError('not-found', 'upstream-404', 'The vendor does not know it.');
export const callTooYoung = (): ProviderError =>
  new ProviderError('busy', 'call-too-young', 'The vendor does not take this so soon after the call was made.', {
    retryAfterMs: 2_000,
  });
const timeoutError = (): ProviderError =>
  new ProviderError('unknown', 'upstream-timeout', 'The vendor did not answer in time.');
const serverError = (reads: boolean): ProviderError =>
  new ProviderError(reads ? 'busy' : 'unknown', 'upstream-500', 'The vendor failed.');
const busyError = (reason: string): ProviderError =>
  new ProviderError('busy', reason, 'The vendor is busy.', { retryAfterMs: 1_000 });

interface RestRequest<T> {
  readonly life: Life;
  readonly label: string;
  /** Asking changes nothing. */
  readonly isRead: boolean;
  /** Voice requests count against 15 a second, creates against 3; the video side is not limited (its limit is not documented). */
  readonly limit: 'rest' | 'create' | 'none';
  readonly entry: LedgerEntry | null;
  /** A request to end `entry`. */
  readonly isHangUp?: boolean;
  readonly act: () => T;
  /** What was made, when the answer is lost on the way: to mark it as hit. */
  readonly findCreated?: (value: T) => LedgerEntry | null;
}

/** The vendor's REST API: limits, latency, and every way in which a request can go wrong. */
export class RestApi {
  readonly #scheduler: Scheduler;
  readonly #weather: FaultProfile;
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
    weather: FaultProfile;
    random: Random;
    ledger: Ledger;
  }) {
    this.#scheduler = scheduler;
    this.#weather = weather;
    this.#random = random;
    this.#ledger = ledger;
  }

  request<T>({ life, label, isRead: reads, limit, entry, isHangUp: asks = false, act, findCreated: made }: RestRequest<T>): Promise<T> {
    return life.seam(`vendor ${label}`, () => {
      const wasted = entry?.failedAttempts;
      const reply = this.#settled({ isRead: reads, limit, entry, act, findCreated: made, label });
      if ('error' in reply && label.startsWith('list')) this.failedLists.push(this.#scheduler.now);
      if (entry !== null && entry.failedAttempts !== wasted) entry.lastFailedAttemptAt = this.#scheduler.now;
      if (asks && entry !== null) this.#count(entry, reply.ms);
      if (entry !== null)
        this.#ledger.recordHistory(
          entry,
          `${life.process.name} ${label}: ${'error' in reply ? (reply.error as ProviderError).verdict.reason : 'ok'}`,
        );
      return reply;
    });
  }

  #count(entry: LedgerEntry, ms: number): void {
    entry.hangUpAttempts += 1;
    entry.firstAttemptAt ??= this.#scheduler.now;
    entry.lastAttemptAt = this.#scheduler.now;
    entry.attemptsInFlight += 1;
    if (entry.attemptsInFlight > entry.maxAttemptsInFlight) entry.maxAttemptsInFlight = entry.attemptsInFlight;
    this.#scheduler.after(ms, () => (entry.attemptsInFlight -= 1));
  }

  /** As `#outcome`, with what the vendor itself refuses as an answer. */
  #settled<T>(request: Omit<RestRequest<T>, 'life' | 'asks'>): Reply<T> {
    try {
      return this.#outcome(request);
    } catch (error) {
      return { ms: 100, error };
    }
  }

  #outcome<T>({
    isRead: reads,
    limit,
    entry,
    act,
    findCreated: made,
    label,
  }: Omit<RestRequest<T>, 'life' | 'asks'>): { ms: number; value: T } | { ms: number; error: unknown } {
    const weather = this.#weather;
    const latency = this.#random.between(40, 200);
    const hit = (fault: string, value?: T): void => {
      recordFault(entry, fault);
      if (value !== undefined && made !== undefined)
        recordFault(made(value), fault === 'timeout-applied' ? 'create-answer-lost' : fault);
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
      return { ms: latency, error: busyError('upstream-429') };
    }
    if (weather.isEnabled) {
      if (weather.restMode === '429' || weather.restMode === '503') {
        hit(`upstream-${weather.restMode}`);
        weather.count(`upstream-${weather.restMode}`);
        return { ms: latency, error: busyError(`upstream-${weather.restMode}`) };
      }
      if (weather.restMode === '500' || weather.restMode === 'silent') {
        weather.count(weather.restMode === '500' ? 'upstream-500' : 'upstream-silent');
        if (weather.shouldApplyRequest()) doAll('timeout-applied');
        else hit('upstream-silent');
        return weather.restMode === '500'
          ? { ms: latency, error: serverError(reads) }
          : { ms: PROVIDER_TIMEOUT_MS, error: timeoutError() };
      }
      if (weather.shouldInject('timeout-applied')) {
        doAll('timeout-applied');
        return { ms: PROVIDER_TIMEOUT_MS, error: timeoutError() };
      }
      if (weather.shouldInject('timeout-not-applied')) {
        hit('timeout-not-applied');
        return { ms: PROVIDER_TIMEOUT_MS, error: timeoutError() };
      }
      if (weather.shouldInject('upstream-500')) {
        hit('upstream-500');
        if (weather.shouldApplyRequest()) doAll('timeout-applied');
        return { ms: latency, error: serverError(reads) };
      }
      if (label === 'hang-up' && weather.shouldInject('wrong-region-404')) {
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
