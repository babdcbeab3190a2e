import { openPinVault } from '@partyline/conference/pins/pin-vault';
import type { Credentials } from '@partyline/dev/stack/credentials';
import { seed } from '@partyline/store/tenants/seed';
import { openStore, type Store } from '@partyline/store/database/store';
import { conversationOf, NUMBER, pinIdOf, pinOf, roomIdOf, sessionIdOf } from './rooms.ts';

const BATCH_ROWS = 5_000;
/** With 50 callers each, these rooms reach the limit of a tenant's connections. */
const ROOMS_PER_TENANT = 10;
const tenantOf = (room: number): string => `ten_bench_${Math.floor(room / ROOMS_PER_TENANT)}`;

/**
 * Creates tenants, their number and rooms in the state after create-room: with an open session and
 * an active PIN.
 */
export async function seedRooms(
  databaseUrl: string,
  { tenantId, apiKey, pinKey }: Credentials,
  rooms: number,
): Promise<void> {
  const failed: Error[] = [];
  const store = openStore({ owner: true, url: databaseUrl, max: 1, onError: (error) => failed.push(error) });
  try {
    await seed(store, { tenantId, tenantName: 'Bench', apiKey, numbers: [{ e164: NUMBER, language: 'en-US' }] });
    // One call in ten keys a wrong PIN, which would put a guarded number into slow mode.
    await store.pool.query('UPDATE dial_in_number SET guarded = false');
    const vault = openPinVault([Buffer.from(pinKey, 'base64')]);
    for (let first = 0; first < rooms; first += BATCH_ROWS) {
      const batch = Array.from({ length: Math.min(BATCH_ROWS, rooms - first) }, (_, offset) => first + offset);
      await insertRooms(store, batch);
      await store.pool.query(
        `INSERT INTO pin (id, tenant_id, room_id, number, lookup, ciphertext)
         SELECT p.id, p.tenant_id, p.room_id, $1, p.lookup, p.ciphertext
         FROM unnest($2::text[], $3::text[], $4::text[], $5::bytea[], $6::bytea[])
           AS p (id, tenant_id, room_id, lookup, ciphertext)`,
        [
          NUMBER,
          batch.map(pinIdOf),
          batch.map(tenantOf),
          batch.map(roomIdOf),
          batch.map((room) => vault.lookups(pinOf(room))[0]),
          batch.map((room) => vault.encrypt(pinOf(room), pinIdOf(room))),
        ],
      );
    }
    // Prevents autovacuum from running in the middle of a measurement.
    await store.pool.query('VACUUM ANALYZE');
    await store.pool.query('CHECKPOINT');
  } finally {
    await store.close();
  }
  if (failed[0]) throw failed[0];
}

async function insertRooms(store: Store, batch: readonly number[]): Promise<void> {
  const ids = batch.map(roomIdOf);
  const tenants = batch.map(tenantOf);
  await store.pool.query(
    `INSERT INTO tenant (id, name)
     SELECT id, 'Bench'
     FROM unnest($1::text[]) AS id
     ON CONFLICT DO NOTHING`,
    [[...new Set(tenants)]],
  );
  await store.pool.query(
    `INSERT INTO room (id, tenant_id, name, number, max_participants, max_duration_s,
       never_used_s, browsers_left_s, phones_left_s, alone_s, empty_s)
     SELECT r.id, r.tenant_id, 'Bench', $1, 50, 7200, 3600, 60, 60, 600, 60
     FROM unnest($2::text[], $3::text[]) AS r (id, tenant_id)`,
    [NUMBER, ids, tenants],
  );
  await store.pool.query(
    `INSERT INTO session (id, tenant_id, room_id, state, conversation, media_session_id, due_at, due_reason)
     SELECT s.id, s.tenant_id, s.room_id, 'open', s.conversation, 'media_' || s.id,
       now() + interval '1 hour', 'never-used'
     FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS s (id, tenant_id, room_id, conversation)`,
    [batch.map(sessionIdOf), tenants, ids, batch.map(conversationOf)],
  );
}
