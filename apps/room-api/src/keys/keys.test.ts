import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { seed } from '@partyline/store/tenants/seed';
import { acceptingProvider, generateKey, startTestHarness, type TestHarness } from '../testing/test-harness.ts';

let harness: TestHarness;
beforeAll(async () => {
  harness = await startTestHarness(() => acceptingProvider);
});
beforeEach(async () => {
  await harness.store.pool.query(`DELETE FROM api_key WHERE tenant_id = 'ten_ours'`);
  await seed(harness.store, { tenantId: 'ten_ours', tenantName: 'Ours', apiKey: harness.keys.ours, numbers: [] });
});
afterAll(() => harness.stop());

interface Made {
  readonly id: string;
  readonly key: string;
}
async function create(body: object, key = harness.keys.ours): Promise<Made> {
  const reply = await harness.request('POST', '/v1/keys', { key, body: { label: 'Key', ...body } });
  expect(reply.status).toBe(201);
  return { id: reply.body.apiKey.id, key: reply.body.key };
}
const rejectionOf = async (reply: ReturnType<TestHarness['request']>): Promise<[number, string]> => {
  const { status, body } = await reply;
  return [status, body.reason];
};
const idOf = (key: string): string => key.split('_')[2] ?? '';
const isAccepted = async (key: string): Promise<boolean> =>
  (await harness.request('GET', '/v1/rooms', { key })).status === 200;

describe('new key', () => {
  it('is shown once, is limited to its scopes, and is stored as a hash', async () => {
    const { body } = await harness.request('POST', '/v1/keys', {
      body: { label: ' Back office ', scopes: ['rooms:read'] },
    });
    expect(body).toEqual({
      apiKey: {
        id: expect.stringMatching(/^[0-9a-f]{32}$/),
        label: 'Back office',
        scopes: ['rooms:read'],
        state: 'live',
        createdAt: expect.any(String),
        expiresAt: null,
        revokedAt: null,
        lastUsedAt: null,
      },
      key: `pl_test_${body.apiKey.id}_${body.key.slice(-43)}`,
    });
    expect(await isAccepted(body.key)).toBe(true);
    expect(await rejectionOf(harness.request('POST', '/v1/rooms', { key: body.key, body: { name: 'X' } }))).toEqual([
      403,
      'scope-missing',
    ]);
    const shown = JSON.stringify([
      (await harness.request('GET', '/v1/keys')).body,
      (await harness.request('GET', `/v1/keys/${body.apiKey.id}`)).body,
    ]);
    expect(shown).not.toContain(body.key.slice(-43));
    const { rows } = await harness.store.pool.query<{ secret_hash: Buffer }>(
      'SELECT secret_hash FROM api_key WHERE id = $1',
      [body.apiKey.id],
    );
    expect(rows[0]?.secret_hash).toHaveLength(32);
  });

  it('cannot have scopes that its creator lacks', async () => {
    const { key } = await create({ scopes: ['keys:write', 'rooms:read'] });
    for (const scopes of [['admin'], ['rooms:write'], ['rooms:read', 'calls:write']])
      expect(await rejectionOf(harness.request('POST', '/v1/keys', { key, body: { label: 'X', scopes } }))).toEqual([
        403,
        'scope-exceeded',
      ]);
    expect(
      (await harness.request('POST', '/v1/keys', { key, body: { label: 'X', scopes: ['rooms:read', 'keys:write'] } }))
        .status,
    ).toBe(201);
  });

  it('is never valid for longer than the key that created it', async () => {
    const expiresAt = '2099-01-01T00:00:00.000Z';
    const { key } = await create({ scopes: ['keys:write', 'rooms:read'], expiresAt });
    const createWith = (body: object) =>
      harness.request('POST', '/v1/keys', { key, body: { label: 'X', scopes: ['rooms:read'], ...body } });
    expect((await createWith({})).body.apiKey.expiresAt).toBe(expiresAt);
    expect((await createWith({ expiresAt: null })).body.apiKey.expiresAt).toBe(expiresAt);
    expect((await createWith({ expiresAt })).body.apiKey.expiresAt).toBe(expiresAt);
    expect((await createWith({ expiresAt: '2098-01-01T00:00:00Z' })).status).toBe(201);
    expect(await rejectionOf(createWith({ expiresAt: '2099-01-01T00:00:00.001Z' }))).toEqual([403, 'expiry-exceeded']);
    // Nor does it get one by rotating another key, only by rotating itself.
    const endless = await create({ scopes: ['rooms:read'] });
    expect(await rejectionOf(harness.request('POST', `/v1/keys/${endless.id}/rotate`, { key, body: {} }))).toEqual([
      403,
      'expiry-exceeded',
    ]);
    const { body } = await harness.request('POST', `/v1/keys/${idOf(key)}/rotate`, { key, body: {} });
    expect(body.apiKey.expiresAt).toBe(expiresAt);
  });

  it('is rejected after its expiry', async () => {
    const { id, key } = await create({ scopes: ['rooms:read'], expiresAt: '2099-01-01T00:00:00Z' });
    expect(await isAccepted(key)).toBe(true);
    await harness.store.pool.query(`UPDATE api_key SET expires_at = now() - interval '1 second' WHERE id = $1`, [id]);
    expect(await rejectionOf(harness.request('GET', '/v1/rooms', { key }))).toEqual([401, 'expired-key']);
    expect((await harness.request('GET', `/v1/keys/${id}`)).body.state).toBe('expired');
  });

  it.each([
    [{}, '/label'],
    [{ label: 'X' }, '/scopes'],
    [{ label: 'X', scopes: [] }, '/scopes'],
    [{ label: 'X', scopes: ['rooms:read', 'rooms:read'] }, '/scopes'],
    [{ label: 'X', scopes: ['operator'] }, '/scopes/0'],
    [{ label: 'X', scopes: ['admin'], expiresAt: 'tomorrow' }, '/expiresAt'],
    [{ label: 'X', scopes: ['admin'], expiresAt: '2020-01-01T00:00:00Z' }, '/expiresAt'],
    [{ label: 'X', scopes: ['admin'], secret: 'mine' }, '/secret'],
  ])('is not created for %j', async (body, pointer) => {
    const reply = await harness.request('POST', '/v1/keys', { body });
    expect([reply.status, reply.body.reason, reply.body.errors[0].pointer]).toEqual([422, 'invalid-body', pointer]);
  });
});

