import type { Delivery, Endpoint } from '@partyline/contracts/endpoints/endpoint';
import type { DeliveryLogEntry } from '@partyline/store/endpoints/delivery-log';
import type { EndpointRow } from '@partyline/store/endpoints/endpoints';
import { eventId } from '@partyline/store/events/outbox';

const iso = (at: Date | null): string | null => at?.toISOString() ?? null;

/** An endpoint as the API shows it. `now` decides whether the previous secret is still in use. */
export const showEndpoint = (row: EndpointRow, now: Date): Endpoint => ({
  id: row.id,
  url: row.url,
  description: row.description,
  types: row.types,
  enabled: row.enabled,
  disabledAt: iso(row.disabled_at),
  disabledReason: row.disabled_reason as Endpoint['disabledReason'],
  failingSince: iso(row.failing_since),
  failures: row.failures,
  oldSecretUntil: row.old_secret_until !== null && row.old_secret_until > now ? iso(row.old_secret_until) : null,
  createdAt: row.created_at.toISOString(),
});

/** A delivery as the API shows it. */
export const showDelivery = (entry: DeliveryLogEntry): Delivery => ({
  id: entry.id,
  endpointId: entry.to_endpoint,
  eventId: eventId(entry),
  type: entry.type,
  state: entry.state,
  createdAt: entry.created_at.toISOString(),
  nextTryAt: iso(entry.next_try_at),
  doneAt: iso(entry.done_at),
  attempts: entry.attempts.map(({ no, at, status, duration_ms, error }) => ({
    no,
    at: at.toISOString(),
    status,
    durationMs: duration_ms,
    error,
  })),
});
