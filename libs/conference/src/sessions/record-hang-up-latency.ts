import type { LegRow } from '@partyline/store/legs/legs';
import type { Deps } from '../deps.ts';
import { wasNeverPlaced } from './leg-transitions.ts';

/**
 * Reports how long legs took from being owed their hang-up to being seen closed; to be called once, when the change that closed them is
 * committed. A phone whose ringing never began was not hung up, and would only flatter the figure.
 */
export function recordHangUpLatency({ report }: Pick<Deps, 'report'>, legs: readonly LegRow[]): void {
  for (const leg of legs) {
    if (leg.hangup_requested_at === null || leg.confirmed_at === null || wasNeverPlaced(leg)) continue;
    report.observe(
      'hangup_confirm_seconds',
      Math.max(0, (leg.confirmed_at.getTime() - leg.hangup_requested_at.getTime()) / 1000),
      {
        kind: leg.kind,
      },
    );
  }
}
