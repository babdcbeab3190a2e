import type { leg, room, session } from '../generated/client.ts';
import type { EndReason, SessionState } from '@partyline/domain/session';
import type { LegKind, LegState } from '@partyline/domain/leg';
import type { Tx } from '../database/store.ts';

export type SessionRow = Omit<session, 'state' | 'due_reason' | 'end_reason'> & {
  state: SessionState;
  due_reason: EndReason;
  end_reason: EndReason | null;
};
export type Role = 'participant' | 'host';
export type LegRow = Omit<leg, 'state' | 'kind' | 'role'> & { state: LegState; kind: LegKind; role: Role };
/** Its limit of money is read by what measures it (libs/store/src/limits/spend.ts) and by nobody else. */
export type RoomRow = Omit<room, 'state' | 'bridge' | 'end_reason' | 'max_spend_micro'> & {
  state: 'active' | 'ended';
  bridge: 'auto' | 'always';
  end_reason: EndReason | null;
};

/** A session with all that a decision about it needs, locked; `now` is the database's clock, which all deadlines are on. */
export interface SessionView {
  session: SessionRow;
  readonly room: RoomRow;
  /** Those that are up, and of the ended ones, which no rule looks at, those that were named. */
  legs: LegRow[];
  readonly now: Date;
}

/** The legs that a change is about, whatever their state: by their own id, or their connection's. */
export interface NamedLegs {
  readonly legId?: string | undefined;
  readonly connectionId?: string | undefined;
}

/**
 * Locks a session with its legs that are up and those that are named; `null` when this tenant has none of that id. Every change of a session starts here, and a
 * session may have had thousands of legs that are long over.
 */
export async function lockSession(
  tx: Tx,
  tenantId: string,
  sessionId: string,
  { legId, connectionId }: NamedLegs = {},
): Promise<SessionView | null> {
  const { rows } = await tx.query<{ session: SessionRow; room: RoomRow; now: Date } & SessionRow>({
    name: 'lock-session',
    text: `SELECT s.*, clock_timestamp() AS now FROM session s WHERE s.id = $1 AND s.tenant_id = $2 FOR NO KEY UPDATE`,
    values: [sessionId, tenantId],
  });
  const found = rows[0];
  if (found === undefined) return null;
  const { now, ...session } = found;
  const rooms = await tx.query<RoomRow>({
    name: 'room-of-session',
    text: `SELECT * FROM room WHERE id = $1`,
    values: [session.room_id],
  });
  const legs = await tx.query<LegRow>({
    name: 'legs-of-session',
    text: `SELECT * FROM leg WHERE session_id = $1 AND (state <> 'ended' OR id = $2 OR media_connection_id = $3) ORDER BY created_at, id FOR NO KEY UPDATE`,
    values: [sessionId, legId ?? null, connectionId ?? null],
  });
  return { session, room: rooms.rows[0]!, legs: legs.rows, now };
}

/** The columns that a decision may change; all others are written once, when the row is made. */
const SESSION_COLUMNS = [
  'state',
  'media_session_id',
  'had_browser',
  'had_phone',
  'browsers_left_at',
  'phones_left_at',
  'alone_since',
  'empty_since',
  'had_host',
  'host_left_at',
  'due_at',
  'due_reason',
  'live_at',
  'ending_at',
  'ended_at',
  'end_reason',
  'last_seq',
  'settle_due_at',
  'bridge_failures',
  'bridge_due_at',
] as const satisfies readonly (keyof SessionRow)[];
const LEG_COLUMNS = [
  'muted',
  'state',
  'media_connection_id',
  'media_missing_since',
  'media_closed_at',
  'sip_ended_at',
  'voice_call_id',
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

const UPDATE_SESSION = `UPDATE session SET version = version + 1, ${SESSION_COLUMNS.map((column, i) => `${column} = $${i + 3}`).join(', ')}
  WHERE id = $1 AND version = $2 AND tenant_id = $${SESSION_COLUMNS.length + 3}`;
const SAVED_LEG_COLUMNS: string[] = ['id', 'version', ...LEG_COLUMNS];
// The ids by themselves too, since nobody knows how many rows JSON holds, and the table would be read whole for them.
const UPDATE_LEGS = `UPDATE leg l SET version = l.version + 1, ${LEG_COLUMNS.map((column) => `${column} = n.${column}`).join(', ')}
  FROM jsonb_populate_recordset(NULL::leg, $3) AS n WHERE l.id = ANY($2) AND l.id = n.id AND l.version = n.version AND l.tenant_id IS NOT DISTINCT FROM $1 RETURNING l.id`;

/** The world moved on under a command that believed in an older version of a row. Cannot happen under the lock; checked all the same. */
export class StaleVersion extends Error {
  constructor(table: string, id: string) {
    super(`${table} ${id} has changed since it was read`);
    this.name = 'StaleVersion';
  }
}

/** Writes a tenant's session back by compare-and-set on its version. */
export async function saveSession(tx: Tx, tenantId: string, session: SessionRow): Promise<void> {
  const { rowCount } = await tx.query({
    name: 'save-session',
    text: UPDATE_SESSION,
    values: [session.id, session.version, ...SESSION_COLUMNS.map((column) => session[column]), tenantId],
  });
  if (rowCount !== 1) throw new StaleVersion('session', session.id);
  session.version += 1;
}

/** Writes legs back in one statement, each by compare-and-set on its version; `tenantId` is null for a caller who was not admitted. */
export async function saveLegs(tx: Tx, tenantId: string | null, legs: readonly LegRow[]): Promise<void> {
  if (legs.length === 0) return;
  const { rows } = await tx.query<{ id: string }>({
    name: 'save-legs',
    text: UPDATE_LEGS,
    values: [tenantId, legs.map(({ id }) => id), JSON.stringify(legs, SAVED_LEG_COLUMNS)],
  });
  const saved = new Set(rows.map(({ id }) => id));
  const stale = legs.find(({ id }) => !saved.has(id));
  if (stale !== undefined) throw new StaleVersion('leg', stale.id);
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
  'deadline_at',
  'answered_at',
  'joined_at',
  'account_id',
] as const;

export type NewLeg = Pick<LegRow, 'id' | 'kind' | 'state' | 'deadline_at'> &
  Partial<Pick<LegRow, Exclude<(typeof INSERT_COLUMNS)[number], 'account_id'>>>;

/** Makes a leg's row, before the provider is asked for the leg (design §3.2). It is at its session's account. */
export async function insertLeg(
  tx: Tx,
  tenantId: string,
  session: Pick<SessionRow, 'id' | 'account_id'>,
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
    text: `INSERT INTO leg (${INSERT_COLUMNS.join(', ')}) VALUES (${INSERT_COLUMNS.map((_, i) => `$${i + 1}`).join(', ')}) RETURNING *`,
    values: INSERT_COLUMNS.map((column) => row[column] ?? null),
  });
  return rows[0]!;
}

/** Locks one leg that may have no session yet. `null` when this tenant has none of that id; a caller who was not admitted is nobody's (`tenantId` null). */
export async function lockLeg(
  tx: Tx,
  tenantId: string | null,
  legId: string,
): Promise<{ leg: LegRow; now: Date } | null> {
  const { rows } = await tx.query<LegRow & { now: Date }>({
    name: 'lock-leg',
    text: `SELECT l.*, clock_timestamp() AS now FROM leg l WHERE l.id = $1 AND l.tenant_id IS NOT DISTINCT FROM $2 FOR NO KEY UPDATE`,
    values: [legId, tenantId],
  });
  const found = rows[0];
  if (found === undefined) return null;
  const { now, ...leg } = found;
  return { leg, now };
}
