import type { EndReason, SessionState } from '@partyline/domain/session';
import { StaleVersionError } from '../database/stale-version.ts';
import type { Tx } from '../database/store.ts';
import type { room, session } from '../generated/client.ts';
import type { LegRow } from '../legs/legs.ts';

export type SessionRow = Omit<session, 'state' | 'due_reason' | 'end_reason'> & {
  state: SessionState;
  due_reason: EndReason;
  end_reason: EndReason | null;
};
/** Without the spend limit, which only limits/spend.ts reads. */
export type RoomRow = Omit<room, 'state' | 'bridge' | 'end_reason' | 'max_spend_micro'> & {
  state: 'active' | 'ended';
  bridge: 'auto' | 'always';
  end_reason: EndReason | null;
};

/**
 * A locked session with everything that a decision about it needs. `now` is the database clock, as
 * in all deadlines.
 */
export interface SessionView {
  session: SessionRow;
  readonly room: RoomRow;
  /** All legs that have not ended, and the selected ones among the ended. */
  legs: LegRow[];
  readonly now: Date;
}

/** Selects legs in any state, by leg id or by connection id. */
export interface LegSelector {
  readonly legId?: string | undefined;
  readonly connectionId?: string | undefined;
}

/**
 * Locks a session with its legs that have not ended and the selected legs. Returns `null` when the
 * tenant has no such session. Each change of a session starts here, and a session may have
 * thousands of ended legs, so these are not read.
 */
export async function lockSession(
  tx: Tx,
  tenantId: string,
  sessionId: string,
  { legId, connectionId }: LegSelector = {},
): Promise<SessionView | null> {
  const { rows } = await tx.query<{ session: SessionRow; room: RoomRow; now: Date } & SessionRow>({
    name: 'lock-session',
    text: `SELECT s.*, clock_timestamp() AS now
           FROM session s
           WHERE s.id = $1 AND s.tenant_id = $2
           FOR NO KEY UPDATE`,
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
    text: `SELECT *
           FROM leg
           WHERE session_id = $1 AND (state <> 'ended' OR id = $2 OR media_connection_id = $3)
           ORDER BY created_at, id
           FOR NO KEY UPDATE`,
    values: [sessionId, legId ?? null, connectionId ?? null],
  });
  return { session, room: rooms.rows[0]!, legs: legs.rows, now };
}

/** The columns that a decision may change; all others are written once, by the insert. */
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
  'presence_checked_at',
  'settle_due_at',
  'bridge_failures',
  'bridge_due_at',
] as const satisfies readonly (keyof SessionRow)[];
const UPDATE_SESSION = `
  UPDATE session
  SET version = version + 1, ${SESSION_COLUMNS.map((column, i) => `${column} = $${i + 3}`).join(', ')}
  WHERE id = $1 AND version = $2 AND tenant_id = $${SESSION_COLUMNS.length + 3}`;
/** Writes a session by compare-and-set on its version. Throws `StaleVersionError`. */
export async function saveSession(tx: Tx, tenantId: string, session: SessionRow): Promise<void> {
  const { rowCount } = await tx.query({
    name: 'save-session',
    text: UPDATE_SESSION,
    values: [session.id, session.version, ...SESSION_COLUMNS.map((column) => session[column]), tenantId],
  });
  if (rowCount !== 1) throw new StaleVersionError('session', session.id);
  session.version += 1;
}
