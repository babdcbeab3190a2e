import { readForTenant, type Store, type Tx } from '../database/store.ts';
import type { Role } from '../legs/legs.ts';

/**
 * Claims a PIN on a number for a room. Returns `false` when the number has this PIN, or one of another
 * length with the same first six digits: of any tenant, live or in quarantine. Also when another
 * transaction claims a PIN with the same first six digits.
 */
export async function claimPin(
  tx: Tx,
  tenantId: string,
  pin: {
    id: string;
    roomId: string;
    number: string;
    lookup: Buffer;
    /** The look-up of the first six digits. */
    head: Buffer;
    ciphertext: Buffer;
    digits: number;
    role?: Role;
    participantId?: string;
  },
): Promise<boolean> {
  const { rowCount } = await tx.query({
    name: 'claim-pin',
    text: `INSERT INTO pin (
             id, tenant_id, room_id, number, lookup, ciphertext, role, participant_id, digits, head
           )
           SELECT $1::text, $2::text, $3::text, $4::text, $5::bytea, $6::bytea, $7::text, $8::text, $9::int,
             $10::bytea
           WHERE reserve_pin_head($4, $10, $9)
           ON CONFLICT (number, lookup) DO NOTHING`,
    values: [
      pin.id,
      tenantId,
      pin.roomId,
      pin.number,
      pin.lookup,
      pin.ciphertext,
      pin.role ?? 'participant',
      pin.participantId ?? null,
      pin.digits,
      pin.head,
    ],
  });
  return rowCount === 1;
}

/**
 * Counts a number's live PINs of all tenants, up to `MAX_COUNTED_PINS`: the count sets the length
 * of new PINs.
 */
export async function countPins(tx: Tx, number: string): Promise<number> {
  const { rows } = await tx.query<{ n: number }>({
    name: 'count-pins',
    text: 'SELECT count_pins($1) AS n',
    values: [number],
  });
  return rows[0]!.n;
}

/** The PIN of one participant, without its digits. */
interface PersonalPin {
  readonly id: string;
  readonly participant_id: string;
  readonly role: Role;
  readonly name: string;
  readonly created_at: Date;
}

/** Returns the personal PINs of a room, oldest first; `null` when the tenant has no such room. */
export async function listPersonalPins(store: Store, tenantId: string, roomId: string): Promise<PersonalPin[] | null> {
  return readForTenant(store, tenantId, async (db) => {
    const room = await db.room.findFirst({ where: { id: roomId, tenant_id: tenantId }, select: { id: true } });
    if (room === null) return null;
    const pins = await db.pin.findMany({
      where: { tenant_id: tenantId, room_id: roomId, quarantined_until: null, participant_id: { not: null } },
      orderBy: [{ created_at: 'asc' }, { id: 'asc' }],
    });
    const people = await db.participant.findMany({
      where: { tenant_id: tenantId, id: { in: pins.flatMap(({ participant_id }) => participant_id ?? []) } },
    });
    const names = new Map(people.map(({ id, name }) => [id, name]));
    return pins.map(({ id, participant_id, role, created_at }) => ({
      id,
      participant_id: participant_id!,
      role: role as Role,
      name: names.get(participant_id!) ?? '',
      created_at,
    }));
  });
}

/** Counts the live personal PINs of a room. */
export async function countPersonalPins(tx: Tx, tenantId: string, roomId: string): Promise<number> {
  const { rows } = await tx.query<{ n: number }>({
    name: 'count-personal-pins',
    text: `SELECT count(*)::int AS n
           FROM pin
           WHERE tenant_id = $1 AND room_id = $2 AND participant_id IS NOT NULL AND quarantined_until IS NULL`,
    values: [tenantId, roomId],
  });
  return rows[0]!.n;
}

/**
 * Releases a personal PIN, with a quarantine of `quarantineS` seconds. Returns `false` when the
 * room has no such live PIN.
 */
export async function releasePersonalPin(
  tx: Tx,
  tenantId: string,
  { roomId, pinId, quarantineS }: { roomId: string; pinId: string; quarantineS: number },
): Promise<boolean> {
  const { rowCount } = await tx.query({
    name: 'release-pin',
    text: `UPDATE pin
           SET quarantined_until = now() + make_interval(secs => $4)
           WHERE tenant_id = $1 AND room_id = $2 AND id = $3 AND participant_id IS NOT NULL
             AND quarantined_until IS NULL`,
    values: [tenantId, roomId, pinId, quarantineS],
  });
  return rowCount === 1;
}

/**
 * Releases the room's shared PINs, with a quarantine of `quarantineS` seconds, and keeps the
 * personal ones.
 */
export async function releaseRoomPins(tx: Tx, tenantId: string, roomId: string, quarantineS: number): Promise<void> {
  await tx.query({
    name: 'release-room-pins',
    text: `UPDATE pin
           SET quarantined_until = now() + make_interval(secs => $3)
           WHERE tenant_id = $1 AND room_id = $2 AND participant_id IS NULL AND quarantined_until IS NULL`,
    values: [tenantId, roomId, quarantineS],
  });
}
