import { fillCdr, takeCdrsToAsk } from '@partyline/store/cdrs';
import { EVERY_TENANT, inTransaction } from '@partyline/store/store';
import type { Deps } from './deps.ts';

/** Records looked up in a round: each is one of the few requests a second that are left beside hang-ups. */
const AT_A_TIME = 10;

/**
 * Asks the provider for its own record of calls whose closing event brought no price, or was lost, and fills in what it says. One that
 * cannot be had is asked for again, ever more seldom, for ten days. Answers how many were filled in. Run by as many replicas as like.
 */
export async function reconcileCharges(deps: Pick<Deps, 'store' | 'voice' | 'report'>): Promise<number> {
  let filled = 0;
  for (const { leg_id: legId, tenant_id: tenantId, voice_call_id: callId } of await takeCdrsToAsk(deps.store, AT_A_TIME)) {
    try {
      const call = await deps.voice.getCall(callId);
      const charge = call?.event.kind === 'call' ? call.event.charge : undefined;
      if (charge === undefined || call?.over !== true) continue;
      if (await inTransaction(deps.store, tenantId ?? EVERY_TENANT, (tx) => fillCdr(tx, tenantId, { legId, handle: 'voice', source: 'record' }, charge))) filled += 1;
    } catch (error) {
      deps.report.warn('a call’s record could not be had; it will be asked for again', { legId, error: String(error) });
    }
  }
  return filled;
}
