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

/** Both databases as they are to begin with: two tenants, one of whom is told of events, and a number. */
async function begin(): Promise<{ twin: Store; server: DatabaseServer }> {
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
    `INSERT INTO provider_account (id, tenant_id, label, voice_kind, media_kind, application_id, voice_key_end, sealed, verified_at) VALUES ($1, $2, 'Own', 'vonage', 'unified', 'app', 'end', '\\x00', now())`,
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
  // One who is told of all, one of some events, one of none any more.
  for (const [n, of] of [{ types: [] }, { types: ['leg.ended'] }, { types: [], enabled: false }].entries()) {
    const made = {
      ...DEFAULT_ENDPOINT,
      ...of,
      id: `ep_${n}`,
      tenant_id: TENANT_IDS[n === 2 ? 1 : 0],
      url: 'https://tenant',
      secret: new Uint8Array(Buffer.from('sealed')),
      created_at: new Date(),
    };
    await real.prisma.endpoint.create({ data: made });
    server.tables.endpoints.set(made.id, made);
  }
  const twin = openTwinStore(server, (_label, act) => {
    const reply = act();
    return 'error' in reply ? Promise.reject(reply.error) : Promise.resolve(reply.value);
  });
  return { twin, server };
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** A value without what two databases may differ in: instants near now, ages, the order of a list that has none. */
function plain(value: unknown): unknown {
  if (value instanceof Date)
    return Math.abs(value.getTime() - Date.now()) < 86_400_000 ? 'near now' : value.toISOString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (Array.isArray(value)) return value.map(plain).toSorted((a, b) => byText(JSON.stringify(a), JSON.stringify(b)));
  if (typeof value !== 'object' || value === null) return value ?? null;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== 'now' && key !== 'age_ms')
      .map(([key, each]) => [key, plain(each)] as const)
      .toSorted(([a], [b]) => byText(a, b)),
  );
}

const outcome = (run: Promise<unknown>): Promise<unknown> =>
  run.then(
    (value) => ({ value: plain(value) }),
    (error: Error & { code?: string }) => ({ error: error.code ?? error.name }),
  );

async function rowsOf(twin: DatabaseServer): Promise<Record<string, [unknown, unknown]>> {
  const { tables: t } = twin;
  const ours: Record<(typeof TABLES)[number], readonly object[]> = {
    room: [...t.rooms.values()],
    session: [...t.sessions.values()],
    leg: [...t.legs.values()],
    pin: [...t.pins.values()],
    participant: [...t.participants.values()],
    webhook_jti: [...t.tokens].map(([jti, expires_at]) => ({ jti, expires_at })),
    endpoint: [...t.endpoints.values()],
    delivery: [...t.deliveries.values()],
    delivery_attempt: [...t.deliveryAttempts.values()],
    outbox: [...t.outbox.values()].map(({ data, ...row }) => ({ ...row, data: JSON.parse(data) as unknown })),
    hang_up_attempt: [...t.hangUpAttempts.values()],
    orphan_call: [...t.orphanCalls.values()],
    lease: [...t.leases].map(([name, row]) => ({ name, ...row })),
    provider_rate_limit: [...t.rateLimits].map(([key, row]) => ({
      account: key.split(' ')[0],
      lane: key.split(' ')[1],
      share: key.split(' ')[2],
      ...row,
    })),
    observation: t.observations,
  };
  const both: Record<string, [unknown, unknown]> = {};
  for (const table of TABLES) {
    const { rows } = await real.pool.query<Record<string, unknown>>(`SELECT * FROM ${table}`);
    // Serial numbers have gaps after a rollback, in Postgres only.
    const withoutSerial = (row: object): object =>
      table === 'outbox' || table === 'observation'
        ? { ...row, id: null }
        : table === 'delivery'
          ? { ...row, id: null, event_id: null }
          : table === 'delivery_attempt'
            ? { ...row, delivery_id: null }
            : row;
    both[table] = [plain(ours[table].map(withoutSerial)), plain(rows.map(withoutSerial))];
  }
  return both;
}

const SEQUENCES = 250;

it(`answers as Postgres does, over ${SEQUENCES} random sequences of the store's own functions`, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { minLength: 5, maxLength: 40 }), async (operations) => {
      const { twin, server } = await begin();
      const sides = { real: { delivery: null }, twin: { delivery: null } };
      for (const { name, given, run } of operations) {
        const wanted = await outcome(run(real, sides.real));
        const got = await outcome(run(twin, sides.twin));
        const hideSerial = (text: unknown): string =>
          JSON.stringify(text).replaceAll(/"id":"(?:\d+|dlv_[\w-]+)"/g, '"id":"n"');
        const asked = `${name} ${JSON.stringify(given)}: `;
        expect(asked + hideSerial(got)).toBe(asked + hideSerial(wanted));
      }
      for (const [table, [got, wanted]] of Object.entries(await rowsOf(server)))
        expect({ [table]: got }).toEqual({ [table]: wanted });
    }),
    { numRuns: SEQUENCES, ...(process.env['SEED'] === undefined ? {} : { seed: Number(process.env['SEED']) }) },
  );
}, 240_000);
