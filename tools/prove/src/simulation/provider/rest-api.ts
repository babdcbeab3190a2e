import { ProviderError } from '@partyline/provider-contract/provider-error';
import type { Life, Reply } from '../runtime/process.ts';
import type { Random } from '../runtime/random.ts';
import type { Scheduler } from '../runtime/scheduler.ts';
import type { FaultProfile } from './fault-profile.ts';
import { recordFault, type Ledger, type LedgerEntry } from './ledger.ts';

const PROVIDER_TIMEOUT_MS = 4_000;
const MAX_REQUESTS_PER_SECOND = { rest: 15, create: 3 };

export const notFound = (): ProviderError =>
  new ProviderError('not-found', 'upstream-404', 'The provider does not know the call or connection.');
export const callTooYoung = (): ProviderError =>
  new ProviderError('busy', 'call-too-young', 'The provider rejects changes of a call this soon.', {
    retryAfterMs: 2_000,
  });
const timeoutError = (): ProviderError =>
  new ProviderError('unknown', 'upstream-timeout', 'The provider did not answer in time.');
const serverError = (isRead: boolean): ProviderError =>
  new ProviderError(isRead ? 'busy' : 'unknown', 'upstream-500', 'The provider failed.');
const busyError = (reason: string): ProviderError =>
  new ProviderError('busy', reason, 'The provider is busy.', { retryAfterMs: 1_000 });

interface RestRequest<T> {
  readonly life: Life;
  readonly label: string;
  /** The request has no effect. */
  readonly isRead: boolean;
  /** The rate limit that applies. The video API has no documented limit. */
  readonly limit: 'rest' | 'create' | 'none';
  readonly entry: LedgerEntry | null;
  /** The request ends `entry`. */
  readonly isHangUp?: boolean;
  readonly act: () => T;
  /** The entry that the request created, to record the fault that lost the answer. */
  readonly findCreated?: (value: T) => LedgerEntry | null;
  /** Called when the request gets an error, also if it took effect. */
  readonly onError?: (error: ProviderError) => void;
}
type RequestBody<T> = Omit<RestRequest<T>, 'life' | 'isHangUp' | 'onError'>;

/** The provider's REST API with its rate limits, latency, and faults. */
export class RestApi {
  readonly #scheduler: Scheduler;
  readonly #faultProfile: FaultProfile;
  readonly #random: Random;
  readonly #ledger: Ledger;
  readonly #windows = { rest: { second: -1, count: 0 }, create: { second: -1, count: 0 } };
  /** The most requests of one second, without call creation. */
  peakPerSecond = 0;
  /** The times of failed lists of live calls or connections. */
  readonly failedLists: number[] = [];
  /** Those of live calls. Without one, a sweep compares nothing. */
  readonly failedCallLists: number[] = [];

  constructor({
    scheduler,
    faultProfile,
    random,
    ledger,
  }: {
    scheduler: Scheduler;
    faultProfile: FaultProfile;
    random: Random;
    ledger: Ledger;
  }) {
    this.#scheduler = scheduler;
    this.#faultProfile = faultProfile;
    this.#random = random;
    this.#ledger = ledger;
  }

