import { timeoutError, toProviderError, type RequestKind } from './errors.ts';

/** What one request may take, and what kind it is. */
interface Limit {
  readonly timeoutMs: number;
  readonly request: RequestKind;
}

/**
 * Runs one vendor request and settles exactly once, within the limit, with a value or a `ProviderError`.
 *
 * The limit is our own: opentok stores its `timeout` option and never applies it (contract section 0.2), and the Vonage client swallows an
 * abort that falls into the reading of a chunked body. `AbortSignal.timeout` is the edge's clock. A request that settles after its
 * limit is dropped here, handled, so that it can never become an unhandledRejection.
 */
export function callSdk<T>(limit: Limit, start: (signal: AbortSignal) => Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const signal = AbortSignal.timeout(limit.timeoutMs);
    const onTimeout = (): void => reject(timeoutError());
    signal.addEventListener('abort', onTimeout, { once: true });
    // started inside the promise chain: what an SDK throws before its first await is an outcome like any other
    void Promise.resolve()
      .then(() => start(signal))
      .then(resolve, (error: unknown) => reject(toProviderError(error, limit.request)))
      .finally(() => signal.removeEventListener('abort', onTimeout));
  });
}

/** A callback in Node's style, as opentok takes it. */
export type NodeCallback<T> = (error: unknown, value?: T) => void;

/**
 * A callback-style call as a promise. The callback given never throws: opentok runs it inside a promise, and would call it a second
 * time with whatever it threw (contract section 0.3). A second call changes nothing; a call that never comes is the limit's business.
 */
export function fromCallback<T>(start: (done: NodeCallback<T>) => void): Promise<T | undefined> {
  return new Promise<T | undefined>((resolve, reject) => {
    start((error, value) => (error === null || error === undefined ? resolve(value) : reject(error)));
  });
}
