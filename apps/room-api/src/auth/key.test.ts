import { afterAll, beforeAll, expect, it } from 'vitest';
import { seed } from '@partyline/store/tenants/seed';
import { acceptingProvider, generateKey, startTestHarness, type TestHarness } from '../testing/test-harness.ts';

let harness: TestHarness;
let expired: string;
let revoked: string;
beforeAll(async () => {
  harness = await startTestHarness(() => acceptingProvider);
  [expired, revoked] = [generateKey(), generateKey()];
  for (const apiKey of [expired, revoked])
    await seed(harness.store, { tenantId: 'ten_ours', tenantName: 'Ours', apiKey, numbers: [] });
  await harness.store.pool.query(`UPDATE api_key SET expires_at = now() - interval '1 second' WHERE id = $1`, [
    expired.split('_')[2],
  ]);
  await harness.store.pool.query('UPDATE api_key SET revoked_at = now() WHERE id = $1', [revoked.split('_')[2]]);
});
afterAll(() => harness.stop());

const invalidKeys: [string, () => string | null, string][] = [
  ['no key', () => null, 'missing-key'],
  ['an unknown key', generateKey, 'unknown-key'],
  ['a known id with another secret', () => harness.keys.ours.slice(0, -43) + generateKey().slice(-43), 'unknown-key'],
  [
    'a valid key with the prefix of another environment',
    () => harness.keys.ours.replace('pl_test_', 'pl_live_'),
    'unknown-key',
  ],
  ['a text that is not a key', () => 'letmein', 'unknown-key'],
  ['an expired key', () => expired, 'expired-key'],
  ['a revoked key', () => revoked, 'unknown-key'],
];

it.each(invalidKeys)('rejects %s and creates nothing', async (_what, key, reason) => {
  const before = await harness.countRows();
  for (const [method, path, body] of [
    ['POST', '/v1/rooms', { name: 'X' }],
    ['GET', '/v1/rooms', undefined],
    ['POST', '/v1/rooms', { wrong: 1 }],
  ] as const) {
    const reply = await harness.request(method, path, { key: key(), body });
    expect([reply.status, reply.body.reason, reply.headers.get('www-authenticate')]).toEqual([401, reason, 'Bearer']);
    expect(reply.body.fix).toEqual(expect.any(String));
  }
  expect(await harness.countRows()).toEqual(before);
});

it('rejects an expired operator key, and accepts one that expires later', async () => {
  const list = (key: string) => harness.request('GET', '/v1/operator/tenants', { key });
  const { status, body } = await list(harness.keys.expiredOperator);
  expect([status, body.reason]).toEqual([401, 'expired-key']);
  expect((await list(harness.keys.secondOperator)).status).toBe(200);
});

it('rejects a key with another authentication scheme', async () => {
  const reply = await fetch(`${harness.url}/v1/rooms`, { headers: { authorization: `Basic ${harness.keys.ours}` } });
  expect([reply.status, await reply.json()]).toEqual([401, expect.objectContaining({ reason: 'missing-key' })]);
});

it('does not repeat the key in a problem', async () => {
  const key = generateKey();
  const { body } = await harness.request('GET', '/v1/rooms', { key });
  expect(JSON.stringify(body)).not.toContain(key.slice(-20));
});

it.each([
  [['rooms:read'], 200, 403],
  [['rooms:write'], 403, 201],
  [['rooms:read', 'rooms:write'], 200, 201],
  [['calls:write', 'events:read', 'keys:write'], 403, 403],
  [['admin'], 200, 201],
  [[], 403, 403],
])('allows a key with the scopes %j only what they cover', async (scopes, list, create) => {
  const key = generateKey();
  await seed(harness.store, { tenantId: 'ten_ours', tenantName: 'Ours', apiKey: key, numbers: [] });
  await harness.store.prisma.api_key.update({ where: { id: key.split('_')[2] ?? '' }, data: { scopes } });
  const before = await harness.countRows();
  const listed = await harness.request('GET', '/v1/rooms', { key });
  const created = await harness.request('POST', '/v1/rooms', { key, body: { name: 'Room' } });
  expect([listed.status, created.status]).toEqual([list, create]);
  if (create === 403) {
    expect(created.body).toMatchObject({ reason: 'scope-missing', fix: expect.any(String) });
    expect(await harness.countRows()).toEqual(before);
  }
});
