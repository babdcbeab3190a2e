import {
  claimDeliveries,
  recordFailedAttempt,
  markDelivered,
  type AttemptResult,
  type DeliveryToSend,
} from '@partyline/store/endpoints/deliveries';
import { disableEndpoint } from '@partyline/store/endpoints/endpoints';
import { eventId, type OutboxRow } from '@partyline/store/events/outbox';
import { Webhook } from 'standardwebhooks';
import type { Deps } from '../deps.ts';
import type { EndpointSecrets } from './endpoint-secrets.ts';

/** The HTTP request that delivers one event. */
export interface EventRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * Sends one event and returns the status of the response. Without a response within 15 s it throws
 * an error whose short message is shown to the tenant. It follows no redirects and connects only to
 * public addresses.
 */
export type PostEvent = (request: EventRequest) => Promise<number>;

export interface DeliveryDeps extends Pick<Deps, 'store' | 'report' | 'clock'> {
  readonly post: PostEvent;
  readonly endpointSecrets: EndpointSecrets;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/**
 * The delays between the attempts; after the last attempt the delivery has failed. About three days
 * in total, as the Standard Webhooks specification suggests.
 */
export const RETRY_DELAYS_MS: readonly number[] = [
  5_000,
  5 * MINUTE_MS,
  30 * MINUTE_MS,
  2 * HOUR_MS,
  5 * HOUR_MS,
  10 * HOUR_MS,
  14 * HOUR_MS,
  20 * HOUR_MS,
  24 * HOUR_MS,
];

/**
 * Longer than the timeout of a request. Then another sender can claim the delivery of a crashed
 * one.
 */
const LEASE_MS = 30_000;
/** Concurrent deliveries of one endpoint, over all replicas. */
const MAX_CONCURRENT_PER_ENDPOINT = 4;
/**
 * Concurrent deliveries of one tenant, over all replicas: a quarter of those of one replica
 * (MAX_CONCURRENT_DELIVERIES in apps/cleanup-worker/src/main.ts).
 */
const MAX_CONCURRENT_PER_TENANT = 16;
/**
 * Consecutive failures that open an endpoint's circuit. Then one delivery at a time probes the
 * endpoint, after 5 s, 10 s, up to 5 min.
 */
const CIRCUIT_OPENS_AT_FAILURES = 5;
const PROBE_BACKOFF = { circuitOpensAt: CIRCUIT_OPENS_AT_FAILURES, firstS: 5, longestS: 300 };
/**
 * An endpoint is disabled when it has accepted no delivery for this time, in at least this many
 * attempts.
 */
const DISABLE_AFTER_SECONDS = (5 * DAY_MS) / 1000;
const DISABLE_AFTER_FAILURES = 10;

/** Sends due deliveries, up to a number of concurrent ones. */
interface Sender {
  /**
   * Claims due deliveries and starts sending them; resolves when no more are due or the maximum is
   * in flight. Each delivery that completes calls it again.
   */
  sendDue(): Promise<void>;
  /** Resolves when no delivery is in flight. */
  idle(): Promise<void>;
  readonly delivered: number;
}

/**
 * Creates a sender of events to endpoints. Any number of senders and replicas may run: each
 * delivery is leased. Delivery is at least once, always with the same `webhook-id`; a crash between
 * the response and its storage repeats a delivery. The events of a session are delivered to an
 * endpoint in order: each waits until the previous one is delivered or has failed for good.
 * @param maxConcurrent concurrent deliveries of this sender
 * @param signal stops claiming further deliveries
 */
export function openSender(
  deps: DeliveryDeps,
  { maxConcurrent, signal }: { maxConcurrent: number; signal: AbortSignal },
): Sender {
  const inFlight = new Set<Promise<void>>();
  let claiming: Promise<void> | null = null;
  let claimAgain = false;
  let delivered = 0;

  async function claimAndSend(): Promise<void> {
    do {
      claimAgain = false;
      const limit = maxConcurrent - inFlight.size;
      const claimed =
        signal.aborted || limit <= 0
          ? []
          : await claimDeliveries(deps.store, {
              leaseMs: LEASE_MS,
              maxPerEndpoint: MAX_CONCURRENT_PER_ENDPOINT,
              maxPerTenant: MAX_CONCURRENT_PER_TENANT,
              circuitOpensAt: CIRCUIT_OPENS_AT_FAILURES,
              limit,
            });
      for (const delivery of claimed) startDelivery(delivery);
    } while (claimAgain);
  }

  function startDelivery(delivery: DeliveryToSend): void {
    const sending = deliver(deps, delivery)
      .then(
        (accepted) => void (delivered += accepted ? 1 : 0),
        (error: unknown) =>
          deps.report.warn('storing the result of a delivery failed; it will be sent again', {
            tenantId: delivery.tenant_id,
            endpointId: delivery.endpoint_id,
            error: String(error),
          }),
      )
      .then(() => {
        inFlight.delete(sending);
        // The next event of the session may be due now. After an error here, the timer retries.
        return sendDue().catch(() => undefined);
      });
    inFlight.add(sending);
  }

  function sendDue(): Promise<void> {
    claimAgain = true;
    claiming ??= claimAndSend().finally(() => (claiming = null));
    return claiming;
  }

  return {
    sendDue,
    async idle() {
      const listPending = (): Promise<void>[] => [...(claiming === null ? [] : [claiming]), ...inFlight];
      for (let pending = listPending(); pending.length > 0; pending = listPending()) await Promise.all(pending);
    },
    get delivered() {
      return delivered;
    },
  };
}

/**
 * Sends deliveries until none is due or `signal` aborts. Returns the number of delivered events.
 */
export async function deliverEvents(deps: DeliveryDeps, signal: AbortSignal, maxConcurrent = 1): Promise<number> {
  const sender = openSender(deps, { maxConcurrent, signal });
  await sender.sendDue();
  await sender.idle();
  return sender.delivered;
}

/** Makes one attempt and stores its result. Returns whether the endpoint accepted the event. */
async function deliver(deps: DeliveryDeps, delivery: DeliveryToSend): Promise<boolean> {
  const result = await attempt(deps, delivery);
  if (result.status !== null && result.status >= 200 && result.status < 300) {
    await markDelivered(deps.store, delivery.tenant_id, delivery, result);
    deps.report.count('events_delivered');
    return true;
  }
  const reason = result.status === null ? 'no-answer' : `status-${Math.floor(result.status / 100)}xx`;
  deps.report.count('event_delivery_failed', { reason });
  const { tenant_id: tenantId, endpoint_id: endpointId, tries } = delivery;
  const isGone = result.status === 410;
  const failing = await recordFailedAttempt(
    deps.store,
    tenantId,
    delivery,
    result,
    isGone ? null : (RETRY_DELAYS_MS[tries - 1] ?? null),
    PROBE_BACKOFF,
  );
  if (failing === null) return false;
  deps.report.warn('a delivery failed', {
    tenantId,
    endpointId,
    eventId: eventId(delivery.event),
    tries,
    failures: failing.failures,
    reason,
  });
  const isFailing = failing.failingForS >= DISABLE_AFTER_SECONDS && failing.failures >= DISABLE_AFTER_FAILURES;
  if ((isGone || isFailing) && (await disableEndpoint(deps.store, tenantId, endpointId, isGone ? 'gone' : 'failing'))) {
    deps.report.count('endpoint_disabled', { reason: isGone ? 'gone' : 'failing' });
    deps.report.warn('an endpoint was disabled', {
      tenantId,
      endpointId,
      reason: isGone ? 'response 410' : 'no delivery accepted for five days',
    });
  }
  return false;
}

async function attempt(
  { post, clock, endpointSecrets }: DeliveryDeps,
  delivery: DeliveryToSend,
): Promise<AttemptResult> {
  const start = clock.now();
  const durationMs = (): number => Math.max(0, clock.now().getTime() - start.getTime());
  try {
    const body = serializeEvent(delivery.event);
    const id = eventId(delivery.event);
    const secrets = [delivery.secret, ...(delivery.old_secret === null ? [] : [delivery.old_secret])].map(
      (ciphertext) => endpointSecrets.decrypt(ciphertext, delivery.endpoint_id),
    );
    const headers = {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(start.getTime() / 1000)),
      'webhook-signature': secrets.map((secret) => new Webhook(secret).sign(id, start, body)).join(' '),
    };
    return { status: await post({ url: delivery.url, headers, body }), durationMs: durationMs(), error: null };
  } catch (error) {
    return {
      status: null,
      durationMs: durationMs(),
      error: (error instanceof Error ? error.message : String(error)).slice(0, 200),
    };
  }
}

/**
 * The public form of an event, as it is delivered to endpoints and returned by `GET /v1/events`.
 */
export const toPublicEvent = (row: OutboxRow) => ({
  id: eventId(row),
  type: row.type,
  roomId: row.room_id,
  sessionId: row.session_id,
  seq: row.seq,
  at: row.created_at.toISOString(),
  data: row.data,
});
const serializeEvent = (row: OutboxRow): string => JSON.stringify(toPublicEvent(row));
