/** One attempt at one webhook: faults, signature, sending, log line. */
import type { WebhookFault, WebhookKind } from '../faults/schema.ts';
import { append, type World } from '../world.ts';
import { send, type Sent } from './send.ts';
import { authorization, type Signing } from './sign.ts';

export interface Webhook {
  kind: WebhookKind;
  event?: string;
  url: string;
  method: 'GET' | 'POST';
  data: { [field: string]: unknown };
  signing?: Signing;
}

const REORDER_HOLD_MS = 2_000;

function withQuery(url: string, data: Webhook['data']): string {
  const target = new URL(url);
  for (const [field, value] of Object.entries(data)) {
    if (value !== undefined) target.searchParams.set(field, typeof value === 'string' ? value : JSON.stringify(value));
  }
  return target.href;
}

/** Waits while a delay or reorder fault holds this attempt; `onHeld` lets the next one go first. */
async function hold(world: World, faults: WebhookFault[], onHeld: () => void): Promise<void> {
  const delay = faults.find((rule) => rule.fault === 'delay');
  const reorder = faults.find((rule) => rule.fault === 'reorder');
  if (delay !== undefined) {
    onHeld();
    await world.clock.delay(delay.delayMs ?? 1_000);
  }
  if (reorder !== undefined) {
    onHeld();
    // Never for ever: the last webhook of a run has no successor.
    await new Promise<void>((release) => {
      world.held.push(release);
      world.clock.after(reorder.delayMs ?? REORDER_HOLD_MS, release);
    });
  }
}

async function transmit(
  world: World,
  hook: Webhook,
  method: 'GET' | 'POST',
  attempt: number,
  faults: WebhookFault[],
): Promise<Sent> {
  const body = method === 'POST' ? JSON.stringify(hook.data) : '';
  const url = method === 'GET' ? withQuery(hook.url, hook.data) : hook.url;
  const auth = hook.signing && authorization(world, hook.signing, method, body, faults);
  const headers: Record<string, string> = {
    'user-agent': 'Vonage/Emulator',
    ...(method === 'POST'
      ? { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }
      : {}),
    ...(auth === undefined ? {} : { authorization: auth }),
  };
  const entry = append(world.webhookLog, {
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
  const sent: Sent =
    silent === undefined
      ? await world.board.busy(send({ url, method, headers, body, connectMs, responseMs }))
      : silent.fault === 'timeout'
        ? { outcome: 'timeout', ms: 0 }
        : { outcome: 'delivered', status: 200, text: '', ms: 0 };
  Object.assign(entry, {
    outcome: silent?.fault === 'drop' ? 'dropped' : sent.outcome,
    status: sent.status,
    response: sent.text,
    ms: sent.ms,
  });
  world.board.changed();
  return sent;
}

/**
 * Makes one attempt. `onHeld` is called when a fault holds it back, so that an ordered queue can move on.
 * A dropped webhook counts as delivered with an empty reply: the platform believes that it was sent.
 */
export async function attemptWebhook(
  world: World,
  hook: Webhook,
  attempt: number,
  onHeld: () => void = () => undefined,
): Promise<Sent> {
  if (world.over) return { outcome: 'delivered', status: 200, text: '', ms: 0 };
  const { switches } = world.faults.current();
  const faults = world.faults.forWebhook(hook.kind, hook.event);
  if (switches.neverSendsCompleted && hook.kind === 'event' && hook.event === 'completed')
    faults.push({ kind: 'event', fault: 'drop' });
  if (switches.answerTimesOut && hook.kind === 'answer') faults.push({ kind: 'answer', fault: 'timeout' });
  const isVideo = hook.kind === 'session-callback' || hook.kind === 'sip-callback';
  const method = isVideo || switches.webhookMethod === 'configured' ? hook.method : switches.webhookMethod;
  await hold(world, faults, onHeld);
  const sent = await transmit(world, hook, method, attempt, faults);
  if (faults.some((rule) => rule.fault === 'duplicate')) void transmit(world, hook, method, attempt, faults);
  if (!faults.some((rule) => rule.fault === 'reorder')) for (const release of world.held.splice(0)) release();
  return sent;
}
