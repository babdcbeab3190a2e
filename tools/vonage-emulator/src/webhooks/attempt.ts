/** One attempt at one webhook: faults, signature, request, log entry. */
import type { WebhookFault, WebhookKind } from '../faults/schema.ts';
import { appendToLog, type World } from '../world.ts';
import { sendRequest, type SendResult } from './send.ts';
import { buildAuthorization, type Signing } from './sign.ts';

export interface Webhook {
  kind: WebhookKind;
  event?: string;
  url: string;
  method: 'GET' | 'POST';
  data: { [field: string]: unknown };
  signing?: Signing;
}

const MAX_REORDER_MS = 2_000;

function withQuery(url: string, data: Webhook['data']): string {
  if (!URL.canParse(url)) return url;
  const target = new URL(url);
  for (const [field, value] of Object.entries(data)) {
    if (value !== undefined) target.searchParams.set(field, typeof value === 'string' ? value : JSON.stringify(value));
  }
  return target.href;
}

/** Waits while a fault delays this attempt. `onDelayed` lets the next webhook go first. */
async function applyDelays(world: World, faults: WebhookFault[], onDelayed: () => void): Promise<void> {
  const delay = faults.find((rule) => rule.fault === 'delay');
  const reorder = faults.find((rule) => rule.fault === 'reorder');
  if (delay !== undefined) {
    onDelayed();
    await world.clock.delay(delay.delayMs ?? 1_000);
  }
  if (reorder !== undefined) {
    onDelayed();
    // Bounded: the last webhook of a run has no successor to release it.
    await new Promise<void>((release) => {
      world.delayedWebhooks.push(release);
      world.clock.after(reorder.delayMs ?? MAX_REORDER_MS, release);
    });
  }
}

async function sendAttempt(
  world: World,
  hook: Webhook,
  method: 'GET' | 'POST',
  attempt: number,
  faults: WebhookFault[],
): Promise<SendResult> {
  const body = method === 'POST' ? JSON.stringify(hook.data) : '';
  const url = method === 'GET' ? withQuery(hook.url, hook.data) : hook.url;
  const auth = hook.signing && buildAuthorization(world, hook.signing, method, body, faults);
  const headers: Record<string, string> = {
    'user-agent': 'Vonage/Emulator',
    ...(method === 'POST'
      ? { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }
      : {}),
    ...(auth === undefined ? {} : { authorization: auth }),
  };
  const entry = appendToLog(world.webhookLog, {
    seq: (world.sequence += 1),
    at: world.clock.now(),
    kind: hook.kind,
    event: hook.event,
    attempt,
    method,
    url,
    headers,
    body,
    fault: faults.map((rule) => rule.fault).join(',') || undefined,
    outcome: 'pending',
  });
  const silent = faults.find((rule) => rule.fault === 'drop' || rule.fault === 'timeout');
  const { webhookConnectMs: connectMs, webhookResponseMs: responseMs } = world.config.timings;
  const sent: SendResult =
    silent === undefined
      ? await world.changes.track(sendRequest({ url, method, headers, body, connectMs, responseMs }))
      : silent.fault === 'timeout'
        ? { outcome: 'timeout', ms: 0 }
        : { outcome: 'delivered', status: 200, text: '', ms: 0 };
  Object.assign(entry, {
    outcome: silent?.fault === 'drop' ? 'dropped' : sent.outcome,
    status: sent.status,
    response: sent.text,
    ms: sent.ms,
  });
  world.changes.notify();
  return sent;
}

/**
 * Makes one attempt. Calls `onDelayed` when a fault delays it, so that an ordered queue continues.
 * A dropped webhook returns as delivered with an empty reply, as if the platform had sent it.
 */
export async function attemptWebhook(
  world: World,
  hook: Webhook,
  attempt: number,
  onDelayed: () => void = () => undefined,
): Promise<SendResult> {
  if (world.isClosed) return { outcome: 'delivered', status: 200, text: '', ms: 0 };
  const { switches } = world.faults.current();
  const faults = world.faults.selectWebhookFaults(hook.kind, hook.event);
  if (switches.neverSendsCompleted && hook.kind === 'event' && hook.event === 'completed')
    faults.push({ kind: 'event', fault: 'drop' });
  if (switches.answerTimesOut && hook.kind === 'answer') faults.push({ kind: 'answer', fault: 'timeout' });
  const isVideo = hook.kind === 'session-callback' || hook.kind === 'sip-callback';
  const method = isVideo || switches.webhookMethod === 'configured' ? hook.method : switches.webhookMethod;
  await applyDelays(world, faults, onDelayed);
  const sent = await sendAttempt(world, hook, method, attempt, faults);
  if (faults.some((rule) => rule.fault === 'duplicate')) void sendAttempt(world, hook, method, attempt, faults);
  if (!faults.some((rule) => rule.fault === 'reorder'))
    for (const release of world.delayedWebhooks.splice(0)) release();
  return sent;
}
