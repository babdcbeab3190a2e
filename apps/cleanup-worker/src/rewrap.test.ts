import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { openEndpointSecrets } from '@partyline/conference/endpoints/endpoint-secrets';
import { openPinVault } from '@partyline/conference/pins/pin-vault';
import { openStore, type Store } from '@partyline/store/database/store';
import { makeEndpoint, makeNumbers, makeRoom } from '@partyline/store/testing/fixtures';
import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { afterAll, beforeAll, expect, it } from 'vitest';

let database: TestDatabase;
let store: Store;
beforeAll(async () => {
  database = await createTestDatabase();
  store = openStore({ owner: true, url: database.url, onError: () => undefined });
  await makeNumbers(store);
});
afterAll(async () => {
  await store.close();
  await database.drop();
});

/** Runs `npm run rewrap` with these variables. */
const rewrap = (variables: Record<string, string>): Promise<{ status: number; stdout: string; stderr: string }> =>
  new Promise((resolve) => {
    const script = fileURLToPath(new URL('rewrap.ts', import.meta.url));
    const env = { PATH: process.env['PATH'], DATABASE_URL: database.url, ...variables };
    execFile(process.execPath, ['--conditions=@partyline/source', script], { env }, (error, stdout, stderr) =>
      resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });

it('writes PINs and secrets with the first of PIN_KEYS, and fails while one has an unknown key', async () => {
  const [oldKey, newKey] = [randomBytes(32), randomBytes(32)];
  const [oldEntry, newEntry] = [`2026a:${oldKey.toString('base64')}`, `2027a:${newKey.toString('base64')}`];
  const { roomId, tenantId } = await makeRoom(store);
  const { id: pinId } = await store.prisma.pin.findFirstOrThrow({ where: { room_id: roomId } });
  const endpointId = await makeEndpoint(store, tenantId);
  const vault = openPinVault([oldKey]);
  await store.pool.query('UPDATE pin SET lookup = $2, ciphertext = $3 WHERE id = $1', [
    pinId,
    vault.lookups('407281935')[0],
    vault.encrypt('407281935', pinId),
  ]);
  await store.pool.query('UPDATE endpoint SET secret = $2 WHERE id = $1', [
    endpointId,
    openEndpointSecrets([oldKey]).encrypt('a secret', endpointId),
  ]);

  const early = await rewrap({ PIN_KEYS: newEntry });
  expect(early).toMatchObject({ status: 1, stdout: expect.stringContaining('0 PINs rewrapped with 2027a') as string });
  expect(early.stderr).toContain('1 PINs were written with a key that PIN_KEYS lacks');

  expect(await rewrap({ PIN_KEYS: `${newEntry},${oldEntry}` })).toEqual({
    status: 0,
    stdout: "1 PINs rewrapped with 2027a\n1 endpoints' secrets rewrapped with 2027a\n",
    stderr: '',
  });
  const { ciphertext } = await store.prisma.pin.findUniqueOrThrow({ where: { id: pinId } });
  expect(openPinVault([newKey]).decrypt(ciphertext, pinId)).toBe('407281935');
  const { secret } = await store.prisma.endpoint.findUniqueOrThrow({ where: { id: endpointId } });
  expect(openEndpointSecrets([newKey]).decrypt(secret, endpointId)).toBe('a secret');
  expect(await rewrap({ PIN_KEYS: newEntry })).toMatchObject({ status: 0 });
}, 90_000);

it('names the variables when neither MASTER_KEYS nor PIN_KEYS is set', async () => {
  const { status, stderr } = await rewrap({});
  expect(status).toBe(1);
  expect(stderr).toContain('MASTER_KEYS: is not set, and PIN_KEYS neither');
});
