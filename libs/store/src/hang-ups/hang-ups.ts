import type { Store, Tx } from '../database/store.ts';

/** The hang-up ledger: requests, attempts, and closing observations. */

/**
 * The outcome of an attempt: accepted by the provider; rejected, or without an answer; not sent
 * because a look-up showed the leg closed; not sent because the leg had no provider id yet.
 */
export type AttemptOutcome = 'accepted' | 'rejected' | 'already-closed' | 'no-provider-id';

/**
 * How many attempts of a leg are stored and listed, the last ones: attempts are retried for ever.
 */
const MAX_STORED_ATTEMPTS = 20;

/**
 * Records an attempt in the transaction that leases the leg for it, so that a process that dies
 * during the request leaves an attempt without an outcome. Deletes the attempt that exceeds
 * `MAX_STORED_ATTEMPTS`.
 * @param no the leg's `hangup_attempts` at this attempt
 */
export async function recordHangUpAttempt(
  tx: Tx,
  tenantId: string | null,
  { legId, no, at }: { legId: string; no: number; at: Date },
): Promise<void> {
  await tx.query({
    name: 'record-attempt',
    text: `WITH oldest AS (
             DELETE FROM hang_up_attempt
             WHERE tenant_id IS NOT DISTINCT FROM $1 AND leg_id = $2 AND no = $3::int - $5::int
           )
           INSERT INTO hang_up_attempt (tenant_id, leg_id, no, at)
           VALUES ($1, $2, $3, $4)
           ON CONFLICT DO NOTHING`,
    values: [tenantId, legId, no, at, MAX_STORED_ATTEMPTS],
  });
}

/**
 * Records the outcome of an attempt, over one with the same number that got no slot at the provider
 * account.
 */
export async function finishHangUpAttempt(
  tx: Tx,
  tenantId: string | null,
  {
    legId,
    no,
    at,
    outcome,
    reason,
  }: { legId: string; no: number; at: Date; outcome: AttemptOutcome; reason: string | null },
): Promise<void> {
  await tx.query({
    name: 'close-attempt',
    text: `UPDATE hang_up_attempt
           SET at = $6, outcome = $4, reason = $5
           WHERE tenant_id IS NOT DISTINCT FROM $1 AND leg_id = $2 AND no = $3`,
    values: [tenantId, legId, no, outcome, reason, at],
  });
}

/** Returns the last attempts before `no` of a leg, the newest first, with their age. */
export async function listLastAttempts(
  store: Store,
  tenantId: string,
  { legId, no, limit }: { legId: string; no: number; limit: number },
): Promise<{ outcome: AttemptOutcome | null; reason: string | null; age_ms: number }[]> {
  const { rows } = await store.query<{ outcome: AttemptOutcome | null; reason: string | null; age_ms: number }>(
    tenantId,
    {
      name: 'last-attempts',
      text: `SELECT outcome, reason, (extract(epoch FROM now() - at) * 1000)::float8 AS age_ms
             FROM hang_up_attempt
             WHERE tenant_id = $1 AND leg_id = $2 AND no < $3
             ORDER BY no DESC
             LIMIT $4`,
      values: [tenantId, legId, no, limit],
    },
  );
  return rows;
}

/** A leg with a requested hang-up, confirmed or not. */
interface RequestedHangUp {
  readonly id: string;
  readonly kind: string;
  readonly session_id: string;
  readonly room_id: string;
  readonly hangup_requested_at: Date;
  readonly hangup_reason: string;
  /** The number of attempts. */
  readonly hangup_attempts: number;
  readonly confirmed_at: Date | null;
}

interface Attempt {
  readonly leg_id: string;
  readonly no: number;
  readonly at: Date;
  readonly outcome: AttemptOutcome | null;
  readonly reason: string | null;
}

/** An observation that one handle of a leg is closed. */
export interface Closing {
  readonly leg_id: string;
  readonly handle: 'media' | 'voice';
  readonly phase: 'over' | 'sip-over';
  readonly source: 'callback' | 'look-up';
  readonly outcome: string | null;
  readonly reason: string | null;
  readonly provider_at: Date | null;
  readonly stored_at: Date;
}

/** One leg's entry: its last 20 attempts and all closing observations, oldest first. */
export interface HangUpLedgerEntry extends RequestedHangUp {
  readonly attempts: readonly Attempt[];
  readonly closings: readonly Closing[];
}

const HANG_UP_STATES = ['unconfirmed', 'confirmed', 'all'] as const;
type HangUpState = (typeof HANG_UP_STATES)[number];

