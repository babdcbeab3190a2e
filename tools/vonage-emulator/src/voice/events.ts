/** Event webhooks of a voice leg (contract §3, event webhook table). */
import { price, voiceRate, voiceSeconds } from '../ledger/meter.ts';
import type { WebhookKind } from '../faults/schema.ts';
import { deliver, voiceHook } from '../webhooks/voice-hook.ts';
import type { HookTarget, Leg, World } from '../world.ts';

export const isoTime = (ms: number): string => new Date(ms).toISOString();
/** Rates and prices are strings with eight decimals (contract §7). */
export const money = (micros: number): string => (micros / 1_000_000).toFixed(8);

/** What every event about a leg carries. */
export const common = (world: World, leg: Leg): { [field: string]: unknown } => ({
  from: leg.from,
  to: leg.to,
  uuid: leg.uuid,
  conversation_uuid: leg.conversation.uuid,
  timestamp: isoTime(world.clock.now()),
});

/** The fields of the end of a call. */
export function closing(world: World, leg: Leg): { [field: string]: unknown } {
  const seconds = voiceSeconds(world, leg);
  const rate = voiceRate(world, leg);
  return {
    start_time: leg.answeredAt === undefined ? null : isoTime(leg.answeredAt),
    end_time: isoTime(leg.endedAt ?? world.clock.now()),
    duration: String(seconds),
    rate: money(rate),
    price: money(price(rate, seconds)),
    network: leg.endpointType === 'phone' ? 'GB-FIXED' : '',
  };
}

const applicationHook = (world: World, leg: Leg): HookTarget | undefined => {
  const application = world.config.applications.find((candidate) => candidate.id === leg.applicationId);
  return application?.eventUrl === undefined
    ? undefined
    : { url: application.eventUrl, method: application.eventMethod };
};

/** Where a leg's events go: the call's own event_url, else the application's. */
export const eventTarget = (world: World, leg: Leg): HookTarget | undefined =>
  leg.eventHook ?? applicationHook(world, leg);

/** A link of a queue: the next one may start when this is done, or says so before. */
async function afterwards(queue: Promise<void>, task: (next: () => void) => Promise<void>): Promise<void> {
  await queue;
  await new Promise<void>((release) => void task(release).then(release));
}

/** Queues a webhook about a leg: in order, unless a fault holds one back. */
export function queueHook(
  world: World,
  leg: Leg,
  kind: WebhookKind,
  data: { [field: string]: unknown },
  options: { event?: string; target?: HookTarget } = {},
): void {
  const target = options.target ?? eventTarget(world, leg);
  if (target === undefined) return;
  const hook = voiceHook(world, leg.applicationId, kind, target, data, options.event);
  leg.eventChain = afterwards(leg.eventChain, async (next) => {
    await deliver(world, hook, next);
  });
}

/** Sends a status event. */
export function sendStatus(world: World, leg: Leg, status: string, extra: { [field: string]: unknown } = {}): void {
  queueHook(
    world,
    leg,
    'event',
    { ...common(world, leg), status, direction: leg.direction, ...extra },
    { event: status },
  );
}

/** Sends an error event: an NCCO that was refused, or a call over the limit. */
export function sendError(world: World, leg: Leg, reason: string): void {
  queueHook(world, leg, 'error', {
    reason,
    uuid: leg.uuid,
    conversation_uuid: leg.conversation.uuid,
    timestamp: isoTime(world.clock.now()),
  });
}