describe('key quota', () => {
  it('allows fifty live keys, also for concurrent requests, and a revoked key frees one', async () => {
    const replies = await Promise.all(
      Array.from({ length: 60 }, () =>
        harness.request('POST', '/v1/keys', { body: { label: 'X', scopes: ['rooms:read'] } }),
      ),
    );
    // The seeded key counts.
    expect(replies.filter(({ status }) => status === 201)).toHaveLength(49);
    const rejected = replies.filter(({ status }) => status !== 201);
    expect(new Set(rejected.map(({ status, body }) => `${status} ${body.reason}`))).toEqual(
      new Set(['409 too-many-keys']),
    );
    const { id } = replies.find(({ status }) => status === 201)!.body.apiKey;
    expect(await rejectionOf(harness.request('POST', `/v1/keys/${id}/rotate`, { body: {} }))).toEqual([
      409,
      'too-many-keys',
    ]);
    // Without an overlap the new key replaces the old one.
    expect((await harness.request('POST', `/v1/keys/${id}/rotate`, { body: { overlapSeconds: 0 } })).status).toBe(201);
    expect(await rejectionOf(harness.request('POST', '/v1/operator/tenants/ten_ours/keys', { body: {} }))).toEqual([
      409,
      'too-many-keys',
    ]);
    await harness.request('DELETE', `/v1/keys/${replies.findLast(({ status }) => status === 201)!.body.apiKey.id}`);
    await create({ scopes: ['rooms:read'] });
  });
});

