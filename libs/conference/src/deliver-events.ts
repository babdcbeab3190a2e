import { claimEvent, eventId, markDelivered, putOff, type EventToSend } from '@partyline/store/outbox';
import type { Deps } from './deps.ts';

/** What one event is sent with. */
export interface EventPost {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Sends one event and gives the reply's status; throws when there is none within 15 s. Never follows a redirect. */
export type PostEvent = (request: EventPost) => Promise<number>;

/** How long a sender may hold an event: longer than a request may take. A dead one's event is free again after this. */
const LEASE_MS = 30_000;
/** Events of one tenant that may be on their way at once, whichever replica sends them. */
const TENANT_WIDTH = 4;
const FIRST_WAIT_MS = 5_000;
const LONGEST_WAIT_MS = 3_600_000;

/** From one attempt to the next: 5 s, 10 s, 20 s … 1 h, without end. */
const waitAfter = (attempts: number): number => Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(attempts - 1, 20));

/**
 * Sends tenants the events that are due, one after the other, until none is (or `signal` says to stop); answers how many were delivered. Run
 * as many of these at once as are to be on their way at once, in as many replicas as like: each event is leased by who sends it.
 *
 * An event is sent at least once, and always under the same `webhook-id`; it is sent again when its sender died between the
 * receiver's answer and our note of it. No event of a session is sent before the one before it was delivered.
 */
export async function deliverEvents(deps: Pick<Deps, 'store' | 'report'> & { readonly post: PostEvent }, signal: AbortSignal): Promise<number> {
  let delivered = 0;
  while (!signal.aborted) {
    const event = await claimEvent(deps.store, { leaseMs: LEASE_MS, tenantWidth: TENANT_WIDTH });
    if (event === null) break;
    const failure = await send(deps.post, event);
    if (failure === null) {
      await markDelivered(deps.store, event.tenant_id, event.id);
      deps.report.count('events_delivered');
      delivered += 1;
    } else {
      // By the hundred: what a tenant's receiver answers must not make ever new series.
      deps.report.count('event_delivery_failed', { why: failure.replace(/\d\d$/, 'xx') });
      deps.report.warn('an event was not taken; it will be sent again', { tenantId: event.tenant_id, sessionId: event.session_id, seq: event.seq, attempts: event.attempts, why: failure });
      await putOff(deps.store, event.tenant_id, event, waitAfter(event.attempts));
    }
  }
  return delivered;
}

/** Why an event was not taken; `null` when it was. */
async function send(post: PostEvent, event: EventToSend): Promise<string | null> {
  const id = eventId(event.session_id, event.seq);
  const body = JSON.stringify({ id, type: event.type, roomId: event.room_id, sessionId: event.session_id, seq: event.seq, at: event.created_at.toISOString(), data: event.data });
  try {
    const status = await post({ url: event.url, headers: { 'content-type': 'application/json', 'webhook-id': id }, body });
    return status >= 200 && status < 300 ? null : `status-${status}`;
  } catch {
    return 'no-answer';
  }
}
