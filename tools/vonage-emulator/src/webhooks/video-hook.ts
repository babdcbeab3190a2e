/**
 * Session-monitoring and SIP-monitoring callbacks (contract §6): POST JSON, in order per session, retried with
 * back-off from 5 s to 15 min for 24 h; an unsigned legacy project has four retries.
 */
import { owningAccount } from '../credentials/owning-account.ts';
import type { VideoSession, World } from '../world.ts';
import { attemptWebhook, type Webhook } from './attempt.ts';
import { succeeded } from './voice-hook.ts';

interface Hooks {
  sessionCallbackUrl?: string;
  sipCallbackUrl?: string;
  callbackSecret?: string;
}

/** The callback settings of a project key or application id. */
function hooksOf(world: World, account: string): Hooks & { applicationId?: string } {
  const application = world.config.applications.find((candidate) => candidate.id === account);
  if (application !== undefined) return { ...application.video, applicationId: account };
  return world.config.projects.find((candidate) => candidate.apiKey === account) ?? {};
}

async function deliverFor24Hours(
  world: World,
  hook: Webhook,
  legacyUnsigned: boolean,
  firstDone: () => void,
): Promise<void> {
  const { videoRetryFirstMs, videoRetryMaxMs, videoRetryForMs, legacyRetries } = world.config.timings;
  const giveUpAt = world.clock.now() + videoRetryForMs;
  let wait = videoRetryFirstMs;
  for (let attempt = 1; ; attempt += 1) {
    const sent = await attemptWebhook(world, hook, attempt, firstDone);
    firstDone();
    const outOfTries = legacyUnsigned ? attempt > legacyRetries : world.clock.now() + wait > giveUpAt;
    if (succeeded(sent) || outOfTries) return;
    await world.clock.delay(wait);
    wait = Math.min(wait * 2, videoRetryMaxMs);
  }
}

/** The legacy registerCallback groups: connection and stream, created and destroyed. */
const groupOf = (event: string): { group: string; event: string } => {
  const [, group = '', what = ''] = /^([a-z]+)([A-Z].*)$/.exec(event) ?? [];
  return { group, event: what.toLowerCase() };
};

/** Sends one monitoring event to every address that wants it. */
export function notifyVideo(
  world: World,
  session: VideoSession,
  kind: 'session-callback' | 'sip-callback',
  event: string,
  detail: Webhook['data'],
): void {
  const hooks = hooksOf(world, session.account);
  const { apiKey } = owningAccount(world.config, session.account);
  const data = { sessionId: session.id, projectId: session.account, event, timestamp: world.clock.now(), ...detail };
  const wanted = groupOf(event);
  const registered = world.callbacks.filter(
    (one) => one.account === session.account && one.group === wanted.group && one.event === wanted.event,
  );
  const configured = kind === 'session-callback' ? hooks.sessionCallbackUrl : hooks.sipCallbackUrl;
  for (const url of [...(configured === undefined ? [] : [configured]), ...registered.map((one) => one.url)]) {
    const hook: Webhook = {
      kind,
      event,
      url,
      method: 'POST',
      data,
      ...(hooks.callbackSecret === undefined
        ? {}
        : { signing: { secret: hooks.callbackSecret, apiKey, applicationId: hooks.applicationId } }),
    };
    const legacyUnsigned = hooks.applicationId === undefined && hooks.callbackSecret === undefined;
    session.callbackChain = session.callbackChain.then(
      () => new Promise<void>((next) => void deliverFor24Hours(world, hook, legacyUnsigned, next)),
    );
  }
}
