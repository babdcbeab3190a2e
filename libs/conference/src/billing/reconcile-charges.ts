import {
  applyChargeToCdr,
  claimCdrsWithPriceDue,
  listAccountsWithPriceDue,
  renewPriceLookup,
} from '@partyline/store/billing/cdrs';
import { EVERY_TENANT, inTransaction } from '@partyline/store/database/store';
import { accountOwner, type Deps } from '../deps.ts';

/** Look-ups per account and round: hang-ups take most of the account's rate limit. */
const MAX_LOOKUPS_PER_ACCOUNT = 10;
const MAX_CONCURRENT_ACCOUNTS = 8;
/** Between the look-ups of a call that is live. */
const LIVE_CALL_DELAY_S = 60;

/**
 * Looks up the prices of calls whose closing event had no price or was lost, in the providers' call
 * records. A failed look-up is retried with back-off for ten days; accounts do not wait for each
 * other. Any number of replicas may run it. Returns the number of prices found.
 */
export async function reconcileCharges(deps: Pick<Deps, 'store' | 'providers' | 'report'>): Promise<number> {
  const queue = (await listAccountsWithPriceDue(deps.store)).values();
  let priced = 0;
  const worker = async (): Promise<void> => {
    for (const accountId of queue) priced += await reconcileAccount(deps, accountId);
  };
  await Promise.all(Array.from({ length: MAX_CONCURRENT_ACCOUNTS }, worker));
  return priced;
}

async function reconcileAccount(
  { store, providers, report }: Pick<Deps, 'store' | 'providers' | 'report'>,
  accountId: string | null,
): Promise<number> {
  let priced = 0;
  for (const { leg_id: legId, tenant_id: tenantId, voice_call_id: callId } of await claimCdrsWithPriceDue(
    store,
    accountId,
    MAX_LOOKUPS_PER_ACCOUNT,
  )) {
    try {
      const { voice } = await providers(accountId);
      const call = await voice.getCall(callId);
      if (call?.over === false) {
        // The event that closed its leg was wrong. Look-ups do not become rare before its real end.
        await inTransaction(store, tenantId ?? EVERY_TENANT, (tx) =>
          renewPriceLookup(tx, tenantId, { legId, handle: 'voice', delayS: LIVE_CALL_DELAY_S }),
        );
        continue;
      }
      const charge = call?.event.kind === 'call' ? call.event.charge : undefined;
      if (charge === undefined) continue;
      if (
        await inTransaction(store, tenantId ?? EVERY_TENANT, (tx) =>
          applyChargeToCdr(tx, tenantId, { legId, handle: 'voice', source: 'record' }, charge),
        )
      ) {
        priced += 1;
        report.count('charges_reconciled', { owner: accountOwner(accountId) });
      }
    } catch (error) {
      report.warn('the look-up of a call record failed; it will be retried', {
        tenantId,
        legId,
        error: String(error),
      });
    }
  }
  return priced;
}