describe('rotation', () => {
  it('creates a key with the same label, scopes and expiry, and keeps the old one for a day', async () => {
    const { id, key } = await create({ label: 'Office', scopes: ['rooms:read'], expiresAt: '2099-01-01T00:00:00Z' });
    const { status, body } = await harness.request('POST', `/v1/keys/${id}/rotate`, { body: {} });
    expect([status, body.apiKey]).toMatchObject([
      201,
      { label: 'Office', scopes: ['rooms:read'], state: 'live', expiresAt: '2099-01-01T00:00:00.000Z' },
    ]);
    expect(body.apiKey.id).not.toBe(id);
    expect(body.old).toMatchObject({ id, state: 'live' });
    // Each time is rounded to a millisecond separately.
    expect(
      Math.abs(Date.parse(body.old.expiresAt) - Date.parse(body.apiKey.createdAt) - 86_400_000),
    ).toBeLessThanOrEqual(1);
    expect([await isAccepted(key), await isAccepted(body.key)]).toEqual([true, true]);
  });

  it('without an overlap expires the old key immediately', async () => {
    const { id, key } = await create({ scopes: ['rooms:read'] });
    const { body } = await harness.request('POST', `/v1/keys/${id}/rotate`, { body: { overlapSeconds: 0 } });
    expect([body.old.state, await isAccepted(body.key)]).toEqual(['expired', true]);
    expect(await rejectionOf(harness.request('GET', '/v1/rooms', { key }))).toEqual([401, 'expired-key']);
    expect(await rejectionOf(harness.request('POST', `/v1/keys/${id}/rotate`, { body: {} }))).toEqual([
      409,
      'key-inactive',
    ]);
  });

  it('does not extend the expiry of the old key', async () => {
    const { id } = await create({ scopes: ['rooms:read'] });
    await harness.store.pool.query(`UPDATE api_key SET expires_at = now() + interval '60 seconds' WHERE id = $1`, [id]);
    const { body } = await harness.request('POST', `/v1/keys/${id}/rotate`, { body: {} });
    expect(body.old.expiresAt).toBe(body.apiKey.expiresAt);
  });

  it('rejects a key with more scopes than the caller', async () => {
    const { key } = await create({ scopes: ['keys:write'] });
    expect(
      await rejectionOf(harness.request('POST', `/v1/keys/${idOf(harness.keys.ours)}/rotate`, { key, body: {} })),
    ).toEqual([403, 'scope-exceeded']);
    expect(await isAccepted(harness.keys.ours)).toBe(true);
  });

  it.each([-1, 2_592_001, 1.5, '60', null])('rejects an overlap of %j', async (overlapSeconds) => {
    const reply = await harness.request('POST', `/v1/keys/${idOf(harness.keys.ours)}/rotate`, {
      body: { overlapSeconds },
    });
    expect([reply.status, reply.body.errors[0].pointer]).toEqual([422, '/overlapSeconds']);
  });
});

describe('revocation', () => {
  it('applies immediately, and can be repeated', async () => {
    const { id, key } = await create({ scopes: ['rooms:read'] });
    const { body } = await harness.request('DELETE', `/v1/keys/${id}`);
    expect(body).toMatchObject({ id, state: 'revoked', revokedAt: expect.any(String) });
    expect((await harness.request('DELETE', `/v1/keys/${id}`)).body).toEqual(body);
    expect(await rejectionOf(harness.request('GET', '/v1/rooms', { key }))).toEqual([401, 'unknown-key']);
  });

  it('rejects a key with more scopes than the caller, and accepts the own key', async () => {
    const { id, key } = await create({ scopes: ['keys:write', 'rooms:read'] });
    const other = await create({ scopes: ['rooms:read'] });
    for (const stronger of [
      idOf(harness.keys.ours),
      (await create({ scopes: ['admin'] })).id,
      (await create({ scopes: ['rooms:read', 'calls:write'] })).id,
    ]) {
      expect(await rejectionOf(harness.request('DELETE', `/v1/keys/${stronger}`, { key }))).toEqual([
        403,
        'scope-exceeded',
      ]);
      expect((await harness.request('GET', `/v1/keys/${stronger}`)).body.state).toBe('live');
    }
    for (const theirs of [other.id, id])
      expect((await harness.request('DELETE', `/v1/keys/${theirs}`, { key })).body.state).toBe('revoked');
  });

  it('keeps the last admin key, also for two concurrent requests', async () => {
    expect(await rejectionOf(harness.request('DELETE', `/v1/keys/${idOf(harness.keys.ours)}`))).toEqual([
      409,
      'last-admin-key',
    ]);
    const other = await create({ scopes: ['admin'] });
    const both = await Promise.all([
      harness.request('DELETE', `/v1/keys/${idOf(harness.keys.ours)}`),
      harness.request('DELETE', `/v1/keys/${other.id}`, { key: other.key }),
    ]);
    expect(both.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 409]);
  });
});

