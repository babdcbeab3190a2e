/**
 * Session and SIP monitoring callbacks (contract §6): POST JSON, in order per session, retried with
 * back-off from 5 s to 15 min for 24 h. An unsigned legacy project has four retries.
 */
import { findApplication } from '../config.ts';
import { findOwningAccount } from '../credentials/owning-account.ts';
import type { VideoSession, World } from '../world.ts';
import { attemptWebhook, type Webhook } from './attempt.ts';
import { isSuccess } from './voice-hook.ts';

interface VideoHooks {
  sessionCallbackUrl?: string;
  sipCallbackUrl?: string;
  callbackSecret?: string;
}

/** Returns the callback settings of a project key or an application id. */
function findVideoHooks(world: World, account: string): VideoHooks & { applicationId?: string } {
  const application = findApplication(world.config, account);
  if (application !== undefined) return { ...application.video, applicationId: account };
  return world.config.projects.find((candidate) => candidate.apiKey === account) ?? {};
}

async function deliverWithBackoff(
  world: World,
  hook: Webhook,
  isUnsignedLegacy: boolean,
  onFirstAttemptDone: () => void,
): Promise<void> {
  const { videoRetryFirstMs, videoRetryMaxMs, videoRetryForMs, legacyRetries } = world.config.timings;
  const deadlineMs = world.clock.now() + videoRetryForMs;
  let delayMs = videoRetryFirstMs;
  for (let attempt = 1; ; attempt += 1) {
    const sent = await attemptWebhook(world, hook, attempt, onFirstAttemptDone);
    onFirstAttemptDone();
    const isOutOfRetries = isUnsignedLegacy ? attempt > legacyRetries : world.clock.now() + delayMs > deadlineMs;
    if (isSuccess(sent) || isOutOfRetries) return;
    await world.clock.delay(delayMs);
    delayMs = Math.min(delayMs * 2, videoRetryMaxMs);
  }
}

/** Splits an event name for registerCallback: `streamCreated` is `stream` and `created`. */
const parseEventGroup = (event: string): { group: string; event: string } => {
  const [, group = '', change = ''] = /^([a-z]+)([A-Z].*)$/.exec(event) ?? [];
  return { group, event: change.toLowerCase() };
};

/** Sends one monitoring event to the configured and the registered addresses. */
export function sendVideoEvent(
  world: World,
  session: VideoSession,
  kind: 'session-callback' | 'sip-callback',
  event: string,
  detail: Webhook['data'],
): void {
  const hooks = findVideoHooks(world, session.account);
  const { apiKey } = findOwningAccount(world.config, session.account);
  const data = { sessionId: session.id, projectId: session.account, event, timestamp: world.clock.now(), ...detail };
  const wanted = parseEventGroup(event);
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
    const isUnsignedLegacy = hooks.applicationId === undefined && hooks.callbackSecret === undefined;
    session.callbackQueue = session.callbackQueue.then(
      () =>
        new Promise<void>(
          (release) => void deliverWithBackoff(world, hook, isUnsignedLegacy, release).then(release, release),
        ),
    );
  }
}
