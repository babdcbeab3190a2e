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

/** What one event is sent with. */
export interface EventPost {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * Sends one event and gives the reply's status. Throws an error whose message says in a word or two, for the tenant to read, why there was none within 15 s. Never
 * follows a redirect, and connects to no address that is not in the open internet.
 */
export type PostEvent = (request: EventPost) => Promise<number>;

export interface DeliveryDeps extends Pick<Deps, 'store' | 'report' | 'clock'> {
  readonly post: PostEvent;
  readonly endpointSecrets: EndpointSecrets;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** From one attempt to the next; after the last the delivery has failed. Three days in all, by Standard Webhooks' example. */
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

/** Longer than a request may take. A dead sender's delivery is free again after this. */
const LEASE_MS = 30_000;
/** Deliveries of one endpoint that may be on their way at once, whichever replica sends them. */
const ENDPOINT_WIDTH = 4;
/** And of one tenant, which may have many endpoints: a quarter of what one replica sends at once (AT_ONCE in apps/cleanup-worker/src/main.ts). */
const TENANT_SHARE = 16;
/** So many failures in a row open an endpoint's circuit; then one delivery at a time probes it, 5 s, 10 s … 5 min apart. */
const OPENS_AT = 5;
const PROBE = { circuitOpensAt: OPENS_AT, firstS: 5, longestS: 300 };
/** An endpoint that took nothing for so long, by so many attempts or more, is disabled. */
const GIVEN_UP_S = (5 * DAY_MS) / 1000;
const GIVEN_UP_AFTER = 10;

/** Sends what is due, as much at once as it may. */
interface Sender {
  /** Looks for what is due and begins with it; done when nothing more is due, or as much is on its way as may be. What is on its way looks again when it is done. */
  sendDue(): Promise<void>;
  /** When nothing is on its way. */
  idle(): Promise<void>;
  readonly delivered: number;
}

/**
 * Sends events to endpoints. As many of these as like may run, in as many replicas: each delivery is leased by who sends it. An event is sent at least
 * once to each, and always under the same `webhook-id`; again when its sender died between the receiver's answer and our note of it. No event of a
 * session is sent to an endpoint before the one before it was delivered there, or has failed for good.
 * @param atOnce deliveries on their way at once
 * @param signal no further one is begun after it
 */
export function openSender(deps: DeliveryDeps, { atOnce, signal }: { atOnce: number; signal: AbortSignal }): Sender {
  const onItsWay = new Set<Promise<void>>();
  let looking: Promise<void> | null = null;
  let again = false;
  let delivered = 0;

  async function take(): Promise<void> {
    do {
      again = false;
      const limit = atOnce - onItsWay.size;
      const claimed =
        signal.aborted || limit <= 0
          ? []
          : await claimDeliveries(deps.store, {
              leaseMs: LEASE_MS,
              maxPerEndpoint: ENDPOINT_WIDTH,
              maxPerTenant: TENANT_SHARE,
              circuitOpensAt: OPENS_AT,
              limit,
            });
      for (const delivery of claimed) begin(delivery);
    } while (again);
  }

  function begin(delivery: DeliveryToSend): void {
    const sending = deliver(deps, delivery)
      .then(
        (taken) => void (delivered += taken ? 1 : 0),
        (error: unknown) =>
          deps.report.warn('what became of a delivery could not be noted; it will be sent again', {
            tenantId: delivery.tenant_id,
            endpointId: delivery.endpoint_id,
            error: String(error),
          }),
      )
      .then(() => {
        onItsWay.delete(sending);
        // What waited behind it may be due now. A look that fails is made good by the timer's next.
        return look().catch(() => undefined);
      });
    onItsWay.add(sending);
  }

  function look(): Promise<void> {
    again = true;
    looking ??= take().finally(() => (looking = null));
    return looking;
  }

  return {
    sendDue: look,
    async idle() {
      const busy = (): Promise<void>[] => [...(looking === null ? [] : [looking]), ...onItsWay];
      for (let all = busy(); all.length > 0; all = busy()) await Promise.all(all);
    },
    get delivered() {
      return delivered;
    },
  };
}

/** Sends what is due until nothing is (or `signal` says to stop); answers how many were delivered. */
export async function deliverEvents(deps: DeliveryDeps, signal: AbortSignal, atOnce = 1): Promise<number> {
  const sender = openSender(deps, { atOnce, signal });
  await sender.sendDue();
  await sender.idle();
  return sender.delivered;
}

/** One attempt, and what follows of it; whether it was taken. */
async function deliver(deps: DeliveryDeps, delivery: DeliveryToSend): Promise<boolean> {
  const result = await attempt(deps, delivery);
  if (result.status !== null && result.status >= 200 && result.status < 300) {
    await markDelivered(deps.store, delivery.tenant_id, delivery, result);
    deps.report.count('events_delivered');
    return true;
  }
  const why = result.status === null ? 'no-answer' : `status-${Math.floor(result.status / 100)}xx`;
  deps.report.count('event_delivery_failed', { reason: why });
  const { tenant_id: tenantId, endpoint_id: endpointId, tries } = delivery;
  const gone = result.status === 410;
  const failing = await recordFailedAttempt(
    deps.store,
    tenantId,
    delivery,
    result,
    gone ? null : (RETRY_DELAYS_MS[tries - 1] ?? null),
    PROBE,
  );
  if (failing === null) return false;
  deps.report.warn('an event was not taken', {
    tenantId,
    endpointId,
    eventId: eventId(delivery.event),
    tries,
    failures: failing.failures,
    why,
  });
  const givenUp = failing.failingForS >= GIVEN_UP_S && failing.failures >= GIVEN_UP_AFTER;
  if ((gone || givenUp) && (await disableEndpoint(deps.store, tenantId, endpointId, gone ? 'gone' : 'failing'))) {
    deps.report.count('endpoint_disabled', { reason: gone ? 'gone' : 'failing' });
    deps.report.warn('an endpoint was disabled', {
      tenantId,
      endpointId,
      why: gone ? 'it said so (410)' : 'it took nothing for five days',
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
    const body = writeEvent(delivery.event);
    const id = eventId(delivery.event);
    const secrets = [delivery.secret, ...(delivery.old_secret === null ? [] : [delivery.old_secret])].map((sealed) =>
      endpointSecrets.decrypt(sealed, delivery.endpoint_id),
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

/** An event as it is told everywhere: sent to an endpoint, and shown by `GET /v1/events`. */
export const toPublicEvent = (row: OutboxRow) => ({
  id: eventId(row),
  type: row.type,
  roomId: row.room_id,
  sessionId: row.session_id,
  seq: row.seq,
  at: row.created_at.toISOString(),
  data: row.data,
});
const writeEvent = (row: OutboxRow): string => JSON.stringify(toPublicEvent(row));
