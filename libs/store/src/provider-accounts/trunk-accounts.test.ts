import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openStore, type Store } from '../database/store.ts';
import { freshId, makeAccount } from '../testing/fixtures.ts';
import { deleteAccount, insertAccount, replaceCredentials } from './provider-accounts.ts';
import { listTrunkAccounts } from './trunk-accounts.ts';

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

async function makeTrunkAccount(trunkHost: string | null, addresses: readonly string[]) {
  const { tenantId } = await makeAccount(store);
  const row = await insertAccount(
    store,
    tenantId,
    {
      id: freshId('acct'),
      label: 'Trunk',
      voiceKind: 'sip',
      mediaKind: 'janus',
      applicationId: null,
      voiceRegion: null,
      sipDomain: null,
      voiceKeyEnd: null,
      mediaKeyEnd: null,
      trunk: { host: trunkHost, transport: trunkHost === null ? null : 'udp', addresses },
      ciphertext: new Uint8Array(1),
    },
    10,
  );
  if (typeof row === 'string') throw new Error(row);
  return { tenantId, id: row.id };
}
const assign = (e164: string, { tenantId, id }: { tenantId: string; id: string | null }) =>
  store.prisma.dial_in_number.upsert({
    where: { e164 },
    create: { e164, dedicated_to: tenantId, account_id: id },
    update: { dedicated_to: tenantId, account_id: id },
  });

it('lists the trunks of all tenants that have a number, as they are now', async () => {
  const [a, b] = [
    await makeTrunkAccount('sip.carrier.de', ['8.8.4.4', '2001:db8::1']),
    await makeTrunkAccount(null, ['8.8.4.4']),
  ];
  // An account at Vonage has a number too (makeAccount), and a trunk without one is not listed.
  expect(await listTrunkAccounts(store)).toEqual([]);
  await assign('+12025550102', a);
  await assign('+12025550101', a);
  await assign('+12025550103', b);
  const listed = async () => new Map((await listTrunkAccounts(store)).map(({ id, ...rest }) => [id, rest]));
  expect(await listed()).toEqual(
    new Map([
      [
        a.id,
        {
          trunkHost: 'sip.carrier.de',
          addresses: ['8.8.4.4', '2001:db8::1'],
          numbers: ['+12025550101', '+12025550102'],
        },
      ],
      [b.id, { trunkHost: null, addresses: ['8.8.4.4'], numbers: ['+12025550103'] }],
    ]),
  );

  const change = { version: 1, ciphertext: new Uint8Array(1), overlapS: 0 };
  await replaceCredentials(store, b.tenantId, b.id, {
    ...change,
    trunk: { host: 'sip.other.de', transport: 'tcp', addresses: ['8.8.8.8'] },
  });
  expect((await listed()).get(b.id)).toMatchObject({ trunkHost: 'sip.other.de', addresses: ['8.8.8.8'] });

  await assign('+12025550103', { ...b, id: null });
  expect([...(await listed()).keys()]).toEqual([a.id]);
  expect(await deleteAccount(store, b.tenantId, b.id)).toBe('deleted');
  expect(await deleteAccount(store, a.tenantId, a.id)).toBe('in-use');
});
