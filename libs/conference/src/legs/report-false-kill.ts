import type { LegKind } from '@partyline/domain/leg';
import type { accountOwner, Deps } from '../deps.ts';

/**
 * Counts and logs that a live leg is hung up because an observation had closed it by mistake. Call
 * it after the commit: a transaction may run again.
 */
export function reportFalseKill(
  { report }: Pick<Deps, 'report'>,
  {
    kind,
    owner,
    ...ids
  }: {
    tenantId: string;
    sessionId: string;
    legId: string;
    kind: LegKind;
    owner: ReturnType<typeof accountOwner>;
  },
): void {
  report.count('false_kill', { kind, owner });
  report.warn('a connection is hung up by mistake: its leg was closed without a hang-up request', ids);
}
