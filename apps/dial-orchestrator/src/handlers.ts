import { changeSession } from '@partyline/conference/sessions/change-session';
import type { Deps } from '@partyline/conference/deps';
import { dialOut } from '@partyline/conference/legs/dial-out';
import { hangUpLeg } from '@partyline/conference/hang-ups/hang-up-leg';
import { hangUpSession } from '@partyline/conference/hang-ups/hang-up-session';
import { openBridge } from '@partyline/conference/legs/open-bridge';
import type { Again, Handlers } from '@partyline/jobs/work';

const again = (result: string | { againMs: number }): Again => (typeof result === 'string' ? undefined : result);

/** Which use-case does which job: a line each. */
export const handlers = (deps: Deps): Handlers => ({
  'settle-session': async ({ tenantId, sessionId }) =>
    void (await changeSession(deps, tenantId, sessionId, () => undefined)),
  'open-bridge': async ({ tenantId, sessionId }) => void (await openBridge(deps, tenantId, sessionId)),
  'dial-out': async ({ tenantId, legId }) => again(await dialOut(deps, tenantId, legId)),
  'hang-up-session': async ({ tenantId, sessionId }) => again(await hangUpSession(deps, tenantId, sessionId)),
  'hang-up-leg': async ({ tenantId, legId }) => again(await hangUpLeg(deps, tenantId, legId)),
});
