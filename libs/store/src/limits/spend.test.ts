import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { applyChargeToCdr, storeCdr, type NewCdr } from '../billing/cdrs.ts';
import { listSessionsNearLimit, readSpend } from './spend.ts';
import { EVERY_TENANT, inTransaction, openStore, type Store } from '../database/store.ts';
import { makeLeg, makeRoom } from '../testing/fixtures.ts';

let database: TestDatabase;
let store: Store;
let room: { tenantId: string; sessionId: string; roomId: string };
beforeAll(async () => {
  database = await createTestDatabase();
  store = openStore({ owner: true, url: database.url, onError: () => undefined });
  // Rates in dollars are higher than the default rates in euros; calls to Britain cost more than
  // others.
  await store.pool.query(`INSERT INTO platform_rate (what, prefix, currency, micro_per_minute)
    VALUES ('inbound', '', 'USD', 60000), ('outbound', '', 'USD', 60000), ('outbound', '+44', 'USD', 600000),
      ('bridge-voice', '', 'USD', 60000), ('bridge-media', '', 'USD', 60000), ('webrtc', '', 'USD', 60000)`);
});
beforeEach(async () => {
  await store.pool.query('TRUNCATE tenant, cdr, month_sum, room_sum CASCADE');
  room = await makeRoom(store, { tenant_id: 'ten_usd' });
  await store.pool.query(`UPDATE tenant SET currency = 'USD', max_spend_micro_per_month = 1000000000`);
  await store.pool.query(`UPDATE room SET max_spend_micro = 1000000000`);
});
afterAll(async () => {
  await store.close();
  await database.drop();
});

const EUROS = { currency: 'EUR', startedAt: null, endedAt: null };
async function storeEndedCall(cdr: Partial<NewCdr> = {}): Promise<string> {
  const legId = await makeLeg(store, room, { kind: 'outbound', state: 'ended', remote: '+442079460018' });
  await inTransaction(store, EVERY_TENANT, (tx) =>
    storeCdr(tx, room.tenantId, {
      legId,
      handle: 'voice',
      direction: 'outbound',
      roomId: room.roomId,
      sessionId: room.sessionId,
      number: '+12025550100',
      remote: '+442079460018',
      startedAt: null,
      endedAt: new Date(),
      seconds: 30,
      rateMicro: null,
      priceMicro: '7',
      currency: 'EUR',
      source: 'callback',
      priceLookupInS: null,
      ...cdr,
    }),
  );
  return legId;
}
/** The spend of the tenant and of the room. */
const spent = async (): Promise<bigint[]> =>
  (await readSpend(store, room.tenantId, room.roomId)).map(({ used }) => used);

it('a charge in another currency counts by the rates in the currency of the tenant', async () => {
  await storeEndedCall();
  expect(await spent()).toEqual([300_000n, 300_000n]);
  await storeEndedCall({ direction: 'inbound' });
  expect(await spent()).toEqual([330_000n, 330_000n]);
});

it('exact prices are summed before they are rounded, and a part of a micro-unit counts as a whole one', async () => {
  for (const priceMicro of ['0.4', '0.4', '0.4', '1502.51']) await storeEndedCall({ currency: 'USD', priceMicro });
  expect(await spent()).toEqual([1_504n, 1_504n]);
});

it('a charge in the currency of the tenant counts as it is', async () => {
  await storeEndedCall({ currency: 'USD', priceMicro: '12' });
  expect(await spent()).toEqual([12n, 12n]);
});

it('a record that is completed later counts from then on, in the currency of the tenant', async () => {
  const legId = await storeEndedCall({ seconds: 0, priceMicro: null, currency: null });
  expect(await spent()).toEqual([0n, 0n]);
  await inTransaction(store, EVERY_TENANT, (tx) =>
    applyChargeToCdr(
      tx,
      room.tenantId,
      { legId, handle: 'voice', source: 'record' },
      { ...EUROS, seconds: 30, rateMicro: '14', priceMicro: '7' },
    ),
  );
  expect(await spent()).toEqual([300_000n, 300_000n]);
  // The estimate is in the currency of the record: 0.04 euros a minute.
  const record = await store.prisma.cdr.findFirst();
  expect(record?.price_micro?.toString()).toBe('7');
  expect(record).toMatchObject({
    currency: 'EUR',
    estimate_micro: 20_000n,
    tenant_currency: 'USD',
    tenant_estimate_micro: 300_000n,
  });
});

it('a change of currency recomputes the spend of a tenant', async () => {
  await store.pool.query(`UPDATE tenant SET currency = 'EUR'`);
  await storeEndedCall({ currency: 'USD', priceMicro: '5' });
  await storeEndedCall({ currency: 'EUR', priceMicro: '9' });
  expect(await spent()).toEqual([20_009n, 20_009n]);
  await store.pool.query(`UPDATE tenant SET currency = 'USD'`);
  expect(await spent()).toEqual([300_005n, 300_005n]);
});

it('listSessionsNearLimit counts calls of the tenant in any currency', async () => {
  await makeLeg(store, room, { kind: 'inbound', state: 'joined' });
  await store.pool.query(`UPDATE tenant SET max_spend_micro_per_month = 440000`);
  expect(await listSessionsNearLimit(store)).toEqual([]);
  await storeEndedCall();
  expect(await listSessionsNearLimit(store)).toMatchObject([{ tenant_id: 'ten_usd' }]);
  await store.pool.query(
    `UPDATE tenant SET max_spend_micro_per_month = NULL; UPDATE room SET max_spend_micro = 440000`,
  );
  expect(await listSessionsNearLimit(store)).toMatchObject([{ tenant_id: 'ten_usd' }]);
});
