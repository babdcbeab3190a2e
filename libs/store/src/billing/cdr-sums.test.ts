import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { applyChargeToCdr, storeCdr, type NewCdr } from './cdrs.ts';
import { readSpend } from '../limits/spend.ts';
import { EVERY_TENANT, inTransaction, openStore, type Store } from '../database/store.ts';
import { makeRoom } from '../testing/fixtures.ts';

let database: TestDatabase;
/** One store as the owner of the database, one as the services connect. */
let owner: Store;
let store: Store;
beforeAll(async () => {
  database = await createTestDatabase();
  owner = openStore({ owner: true, url: database.url, onError: () => undefined });
  store = openStore({ url: database.url, max: 10, onError: () => undefined });
  await owner.pool.query(
    `INSERT INTO platform_rate (what, prefix, currency, micro_per_minute)
     VALUES ('inbound', '', 'USD', 60000), ('inbound', '', 'GBP', 77777), ('outbound', '', 'USD', 60000),
       ('outbound', '+44', 'USD', 600000)`,
  );
});
const TENANTS = ['ten_a', 'ten_b'] as const;
/** Two rooms of each tenant. */
let rooms: Record<(typeof TENANTS)[number], readonly [string, string]>;
beforeEach(() => reset());
afterAll(async () => {
  await store.close();
  await owner.close();
  await database.drop();
});

async function reset(): Promise<void> {
  await owner.pool.query('TRUNCATE tenant, cdr, month_sum, room_sum CASCADE');
  const room = async (tenant_id: string): Promise<string> => (await makeRoom(owner, { tenant_id })).roomId;
  rooms = { ten_a: [await room('ten_a'), await room('ten_a')], ten_b: [await room('ten_b'), await room('ten_b')] };
  await owner.pool.query(
    `UPDATE tenant SET max_spend_micro_per_month = 1000000000000, max_minutes_per_month = 1000000;
     UPDATE room SET max_spend_micro = 1000000000000`,
  );
}

/** The usage that limits are compared with, and the same computed from the records. */
const usedByLimits = async (tenantId: string, roomId: string): Promise<string[]> =>
  (await readSpend(store, tenantId, roomId)).map(({ scope, used }) => `${scope} ${used}`);
async function sumOfRecords(tenantId: string, roomId: string): Promise<string[]> {
  const { rows } = await owner.pool.query<{ money: string; seconds: string; room: string }>(
    `SELECT ceil(COALESCE(sum(spent_micro(c, t.currency)) FILTER (WHERE c.ended_at >= this_month()), 0)) AS money,
       COALESCE(sum(c.seconds) FILTER (WHERE c.ended_at >= this_month()), 0) AS seconds,
       ceil(COALESCE(sum(spent_micro(c, t.currency)) FILTER (WHERE c.room_id = $2), 0)) AS room
     FROM tenant t
     LEFT JOIN cdr c ON c.tenant_id = t.id
     WHERE t.id = $1`,
    [tenantId, roomId],
  );
  const { money, seconds: lasted, room } = rows.at(0)!;
  return [`tenant-spend ${money}`, `tenant-minutes ${lasted}`, `room-spend ${room}`];
}

const HOUR_MS = 3_600_000;
const record = (legId: string, of: Partial<NewCdr> = {}): NewCdr => ({
  legId,
  handle: 'voice',
  direction: 'inbound',
  roomId: null,
  sessionId: null,
  number: '+12025550100',
  remote: '+442079460018',
  startedAt: null,
  endedAt: new Date(),
  seconds: 61,
  rateMicro: null,
  priceMicro: null,
  currency: null,
  source: 'callback',
  priceLookupInS: null,
  ...of,
});
const write = (tenantId: string, cdr: NewCdr): Promise<boolean> =>
  inTransaction(store, tenantId, (tx) => storeCdr(tx, tenantId, cdr));

const tenant = fc.constantFrom(...TENANTS);
const LEGS_PER_TENANT = 4;
const leg = fc.integer({ min: 0, max: LEGS_PER_TENANT * TENANTS.length - 1 });
/** Each tenant has legs of its own. */
const legOf = (tenantId: (typeof TENANTS)[number], n: number): string =>
  `leg_${(n % LEGS_PER_TENANT) + LEGS_PER_TENANT * TENANTS.indexOf(tenantId)}`;
const seconds = fc.integer({ min: 0, max: 400 });
const micro = fc.integer({ min: 0, max: 1_000_000 }).map(BigInt);
/** With the two decimals of a micro-unit that the provider's eight decimals give. */
const exactMicro = fc.integer({ min: 0, max: 100_000_000 }).map((hundredths) => (hundredths / 100).toFixed(2));
const currency = fc.constantFrom('EUR', 'USD', 'GBP');
/** In this month, in the month before, and in the next month for a clock that is ahead. */
const endedAt = fc.constantFrom(0, 0, 0, -32, 32).map((days) => new Date(Date.now() + days * 24 * HOUR_MS));
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      what: fc.constant('store' as const),
      tenant,
      room: fc.constantFrom(0 as const, 1 as const, null),
      leg,
      isConnection: fc.boolean(),
      direction: fc.constantFrom('inbound', 'outbound'),
      endedAt,
      seconds,
      price: fc.option(exactMicro),
      currency: fc.option(currency),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constant('fill' as const),
      tenant,
      leg,
      endedAt: fc.option(endedAt),
      seconds: fc.option(seconds),
      price: exactMicro,
      currency,
    }),
  },
  fc.record({ what: fc.constant('correct' as const), leg, seconds, price: fc.option(exactMicro) }),
  fc.record({ what: fc.constant('move' as const), leg, room: fc.constantFrom(0 as const, 1 as const, null) }),
  fc.record({ what: fc.constant('delete' as const), leg }),
  fc.record({ what: fc.constant('change currency' as const), tenant, currency }),
  fc.record({ what: fc.constant('change rate' as const), currency: fc.constantFrom('USD', 'GBP'), micro }),
);

