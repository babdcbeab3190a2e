/** What trying again needs from the world. */
export interface RetryPolicy {
  readonly fetch: typeof fetch;
  /** How often a request is tried again at most. */
  readonly retries: number;
  /** For one try, milliseconds. */
  readonly timeoutMs: number;
  /** Is over after so long, or as soon as the signal fires. */
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** In [0, 1). */
  readonly random: () => number;
}

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 8_000;
/** Whoever is told to wait for longer than this is better told so. */
export const MAX_RETRY_AFTER_MS = 60_000;

/** Somewhere in the upper half of a pause that doubles each time, so that clients that fell together do not come back together. */
export const backoffMs = (attempt: number, random: () => number): number =>
  Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt) * (0.5 + random() / 2);

/** What the answer asks for, milliseconds; undefined: nothing. Seconds or a date, by RFC 9110. */
export function retryAfterMs(response: Response): number | undefined {
  const given = response.headers.get('retry-after');
  if (given === null) return undefined;
  if (/^\d+$/.test(given)) return Number(given) * 1_000;
  const [at, now] = [Date.parse(given), Date.parse(response.headers.get('date') ?? '')];
  return Number.isNaN(at) || Number.isNaN(now) ? undefined : Math.max(0, at - now);
}

/** Reads are harmless; a write carries a key by which the API knows it again, so it is done once however often it comes. */
const mayComeTwice = (request: Request): boolean => request.method === 'GET' || request.headers.has('idempotency-key');

/** Too many requests, not available now, and a twin that is still being worked on: nothing was done, so the same may be asked again. */
const isTransient = (response: Response): boolean =>
  response.status === 429 ||
  response.status === 503 ||
  (response.status === 409 && response.headers.has('retry-after'));

/** A fetch that tries again when nothing can come of it but an answer: on no answer, 429 and 503, as long as the caller's own signal has not fired. */
export const createRetryingFetch =
  ({ fetch, retries, timeoutMs, sleep, random }: RetryPolicy) =>
  async (request: Request): Promise<Response> => {
    const last = mayComeTwice(request) ? retries : 0;
    for (let attempt = 0; ; attempt++) {
      let pause = backoffMs(attempt, random);
      try {
        const response = await fetch(request.clone(), {
          signal: AbortSignal.any([request.signal, AbortSignal.timeout(timeoutMs)]),
        });
        const asked = retryAfterMs(response);
        if (attempt === last || !isTransient(response) || (asked ?? 0) > MAX_RETRY_AFTER_MS) return response;
        pause = Math.max(pause, asked ?? 0);
        await response.body?.cancel();
      } catch (error) {
        if (attempt === last || request.signal.aborted) throw error;
      }
      await sleep(pause, request.signal);
      request.signal.throwIfAborted();
    }
  };
