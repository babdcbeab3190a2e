import { VerdictError } from '@partyline/domain/verdict';
import { listRatedDirections } from '@partyline/store/billing/rates';
import type { Deps } from '../deps.ts';

/** The kinds of connection that are charged. */
const CHARGED_KINDS = ['inbound', 'outbound', 'bridge-voice', 'bridge-media', 'webrtc'];

/**
 * Throws 422 `currency-without-rates` unless the operator's price list has a rate in this currency
 * for every kind of connection. Budgets are measured with these rates, also while calls run and
 * when the provider charges in another currency.
 */
export async function checkCurrency({ store }: Pick<Deps, 'store'>, currency: string): Promise<void> {
  const rated = await listRatedDirections(store, currency);
  const missing = CHARGED_KINDS.filter((what) => !rated.includes(what));
  if (missing.length === 0) return;
  throw new VerdictError(
    'client',
    'currency-without-rates',
    `The price list has no rate in ${currency} for ${missing.join(', ')}.`,
    { field: '/currency', fix: 'Set these rates with PATCH /v1/operator/rates first, or choose another currency.' },
  );
}
