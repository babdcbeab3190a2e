import type { LegRow } from '@partyline/store/legs/legs';
import { accountOwner, type Deps } from '../deps.ts';
import { wasNeverPlaced } from './leg-transitions.ts';

/**
 * Records the seconds from the hang-up request to its confirmation, for legs that a committed
 * change has closed. Calls that were never placed are left out: they would improve the figure.
 */
export function recordHangUpLatency({ report }: Pick<Deps, 'report'>, legs: readonly LegRow[]): void {
  for (const leg of legs) {
    if (leg.hangup_requested_at === null || leg.confirmed_at === null || wasNeverPlaced(leg)) continue;
    report.observe(
      'hangup_confirm_seconds',
      Math.max(0, (leg.confirmed_at.getTime() - leg.hangup_requested_at.getTime()) / 1000),
      { kind: leg.kind, owner: accountOwner(leg.account_id) },
    );
  }
}
