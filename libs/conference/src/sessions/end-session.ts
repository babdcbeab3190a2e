import type { EndReason } from '@partyline/domain/session';
import { changeSession } from './change-session.ts';
import type { Deps } from '../deps.ts';
import { decideEnd } from './settle-session.ts';

export interface EndResult {
  /** Whether this call decided the end; `false`: an earlier call did, and its reason is kept. */
  readonly decided: boolean;
  readonly state: 'ending' | 'ended';
}

/**
 * Ends a session: it accepts no participant any more, and the same transaction requests the hang-up
 * of each leg. A second call changes nothing.
 * @returns `null` when the tenant has no such session
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
