import type { EndReason } from '@partyline/domain/session';
import pg from 'pg';
import { createdBetween, olderThan } from '../database/page.ts';
import { readForTenant, type Store, type Tx } from '../database/store.ts';
import type { Role } from '../legs/legs.ts';
import { insertParticipant } from '../participants/participants.ts';
import type { RoomRow } from '../sessions/session-lock.ts';
import { insertSession, type NewSession } from '../sessions/sessions.ts';

/** Columns that are off or empty when left out. */
type OptionalColumn =
  | 'host_left_s'
  | 'wait_for_host'
  | 'pinless'
  | 'starts_at'
  | 'ends_at'
  | 'expires_at'
  | 'idle_days'
  | 'expiry_check_at'
  | 'external_id'
  | 'metadata';
type GeneratedColumn =
  'state' | 'version' | 'last_seq' | 'created_at' | 'ended_at' | 'end_reason' | 'deleted_at' | 'tenant_id';

interface NewRoom {
  readonly room: Omit<RoomRow, GeneratedColumn | OptionalColumn> & Partial<Pick<RoomRow, OptionalColumn>>;
  /** Null: the first caller or participant opens the first session. */
  readonly session: NewSession | null;
  /** The participant who gets the first session's token. */
  readonly participant: { readonly id: string; readonly name: string; readonly role?: Role };
}

const ROOM_COLUMNS = [
  'id',
  'tenant_id',
  'name',
  'number',
  'bridge',
  'max_participants',
  'max_duration_s',
  'never_used_s',
  'browsers_left_s',
  'phones_left_s',
  'alone_s',
  'empty_s',
  'host_left_s',
  'wait_for_host',
  'pinless',
  'starts_at',
  'ends_at',
  'expires_at',
  'idle_days',
  'expiry_check_at',
  'external_id',
  'metadata',
] as const satisfies readonly (keyof RoomRow)[];
const INSERT_ROOM = `
  INSERT INTO room (${ROOM_COLUMNS.join(', ')})
  VALUES (${ROOM_COLUMNS.map((_, i) => `$${i + 1}`).join(', ')})
  RETURNING *`;

/** Returns the unique constraint of rooms that an error names, `null` for another error. */
export function violatedRoomConstraint(error: unknown): 'room_external_id' | 'room_pinless' | null {
  const constraint = error instanceof pg.DatabaseError && error.code === '23505' ? error.constraint : undefined;
  return constraint === 'room_external_id' || constraint === 'room_pinless' ? constraint : null;
}

/**
 * Inserts a room with its first session, if any, and that session's participant. `due_at` is the
 * session's deadline. For the constraint errors see `violatedRoomConstraint`.
 */
export async function insertRoom(
  tx: Tx,
  tenantId: string,
  { room, session, participant }: NewRoom,
): Promise<{ room: RoomRow; due_at: Date | null }> {
  const row: Partial<Record<string, unknown>> = {
    wait_for_host: false,
    pinless: false,
    metadata: {},
    ...room,
    tenant_id: tenantId,
  };
  const { rows } = await tx.query<RoomRow>({
    name: 'insert-room',
    text: INSERT_ROOM,
    values: ROOM_COLUMNS.map((column) => row[column] ?? null),
  });
  if (session === null) return { room: rows[0]!, due_at: null };
  const due_at = await insertSession(tx, tenantId, rows[0]!, session);
  await insertParticipant(tx, tenantId, room.id, { ...participant, kind: 'browser' });
  return { room: rows[0]!, due_at };
}

/** Whether the tenant has an active room on the number, other than the room `except`. */
export async function hasActiveRoom(tx: Tx, tenantId: string, number: string, except = ''): Promise<boolean> {
  const { rows } = await tx.query<{ taken: boolean }>({
    name: 'number-has-room',
    text: `SELECT EXISTS (
             SELECT FROM room WHERE tenant_id = $1 AND number = $2 AND state = 'active' AND id <> $3
           ) AS taken`,
    values: [tenantId, number, except],
  });
  return rows[0]!.taken;
}

/**
 * Locks a room; returns `null` when the tenant has no such room. `now` is the database clock, which
 * its schedule uses. `account_id` is the provider account of its number (null: the platform's).
 */
export async function lockRoom(
  tx: Tx,
  tenantId: string,
  roomId: string,
): Promise<(RoomRow & { readonly now: Date; readonly account_id: string | null }) | null> {
  const { rows } = await tx.query<RoomRow & { now: Date; account_id: string | null }>({
    name: 'lock-room',
    text: `SELECT r.*, clock_timestamp() AS now,
             (SELECT d.account_id FROM dial_in_number d WHERE d.e164 = r.number) AS account_id
           FROM room r
           WHERE r.id = $1 AND r.tenant_id = $2
           FOR NO KEY UPDATE`,
    values: [roomId, tenantId],
  });
  return rows[0] ?? null;
}

/**
 * Ends a room for good and releases its PINs, with a quarantine of `quarantineS` seconds. The next
 * settle ends its session with the same reason.
 */
export async function closeRoom(
  tx: Tx,
  tenantId: string,
  roomId: string,
  reason: EndReason,
  quarantineS: number,
): Promise<void> {
  await tx.query({
    name: 'close-room',
    text: `UPDATE room
           SET state = 'ended', ended_at = now(), end_reason = $3, version = version + 1
           WHERE id = $1 AND tenant_id = $2 AND state = 'active'`,
    values: [roomId, tenantId, reason],
  });
  await tx.query({
    name: 'release-pins',
    text: `UPDATE pin
           SET quarantined_until = now() + make_interval(secs => $3)
           WHERE room_id = $1 AND tenant_id = $2 AND quarantined_until IS NULL`,
    values: [roomId, tenantId, quarantineS],
  });
}

