import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { openStore, type Store } from '@partyline/store/database/store';
import { advanceSipAccount, insertSipAccount } from '@partyline/store/sip-accounts/sip-accounts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { localKeyService, type KeyService } from '../crypto/key-service.ts';
import { createPhoneReader } from './read-phones.ts';
import { openSipPasswords } from './sip-passwords.ts';

const TENANT = 'ten_a';
let database: TestDatabase;
let store: Store;
beforeAll(async () => {
  database = await createTestDatabase();
  store = openStore({ owner: true, url: database.url, onError: () => undefined });
  await store.prisma.tenant.create({ data: { id: TENANT, name: 'A' } });
});
afterAll(async () => {
  await store.close();
  await database.drop();
});

it('derives a password once for each version, and has none while it cannot', async () => {
  const real = localKeyService([{ id: 'test', key: Buffer.alloc(32, 7) }]);
  let unwraps = 0;
  let isKeyThere = true;
  const keys: KeyService = {
    ...real,
    unwrap: (...given) => {
      unwraps += 1;
      return isKeyThere ? real.unwrap(...given) : Promise.reject(new Error('master-key-missing'));
    },
  };
  const errors: unknown[] = [];
  const read = createPhoneReader({ store, sipPasswords: openSipPasswords({ store, keys }) }, (error) =>
    errors.push(error),
  );
  await insertSipAccount(store, TENANT, { id: 'sip_1', label: 'One' }, 10);
  const [first] = await read();
  expect(first).toEqual({
    id: 'sip_1',
    tenantId: TENANT,
    version: 1,
    password: expect.stringMatching(/^[\w-]{24}$/),
  });
  expect([await read(), unwraps]).toEqual([[first], 1]);

  isKeyThere = false;
  expect(await read()).toEqual([first]);
  await advanceSipAccount(store, TENANT, 'sip_1');
  for (let time = 0; time < 2; time += 1)
    expect([await read(), errors.length]).toEqual([[{ ...first, version: 2, password: null }], 1]);
  isKeyThere = true;
  const [second] = await read();
  expect(second?.password).not.toBe(first?.password);
});
