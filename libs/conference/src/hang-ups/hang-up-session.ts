import { isUp } from '@partyline/domain/leg';
import { changeSession } from '../sessions/change-session.ts';
import type { Deps } from '../deps.ts';
import { hangUpLeg } from './hang-up-leg.ts';

/**
 * What the hang-up job does, whenever it runs: a session that is due is ended, one that is ending has its legs hung up, one that is early
 * is waited for. `done` only when every leg is confirmed. One leg's failure does not keep the others waiting.
 */
export async function hangUpSession(
  deps: Pick<Deps, 'store' | 'jobs' | 'providers' | 'ids' | 'clock' | 'report'>,
  tenantId: string,
  sessionId: string,
): Promise<'done' | { retryAfterMs: number }> {
  const settled = await changeSession(deps, tenantId, sessionId, () => undefined);
  if (settled === null) return 'done';
  const { session, legs, now } = settled.view;
  if (session.state === 'ended') return 'done';
  if (session.state !== 'ending') return { retryAfterMs: Math.max(1, session.due_at.getTime() - now.getTime()) };

  // One that waits for its turn, or is in somebody's hands, is not asked after again.
  const results = await Promise.allSettled(
    legs
      .filter(isUp)
      .map(async (leg) =>
        leg.lease_until !== null && leg.lease_until > now
          ? { retryAfterMs: leg.lease_until.getTime() - now.getTime() }
          : hangUpLeg(deps, tenantId, leg.id),
      ),
  );
  const waits = results.flatMap((result) =>
    result.status === 'rejected' ? [1_000] : result.value === 'done' ? [] : [result.value.retryAfterMs],
  );
  for (const result of results)
    if (result.status === 'rejected')
      deps.report.warn('a leg could not be hung up; it will be tried again', {
        tenantId,
        sessionId,
        error: String(result.reason),
      });
  // All done: once more, to see the session itself ended.
  return { retryAfterMs: waits.length === 0 ? 1 : Math.min(...waits) };
}
