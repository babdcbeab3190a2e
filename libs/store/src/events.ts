import type { Verdict } from '@partyline/domain/verdict';
import { DELIVER_TOLD } from './deliveries.ts';
import type { Store, Tx } from './store.ts';
import { tokenKey, type UsedToken } from './voice-webhooks.ts';

/** Takes a webhook's token id for good; `false` when it was used before. In the transaction of the change that the webhook makes. */
export async function useToken(tx: Tx, token: UsedToken): Promise<boolean> {
  const { rowCount } = await tx.query({ name: 'use-jti', text: 'INSERT INTO webhook_jti (jti, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING', values: [tokenKey(token), token.expiresAt] });
  return rowCount === 1;
}

/** The session that a tenant's leg is in; `null` when the tenant has no such leg, or it is in none. */
export async function sessionOfLeg(store: Store, tenantId: string, legId: string): Promise<string | null> {
  const { rows } = await store.query<{ session_id: string | null }>(tenantId, { name: 'session-of-leg', text: 'SELECT session_id FROM leg WHERE id = $1 AND tenant_id = $2', values: [legId, tenantId] });
  return rows[0]?.session_id ?? null;
}

/** The provider's video session that a tenant's leg is in; `null` for one that is in none, or no such leg of this tenant. */
export async function mediaOfLeg(store: Store, tenantId: string, legId: string): Promise<string | null> {
  const { rows } = await store.query<{ media_session_id: string | null }>(tenantId, {
    name: 'media-of-leg',
    text: 'SELECT s.media_session_id FROM leg l JOIN session s ON s.id = l.session_id WHERE l.id = $1 AND l.tenant_id = $2',
    values: [legId, tenantId],
  });
  return rows[0]?.media_session_id ?? null;
}

/** At which account a tenant's session is, and its video session there, null while it has none; `null` when the tenant has no such session. */
export async function mediaOfSession(store: Store, tenantId: string, sessionId: string): Promise<{ account_id: string | null; media_session_id: string | null } | null> {
  const { rows } = await store.query<{ account_id: string | null; media_session_id: string | null }>(tenantId, { name: 'media-of-session', text: 'SELECT account_id, media_session_id FROM session WHERE id = $1 AND tenant_id = $2', values: [sessionId, tenantId] });
  return rows[0] ?? null;
}

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
    values: [tenantId, seen.legId, seen.handle, seen.phase, seen.source, seen.verdict?.outcome ?? null, seen.verdict?.reason ?? null, seen.at],
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
export async function appendEvents(tx: Tx, tenantId: string, of: { roomId: string; sessionId: string; firstSeq: number }, events: readonly NewEvent[]): Promise<void> {
  if (events.length === 0) return;
  await tx.query({
    name: 'append-events',
    // Stamped under the session's lock and not by when the transaction began, so that a session's times follow its numbers.
    text: `WITH told AS (
             INSERT INTO outbox (tenant_id, room_id, session_id, seq, type, data, created_at)
             SELECT $1, $2, $3, $4 + ord - 1, type, data, clock_timestamp() FROM unnest($5::text[], $6::jsonb[]) WITH ORDINALITY AS e (type, data, ord) RETURNING id, session_id AS stream, seq, type)
           ${DELIVER_TOLD}`,
    values: [tenantId, of.roomId, of.sessionId, of.firstSeq, events.map((event) => event.type), events.map((event) => JSON.stringify(event.data))],
  });
}
