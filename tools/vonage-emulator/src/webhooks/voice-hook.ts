/**
 * Voice webhooks with the vendor's retry and fallback rules (contract §3): closed, reset, timed out or 429/503/504 is
 * attempted again; any other bad reply is not; where an NCCO is wanted the application's fallback_answer_url is next.
 */
import { owningAccount } from '../credentials/owning-account.ts';
import type { WebhookKind } from '../faults/schema.ts';
import { parseNccoReply, type Ncco } from '../voice/ncco-schema.ts';
import type { HookTarget, World } from '../world.ts';
import { attemptWebhook, type Webhook } from './attempt.ts';
import type { Sent } from './send.ts';

const RETRIED_STATUS = new Set([429, 503, 504]);

/** 200..205 is success (contract §3). */
export const succeeded = (sent: Sent): boolean =>
  sent.outcome === 'delivered' && sent.status !== undefined && sent.status >= 200 && sent.status <= 205;
const worthRetrying = (sent: Sent): boolean => sent.outcome !== 'delivered' || RETRIED_STATUS.has(sent.status ?? 0);

/** The webhook of an application, signed by its account when the application signs. */
export function voiceHook(
  world: World,
  applicationId: string,
  kind: WebhookKind,
  target: HookTarget,
  data: Webhook['data'],
  event?: string,
): Webhook {
  const signed =
    world.config.applications.find((application) => application.id === applicationId)?.signedCallbacks ?? false;
  const { apiKey, signatureSecret: secret } = owningAccount(world.config, applicationId);
  return {
    kind,
    event,
    url: target.url,
    method: target.method,
    data,
    ...(signed ? { signing: { secret, apiKey, applicationId } } : {}),
  };
}

/** Attempts until it succeeds, need not be repeated, or has been tried often enough. */
export async function deliver(world: World, hook: Webhook, onHeld?: () => void): Promise<Sent> {
  const { webhookAttempts, webhookRetryMs } = world.config.timings;
  let sent = await attemptWebhook(world, hook, 1, onHeld);
  for (let attempt = 2; attempt <= webhookAttempts && worthRetrying(sent); attempt += 1) {
    onHeld?.();
    if (webhookRetryMs > 0) await world.clock.delay(webhookRetryMs);
    sent = await attemptWebhook(world, hook, attempt, onHeld);
  }
  return sent;
}

/** What came of asking for an NCCO. `none`: a good reply that holds no NCCO. */
type NccoReply =
  { is: 'ncco'; ncco: Ncco } | { is: 'none' } | { is: 'invalid'; reason: string } | { is: 'unreachable' };

/** Asks a URL for an NCCO, then the fallback URL. `onInvalid` hears about every NCCO that was refused. */
export async function fetchNcco(
  world: World,
  hook: Webhook,
  fallbackUrl: string | undefined,
  onInvalid: (reason: string) => void,
): Promise<NccoReply> {
  const read = (sent: Sent): NccoReply => {
    if (!succeeded(sent)) return { is: 'unreachable' };
    const reply = parseNccoReply(sent.text ?? '');
    if (reply.is === 'invalid') onInvalid(reply.reason);
    return reply;
  };
  const first = read(await deliver(world, hook));
  const usable = first.is === 'ncco' || (first.is === 'none' && hook.kind !== 'answer');
  if (usable || fallbackUrl === undefined) return first;
  const data = {
    ...hook.data,
    reason: 'Connection closed.',
    original_request: { url: hook.url, type: hook.kind === 'answer' ? 'answer' : 'event' },
  };
  return read(await deliver(world, { ...hook, kind: 'fallback', url: fallbackUrl, data }));
}
