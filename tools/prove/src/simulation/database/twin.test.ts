import { openStore, type Store } from '@partyline/store/database/store';
import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { DEFAULT_ENDPOINT } from './statements-deliveries.ts';
import { NUMBER, operation, OWN_ACCOUNT, OWN_NUMBER, TENANT_IDS } from './operations.ts';
import { DatabaseServer, openTwinStore } from './twin.ts';

let database: TestDatabase;
let real: Store;

beforeAll(async () => {
  database = await createTestDatabase();
  real = openStore({ owner: true, url: database.url, max: 2, onError: () => undefined });
});
afterAll(async () => {
  await real.close();
  await database.drop();
});

const TABLES = [
  'room',
  'session',
  'leg',
  'pin',
  'participant',
  'webhook_jti',
  'outbox',
  'endpoint',
  'delivery',
  'delivery_attempt',
  'hang_up_attempt',
  'orphan_call',
  'lease',
  'provider_rate_limit',
  'observation',
] as const;

/**
 * Resets both databases to two tenants with three endpoints, a shared number and a dedicated one.
 */
async function reset(): Promise<{ twin: Store; server: DatabaseServer }> {
  await real.pool.query(`TRUNCATE tenant, dial_in_number, cdr, ${TABLES.join(', ')} RESTART IDENTITY CASCADE`);
  const server = new DatabaseServer(() => Date.now());
  for (const id of TENANT_IDS) {
    await real.pool.query('INSERT INTO tenant (id, name) VALUES ($1, $1)', [id]);
    server.tables.tenants.set(id, {});
  }
  await real.pool.query('INSERT INTO dial_in_number (e164, language, guarded) VALUES ($1, $2, false)', [
    NUMBER,
    'de-DE',
  ]);
  server.tables.numbers.set(NUMBER, {
    e164: NUMBER,
    language: 'de-DE',
    country: null,
    toll_free: false,
    dedicated_to: null,
    account_id: null,
    created_at: new Date(),
  });
  await real.pool.query(
    `INSERT INTO provider_account (
      id, tenant_id, label, voice_kind, media_kind, application_id, voice_key_end, ciphertext, verified_at
    )
    VALUES ($1, $2, 'Own', 'vonage', 'unified', 'app', 'end', '\\x00', now())`,
    [OWN_ACCOUNT, TENANT_IDS[0]],
  );
  await real.pool.query(
    'INSERT INTO dial_in_number (e164, language, dedicated_to, guarded, account_id) VALUES ($1, $2, $3, false, $4)',
    [OWN_NUMBER, 'en-GB', TENANT_IDS[0], OWN_ACCOUNT],
  );
  server.tables.numbers.set(OWN_NUMBER, {
    e164: OWN_NUMBER,
    language: 'en-GB',
    country: null,
    toll_free: false,
    dedicated_to: TENANT_IDS[0],
    account_id: OWN_ACCOUNT,
    created_at: new Date(),
  });
  // Endpoints for all events, for one type, and a disabled one.
  for (const [n, settings] of [{ types: [] }, { types: ['leg.ended'] }, { types: [], enabled: false }].entries()) {
    const endpoint = {
      ...DEFAULT_ENDPOINT,
      ...settings,
      id: `ep_${n}`,
      tenant_id: TENANT_IDS[n === 2 ? 1 : 0],
      url: 'https://tenant',
      secret: new Uint8Array(Buffer.from('ciphertext')),
      created_at: new Date(),
    };
    await real.prisma.endpoint.create({ data: endpoint });
    server.tables.endpoints.set(endpoint.id, endpoint);
  }
  const twin = openTwinStore(server, (_label, act) => {
    const reply = act();
    return 'error' in reply ? Promise.reject(reply.error) : Promise.resolve(reply.value);
  });
  return { twin, server };
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Removes differences that are allowed: instants near now, ages, and the order of lists. */
function normalize(value: unknown): unknown {
  if (value instanceof Date)
    return Math.abs(value.getTime() - Date.now()) < 86_400_000 ? 'near now' : value.toISOString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (Array.isArray(value))
    return value.map(normalize).toSorted((a, b) => compareText(JSON.stringify(a), JSON.stringify(b)));
  if (typeof value !== 'object' || value === null) return value ?? null;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== 'now' && key !== 'age_ms')
      .map(([key, each]) => [key, normalize(each)] as const)
      .toSorted(([a], [b]) => compareText(a, b)),
  );
}

