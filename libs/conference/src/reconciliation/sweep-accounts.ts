import { accountsToSweep } from '@partyline/store/reconciliation/inventory';
import { giveBackTurn, takeTurn } from '@partyline/store/database/lease';
import type { Deps } from '../deps.ts';
import { sweepInventory, type InventoryCounts } from './sweep-inventory.ts';

/** Accounts in hand at once: one that does not answer holds its place until its requests have timed out. */
const MAX_CONCURRENT = 8;

/**
 * The inventory of the platform's account and of every tenant's, each in its turn (at most every `everyMs`, one replica at a time). An account whose list cannot be had is
 * counted and warned of, has its turn back, and keeps no other from its own. Answers the sums of those that were swept; throws when Postgres is away.
 */
export async function sweepAccounts(deps: Deps, everyMs: number): Promise<InventoryCounts> {
  const sum: { -readonly [What in keyof InventoryCounts]: number } = {
    calls: 0,
    adopted: 0,
    ambiguous: 0,
    orphans: 0,
    missing: 0,
    connections: 0,
  };
  const queue = [null, ...(await accountsToSweep(deps.store))].values();
  const worker = async (): Promise<void> => {
    for (const accountId of queue) {
      const turn = accountId === null ? 'inventory' : `inventory ${accountId}`;
      if (!(await takeTurn(deps.store, turn, everyMs))) continue;
      try {
        const found = await sweepInventory(deps, accountId);
        for (const what of Object.keys(sum) as (keyof InventoryCounts)[]) sum[what] += found[what];
      } catch (error) {
        deps.report.count('account_sweep_failed', { whose: accountId === null ? 'platform' : 'tenant' });
        deps.report.warn('the inventory of a provider account failed; the next round makes good', {
          accountId,
          error: String(error),
        });
        await giveBackTurn(deps.store, turn);
      }
    }
  };
  await Promise.all(Array.from({ length: MAX_CONCURRENT }, worker));
  return sum;
}
