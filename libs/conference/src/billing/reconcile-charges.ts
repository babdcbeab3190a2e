import { listAccountsWithPriceDue, applyChargeToCdr, claimCdrsWithPriceDue } from '@partyline/store/billing/cdrs';
import { EVERY_TENANT, inTransaction } from '@partyline/store/database/store';
import type { Deps } from '../deps.ts';

/** Records of an account looked up in a round: each is one of the few requests a second that are left beside hang-ups. */
const AT_A_TIME = 10;
/** Accounts in hand at once. */
const WIDTH = 8;

/**
 * Asks the providers for their own records of calls whose closing event brought no price, or was lost, and fills in what they say. One that
 * cannot be had is asked for again, ever more seldom, for ten days; those of one account wait for no other's. Answers how many were filled in. Run by as many replicas as like.
 */
export async function reconcileCharges(deps: Pick<Deps, 'store' | 'providers' | 'report'>): Promise<number> {
  const queue = (await listAccountsWithPriceDue(deps.store)).values();
  let filled = 0;
  const worker = async (): Promise<void> => {
    for (const accountId of queue) filled += await askAccount(deps, accountId);
  };
  await Promise.all(Array.from({ length: WIDTH }, worker));
  return filled;
}

async function askAccount(
  { store, providers, report }: Pick<Deps, 'store' | 'providers' | 'report'>,
  accountId: string | null,
): Promise<number> {
  let filled = 0;
  for (const { leg_id: legId, tenant_id: tenantId, voice_call_id: callId } of await claimCdrsWithPriceDue(
    store,
    accountId,
    AT_A_TIME,
  )) {
    try {
      const { voice } = await providers(accountId);
      const call = await voice.getCall(callId);
      const charge = call?.event.kind === 'call' ? call.event.charge : undefined;
      if (charge === undefined || call?.over !== true) continue;
      if (
        await inTransaction(store, tenantId ?? EVERY_TENANT, (tx) =>
          applyChargeToCdr(tx, tenantId, { legId, handle: 'voice', source: 'record' }, charge),
        )
      )
        filled += 1;
    } catch (error) {
      report.warn('a call’s record could not be had; it will be asked for again', {
        tenantId,
        legId,
        error: String(error),
      });
    }
  }
  return filled;
}
