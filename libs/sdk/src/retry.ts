export interface RetryPolicy {
  readonly fetch: typeof fetch;
  /** Maximum number of retries of a request. */
  readonly retries: number;
  /** Timeout of each attempt, in milliseconds. */
  readonly timeoutMs: number;
  /** Resolves after `ms`, or as soon as the signal is aborted. */
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** Returns a number in [0, 1). */
  readonly random: () => number;
}

const INITIAL_BACKOFF_MS = 250;
const MAX_BACKOFF_MS = 8_000;
/** With a longer Retry-After the SDK does not wait: the calling function gets the error. */
export const MAX_RETRY_AFTER_MS = 60_000;

/**
 * Exponential back-off. Jitter in the upper half keeps clients that failed together from retrying
 * together.
 */
export const backoffMs = (attempt: number, random: () => number): number =>
  Math.min(MAX_BACKOFF_MS, INITIAL_BACKOFF_MS * 2 ** attempt) * (0.5 + random() / 2);

/**
 * Returns the Retry-After of a response (RFC 9110: seconds or a date) in milliseconds; undefined
 * without one.
 */
export function retryAfterMs(response: Response): number | undefined {
  const header = response.headers.get('retry-after');
  if (header === null) return undefined;
  if (/^\d+$/.test(header)) return Number(header) * 1_000;
  const [at, now] = [Date.parse(header), Date.parse(response.headers.get('date') ?? '')];
  return Number.isNaN(at) || Number.isNaN(now) ? undefined : Math.max(0, at - now);
}

/** The API performs a write with an Idempotency-Key once, however often it is sent. */
const isSafeToRetry = (request: Request): boolean => request.method === 'GET' || request.headers.has('idempotency-key');

/** The API performs nothing when it returns 408, 429, 503, or 409 with Retry-After. */
const isTransient = (response: Response): boolean =>
  response.status === 408 ||
  response.status === 429 ||
  response.status === 503 ||
  (response.status === 409 && response.headers.has('retry-after'));

/**
 * Creates a fetch that retries without a response and on transient errors, until the request's
 * signal is aborted.
 */
export const createRetryingFetch =
  ({ fetch, retries, timeoutMs, sleep, random }: RetryPolicy) =>
  async (request: Request): Promise<Response> => {
    const lastAttempt = isSafeToRetry(request) ? retries : 0;
    for (let attempt = 0; ; attempt++) {
      let delayMs = backoffMs(attempt, random);
      try {
        const response = await fetch(request.clone(), {
          signal: AbortSignal.any([request.signal, AbortSignal.timeout(timeoutMs)]),
        });
        const requestedMs = retryAfterMs(response) ?? 0;
        if (attempt === lastAttempt || !isTransient(response) || requestedMs > MAX_RETRY_AFTER_MS) return response;
        delayMs = Math.max(delayMs, requestedMs);
        await response.body?.cancel();
      } catch (error) {
        if (attempt === lastAttempt || request.signal.aborted) throw error;
      }
      await sleep(delayMs, request.signal);
      request.signal.throwIfAborted();
    }
  };
