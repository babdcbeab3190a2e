import { changeSession } from '@partyline/conference/sessions/change-session';
import type { Deps } from '@partyline/conference/deps';
import { dialOut } from '@partyline/conference/legs/dial-out';
import { hangUpLeg } from '@partyline/conference/hang-ups/hang-up-leg';
import { hangUpSession } from '@partyline/conference/hang-ups/hang-up-session';
import { shareLane } from '@partyline/conference/hang-ups/share-lane';
import { moveSessionDeadlines } from '@partyline/conference/legs/move-deadlines';
import { openBridge } from '@partyline/conference/legs/open-bridge';
import type { Handlers, RetryLater } from '@partyline/jobs/work';

const retryLater = (result: string | { retryAfterMs: number }): RetryLater =>
  typeof result === 'string' ? undefined : result;

/** Maps each job to its use-case. */
export const createJobHandlers = (deps: Deps): Handlers => ({
  'settle-session': async ({ tenantId, sessionId }) =>
    void (await changeSession(deps, tenantId, sessionId, () => undefined)),
  'open-bridge': async ({ tenantId, sessionId }) => void (await openBridge(deps, tenantId, sessionId)),
  'move-deadlines': ({ tenantId, sessionId }) => moveSessionDeadlines(deps, tenantId, sessionId),
  'dial-out': async ({ tenantId, legId }) => retryLater(await dialOut(deps, tenantId, legId)),
  'hang-up-session': async ({ tenantId, sessionId }) =>
    retryLater(await shareLane(deps.store, tenantId, () => hangUpSession(deps, tenantId, sessionId))),
  'hang-up-leg': async ({ tenantId, legId }) =>
    retryLater(await shareLane(deps.store, tenantId, () => hangUpLeg(deps, tenantId, legId))),
});
