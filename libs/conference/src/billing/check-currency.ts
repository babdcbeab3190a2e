import { VerdictError } from '@partyline/domain/verdict';
import { listRatedDirections } from '@partyline/store/billing/rates';
import type { Deps } from '../deps.ts';

/** Everything that a tenant's money goes for. */
const RATED = ['inbound', 'outbound', 'bridge-voice', 'bridge-media', 'webrtc'];

/**
 * Refuses (422 `currency-without-rates`) a tenant a currency that the operator's price list does not price every kind of connection in: its limits count by those rates
 * whatever runs, and whatever the provider charges in another currency.
 */
export async function checkCurrency({ store }: Pick<Deps, 'store'>, currency: string): Promise<void> {
  const rated = await listRatedDirections(store, currency);
  const missing = RATED.filter((what) => !rated.includes(what));
  if (missing.length === 0) return;
  throw new VerdictError(
    'client',
    'currency-without-rates',
    `The price list has no ${currency} for ${missing.join(', ')}.`,
    { field: '/currency', fix: 'Set them first with PATCH /v1/operator/rates, or choose another currency.' },
  );
}