async function runStep(one: typeof step extends fc.Arbitrary<infer Step> ? Step : never): Promise<unknown> {
  switch (one.what) {
    case 'store': {
      const { isConnection, direction, endedAt: ended, seconds: lasted, price, currency: charged } = one;
      return write(
        one.tenant,
        record(legOf(one.tenant, one.leg), {
          // A later end of a connection replaces its record. The provider states no price of one.
          handle: isConnection ? 'media' : 'voice',
          direction,
          endedAt: ended,
          seconds: lasted,
          priceMicro: isConnection ? null : price,
          currency: isConnection ? null : charged,
          roomId: one.room === null ? null : rooms[one.tenant][one.room],
        }),
      );
    }
    case 'fill':
      return inTransaction(store, one.tenant, (tx) =>
        applyChargeToCdr(
          tx,
          one.tenant,
          { legId: legOf(one.tenant, one.leg), handle: 'voice', source: 'record' },
          {
            startedAt: null,
            endedAt: one.endedAt,
            seconds: one.seconds,
            rateMicro: null,
            priceMicro: one.price,
            currency: one.currency,
          },
        ),
      );
    case 'correct':
      return owner.pool.query('UPDATE cdr SET seconds = $2, price_micro = $3 WHERE leg_id = $1', [
        `leg_${one.leg}`,
        one.seconds,
        one.price,
      ]);
    case 'move':
      return owner.pool.query('UPDATE cdr SET room_id = ($2::jsonb -> tenant_id ->> $3::int) WHERE leg_id = $1', [
        `leg_${one.leg}`,
        JSON.stringify(rooms),
        one.room,
      ]);
    case 'delete':
      return owner.pool.query('DELETE FROM cdr WHERE leg_id = $1', [`leg_${one.leg}`]);
    case 'change currency':
      return owner.pool.query('UPDATE tenant SET currency = $2 WHERE id = $1', [one.tenant, one.currency]);
    case 'change rate':
      return owner.pool.query(
        `UPDATE platform_rate SET micro_per_minute = $2 WHERE what = 'inbound' AND prefix = '' AND currency = $1`,
        [one.currency, one.micro],
      );
    default:
      return one satisfies never;
  }
}

it(
  'the usage of limits equals the sum of the records after any stores, corrections, deletions and currency changes',
  { timeout: 300_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
        await reset();
        for (const one of steps) await runStep(one);
        for (const tenantId of TENANTS)
          for (const roomId of rooms[tenantId])
            expect(await usedByLimits(tenantId, roomId)).toEqual(await sumOfRecords(tenantId, roomId));
      }),
      { numRuns: 40 },
    );
  },
);

it('concurrent transactions store several records of one room in any order', async () => {
  const [tenantId, roomId] = ['ten_a', rooms.ten_a[0]];
  await Promise.all(
    Array.from({ length: 40 }, (_, n) =>
      inTransaction(store, tenantId, async (tx) => {
        const two = [
          record(`leg_${n}_x`, { roomId, currency: 'EUR' }),
          record(`leg_${n}_y`, { roomId, currency: 'USD', endedAt: new Date(Date.now() - 32 * 24 * HOUR_MS) }),
        ];
        for (const cdr of n % 2 === 0 ? two : two.toReversed()) await storeCdr(tx, tenantId, cdr);
      }),
    ),
  );
  expect(await usedByLimits(tenantId, roomId)).toEqual(await sumOfRecords(tenantId, roomId));
});

it('an uncommitted record does not block another record of the same room', async () => {
  const [tenantId, roomId] = ['ten_a', rooms.ten_a[0]];
  await inTransaction(store, tenantId, async (tx) => {
    await storeCdr(tx, tenantId, record('leg_slow', { roomId }));
    await write(tenantId, record('leg_quick', { roomId }));
    expect((await usedByLimits(tenantId, roomId))[1]).toBe('tenant-minutes 61');
  });
  expect((await usedByLimits(tenantId, roomId))[1]).toBe('tenant-minutes 122');
});

it('sums exclude the record of a caller before admission', async () => {
  await inTransaction(store, EVERY_TENANT, (tx) => storeCdr(tx, null, record('leg_not_admitted')));
  expect(await owner.prisma.month_sum.count()).toBe(0);
});

it('a scheduled price look-up does not update the sums', async () => {
  await write('ten_a', record('leg_asked', { priceLookupInS: 0 }));
  const version = async (): Promise<unknown> => (await owner.pool.query('SELECT xmin::text FROM month_sum')).rows;
  const before = await version();
  await owner.pool.query(
    `UPDATE cdr SET price_lookups = price_lookups + 1, price_lookup_at = now() + interval '1 minute'`,
  );
  expect(await version()).toEqual(before);
  await owner.pool.query('UPDATE cdr SET seconds = seconds');
  expect(await version()).not.toEqual(before);
});
