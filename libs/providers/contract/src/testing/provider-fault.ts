import { inspect } from 'node:util';
import { ProviderError, type ProviderFailure } from '../provider-error.ts';

/** Faults that any provider can have. `silence`: the request is received and never answered. */
export type ProviderFault =
  'bad-credentials' | 'rate-limit' | 'failing' | 'unavailable' | 'silence' | 'reset' | 'not-json';

export type RequestEffect = 'read' | 'write' | 'void-write';

/** The time limit of a provider request in the `silence` tests. */
export const SHORT_TIMEOUT_MS = 300;
/** The time limit of one fault test, long enough for a busy machine. */
export const FAULT_TEST_TIMEOUT_MS = 60_000;

const WRITE: Readonly<Record<ProviderFault, readonly ProviderFailure[]>> = {
  'bad-credentials': ['refused'],
  'rate-limit': ['busy'],
  failing: ['unknown'],
  unavailable: ['busy'],
  silence: ['unknown'],
  reset: ['unknown'],
  'not-json': ['unknown'],
};

const FAULTS = Object.keys(WRITE) as ProviderFault[];

/**
 * Lists each fault with the failures that a provider may report for it. A read changes nothing, so
 * `busy` is as correct as `unknown`.
 */
export const listExpectedFailures = (
  effect: RequestEffect,
): { fault: ProviderFault; failures: readonly ProviderFailure[] }[] =>
  FAULTS.filter((fault) => effect !== 'void-write' || fault !== 'not-json').map((fault) => ({
    fault,
    failures: effect === 'read' && WRITE[fault].includes('unknown') ? ['unknown', 'busy'] : WRITE[fault],
  }));

/** How a request failed, for comparison in one `expect`. */
interface CapturedFailure {
  readonly failure: ProviderFailure | 'none' | 'no-provider-error';
  readonly reason: string;
  readonly retryAfterMs: number | undefined;
  /** Secrets found anywhere in the error: message, stack or cause. */
  readonly leaks: readonly string[];
}

/**
 * Runs a request that is expected to fail, and returns how it failed. The test's own time limit
 * bounds the wait.
 */
export async function captureFailure(
  call: () => Promise<unknown>,
  secrets: readonly string[] = [],
): Promise<CapturedFailure> {
  let error: unknown;
  try {
    await call();
    return { failure: 'none', reason: '', retryAfterMs: undefined, leaks: [] };
  } catch (thrown) {
    error = thrown;
  }
  if (!(error instanceof ProviderError))
    return { failure: 'no-provider-error', reason: String(error), retryAfterMs: undefined, leaks: [] };
  const text = inspect(error, { depth: 10, showHidden: true, maxStringLength: null });
  return {
    failure: error.failure,
    reason: error.verdict.reason,
    retryAfterMs: error.retryAfterMs,
    leaks: secrets.filter((secret) => text.includes(secret)),
  };
}
