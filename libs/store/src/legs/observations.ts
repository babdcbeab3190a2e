import type { Verdict } from '@partyline/domain/verdict';
import { DELIVER_TOLD } from '../endpoints/deliveries.ts';
import type { Tx } from '../database/store.ts';

/** What a provider said of one handle of a leg. */
interface NewObservation {
  readonly legId: string;
  readonly handle: 'media' | 'voice';
  readonly phase: string;
  readonly source: 'callback' | 'look-up';
  readonly verdict?: Verdict;
  readonly at: Date | null;
}

/** Stores what a provider was seen to say; a leg is closed only in the same transaction as such a row (design §3.3). */
export async function storeObservation(tx: Tx, tenantId: string | null, seen: NewObservation): Promise<void> {
  await tx.query({
    name: 'store-observation',
    text: 'INSERT INTO observation (tenant_id, leg_id, handle, phase, source, outcome, reason, provider_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)',
    values: [
      tenantId,
      seen.legId,
      seen.handle,
      seen.phase,
      seen.source,
      seen.verdict?.outcome ?? null,
      seen.verdict?.reason ?? null,
      seen.at,
    ],
  });
}

/** Something a tenant is told about a session. */
export interface NewEvent {
  readonly type: string;
  readonly data: Record<string, unknown>;
}

/**
 * Commits events with the change that they tell of, and for each a delivery to every endpoint of the tenant's that wants it, to be sent at once. `firstSeq` comes
 * from the locked session row, so a session's numbers have no gap.
 */
export async function appendEvents(
  tx: Tx,
  tenantId: string,
  of: { roomId: string; sessionId: string; firstSeq: number },
  events: readonly NewEvent[],
): Promise<void> {
  if (events.length === 0) return;
  await tx.query({
    name: 'append-events',
    // Stamped under the session's lock and not by when the transaction began, so that a session's times follow its numbers.
    text: `WITH told AS (
             INSERT INTO outbox (tenant_id, room_id, session_id, seq, type, data, created_at)
             SELECT $1, $2, $3, $4 + ord - 1, type, data, clock_timestamp() FROM unnest($5::text[], $6::jsonb[]) WITH ORDINALITY AS e (type, data, ord) RETURNING id, session_id AS stream, seq, type)
           ${DELIVER_TOLD}`,
    values: [
      tenantId,
      of.roomId,
      of.sessionId,
      of.firstSeq,
      events.map((event) => event.type),
      events.map((event) => JSON.stringify(event.data)),
    ],
  });
}
