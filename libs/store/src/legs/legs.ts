import type { LegKind, LegState } from '@partyline/domain/leg';
import { StaleVersionError } from '../database/stale-version.ts';
import type { Store, Tx } from '../database/store.ts';
import type { leg } from '../generated/client.ts';

export type Role = 'participant' | 'host';
export type LegRow = Omit<leg, 'state' | 'kind' | 'role'> & { state: LegState; kind: LegKind; role: Role };

/** The columns that a decision may change; all others are written once, by the insert. */
export const LEG_COLUMNS = [
  'muted',
  'state',
  'media_connection_id',
  'media_missing_since',
  'media_closed_at',
  'sip_ended_at',
  'voice_call_id',
  'voice_missing_lists',
  'voice_closed_at',
  'last_outcome',
  'dialled_at',
  'answered_at',
  'joined_at',
  'ended_at',
  'deadline_at',
  'hangup_requested_at',
  'hangup_reason',
  'hangup_attempted_at',
  'hangup_attempts',
  'lease_until',
  'confirmed_at',
  'outcome',
  'reason',
] as const satisfies readonly (keyof LegRow)[];

const SAVED_LEG_COLUMNS = ['id', 'version', ...LEG_COLUMNS] as const satisfies readonly (keyof LegRow)[];
/** Without null columns, which most are: writing and parsing them took a tenth of a change. */
function selectSavedColumns(leg: LegRow): Partial<LegRow> {
  const saved: Record<string, unknown> = {};
  for (const column of SAVED_LEG_COLUMNS) if (leg[column] !== null) saved[column] = leg[column];
  return saved;
}
// The ids are an argument too: the planner cannot estimate the rows in JSON and would scan the
// table.
const UPDATE_LEGS = `
  UPDATE leg l
  SET version = l.version + 1, ${LEG_COLUMNS.map((column) => `${column} = n.${column}`).join(', ')}
  FROM jsonb_populate_recordset(NULL::leg, $3) AS n
  WHERE l.id = ANY($2) AND l.id = n.id AND l.version = n.version AND l.tenant_id IS NOT DISTINCT FROM $1
  RETURNING l.id`;

/**
 * Writes legs in one statement, each by compare-and-set on its version. `tenantId` is null for a
 * caller before admission at the platform's account. Throws `StaleVersionError`.
 */
export async function saveLegs(tx: Tx, tenantId: string | null, legs: readonly LegRow[]): Promise<void> {
  if (legs.length === 0) return;
  const { rows } = await tx.query<{ id: string }>({
    name: 'save-legs',
    text: UPDATE_LEGS,
    values: [tenantId, legs.map(({ id }) => id), JSON.stringify(legs.map(selectSavedColumns))],
  });
  const saved = new Set(rows.map(({ id }) => id));
  const stale = legs.find(({ id }) => !saved.has(id));
  if (stale !== undefined) throw new StaleVersionError('leg', stale.id);
  for (const leg of legs) leg.version += 1;
}

const INSERT_COLUMNS = [
  'id',
  'tenant_id',
  'session_id',
  'participant_id',
  'kind',
  'role',
  'state',
  'number',
  'remote',
  'token_hash',
  'media_connection_id',
  'media_created_at',
  'voice_call_id',
  'deadline_at',
  'answered_at',
  'joined_at',
  'account_id',
] as const;

export type NewLeg = Pick<LegRow, 'id' | 'kind' | 'state' | 'deadline_at'> &
  Partial<Pick<LegRow, Exclude<(typeof INSERT_COLUMNS)[number], 'account_id'>>>;

/**
 * Inserts a leg at its session's provider account, before the provider is asked for it. Throws a
 * unique violation (23505, index `leg_one_bridge`) for a second live bridge leg of a session.
 */
