import { isTenantAccount } from '@partyline/domain/platform-account';
import { verdict } from '@partyline/domain/verdict';
import { storeObservation } from '@partyline/store/legs/observations';
import { changeLeg } from '../sessions/change-leg.ts';
import type { Deps } from '../deps.ts';
import { closeHandle } from '../sessions/leg-transitions.ts';

/**
 * The call counts as never seen after this many complete inventories in a row without it. The same
 * number stands in prisma/functions/callers/is_account_busy.sql.
 */
const MIN_MISSING_LISTS = 3;

/** A leg with a call, and its owner. */
interface MissingCall {
  readonly id: string;
  readonly tenant_id: string | null;
  readonly session_id: string | null;
}

/**
 * Counts a complete inventory without a leg's call, when the account's look-up denies the call too,
 * and closes the leg at the third in a row, as indeterminate. Only for calls at a tenant's account,
 * because the tenant can sign webhooks for calls that do not exist, and only in `ending`: if a
 * later inventory shows the call, it is an orphan call and is hung up.
 */
export async function closeNeverSeenCall(
  deps: Pick<Deps, 'store' | 'jobs' | 'report'>,
  call: MissingCall,
): Promise<void> {
  await changeLeg(deps, call, async (leg, { now }, tx) => {
    if (leg.state !== 'ending' || leg.voice_closed_at !== null || !isTenantAccount(leg.account_id)) return;
    leg.voice_missing_lists += 1;
    if (leg.voice_missing_lists < MIN_MISSING_LISTS) return;
    const how = verdict('indeterminate', 'never-seen');
    await storeObservation(tx, leg.tenant_id, {
      legId: leg.id,
      handle: 'voice',
      phase: 'over',
      source: 'look-up',
      verdict: how,
      at: null,
    });
    closeHandle(leg, 'voice', how, now);
  });
}

/** Starts the count of `closeNeverSeenCall` again: a list or a look-up showed the call. */
export async function resetMissingLists(
  deps: Pick<Deps, 'store' | 'jobs' | 'report'>,
  call: MissingCall,
): Promise<void> {
  await changeLeg(deps, call, (leg) => {
    leg.voice_missing_lists = 0;
  });
}
