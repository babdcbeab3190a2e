import { VerdictError } from '@partyline/domain/verdict';

/**
 * What a provider's refusal, failure or silence means to us. Made inside the provider's folder, where the vendor's words are known.
 * - `refused`: the vendor answered, nothing was done, and asking again in the same way will not help (bad credentials, bad number).
 * - `not-found`: the vendor does not know it. For a hang-up this is *not* proof that the leg is gone (wrong region, contract section 2).
 * - `busy`: nothing was done, ask again later (429, 503, early PUT 400); `retryAfterMs` when the vendor said so.
 * - `unknown`: the request left and no usable answer came (timeout, reset, 500, a body that is no JSON). It may have been done.
 */
export type ProviderFailure = 'refused' | 'not-found' | 'busy' | 'unknown';

const OUTCOME = { refused: 'client', 'not-found': 'upstream', busy: 'upstream', unknown: 'indeterminate' } as const;

export class ProviderError extends VerdictError {
  readonly failure: ProviderFailure;

  /** @param reason kebab case, e.g. `vendor-429`; @param message never holds a secret, PIN or phone number */
  constructor(
    failure: ProviderFailure,
    reason: string,
    message: string,
    more: { retryAfterMs?: number; cause?: unknown } = {},
  ) {
    super(OUTCOME[failure], reason, message, more);
    this.name = 'ProviderError';
    this.failure = failure;
  }
}