describe('list of keys', () => {
  it('returns all keys in pages, newest first, with the time of last use', async () => {
    const [oldest, older, newest] = [
      await create({ scopes: ['rooms:read'] }),
      await create({ scopes: ['rooms:read'] }),
      await create({ scopes: ['rooms:read'] }),
    ];
    await isAccepted(oldest.key);
    const first = (await harness.request('GET', '/v1/keys?limit=2')).body;
    const second = (await harness.request('GET', `/v1/keys?limit=2&after=${first.next}`)).body;
    expect([...first.keys, ...second.keys].map(({ id }: { id: string }) => id)).toEqual([
      newest.id,
      older.id,
      oldest.id,
      idOf(harness.keys.ours),
    ]);
    expect(second.next).toBeNull();
    expect(
      [...first.keys, ...second.keys].map(({ lastUsedAt }: { lastUsedAt: string | null }) => lastUsedAt !== null),
    ).toEqual([false, false, true, true]);
    for (const query of ['?after=none', '?after=key_x', '?limit=0'])
      expect(await rejectionOf(harness.request('GET', `/v1/keys${query}`))).toEqual([422, 'invalid-query']);
  });

  it('contains only keys of the tenant, and other keys are not found', async () => {
    const { id } = await create({ scopes: ['rooms:read'] });
    const key = harness.keys.theirs;
    expect((await harness.request('GET', '/v1/keys', { key })).body.keys).toHaveLength(1);
    for (const [method, path, body] of [
      ['GET', `/v1/keys/${id}`, undefined],
      ['POST', `/v1/keys/${id}/rotate`, {}],
      ['DELETE', `/v1/keys/${id}`, undefined],
      ['GET', '/v1/keys/none', undefined],
      ['GET', '/v1/keys/%00', undefined],
    ] as const) {
      expect([path, await rejectionOf(harness.request(method, path, { key, body }))]).toEqual([
        path,
        [404, 'key-not-found'],
      ]);
    }
    expect(await rejectionOf(harness.request('GET', `/v1/keys?after=${id}`, { key }))).toEqual([422, 'invalid-query']);
  });
});

describe('time of last use', () => {
  const writes = async (): Promise<string | undefined> =>
    (
      await harness.store.pool.query<{ xmin: string }>('SELECT xmin FROM api_key WHERE id = $1', [
        idOf(harness.keys.ours),
      ])
    ).rows[0]?.xmin;

  it('is written once per minute, also for concurrent requests', async () => {
    await Promise.all(Array.from({ length: 20 }, () => isAccepted(harness.keys.ours)));
    const after = await writes();
    await Promise.all(Array.from({ length: 20 }, () => isAccepted(harness.keys.ours)));
    expect(await writes()).toBe(after);
    await harness.store.pool.query(`UPDATE api_key SET last_used_at = now() - interval '61 seconds' WHERE id = $1`, [
      idOf(harness.keys.ours),
    ]);
    const aged = await writes();
    await isAccepted(harness.keys.ours);
    expect(await writes()).not.toBe(aged);
  });

  it('is not written for a rejected key', async () => {
    const wrong = harness.keys.ours.slice(0, -43) + generateKey().slice(-43);
    const before = await writes();
    await isAccepted(wrong);
    expect(await writes()).toBe(before);
  });
});
