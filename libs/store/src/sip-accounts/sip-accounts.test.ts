import { PLATFORM_SIP } from '@partyline/domain/platform-account';
import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openStore, type Store } from '../database/store.ts';
import { freshId, makeAccount } from '../testing/fixtures.ts';
import { advanceSipAccount, insertSipAccount, listGatewayNumbers, listLogins } from './sip-accounts.ts';

let database: TestDatabase;
let store: Store;
beforeAll(async () => {
  database = await createTestDatabase();
  store = openStore({ owner: true, url: database.url, onError: () => undefined });
});
afterAll(async () => {
  await store.close();
  await database.drop();
});

it('lists the logins of all tenants that are not suspended, with their versions', async () => {
  const [a, b] = [await makeAccount(store), await makeAccount(store)];
  const [one, two] = [freshId('sip'), freshId('sip')];
  await insertSipAccount(store, a.tenantId, { id: one, label: 'One' }, 10);
  await insertSipAccount(store, b.tenantId, { id: two, label: 'Two' }, 10);
  expect(await advanceSipAccount(store, b.tenantId, one)).toBeNull();
  await advanceSipAccount(store, a.tenantId, one);
  const versions = async () => new Map((await listLogins(store)).map(({ id, ...rest }) => [id, rest]));
  expect(await versions()).toEqual(
    new Map([
      [one, { tenantId: a.tenantId, version: 2 }],
      [two, { tenantId: b.tenantId, version: 1 }],
    ]),
  );
  await store.prisma.tenant.update({ where: { id: a.tenantId }, data: { suspended_at: new Date() } });
  expect([...(await versions()).keys()]).toEqual([two]);
});

it('counts concurrent inserts one by one', async () => {
  const { tenantId } = await makeAccount(store);
  const made = await Promise.all(
    Array.from({ length: 5 }, () => insertSipAccount(store, tenantId, { id: freshId('sip'), label: 'Phone' }, 2)),
  );
  expect(made.filter((row) => row !== null)).toHaveLength(2);
});

it("lists the numbers at our own gateways: those of trunks, and the platform's others if they are there", async () => {
  const { tenantId, accountId } = await makeAccount(store);
  await store.prisma.dial_in_number.deleteMany();
  await store.prisma.dial_in_number.createMany({
    data: [
      { e164: '+12025550101' },
      { e164: '+12025550102', dedicated_to: tenantId },
      { e164: '+12025550103', dedicated_to: tenantId, account_id: accountId },
      { e164: '+12025550104', account_id: PLATFORM_SIP },
    ],
  });
  const shared = { number: '+12025550101', tenantId: null, accountId: null };
  const dedicated = { number: '+12025550102', tenantId, accountId: null };
  const ofTrunk = { number: '+12025550103', tenantId, accountId };
  const ofPlatformTrunk = { number: '+12025550104', tenantId: null, accountId: PLATFORM_SIP };
  // The account is at Vonage.
  expect(await listGatewayNumbers(store, false)).toEqual([ofPlatformTrunk]);
  expect(await listGatewayNumbers(store, true)).toEqual([shared, dedicated, ofPlatformTrunk]);
  await store.prisma.provider_account.update({ where: { id: accountId }, data: { voice_kind: 'sip' } });
  expect(await listGatewayNumbers(store, false)).toEqual([ofTrunk, ofPlatformTrunk]);
  expect(await listGatewayNumbers(store, true)).toEqual([shared, dedicated, ofTrunk, ofPlatformTrunk]);
});
