import type { EndReason } from '@partyline/domain/session';
import { changeSession } from './change-session.ts';
import type { Deps } from '../deps.ts';
import { decideEnd } from './settle-session.ts';

export interface EndResult {
  /** This call decided it; `false`: it was decided before, and the first reason stands. */
  readonly decided: boolean;
  readonly state: 'ending' | 'ended';
}

/**
 * Ends a session, whoever asks: from here on nobody joins, and every leg is owed its hang-up in the same transaction. The second caller
 * is told that it is already ending. `null` when the tenant has no such session.
 */
export async function endSession(
  deps: Pick<Deps, 'store' | 'jobs' | 'report'>,
  tenantId: string,
  sessionId: string,
  reason: EndReason,
): Promise<EndResult | null> {
  const changed = await changeSession(deps, tenantId, sessionId, (view) => decideEnd(view, reason));
  if (changed === null) return null;
  return { decided: changed.result, state: changed.view.session.state === 'ended' ? 'ended' : 'ending' };
}
