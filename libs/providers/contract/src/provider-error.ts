import type { Reason } from '@partyline/domain/reasons';
import { VerdictError } from '@partyline/domain/verdict';

/**
 * The meaning of a failed provider request. Each provider's folder maps its own errors to these.
 * - `refused`: the provider rejected the request, nothing changed, and a retry will not help (bad
 *   credentials, bad number).
 * - `not-found`: the provider does not know the id. After a hang-up this does not prove that the
 *   leg is closed (wrong region, contract section 2).
 * - `busy`: nothing changed, retry later (429, 503, early PUT 400); `retryAfterMs` if the provider
 *   named a time.
 * - `unknown`: the request was sent and no usable answer came (timeout, reset, 500, invalid JSON).
 *   It may have taken effect.
 */
export type ProviderFailure = 'refused' | 'not-found' | 'busy' | 'unknown';

const OUTCOME = { refused: 'client', 'not-found': 'upstream', busy: 'upstream', unknown: 'indeterminate' } as const;

export class ProviderError extends VerdictError {
  readonly failure: ProviderFailure;

  /**
   * @param reason kebab case, e.g. `upstream-429`
   * @param message must not contain a secret, a PIN or a phone number
   */
  constructor(
    failure: ProviderFailure,
    reason: string,
    message: string,
    more: { retryAfterMs?: number; cause?: unknown } = {},
  ) {
    // Reasons of providers are not in the catalogue: see PROVIDER_REASONS of libs/domain.
    super(OUTCOME[failure], reason as Reason, message, more);
    this.name = 'ProviderError';
    this.failure = failure;
  }
}
