import pMap from 'p-map';
import { releaseLease, acquireLease } from '@partyline/store/database/lease';
import { accountOwner, type Deps } from '../deps.ts';
import { sweepInventory, type InventoryCounts } from './sweep-inventory.ts';

/**
 * Accounts that are swept concurrently. One that does not answer takes until its requests time out.
 */
const MAX_CONCURRENT = 8;

/**
 * Sweeps the inventory of each of these accounts: at most once every `everyMs`, in one replica at a
 * time. A failed account is counted and logged, and its lease is released; the other accounts are
 * still swept. Returns when the slowest account is done, so each account of the platform has its own
 * call.
 * @param accountIds null: the platform's first account
 * @returns the sums over the swept accounts
 */
export async function sweepAccounts(
  deps: Deps,
  everyMs: number,
  accountIds: readonly (string | null)[],
): Promise<InventoryCounts> {
  const sums: { -readonly [What in keyof InventoryCounts]: number } = {
    calls: 0,
    adopted: 0,
    ambiguous: 0,
    orphans: 0,
    missing: 0,
    connections: 0,
  };
  const sweepAccount = async (accountId: string | null): Promise<void> => {
    const lease = accountId === null ? 'inventory' : `inventory ${accountId}`;
    if (!(await acquireLease(deps.store, lease, everyMs))) return;
    try {
      const found = await sweepInventory(deps, accountId);
      for (const what of Object.keys(sums) as (keyof InventoryCounts)[]) sums[what] += found[what];
    } catch (error) {
      deps.report.count('account_sweep_failed', { owner: accountOwner(accountId) });
      deps.report.warn('the inventory of a provider account failed; the next round retries it', {
        accountId,
        error: String(error),
      });
      await releaseLease(deps.store, lease);
    }
  };
  await pMap(accountIds, sweepAccount, { concurrency: MAX_CONCURRENT });
  return sums;
}
