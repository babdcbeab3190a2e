import { checkFraudMeters } from '@partyline/domain/fraud';
import { VerdictError } from '@partyline/domain/verdict';
import { readFraudMeters } from '@partyline/store/limits/dial-policy';
import type { NewEvent } from '@partyline/store/events/append-events';
import { recordWarning } from '@partyline/store/limits/spend';
import type { Tx } from '@partyline/store/database/store';

/**
 * Rejects (429 `fraud-limit`) a call that exceeds a fraud limit, and records a `fraud.warning`
 * event, at most once an hour per meter, for a call above a warning threshold. The transaction must
 * hold the lock of the tenant's budget (enforce-spend.ts) and have inserted the call's row.
 * @param call.own the tenant's thresholds that differ from the platform's
 */
export async function enforceFraudLimits(
  tx: Tx,
  tenantId: string,
  call: { remote: string; sessionId: string; own: unknown; now: Date },
  emit: (event: NewEvent) => void,
): Promise<void> {
  for (const { meter, measured, level, threshold } of checkFraudMeters(
    await readFraudMeters(tx, tenantId, call.remote),
    call.own,
  )) {
    if (level === 'critical') {
      throw new VerdictError('client', 'fraud-limit', `Too many calls: ${meter} exceeds its limit of ${threshold}.`, {
        fix:
          'Wait, or ask the operator to raise your limits. ' +
          'If you did not request these calls, revoke your API keys.',
        retryAfterMs: 60_000,
      });
    }
    const warned = await recordWarning(tx, tenantId, {
      what: `fraud ${meter}`,
      period: call.now.toISOString().slice(0, 13),
      sessionId: call.sessionId,
    });
    if (warned) emit({ type: 'fraud.warning', data: { meter, measured: Math.round(measured), threshold } });
  }
}