const COLUMNS =
  'l.id, l.kind, l.session_id, s.room_id, l.hangup_requested_at, l.hangup_reason, l.hangup_attempts, l.confirmed_at';
const IN_STATE: Readonly<Record<HangUpState, string>> = {
  unconfirmed: `l.state = 'ending'`,
  confirmed: `l.state = 'ended'`,
  all: 'true',
};

/**
 * Returns a page of a tenant's ledger, the latest request first. `after` is the last leg of the
 * page before.
 */
export async function listHangUps(
  store: Store,
  tenantId: string,
  { state, limit, after }: { state: HangUpState; limit: number; after?: string },
): Promise<HangUpLedgerEntry[]> {
  const { rows } = await store.query<RequestedHangUp>(tenantId, {
    name: `hang-ups-${state}`,
    // The first page starts below infinity, so that every page is one range of the index.
    text: `SELECT ${COLUMNS}
           FROM leg l
           JOIN session s ON s.id = l.session_id
           WHERE l.tenant_id = $1 AND l.hangup_requested_at IS NOT NULL AND ${IN_STATE[state]}
             AND (l.hangup_requested_at, l.id) < (
               COALESCE((SELECT c.hangup_requested_at FROM leg c WHERE c.id = $3 AND c.tenant_id = $1), 'infinity'),
               COALESCE($3::text, '')
             )
           ORDER BY l.hangup_requested_at DESC, l.id DESC
           LIMIT $2`,
    values: [tenantId, limit, after ?? null],
  });
  return addAttemptsAndClosings(store, tenantId, rows);
}

/**
 * Returns a session's entries, the latest request first; `null` when the tenant has no such
 * session.
 */
export async function listSessionHangUps(
  store: Store,
  tenantId: string,
  sessionId: string,
  limit = 1_000,
): Promise<HangUpLedgerEntry[] | null> {
  const session = await store.query(tenantId, {
    name: 'session-of-tenant',
    text: 'SELECT 1 FROM session WHERE tenant_id = $1 AND id = $2',
    values: [tenantId, sessionId],
  });
  if (session.rowCount === 0) return null;
  const { rows } = await store.query<RequestedHangUp>(tenantId, {
    name: 'hang-ups-of-session',
    text: `SELECT ${COLUMNS}
           FROM leg l
           JOIN session s ON s.id = l.session_id
           WHERE l.tenant_id = $1 AND l.session_id = $2 AND l.hangup_requested_at IS NOT NULL
           ORDER BY l.hangup_requested_at DESC, l.id DESC
           LIMIT $3`,
    values: [tenantId, sessionId, limit],
  });
  return addAttemptsAndClosings(store, tenantId, rows);
}

async function addAttemptsAndClosings(
  store: Store,
  tenantId: string,
  legs: readonly RequestedHangUp[],
): Promise<HangUpLedgerEntry[]> {
  // The legs are the tenant's. Their rows from before an admission at the platform's account have
  // no tenant.
  const values = [tenantId, legs.map(({ id }) => id)];
  const [attempts, closings] = await Promise.all([
    store.query<Attempt>(tenantId, {
      name: 'attempts-of-legs',
      text: `SELECT a.*
             FROM unnest($2::text[]) AS wanted (leg_id)
             CROSS JOIN LATERAL (
               SELECT h.leg_id, h.no, h.at, h.outcome, h.reason
               FROM hang_up_attempt h
               WHERE (h.tenant_id = $1 OR h.tenant_id IS NULL) AND h.leg_id = wanted.leg_id
               ORDER BY h.no DESC
               LIMIT $3
             ) AS a
             ORDER BY a.leg_id, a.no`,
      values: [...values, MAX_STORED_ATTEMPTS],
    }),
    store.query<Closing>(tenantId, {
      name: 'closings-of-legs',
      text: `SELECT leg_id, handle, phase, source, outcome, reason, provider_at, stored_at
             FROM observation
             WHERE (tenant_id = $1 OR tenant_id IS NULL) AND leg_id = ANY($2) AND phase IN ('over', 'sip-over')
             ORDER BY id`,
      values,
    }),
  ]);
  const [attemptsOf, closingsOf] = [byLeg(attempts.rows), byLeg(closings.rows)];
  return legs.map((leg) => ({
    ...leg,
    attempts: attemptsOf.get(leg.id) ?? [],
    closings: closingsOf.get(leg.id) ?? [],
  }));
}

function byLeg<T extends { leg_id: string }>(rows: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const group = groups.get(row.leg_id);
    if (group === undefined) groups.set(row.leg_id, [row]);
    else group.push(row);
  }
  return groups;
}
