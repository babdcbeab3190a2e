import pMap from 'p-map';
import { isUp } from '@partyline/domain/leg';
import { canJoin } from '@partyline/domain/session';
import type { SessionView } from '@partyline/store/sessions/session-lock';
import { checkPresence } from '../legs/check-presence.ts';
import { changeSession } from '../sessions/change-session.ts';
import type { Deps } from '../deps.ts';
import { computeNextAttemptAt, hangUpLeg } from './hang-up-leg.ts';

/** Until the provider is asked again who is still connected, after a failed request. */
const PRESENCE_CHECK_RETRY_MS = 2_000;

/**
 * Legs that are hung up concurrently. A room has hundreds, and each takes a database connection;
 * more than the provider accepts in the time of one request.
 */
const MAX_CONCURRENT = 32;

/** Whether the session is past a deadline and settling has not ended it. */
const isPresenceCheckDue = ({ session, now }: SessionView): boolean => canJoin(session.state) && session.due_at <= now;

/**
 * Runs the hang-up job of a session: ends a session that is due, hangs up the legs of one that is
 * ending, and otherwise returns the time until it is due. Before a departure ends a session, the
 * provider is asked who is still connected. A failure of one leg does not delay the others.
 * @returns `done` when every leg is confirmed, else when to retry
 */
export async function hangUpSession(
  deps: Pick<Deps, 'store' | 'jobs' | 'providers' | 'ids' | 'clock' | 'report'>,
  tenantId: string,
  sessionId: string,
): Promise<'done' | { retryAfterMs: number }> {
  let settled: { readonly view: SessionView } | null = await changeSession(deps, tenantId, sessionId, () => undefined);
  if (settled !== null && isPresenceCheckDue(settled.view)) settled = await checkPresence(deps, settled.view);
  if (settled === null) return 'done';
  const { session, legs, now } = settled.view;
  if (isPresenceCheckDue(settled.view)) return { retryAfterMs: PRESENCE_CHECK_RETRY_MS };
  if (session.state === 'ended') return 'done';
  if (session.state !== 'ending') return { retryAfterMs: Math.max(1, session.due_at.getTime() - now.getTime()) };

  const results = await pMap(
    legs.filter(isUp),
    async (leg) => {
      // Checked again when the attempt is claimed; this saves a transaction for each leg that waits.
      const waitMs = computeNextAttemptAt(leg) - now.getTime();
      if (waitMs > 0) return { retryAfterMs: waitMs };
      try {
        return await hangUpLeg(deps, tenantId, leg.id);
      } catch (error) {
        deps.report.warn('a leg could not be hung up; the hang-up is retried', {
          tenantId,
          sessionId,
          error: String(error),
        });
        return { retryAfterMs: 1_000 };
      }
    },
    { concurrency: MAX_CONCURRENT },
  );
  const waits = results.flatMap((result) => (result === 'done' ? [] : [result.retryAfterMs]));
  // All legs are confirmed: run once more to observe the end of the session.
  return { retryAfterMs: waits.length === 0 ? 1 : Math.min(...waits) };
}