  request<T>({ life, isHangUp = false, onError, ...body }: RestRequest<T>): Promise<T> {
    const { entry, label } = body;
    return life.seam(`provider ${label}`, () => {
      const failedAttempts = entry?.failedAttempts;
      const reply = this.#reply(body);
      if ('error' in reply) {
        if (label.startsWith('list')) this.failedLists.push(this.#scheduler.now);
        if (label === 'list') this.failedCallLists.push(this.#scheduler.now);
        onError?.(reply.error as ProviderError);
      }
      if (entry !== null) {
        if (entry.failedAttempts !== failedAttempts) entry.lastFailedAttemptAt = this.#scheduler.now;
        if (isHangUp) this.#countAttempt(entry, reply.ms);
        const outcome = 'error' in reply ? (reply.error as ProviderError).verdict.reason : 'ok';
        this.#ledger.recordHistory(entry, `${life.process.name} ${label}: ${outcome}`);
      }
      return reply;
    });
  }

  #countAttempt(entry: LedgerEntry, ms: number): void {
    entry.hangUpAttempts += 1;
    entry.firstAttemptAt ??= this.#scheduler.now;
    entry.lastAttemptAt = this.#scheduler.now;
    entry.attemptsInFlight += 1;
    if (entry.attemptsInFlight > entry.maxAttemptsInFlight) entry.maxAttemptsInFlight = entry.attemptsInFlight;
    this.#scheduler.after(ms, () => (entry.attemptsInFlight -= 1));
  }

  #reply<T>(request: RequestBody<T>): Reply<T> {
    try {
      return this.#process(request);
    } catch (error) {
      return { ms: 100, error };
    }
  }

  /** @throws what the request itself throws, such as `notFound` */
  #process<T>({ isRead, limit, entry, act, findCreated, label }: RequestBody<T>): Reply<T> {
    const profile = this.#faultProfile;
    const latency = this.#random.between(40, 200);
    const record = (fault: string, value?: T): void => {
      recordFault(entry, fault);
      if (value !== undefined && findCreated !== undefined)
        recordFault(findCreated(value), fault === 'timeout-applied' ? 'create-answer-lost' : fault);
    };
    /** Executes the request, whose answer is then lost. */
    const applyWithoutAnswer = (): void => {
      try {
        record('timeout-applied', act());
      } catch {
        record('timeout-applied');
      }
    };
    if (limit !== 'none' && !this.#isWithinLimit(limit)) {
      profile.count('upstream-429');
      record('upstream-429');
      return { ms: latency, error: busyError('upstream-429') };
    }
    if (profile.isEnabled) {
      if (profile.restMode === '429' || profile.restMode === '503') {
        record(`upstream-${profile.restMode}`);
        profile.count(`upstream-${profile.restMode}`);
        return { ms: latency, error: busyError(`upstream-${profile.restMode}`) };
      }
      if (profile.restMode === '500' || profile.restMode === 'silent') {
        profile.count(profile.restMode === '500' ? 'upstream-500' : 'upstream-silent');
        if (profile.shouldApplyRequest()) applyWithoutAnswer();
        else record('upstream-silent');
        return profile.restMode === '500'
          ? { ms: latency, error: serverError(isRead) }
          : { ms: PROVIDER_TIMEOUT_MS, error: timeoutError() };
      }
      if (profile.shouldInject('timeout-applied')) {
        applyWithoutAnswer();
        return { ms: PROVIDER_TIMEOUT_MS, error: timeoutError() };
      }
      if (profile.shouldInject('timeout-not-applied')) {
        record('timeout-not-applied');
        return { ms: PROVIDER_TIMEOUT_MS, error: timeoutError() };
      }
      if (profile.shouldInject('upstream-500')) {
        record('upstream-500');
        if (profile.shouldApplyRequest()) applyWithoutAnswer();
        return { ms: latency, error: serverError(isRead) };
      }
      if (label === 'hang-up' && profile.shouldInject('wrong-region-404')) {
        record('wrong-region-404');
        return { ms: latency, error: notFound() };
      }
    }
    return { ms: latency, value: act() };
  }

  #isWithinLimit(limit: keyof typeof MAX_REQUESTS_PER_SECOND): boolean {
    const window = this.#windows[limit];
    const second = Math.floor(this.#scheduler.now / 1000);
    if (window.second !== second) {
      window.second = second;
      window.count = 0;
    }
    window.count += 1;
    if (limit === 'rest' && window.count > this.peakPerSecond) this.peakPerSecond = window.count;
    return window.count <= MAX_REQUESTS_PER_SECOND[limit];
  }
}
