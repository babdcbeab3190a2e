/**
 * Voice webhooks with Vonage's retry and fallback rules (contract §3). A network error, a timeout
 * and 429/503/504 are retried; other error replies are not. A failed request for an NCCO continues
 * with the application's fallback URL.
 */
import { findApplication } from '../config.ts';
import { findOwningAccount } from '../credentials/owning-account.ts';
import type { WebhookKind } from '../faults/schema.ts';
import { parseNccoReply, type Ncco } from '../voice/ncco-schema.ts';
import type { HookTarget, World } from '../world.ts';
import { attemptWebhook, type Webhook } from './attempt.ts';
import type { SendResult } from './send.ts';

const RETRIED_STATUS = new Set([429, 503, 504]);

/** True for status 200 to 205 (contract §3). */
export const isSuccess = (sent: SendResult): boolean =>
  sent.outcome === 'delivered' && sent.status !== undefined && sent.status >= 200 && sent.status <= 205;
const shouldRetry = (sent: SendResult): boolean => sent.outcome !== 'delivered' || RETRIED_STATUS.has(sent.status ?? 0);

/** Creates an application's webhook. It is signed when the application has signed callbacks. */
export function createVoiceHook(
  world: World,
  applicationId: string,
  kind: WebhookKind,
  target: HookTarget,
  data: Webhook['data'],
  event?: string,
): Webhook {
  const isSigned = findApplication(world.config, applicationId)?.signedCallbacks ?? false;
  const { apiKey, signatureSecret: secret } = findOwningAccount(world.config, applicationId);
  return {
    kind,
    event,
    url: target.url,
    method: target.method,
    data,
    ...(isSigned ? { signing: { secret, apiKey, applicationId } } : {}),
  };
}

/**
 * Sends a webhook, with retries up to `timings.webhookAttempts` attempts. Returns the last result.
 */
export async function deliverVoiceHook(world: World, hook: Webhook, onDelayed?: () => void): Promise<SendResult> {
  const { webhookAttempts, webhookRetryMs } = world.config.timings;
  let sent = await attemptWebhook(world, hook, 1, onDelayed);
  for (let attempt = 2; attempt <= webhookAttempts && shouldRetry(sent); attempt += 1) {
    onDelayed?.();
    if (webhookRetryMs > 0) await world.clock.delay(webhookRetryMs);
    sent = await attemptWebhook(world, hook, attempt, onDelayed);
  }
  return sent;
}

/** The result of a request for an NCCO. `none`: a successful reply without an NCCO. */
export type NccoReply =
  { is: 'ncco'; ncco: Ncco } | { is: 'none' } | { is: 'invalid'; reason: string } | { is: 'unreachable' };

/**
 * Requests an NCCO from a URL, then from the fallback URL. Calls `onInvalid` for each invalid NCCO.
 */
export async function fetchNcco(
  world: World,
  hook: Webhook,
  fallbackUrl: string | undefined,
  onInvalid: (reason: string) => void,
): Promise<NccoReply> {
  const read = (sent: SendResult): NccoReply => {
    if (!isSuccess(sent)) return { is: 'unreachable' };
    const reply = parseNccoReply(sent.text ?? '');
    if (reply.is === 'invalid') onInvalid(reply.reason);
    return reply;
  };
  const first = read(await deliverVoiceHook(world, hook));
  const isUsable = first.is === 'ncco' || (first.is === 'none' && hook.kind !== 'answer');
  if (isUsable || fallbackUrl === undefined) return first;
  const data = {
    ...hook.data,
    reason: 'Connection closed.',
    original_request: { url: hook.url, type: hook.kind === 'answer' ? 'answer' : 'event' },
  };
  return read(await deliverVoiceHook(world, { ...hook, kind: 'fallback', url: fallbackUrl, data }));
}
