import { inspect } from 'node:util';
import { ProviderError, type ProviderFailure } from '../provider-error.ts';

/** What can go wrong at any vendor, in no vendor's words. `silence`: the request is taken and never answered. */
export type ProviderFault =
  'bad-credentials' | 'rate-limit' | 'failing' | 'unavailable' | 'silence' | 'reset' | 'not-json';

export type RequestEffect = 'read' | 'write' | 'void-write';

/** How long a provider under test waits for a vendor that is silent, and how long the test waits for the provider: for ever, as a machine that is busy sees it. */
export const SHORT_TIMEOUT_MS = 300;
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

/** Each fault with what a provider must make of it. A reading changes nothing, so `busy` is as true as `unknown` after it. */
export const listExpectedFailures = (effect: RequestEffect): { fault: ProviderFault; failures: readonly ProviderFailure[] }[] =>
  FAULTS.filter((fault) => effect !== 'void-write' || fault !== 'not-json').map((fault) => ({
    fault,
    failures: effect === 'read' && WRITE[fault].includes('unknown') ? ['unknown', 'busy'] : WRITE[fault],
  }));

/** How a call failed, to be compared in one `expect`. */
interface CapturedFailure {
  readonly failure: ProviderFailure | 'none' | 'no-provider-error';
  readonly reason: string;
  readonly retryAfterMs: number | undefined;
  /** Secrets that stand somewhere in the error: in its message, its stack, its cause. */
  readonly leaks: readonly string[];
}

/** Runs a call that is to fail. A call that hangs runs into the test's own time limit. */
export async function captureFailure(call: () => Promise<unknown>, secrets: readonly string[] = []): Promise<CapturedFailure> {
  let error: unknown;
  try {
    await call();
    return { failure: 'none', reason: '', retryAfterMs: undefined, leaks: [] };
  } catch (thrown) {
    error = thrown;
  }
  if (!(error instanceof ProviderError))
    return { failure: 'no-provider-error', reason: String(error), retryAfterMs: undefined, leaks: [] };
  const said = inspect(error, { depth: 10, showHidden: true, maxStringLength: null });
  return {
    failure: error.failure,
    reason: error.verdict.reason,
    retryAfterMs: error.retryAfterMs,
    leaks: secrets.filter((secret) => said.includes(secret)),
  };
}
