import type { Role } from '../sessions/session-lock.ts';
import { readAs, type Store, type Tx } from '../database/store.ts';

/** A person's own PIN, without the PIN. */
interface PersonalPin {
  readonly id: string;
  readonly participant_id: string;
  readonly role: Role;
  readonly name: string;
  readonly created_at: Date;
}

/** The PINs of a room's people, oldest first, and the room's state; `null` when this tenant has no such room. */
export async function listPersonalPins(store: Store, tenantId: string, roomId: string): Promise<PersonalPin[] | null> {
  return readAs(store, tenantId, async (db) => {
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

/** How many people of a room have PINs of their own. */
export async function countPersonalPins(tx: Tx, tenantId: string, roomId: string): Promise<number> {
  const { rows } = await tx.query<{ n: number }>({
    name: 'count-personal-pins',
    text: 'SELECT count(*)::int AS n FROM pin WHERE tenant_id = $1 AND room_id = $2 AND participant_id IS NOT NULL AND quarantined_until IS NULL',
    values: [tenantId, roomId],
  });
  return rows[0]!.n;
}

/** Takes a PIN of a person's own out of use; it stays taken for `quarantineS` seconds. `false` when the room has no such PIN in use. */
export async function releasePin(
  tx: Tx,
  tenantId: string,
  { roomId, pinId, quarantineS }: { roomId: string; pinId: string; quarantineS: number },
): Promise<boolean> {
  const { rowCount } = await tx.query({
    name: 'release-pin',
    text: 'UPDATE pin SET quarantined_until = now() + make_interval(secs => $4) WHERE tenant_id = $1 AND room_id = $2 AND id = $3 AND participant_id IS NOT NULL AND quarantined_until IS NULL',
    values: [tenantId, roomId, pinId, quarantineS],
  });
  return rowCount === 1;
}

/** Takes the room's own PINs out of use, and leaves those of people. */
export async function releaseRoomPins(tx: Tx, tenantId: string, roomId: string, quarantineS: number): Promise<void> {
  await tx.query({
    name: 'release-room-pins',
    text: 'UPDATE pin SET quarantined_until = now() + make_interval(secs => $3) WHERE tenant_id = $1 AND room_id = $2 AND participant_id IS NULL AND quarantined_until IS NULL',
    values: [tenantId, roomId, quarantineS],
  });
}
