import type { RoomRow } from './session-view.ts';
import { readAs, type Store, type Tx } from './store.ts';

export interface NewRoom {
  readonly room: Omit<RoomRow, 'state' | 'created_at' | 'ended_at' | 'tenant_id'>;
  readonly session: { readonly id: string; readonly conversation: string; readonly mediaSessionId: string | null };
  readonly participant: { readonly id: string; readonly name: string };
}

/** Inserts a room with its first session and participant, all or nothing; its session never lives longer than `max_duration_s`. */
export async function insertRoom(tx: Tx, tenantId: string, { room, session, participant }: NewRoom): Promise<{ room: RoomRow; due_at: Date }> {
  const { rows } = await tx.query<RoomRow>({
    name: 'insert-room',
    text: `INSERT INTO room (id, tenant_id, name, number, bridge, max_participants, max_duration_s, never_used_s, browsers_left_s, phones_left_s, alone_s, empty_s)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING *`,
    values: [
      room.id, tenantId, room.name, room.number, room.bridge, room.max_participants, room.max_duration_s, room.never_used_s, room.browsers_left_s, room.phones_left_s, room.alone_s,
      room.empty_s,
    ],
  });
  const due_at = await insertSession(tx, tenantId, rows[0]!, session);
  await insertParticipant(tx, tenantId, room.id, { ...participant, kind: 'browser' });
  return { room: rows[0]!, due_at };
}

/** Opens a session in a room. Throws a unique violation (23505) when the room has a current one. */
export async function insertSession(tx: Tx, tenantId: string, room: RoomRow, session: NewRoom['session']): Promise<Date> {
  // Whichever comes first of "never used" and "too long"; settling the session will say the same (session-clock.ts).
  const unused = room.never_used_s !== null && room.never_used_s < room.max_duration_s;
  const { rows } = await tx.query<{ due_at: Date }>({
    name: 'insert-session',
    text: `INSERT INTO session (id, tenant_id, room_id, state, conversation, media_session_id, due_at, due_reason)
           VALUES ($1, $2, $3, 'open', $4, $5, now() + make_interval(secs => $6), $7) RETURNING due_at`,
    values: [session.id, tenantId, room.id, session.conversation, session.mediaSessionId, unused ? room.never_used_s : room.max_duration_s, unused ? 'never-used' : 'max-duration'],
  });
  return rows[0]!.due_at;
}

/** Adds a person to a room's roster. */
export async function insertParticipant(tx: Tx, tenantId: string, roomId: string, person: { id: string; name: string; kind: 'browser' | 'rung' }): Promise<void> {
  await tx.query({ name: 'insert-participant', text: 'INSERT INTO participant (id, tenant_id, room_id, kind, name) VALUES ($1, $2, $3, $4, $5)', values: [person.id, tenantId, roomId, person.kind, person.name] });
}

/** Takes a PIN on a number for a room; `false` when the number has it already, live or in quarantine. */
export async function claimPin(tx: Tx, tenantId: string, pin: { id: string; roomId: string; number: string; lookup: Buffer; sealed: Buffer }): Promise<boolean> {
  const { rowCount } = await tx.query({
    name: 'claim-pin',
    text: 'INSERT INTO pin (id, tenant_id, room_id, number, lookup, sealed) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (number, lookup) DO NOTHING',
    values: [pin.id, tenantId, pin.roomId, pin.number, pin.lookup, pin.sealed],
  });
  return rowCount === 1;
}

/** How many live PINs a number holds, whoever's they are: it decides how long the next one must be. */
export async function countPins(tx: Tx, number: string): Promise<number> {
  const { rows } = await tx.query<{ n: number }>({ name: 'count-pins', text: 'SELECT count_pins($1) AS n', values: [number] });
  return rows[0]!.n;
}

