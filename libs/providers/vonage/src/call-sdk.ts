import { timeoutError } from '@partyline/provider-contract/http-failure';
import { toProviderError, type RequestKind } from './errors.ts';

/** The time limit and the kind of one request. */
interface RequestLimit {
  readonly timeoutMs: number;
  readonly request: RequestKind;
}

/**
 * Runs one provider request and settles exactly once, within the limit, with a value or a
 * `ProviderError`.
 *
 * The limit is applied here, because opentok never applies its `timeout` option (contract section
 * 0.2), and the Vonage client ignores an abort while it reads a chunked body. A request that
 * settles after the limit is handled and ignored, so that it cannot cause an unhandledRejection.
 */
export function callSdk<T>(limit: RequestLimit, start: (signal: AbortSignal) => Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const signal = AbortSignal.timeout(limit.timeoutMs);
    const onTimeout = (): void => reject(timeoutError());
    signal.addEventListener('abort', onTimeout, { once: true });
    // Started inside the promise chain, so that a synchronous exception of the SDK is handled too.
    void Promise.resolve()
      .then(() => start(signal))
      .then(resolve, (error: unknown) => reject(toProviderError(error, limit.request)))
      .finally(() => signal.removeEventListener('abort', onTimeout));
  });
}

/** A Node-style callback, as used by opentok. */
export type NodeCallback<T> = (error: unknown, value?: T) => void;

/**
 * Converts a callback-style call to a promise. The callback never throws: opentok runs it inside a
 * promise and would call it again with the exception (contract section 0.3). A second call has no
 * effect; the time limit covers a missing call.
 */
export function fromCallback<T>(start: (done: NodeCallback<T>) => void): Promise<T | undefined> {
  return new Promise<T | undefined>((resolve, reject) => {
    start((error, value) => (error === null || error === undefined ? resolve(value) : reject(error)));
  });
}