export async function insertLeg(
  tx: Tx,
  tenantId: string,
  session: { readonly id: string; readonly account_id: string | null },
  leg: NewLeg,
): Promise<LegRow> {
  const row: Record<string, unknown> = {
    role: 'participant',
    ...leg,
    tenant_id: tenantId,
    session_id: session.id,
    account_id: session.account_id,
  };
  const { rows } = await tx.query<LegRow>({
    name: 'insert-leg',
    text: `INSERT INTO leg (${INSERT_COLUMNS.join(', ')})
           VALUES (${INSERT_COLUMNS.map((_, i) => `$${i + 1}`).join(', ')})
           RETURNING *`,
    values: INSERT_COLUMNS.map((column) => row[column] ?? null),
  });
  return rows[0]!;
}

/**
 * Removes the call from an ended leg, so that another leg can have it. The calling function has
 * locked the session.
 */
export async function releaseCall(tx: Tx, tenantId: string, legId: string): Promise<void> {
  await tx.query({
    name: 'release-call',
    text: `UPDATE leg SET voice_call_id = NULL WHERE tenant_id = $1 AND id = $2 AND state = 'ended'`,
    values: [tenantId, legId],
  });
}

type ObservedEnd = Pick<LegRow, 'id' | 'media_connection_id' | 'voice_call_id'> & { readonly ended_at: Date };

/**
 * Returns legs of a session that only an observation ended: browsers and phones without a hang-up
 * request that ended within ten minutes. All browsers, as one list shows them, and the last 20
 * phones, as each costs a look-up; the latest first.
 */
export async function listObservedEnds(store: Store, tenantId: string, sessionId: string): Promise<ObservedEnd[]> {
  const { rows } = await store.query<ObservedEnd>(tenantId, {
    name: 'observed-ends',
    text: `WITH observed AS (
             SELECT id, kind, ended_at, media_connection_id, voice_call_id
             FROM leg
             WHERE tenant_id = $1 AND session_id = $2 AND state = 'ended' AND kind <> 'bridge'
               AND hangup_requested_at IS NULL AND ended_at > now() - interval '10 minutes'
           )
           SELECT id, ended_at, media_connection_id, voice_call_id
           FROM observed
           WHERE kind = 'webrtc'
           UNION ALL
           (
             SELECT id, ended_at, media_connection_id, voice_call_id
             FROM observed
             WHERE kind <> 'webrtc'
             ORDER BY ended_at DESC, id DESC
             LIMIT 20
           )
           ORDER BY ended_at DESC, id DESC`,
    values: [tenantId, sessionId],
  });
  return rows;
}

/**
 * Locks one leg, with or without a session. Returns `null` if the tenant (null: before admission at
 * the platform's account) has no such leg.
 */
export async function lockLeg(
  tx: Tx,
  tenantId: string | null,
  legId: string,
): Promise<{ leg: LegRow; now: Date } | null> {
  const { rows } = await tx.query<LegRow & { now: Date }>({
    name: 'lock-leg',
    text: `SELECT l.*, clock_timestamp() AS now
           FROM leg l
           WHERE l.id = $1 AND l.tenant_id IS NOT DISTINCT FROM $2
           FOR NO KEY UPDATE`,
    values: [legId, tenantId],
  });
  const found = rows[0];
  if (found === undefined) return null;
  const { now, ...leg } = found;
  return { leg, now };
}

/**
 * Whether a bridge leg of the session ended unobserved in the last ten minutes, without a
 * connection id: its connection can still appear.
 */
export async function hasUnobservedBridge(tx: Tx, tenantId: string, sessionId: string): Promise<boolean> {
  const { rows } = await tx.query<{ found: boolean }>({
    name: 'has-unobserved-bridge',
    text: `SELECT EXISTS (
             SELECT 1
             FROM leg
             WHERE session_id = $1 AND tenant_id = $2 AND kind = 'bridge' AND state = 'ended'
               AND reason = 'unobserved' AND media_connection_id IS NULL
               AND ended_at > now() - interval '10 minutes'
           ) AS found`,
    values: [sessionId, tenantId],
  });
  return rows[0]!.found;
}
