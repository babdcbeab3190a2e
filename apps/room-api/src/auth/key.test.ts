import { afterAll, beforeAll, expect, it } from 'vitest';
import { seed } from '@partyline/store/tenants/seed';
import { agreeable, newKey, startStage, type Stage } from '../testing/test-harness.ts';

let stage: Stage;
let expired: string;
let revoked: string;
beforeAll(async () => {
  stage = await startStage(() => agreeable);
  [expired, revoked] = [newKey(), newKey()];
  for (const apiKey of [expired, revoked])
    await seed(stage.store, { tenantId: 'ten_ours', tenantName: 'Ours', apiKey, numbers: [] });
  await stage.store.pool.query(`UPDATE api_key SET expires_at = now() - interval '1 second' WHERE id = $1`, [
    expired.split('_')[2],
  ]);
  await stage.store.pool.query('UPDATE api_key SET revoked_at = now() WHERE id = $1', [revoked.split('_')[2]]);
});
afterAll(() => stage.stop());

const refusals: [string, () => string | null, string][] = [
  ['no key', () => null, 'missing-key'],
  ['a key that nobody has', newKey, 'unknown-key'],
  ['a known id with another secret', () => stage.keys.ours.slice(0, -43) + newKey().slice(-43), 'unknown-key'],
  ['a good key under another environment’s name', () => stage.keys.ours.replace('pl_test_', 'pl_live_'), 'unknown-key'],
  ['something that is no key', () => 'letmein', 'unknown-key'],
  ['an expired key', () => expired, 'expired-key'],
  ['a revoked key', () => revoked, 'unknown-key'],
];

it.each(refusals)('refuses %s, and makes nothing', async (_what, key, reason) => {
  const before = await stage.counts();
  for (const [method, path, body] of [
    ['POST', '/v1/rooms', { name: 'X' }],
    ['GET', '/v1/rooms', undefined],
    ['POST', '/v1/rooms', { wrong: 1 }],
  ] as const) {
    const reply = await stage.ask(method, path, { key: key(), body });
    expect([reply.status, reply.body.reason, reply.headers.get('www-authenticate')]).toEqual([401, reason, 'Bearer']);
    expect(reply.body.fix).toEqual(expect.any(String));
  }
  expect(await stage.counts()).toEqual(before);
});

it('does not take a key of another scheme', async () => {
  const reply = await fetch(`${stage.url}/v1/rooms`, { headers: { authorization: `Basic ${stage.keys.ours}` } });
  expect([reply.status, await reply.json()]).toEqual([401, expect.objectContaining({ reason: 'missing-key' })]);
});

it('never repeats a key', async () => {
  const key = newKey();
  const { body } = await stage.ask('GET', '/v1/rooms', { key });
  expect(JSON.stringify(body)).not.toContain(key.slice(-20));
});

it.each([
  [['rooms:read'], 200, 403],
  [['rooms:write'], 403, 201],
  [['rooms:read', 'rooms:write'], 200, 201],
  [['calls:write', 'events:read', 'keys:write'], 403, 403],
  [['admin'], 200, 201],
  [[], 403, 403],
])('a key with the scopes %j may do just what they say', async (scopes, list, create) => {
  const key = newKey();
  await seed(stage.store, { tenantId: 'ten_ours', tenantName: 'Ours', apiKey: key, numbers: [] });
  await stage.store.prisma.api_key.update({ where: { id: key.split('_')[2] ?? '' }, data: { scopes } });
  const before = await stage.counts();
  const listed = await stage.ask('GET', '/v1/rooms', { key });
  const created = await stage.ask('POST', '/v1/rooms', { key, body: { name: 'Room' } });
  expect([listed.status, created.status]).toEqual([list, create]);
  if (create === 403) {
    expect(created.body).toMatchObject({ reason: 'scope-missing', fix: expect.any(String) });
    expect(await stage.counts()).toEqual(before);
  }
});