/** Locks a room; `null` when this tenant has none of that id. */
export async function lockRoom(tx: Tx, tenantId: string, roomId: string): Promise<RoomRow | null> {
  const { rows } = await tx.query<RoomRow>({ name: 'lock-room', text: 'SELECT * FROM room WHERE id = $1 AND tenant_id = $2 FOR NO KEY UPDATE', values: [roomId, tenantId] });
  return rows[0] ?? null;
}

/** Ends a room for good: nobody can join by its PIN from now on, and the PIN stays taken for `quarantineS` seconds more. */
export async function closeRoom(tx: Tx, tenantId: string, roomId: string, quarantineS: number): Promise<void> {
  await tx.query({ name: 'close-room', text: `UPDATE room SET state = 'ended', ended_at = now() WHERE id = $1 AND tenant_id = $2 AND state = 'active'`, values: [roomId, tenantId] });
  await tx.query({ name: 'release-pins', text: 'UPDATE pin SET free_at = now() + make_interval(secs => $3) WHERE room_id = $1 AND tenant_id = $2 AND free_at IS NULL', values: [roomId, tenantId, quarantineS] });
}

/** The room's newest session, which is the current one if any is; `null` for a room that never had one. */
export async function newestSessionId(tx: Tx, tenantId: string, roomId: string): Promise<string | null> {
  const { rows } = await tx.query<{ id: string }>({
    name: 'newest-session',
    text: 'SELECT id FROM session WHERE room_id = $1 AND tenant_id = $2 ORDER BY created_at DESC LIMIT 1',
    values: [roomId, tenantId],
  });
  return rows[0]?.id ?? null;
}

/** Room and all its sessions and legs as the API shows them; `null` when this tenant has none of that id. */
export async function readRoom(store: Store, tenantId: string, roomId: string) {
  return readAs(store, tenantId, (db) =>
    db.room.findFirst({
      where: { id: roomId, tenant_id: tenantId },
      include: { pins: { where: { free_at: null } }, sessions: { orderBy: { created_at: 'desc' }, take: 1, include: { legs: { orderBy: { created_at: 'asc' } } } } },
    }),
  );
}
export type RoomDetails = NonNullable<Awaited<ReturnType<typeof readRoom>>>;

/** A page of a tenant's rooms, newest first; `after` is the last id of the page before. */
export async function listRooms(store: Store, tenantId: string, { limit, after }: { limit: number; after?: string }) {
  return readAs(store, tenantId, (db) =>
    db.room.findMany({
      where: { tenant_id: tenantId },
      orderBy: [{ created_at: 'desc' }, { id: 'desc' }],
      take: limit,
      ...(after === undefined ? {} : { cursor: { id: after }, skip: 1 }),
    }),
  );
}

/** What happened in a session, oldest first; `null` when this tenant has no such session. */
export async function listSessionEvents(store: Store, tenantId: string, sessionId: string) {
  return readAs(store, tenantId, async (db) => {
    const session = await db.session.findFirst({ where: { id: sessionId, tenant_id: tenantId }, select: { id: true } });
    if (session === null) return null;
    return db.outbox.findMany({ where: { tenant_id: tenantId, session_id: sessionId }, orderBy: { seq: 'asc' } });
  });
}

/** The people added to a room since a moment (the beginning of a session, for those of that session), in the order in which they were. */
export async function listParticipants(store: Store, tenantId: string, roomId: string, since: Date) {
  return readAs(store, tenantId, (db) => db.participant.findMany({ where: { tenant_id: tenantId, room_id: roomId, created_at: { gte: since } }, orderBy: [{ created_at: 'asc' }, { id: 'asc' }] }));
}

/** The number that rooms are created on, when the tenant does not name one: the oldest. `null` when the operator has not added any. */
export async function findNumber(store: Store, wanted?: string): Promise<{ e164: string; language: string } | null> {
  return store.prisma.dial_in_number.findFirst({ where: wanted === undefined ? {} : { e164: wanted }, orderBy: { created_at: 'asc' } });
}
