/** Event webhooks of a voice leg (contract §3, event webhook table). */
import { findApplication } from '../config.ts';
import { computePriceMicros, getVoiceRateMicros, computeVoiceSeconds } from '../ledger/meter.ts';
import type { WebhookKind } from '../faults/schema.ts';
import { deliverVoiceHook, createVoiceHook } from '../webhooks/voice-hook.ts';
import type { HookTarget, Leg, World } from '../world.ts';

export const formatIsoTime = (ms: number): string => new Date(ms).toISOString();
/**
 * Formats micro-euros as a string with eight decimals (contract §7), or as a number by the switch
 * `numericFields`.
 */
export function formatMoney({ faults }: World, micros: number): string | number {
  const text = (micros / 1_000_000).toFixed(8);
  return faults.current().switches.numericFields ? Number(text) : text;
}

/** Formats seconds like `formatMoney`. */
export const formatSeconds = ({ faults }: World, seconds: number): string | number =>
  faults.current().switches.numericFields ? seconds : String(seconds);

/** Returns the time of an event of the leg. By a switch, close events have the same time. */
function getEventTime({ clock, faults }: World, leg: Leg): number {
  const now = clock.now();
  const { simultaneousEventsMs } = faults.current().switches;
  const last = leg.lastEventAt;
  if (last !== undefined && now - last < simultaneousEventsMs) return last;
  leg.lastEventAt = now;
  return now;
}

/** The fields of every event of a leg. */
export const buildCommonFields = (world: World, leg: Leg): { [field: string]: unknown } => ({
  from: leg.from,
  to: leg.to,
  uuid: leg.uuid,
  conversation_uuid: leg.conversation.uuid,
  timestamp: formatIsoTime(world.clock.now()),
});

/** The fields of the event that ends a call. */
export function buildEndFields(world: World, leg: Leg): { [field: string]: unknown } {
  const seconds = computeVoiceSeconds(world, leg);
  const rate = getVoiceRateMicros(world, leg);
  return {
    start_time: leg.answeredAt === undefined ? null : formatIsoTime(leg.answeredAt),
    end_time: formatIsoTime(leg.endedAt ?? world.clock.now()),
    duration: formatSeconds(world, seconds),
    rate: formatMoney(world, rate),
    price: formatMoney(world, computePriceMicros(rate, seconds)),
    network: leg.endpointType === 'phone' ? 'GB-FIXED' : '',
  };
}

const findApplicationHook = (world: World, leg: Leg): HookTarget | undefined => {
  const application = findApplication(world.config, leg.applicationId);
  return application?.eventUrl === undefined
    ? undefined
    : { url: application.eventUrl, method: application.eventMethod };
};

/** Returns the target of a leg's events: the call's event_url, or else the application's. */
export const findEventTarget = (world: World, leg: Leg): HookTarget | undefined =>
  leg.eventHook ?? findApplicationHook(world, leg);

/** Runs a task after the queue. Resolves when the task ends or calls `next`. */
async function runAfter(queue: Promise<void>, task: (next: () => void) => Promise<void>): Promise<void> {
  await queue;
  await new Promise<void>((release) => void task(release).then(release, release));
}

/** Queues a webhook of a leg. Webhooks are sent in order, unless a fault delays one. */
export function queueHook(
  world: World,
  leg: Leg,
  kind: WebhookKind,
  data: { [field: string]: unknown },
  options: { event?: string; target?: HookTarget } = {},
): void {
  const target = options.target ?? findEventTarget(world, leg);
  if (target === undefined) return;
  const hook = createVoiceHook(world, leg.applicationId, kind, target, data, options.event);
  const isOverlapping = world.faults.current().switches.eventDelivery === 'overlapping';
  leg.eventQueue = runAfter(leg.eventQueue, async (next) => {
    const delivered = deliverVoiceHook(world, hook, next);
    if (isOverlapping) next();
    await delivered;
  });
}

export function sendStatus(world: World, leg: Leg, status: string, extra: { [field: string]: unknown } = {}): void {
  queueHook(
    world,
    leg,
    'event',
    {
      ...buildCommonFields(world, leg),
      timestamp: formatIsoTime(getEventTime(world, leg)),
      status,
      direction: leg.direction,
      ...extra,
    },
    { event: status },
  );
}

/** Sends an error event, for an invalid NCCO or a call over a limit. */
export function sendError(world: World, leg: Leg, reason: string): void {
  queueHook(world, leg, 'error', {
    reason,
    uuid: leg.uuid,
    conversation_uuid: leg.conversation.uuid,
    timestamp: formatIsoTime(world.clock.now()),
  });
}