/** The columns that a tenant may change. */
const SETTINGS = [
  'name',
  'bridge',
  'max_participants',
  'max_duration_s',
  'never_used_s',
  'browsers_left_s',
  'phones_left_s',
  'alone_s',
  'empty_s',
  'host_left_s',
  'wait_for_host',
  'pinless',
  'starts_at',
  'ends_at',
  'expires_at',
  'idle_days',
  'expiry_check_at',
  'external_id',
  'metadata',
] as const satisfies readonly (keyof RoomRow)[];
type RoomSettings = Pick<RoomRow, (typeof SETTINGS)[number]>;
const UPDATE_ROOM = `
  UPDATE room
  SET version = version + 1, ${SETTINGS.map((column, i) => `${column} = $${i + 3}`).join(', ')}
  WHERE id = $1 AND tenant_id = $2
  RETURNING *`;

/**
 * Writes a locked room's settings, and marks its running session as due to be settled, because they
 * set the session's deadlines. For the constraint errors see `violatedRoomConstraint`.
 */
export async function saveRoom(tx: Tx, tenantId: string, roomId: string, settings: RoomSettings): Promise<RoomRow> {
  const { rows } = await tx.query<RoomRow>({
    name: 'save-room',
    text: UPDATE_ROOM,
    values: [roomId, tenantId, ...SETTINGS.map((column) => settings[column])],
  });
  await tx.query({
    name: 'schedule-room-settle',
    text: `UPDATE session
           SET settle_due_at = now(), version = version + 1
           WHERE room_id = $1 AND tenant_id = $2 AND state IN ('open', 'live')`,
    values: [roomId, tenantId],
  });
  return rows[0]!;
}

/** Removes an ended room from its tenant's lists. Returns `false` when it was removed before. */
export async function hideRoom(tx: Tx, tenantId: string, roomId: string): Promise<boolean> {
  const { rowCount } = await tx.query({
    name: 'hide-room',
    text: 'UPDATE room SET deleted_at = now() WHERE id = $1 AND tenant_id = $2 AND deleted_at IS NULL',
    values: [roomId, tenantId],
  });
  return rowCount === 1;
}

/** Sets when the room's expiry is checked next; null: never. */
export async function scheduleExpiryCheck(tx: Tx, tenantId: string, roomId: string, at: Date | null): Promise<void> {
  await tx.query({
    name: 'schedule-expiry-check',
    text: 'UPDATE room SET expiry_check_at = $3 WHERE id = $1 AND tenant_id = $2',
    values: [roomId, tenantId, at],
  });
}

/**
 * Returns a room with its newest session and that session's first `limit` legs; `null` when the
 * tenant has no such room.
 */
export async function readRoom(store: Store, tenantId: string, roomId: string, limit: number) {
  return readForTenant(store, tenantId, (db) =>
    db.room.findFirst({
      where: { id: roomId, tenant_id: tenantId },
      include: {
        pins: { where: { quarantined_until: null } },
        sessions: {
          orderBy: { created_at: 'desc' },
          take: 1,
          include: { legs: { orderBy: [{ created_at: 'asc' }, { id: 'asc' }], take: limit } },
        },
      },
    }),
  );
}
export type RoomDetails = NonNullable<Awaited<ReturnType<typeof readRoom>>>;

/**
 * Returns a room's newest session with its legs that have not ended; `null` when the tenant has no
 * such room.
 */
export async function readLiveLegs(store: Store, tenantId: string, roomId: string) {
  return readForTenant(store, tenantId, (db) =>
    db.room.findFirst({
      where: { id: roomId, tenant_id: tenantId },
      select: {
        sessions: {
          orderBy: { created_at: 'desc' },
          take: 1,
          include: { legs: { where: { state: { not: 'ended' } }, orderBy: [{ created_at: 'asc' }, { id: 'asc' }] } },
        },
      },
    }),
  );
}

/** Whether the tenant has a room with this id. */
export async function hasRoom(store: Store, tenantId: string, roomId: string): Promise<boolean> {
  return readForTenant(
    store,
    tenantId,
    async (db) => (await db.room.count({ where: { id: roomId, tenant_id: tenantId } })) === 1,
  );
}

interface RoomQuery {
  readonly state?: 'active' | 'ended' | undefined;
  readonly externalId?: string | undefined;
  /** A prefix of the name, in any case. */
  readonly name?: string | undefined;
  readonly createdAfter?: Date | undefined;
  readonly createdBefore?: Date | undefined;
  readonly limit: number;
  /** The last id of the page before. */
  readonly after?: string | undefined;
}

/**
 * Returns a page of a tenant's rooms that are not deleted, newest first; `null` when `after` is not
 * a room of it.
 */
export async function listRooms(store: Store, tenantId: string, { limit, after, ...wanted }: RoomQuery) {
  return readForTenant(store, tenantId, async (db) => {
    const last =
      after === undefined
        ? undefined
        : await db.room.findFirst({
            where: { id: after, tenant_id: tenantId },
            select: { id: true, created_at: true },
          });
    if (last === null) return null;
    return db.room.findMany({
      where: {
        tenant_id: tenantId,
        deleted_at: null,
        ...(wanted.state === undefined ? {} : { state: wanted.state }),
        ...(wanted.externalId === undefined ? {} : { external_id: wanted.externalId }),
        // Wildcards in the prefix are literal characters.
        ...(wanted.name === undefined
          ? {}
          : { name: { startsWith: wanted.name.replaceAll(/[\\%_]/g, String.raw`\$&`), mode: 'insensitive' as const } }),
        ...createdBetween(wanted.createdAfter, wanted.createdBefore),
        ...olderThan(last),
      },
      orderBy: [{ created_at: 'desc' }, { id: 'desc' }],
      take: limit,
    });
  });
}
