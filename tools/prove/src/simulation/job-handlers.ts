import type { Deps } from '@partyline/conference/deps';
import { hangUpLeg } from '@partyline/conference/hang-ups/hang-up-leg';
import { shareLane } from '@partyline/conference/hang-ups/share-lane';
import { hangUpSession } from '@partyline/conference/hang-ups/hang-up-session';
import { dialOut } from '@partyline/conference/legs/dial-out';
import { moveSessionDeadlines } from '@partyline/conference/legs/move-deadlines';
import { openBridge } from '@partyline/conference/legs/open-bridge';
import { changeSession } from '@partyline/conference/sessions/change-session';
import type { Handlers, RetryLater } from '@partyline/jobs/work';

const toRetryLater = (result: string | { retryAfterMs: number }): RetryLater =>
  typeof result === 'string' ? undefined : result;

/**
 * The handler of each job, as in apps/dial-orchestrator/src/job-handlers.ts: a tool may not import
 * an app.
 * @param onError receives each error, which is then thrown again
 */
export const createJobHandlers = (deps: Deps, onError: (error: unknown) => void): Handlers => {
  const reportingErrors =
    <P>(handle: (payload: P) => Promise<RetryLater | void>) =>
    async (payload: P): Promise<RetryLater | void> => {
      try {
        return await handle(payload);
      } catch (error) {
        onError(error);
        throw error;
      }
    };
  return {
    'settle-session': reportingErrors(
      async ({ tenantId, sessionId }) => void (await changeSession(deps, tenantId, sessionId, () => undefined)),
    ),
    'open-bridge': reportingErrors(
      async ({ tenantId, sessionId }) => void (await openBridge(deps, tenantId, sessionId)),
    ),
    'move-deadlines': reportingErrors(({ tenantId, sessionId }) => moveSessionDeadlines(deps, tenantId, sessionId)),
    'dial-out': reportingErrors(async ({ tenantId, legId }) => toRetryLater(await dialOut(deps, tenantId, legId))),
    'hang-up-session': reportingErrors(async ({ tenantId, sessionId }) =>
      toRetryLater(await shareLane(deps.store, tenantId, () => hangUpSession(deps, tenantId, sessionId))),
    ),
    'hang-up-leg': reportingErrors(async ({ tenantId, legId }) =>
      toRetryLater(await shareLane(deps.store, tenantId, () => hangUpLeg(deps, tenantId, legId))),
    ),
  };
};
