import { checkFraudMeters } from '@partyline/domain/fraud';
import { VerdictError } from '@partyline/domain/verdict';
import { readFraudMeters } from '@partyline/store/limits/dial-policy';
import type { NewEvent } from '@partyline/store/events/append-events';
import { recordWarning } from '@partyline/store/limits/spend';
import type { Tx } from '@partyline/store/database/store';

/**
 * Refuses (429 `fraud-limit`) a call that looks like one too many of a thief's, and tells the tenant, once an hour for each meter, of one that is on the way there.
 * For a transaction that holds the tenant's money (keep-spend.ts) and has made the call's row.
 * @param own the tenant's thresholds where they differ from the platform's
 */
export async function enforceFraudLimits(
  tx: Tx,
  tenantId: string,
  call: { remote: string; sessionId: string; own: unknown; now: Date },
  tell: (event: NewEvent) => void,
): Promise<void> {
  for (const { meter, measured, level, threshold } of checkFraudMeters(
    await readFraudMeters(tx, tenantId, call.remote),
    call.own,
  )) {
    if (level === 'critical') {
      throw new VerdictError('client', 'fraud-limit', `Too many calls: ${meter} is past its limit of ${threshold}.`, {
        fix: 'Wait, or ask the operator whether your limits fit what you do; if these calls are not yours, end your API keys.',
        retryAfterMs: 60_000,
      });
    }
    const warned = await recordWarning(tx, tenantId, {
      what: `fraud ${meter}`,
      period: call.now.toISOString().slice(0, 13),
      sessionId: call.sessionId,
    });
    if (warned) tell({ type: 'fraud.warning', data: { meter, measured: Math.round(measured), threshold } });
  }
}