const settle = (run: Promise<unknown>): Promise<unknown> =>
  run.then(
    (value) => ({ value: normalize(value) }),
    (error: Error & { code?: string }) => ({ error: error.code ?? error.name }),
  );

async function readRows({ tables }: DatabaseServer): Promise<Record<string, [unknown, unknown]>> {
  const twinRows: Record<(typeof TABLES)[number], readonly object[]> = {
    room: [...tables.rooms.values()],
    session: [...tables.sessions.values()],
    leg: [...tables.legs.values()],
    pin: [...tables.pins.values()],
    participant: [...tables.participants.values()],
    webhook_jti: [...tables.tokens].map(([jti, expires_at]) => ({ jti, expires_at })),
    endpoint: [...tables.endpoints.values()],
    delivery: [...tables.deliveries.values()],
    delivery_attempt: [...tables.deliveryAttempts.values()],
    outbox: [...tables.outbox.values()].map(({ data, ...row }) => ({ ...row, data: JSON.parse(data) as unknown })),
    hang_up_attempt: [...tables.hangUpAttempts.values()],
    orphan_call: [...tables.orphanCalls.values()],
    lease: [...tables.leases].map(([name, row]) => ({ name, ...row })),
    provider_rate_limit: [...tables.rateLimits].map(([key, row]) => ({
      account: key.split(' ')[0],
      lane: key.split(' ')[1],
      share: key.split(' ')[2],
      ...row,
    })),
    observation: tables.observations,
  };
  const both: Record<string, [unknown, unknown]> = {};
  for (const table of TABLES) {
    const { rows } = await real.pool.query<Record<string, unknown>>(`SELECT * FROM ${table}`);
    // Generated ids have gaps after a rollback, in Postgres only.
    const withoutGeneratedIds = (row: object): object =>
      table === 'outbox' || table === 'observation'
        ? { ...row, id: null }
        : table === 'delivery'
          ? { ...row, id: null, event_id: null }
          : table === 'delivery_attempt'
            ? { ...row, delivery_id: null }
            : row;
    both[table] = [normalize(twinRows[table].map(withoutGeneratedIds)), normalize(rows.map(withoutGeneratedIds))];
  }
  return both;
}

const SEQUENCES = 250;

it(`the twin answers as Postgres does in ${SEQUENCES} random sequences of operations`, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { minLength: 5, maxLength: 40 }), async (operations) => {
      const { twin, server } = await reset();
      const states = { real: { delivery: null }, twin: { delivery: null } };
      for (const { name, input, run } of operations) {
        const expected = await settle(run(real, states.real));
        const actual = await settle(run(twin, states.twin));
        const hideGeneratedIds = (text: unknown): string =>
          JSON.stringify(text).replaceAll(/"id":"(?:\d+|dlv_[\w-]+)"/g, '"id":"n"');
        const label = `${name} ${JSON.stringify(input)}: `;
        expect(label + hideGeneratedIds(actual)).toBe(label + hideGeneratedIds(expected));
      }
      for (const [table, [actual, expected]] of Object.entries(await readRows(server)))
        expect({ [table]: actual }).toEqual({ [table]: expected });
    }),
    { numRuns: SEQUENCES, ...(process.env['SEED'] === undefined ? {} : { seed: Number(process.env['SEED']) }) },
  );
}, 240_000);
