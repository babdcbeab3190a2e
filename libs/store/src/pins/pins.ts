import { EVERY_TENANT, readForTenant, type Store, type Tx } from '../database/store.ts';
import type { Role } from '../legs/legs.ts';

/**
 * Claims a PIN on a number for a room. Returns `false` when the number has this PIN, or one of
 * another length with the same first six digits: of any tenant, live or in quarantine. Also when
 * another transaction claims a PIN with the same first six digits.
 */
export async function claimPin(
  tx: Tx,
  tenantId: string,
  pin: {
    id: string;
    roomId: string;
    number: string;
    /** The look-up under each key (pin-vault.ts). The first one is stored. */
    lookups: readonly Buffer[];
    /** The look-ups of the first six digits. The first one is stored. */
    heads: readonly Buffer[];
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
           SELECT $1::text, $2::text, $3::text, $4::text, ($5::bytea[])[1], $6::bytea, $7::text, $8::text,
             $9::int, ($10::bytea[])[1]
           WHERE reserve_pin($4, $5, $10, $9)
           ON CONFLICT (number, lookup) DO NOTHING`,
    values: [
      pin.id,
      tenantId,
      pin.roomId,
      pin.number,
      pin.lookups,
      pin.ciphertext,
      pin.role ?? 'participant',
      pin.participantId ?? null,
      pin.digits,
      pin.heads,
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

/** The stored forms of a PIN that depend on the PIN key. */
interface EncryptedPin {
  readonly lookup: Uint8Array;
  readonly ciphertext: Uint8Array;
}

/** Returns PINs of all tenants by id, after the PIN `after`; also those in quarantine. */
export async function listPinsToRewrap(
  store: Store,
  { after, limit }: { after: string; limit: number },
): Promise<(EncryptedPin & { readonly id: string; readonly tenantId: string })[]> {
  const { rows } = await store.query<EncryptedPin & { id: string; tenantId: string }>(EVERY_TENANT, {
    name: 'pins-to-rewrap',
    text: `SELECT id, tenant_id AS "tenantId", lookup, ciphertext
           FROM pin
           WHERE id > $1
           ORDER BY id
           LIMIT $2`,
    values: [after, limit],
  });
  return rows;
}

/**
 * Returns PINs of all tenants without a look-up of their first six digits, by id, after the PIN
 * `after`.
 */
export async function listPinsWithoutHead(
  store: Store,
  { after, limit }: { after: string; limit: number },
): Promise<{ readonly id: string; readonly tenantId: string; readonly ciphertext: Uint8Array }[]> {
  const { rows } = await store.query<{ id: string; tenantId: string; ciphertext: Uint8Array }>(EVERY_TENANT, {
    name: 'pins-without-head',
    text: `SELECT id, tenant_id AS "tenantId", ciphertext
           FROM pin
           WHERE head IS NULL AND id > $1
           ORDER BY id
           LIMIT $2`,
    values: [after, limit],
  });
  return rows;
}

/**
 * Stores the look-up of a PIN's first six digits, and its length. Returns `false` when it has one.
 */
export async function fillPinHead(
  store: Store,
  tenantId: string,
  { id, head, digits }: { id: string; head: Uint8Array; digits: number },
): Promise<boolean> {
  const { rowCount } = await store.query(tenantId, {
    name: 'fill-pin-head',
    text: `UPDATE pin
           SET head = $3, digits = $4
           WHERE tenant_id = $1 AND id = $2 AND head IS NULL`,
    values: [tenantId, id, head, digits],
  });
  return rowCount === 1;
}

/**
 * Replaces a PIN's stored forms by those of another key. Returns `false` unless they are `before`.
 */
export async function replaceEncryptedPin(
  store: Store,
  tenantId: string,
  { id, before, after }: { id: string; before: EncryptedPin; after: EncryptedPin & { readonly head: Uint8Array } },
): Promise<boolean> {
  const { rowCount } = await store.query(tenantId, {
    name: 'replace-encrypted-pin',
    text: `UPDATE pin
           SET lookup = $4, ciphertext = $5, head = $6
           WHERE tenant_id = $1 AND id = $2 AND lookup = $3`,
    values: [tenantId, id, before.lookup, after.lookup, after.ciphertext, after.head],
  });
  return rowCount === 1;
}
