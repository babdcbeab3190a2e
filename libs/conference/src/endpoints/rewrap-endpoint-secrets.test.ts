import { randomBytes } from 'node:crypto';
import { openStore, type Store } from '@partyline/store/database/store';
import { makeEndpoint } from '@partyline/store/testing/fixtures';
import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openEndpointSecrets } from './endpoint-secrets.ts';
import { rewrapEndpointSecrets } from './rewrap-endpoint-secrets.ts';

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

it('moves the current and the previous secret of every endpoint to a new key', async () => {
  const tenantId = 'ten_endpoints';
  await store.prisma.tenant.create({ data: { id: tenantId, name: 'Endpoints' } });
  const [oldKey, newKey] = [randomBytes(32), randomBytes(32)];
  const before = openEndpointSecrets([oldKey]);
  const ring = openEndpointSecrets([newKey, oldKey]);
  const after = openEndpointSecrets([newKey]);
  const write = (id: string, secrets: { secret: Buffer; old_secret?: Buffer }): Promise<unknown> =>
    store.pool.query('UPDATE endpoint SET secret = $2, old_secret = $3 WHERE id = $1', [
      id,
      secrets.secret,
      secrets.old_secret ?? null,
    ]);
  const make = (): Promise<string> => makeEndpoint(store, tenantId);
  const [plain, rotated, current, foreign] = [await make(), await make(), await make(), await make()] as const;
  await write(plain, { secret: before.encrypt('one', plain) });
  await write(rotated, { secret: ring.encrypt('new', rotated), old_secret: before.encrypt('old', rotated) });
  await write(current, { secret: ring.encrypt('three', current) });
  await write(foreign, { secret: openEndpointSecrets([randomBytes(32)]).encrypt('four', foreign) });

  expect(await rewrapEndpointSecrets(store, [newKey, oldKey])).toEqual({ rewrapped: 2, unreadable: 1 });
  const secretsOf = async (id: string): Promise<(string | null)[]> => {
    const row = await store.prisma.endpoint.findUniqueOrThrow({ where: { id } });
    return [row.secret, row.old_secret].map((each) => (each === null ? null : after.decrypt(each, id)));
  };
  expect(await secretsOf(plain)).toEqual(['one', null]);
  expect(await secretsOf(rotated)).toEqual(['new', 'old']);
  expect(await secretsOf(current)).toEqual(['three', null]);
  await expect(secretsOf(foreign)).rejects.toThrow();
  expect(await rewrapEndpointSecrets(store, [newKey, oldKey])).toEqual({ rewrapped: 0, unreadable: 1 });
});
