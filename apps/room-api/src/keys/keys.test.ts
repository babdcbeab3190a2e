import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { seed } from '@partyline/store/tenants/seed';
import { agreeable, newKey, startStage, type Stage } from '../testing/test-harness.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage(() => agreeable);
});
beforeEach(async () => {
  await stage.store.pool.query(`DELETE FROM api_key WHERE tenant_id = 'ten_ours'`);
  await seed(stage.store, { tenantId: 'ten_ours', tenantName: 'Ours', apiKey: stage.keys.ours, numbers: [] });
});
afterAll(() => stage.stop());

interface Made {
  readonly id: string;
  readonly key: string;
}
async function create(body: object, key = stage.keys.ours): Promise<Made> {
  const reply = await stage.ask('POST', '/v1/keys', { key, body: { label: 'Key', ...body } });
  expect(reply.status).toBe(201);
  return { id: reply.body.apiKey.id, key: reply.body.key };
}
const refusal = async (asked: ReturnType<Stage['ask']>): Promise<[number, string]> => {
  const { status, body } = await asked;
  return [status, body.reason];
};
const idOf = (key: string): string => key.split('_')[2] ?? '';
const opens = async (key: string): Promise<boolean> => (await stage.ask('GET', '/v1/rooms', { key })).status === 200;

describe('a new key', () => {
  it('is told once, does what it may, and is kept as a hash', async () => {
    const { body } = await stage.ask('POST', '/v1/keys', { body: { label: ' Back office ', scopes: ['rooms:read'] } });
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
    expect(await opens(body.key)).toBe(true);
    expect(await refusal(stage.ask('POST', '/v1/rooms', { key: body.key, body: { name: 'X' } }))).toEqual([
      403,
      'scope-missing',
    ]);
    const shown = JSON.stringify([
      (await stage.ask('GET', '/v1/keys')).body,
      (await stage.ask('GET', `/v1/keys/${body.apiKey.id}`)).body,
    ]);
    expect(shown).not.toContain(body.key.slice(-43));
    const { rows } = await stage.store.pool.query<{ secret_hash: Buffer }>(
      'SELECT secret_hash FROM api_key WHERE id = $1',
      [body.apiKey.id],
    );
    expect(rows[0]?.secret_hash).toHaveLength(32);
  });

  it('gives nothing that its maker has not', async () => {
    const { key } = await create({ scopes: ['keys:write', 'rooms:read'] });
    for (const scopes of [['admin'], ['rooms:write'], ['rooms:read', 'calls:write']])
      expect(await refusal(stage.ask('POST', '/v1/keys', { key, body: { label: 'X', scopes } }))).toEqual([
        403,
        'scope-exceeded',
      ]);
    expect(
      (await stage.ask('POST', '/v1/keys', { key, body: { label: 'X', scopes: ['rooms:read', 'keys:write'] } })).status,
    ).toBe(201);
  });

  it('is over when it was to be', async () => {
    const { id, key } = await create({ scopes: ['rooms:read'], expiresAt: '2099-01-01T00:00:00Z' });
    expect(await opens(key)).toBe(true);
    await stage.store.pool.query(`UPDATE api_key SET expires_at = now() - interval '1 second' WHERE id = $1`, [id]);
    expect(await refusal(stage.ask('GET', '/v1/rooms', { key }))).toEqual([401, 'expired-key']);
    expect((await stage.ask('GET', `/v1/keys/${id}`)).body.state).toBe('expired');
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
  ])('is refused for %j', async (body, pointer) => {
    const reply = await stage.ask('POST', '/v1/keys', { body });
    expect([reply.status, reply.body.reason, reply.body.errors[0].pointer]).toEqual([422, 'invalid-body', pointer]);
  });
});

describe('fifty keys', () => {
  it('are as many as live at once, whoever asks at the same moment; one that is revoked makes room', async () => {
    const asked = await Promise.all(
      Array.from({ length: 60 }, () => stage.ask('POST', '/v1/keys', { body: { label: 'X', scopes: ['rooms:read'] } })),
    );
    // The seeded one counts.
    expect(asked.filter(({ status }) => status === 201)).toHaveLength(49);
    const refused = asked.filter(({ status }) => status !== 201);
    expect(new Set(refused.map(({ status, body }) => `${status} ${body.reason}`))).toEqual(
      new Set(['409 too-many-keys']),
    );
    const { id } = asked.find(({ status }) => status === 201)!.body.apiKey;
    expect(await refusal(stage.ask('POST', `/v1/keys/${id}/rotate`, { body: {} }))).toEqual([409, 'too-many-keys']);
    // In its place, and not beside it.
    expect((await stage.ask('POST', `/v1/keys/${id}/rotate`, { body: { overlapSeconds: 0 } })).status).toBe(201);
    expect(await refusal(stage.ask('POST', '/v1/operator/tenants/ten_ours/keys', { body: {} }))).toEqual([
      409,
      'too-many-keys',
    ]);
    await stage.ask('DELETE', `/v1/keys/${asked.findLast(({ status }) => status === 201)!.body.apiKey.id}`);
    await create({ scopes: ['rooms:read'] });
  });
});

describe('rotation', () => {
  it('makes another with the same label, scopes and end, and lets the old one live on for a day', async () => {
    const { id, key } = await create({ label: 'Office', scopes: ['rooms:read'], expiresAt: '2099-01-01T00:00:00Z' });
    const { status, body } = await stage.ask('POST', `/v1/keys/${id}/rotate`, { body: {} });
    expect([status, body.apiKey]).toMatchObject([
      201,
      { label: 'Office', scopes: ['rooms:read'], state: 'live', expiresAt: '2099-01-01T00:00:00.000Z' },
    ]);
    expect(body.apiKey.id).not.toBe(id);
    expect(body.old).toMatchObject({ id, state: 'live' });
    // Each is rounded to the millisecond by itself.
    expect(
      Math.abs(Date.parse(body.old.expiresAt) - Date.parse(body.apiKey.createdAt) - 86_400_000),
    ).toBeLessThanOrEqual(1);
    expect([await opens(key), await opens(body.key)]).toEqual([true, true]);
  });

  it('with no overlap ends the old one at once', async () => {
    const { id, key } = await create({ scopes: ['rooms:read'] });
    const { body } = await stage.ask('POST', `/v1/keys/${id}/rotate`, { body: { overlapSeconds: 0 } });
    expect([body.old.state, await opens(body.key)]).toEqual(['expired', true]);
    expect(await refusal(stage.ask('GET', '/v1/rooms', { key }))).toEqual([401, 'expired-key']);
    expect(await refusal(stage.ask('POST', `/v1/keys/${id}/rotate`, { body: {} }))).toEqual([409, 'key-inactive']);
  });

  it('does not lengthen a key’s life', async () => {
    const { id } = await create({ scopes: ['rooms:read'] });
    await stage.store.pool.query(`UPDATE api_key SET expires_at = now() + interval '60 seconds' WHERE id = $1`, [id]);
    const { body } = await stage.ask('POST', `/v1/keys/${id}/rotate`, { body: {} });
    expect(body.old.expiresAt).toBe(body.apiKey.expiresAt);
  });

  it('gives nobody a secret for more than they may do', async () => {
    const { key } = await create({ scopes: ['keys:write'] });
    expect(await refusal(stage.ask('POST', `/v1/keys/${idOf(stage.keys.ours)}/rotate`, { key, body: {} }))).toEqual([
      403,
      'scope-exceeded',
    ]);
    expect(await opens(stage.keys.ours)).toBe(true);
  });

  it.each([-1, 2_592_001, 1.5, '60', null])('refuses an overlap of %j', async (overlapSeconds) => {
    const reply = await stage.ask('POST', `/v1/keys/${idOf(stage.keys.ours)}/rotate`, { body: { overlapSeconds } });
    expect([reply.status, reply.body.errors[0].pointer]).toEqual([422, '/overlapSeconds']);
  });
});

describe('revoking', () => {
  it('ends a key at once; again: the same', async () => {
    const { id, key } = await create({ scopes: ['rooms:read'] });
    const { body } = await stage.ask('DELETE', `/v1/keys/${id}`);
    expect(body).toMatchObject({ id, state: 'revoked', revokedAt: expect.any(String) });
    expect((await stage.ask('DELETE', `/v1/keys/${id}`)).body).toEqual(body);
    expect(await refusal(stage.ask('GET', '/v1/rooms', { key }))).toEqual([401, 'unknown-key']);
  });

  it('lets nobody end a key that may do more than theirs; their own they may', async () => {
    const { id, key } = await create({ scopes: ['keys:write', 'rooms:read'] });
    const other = await create({ scopes: ['rooms:read'] });
    for (const stronger of [
      idOf(stage.keys.ours),
      (await create({ scopes: ['admin'] })).id,
      (await create({ scopes: ['rooms:read', 'calls:write'] })).id,
    ]) {
      expect(await refusal(stage.ask('DELETE', `/v1/keys/${stronger}`, { key }))).toEqual([403, 'scope-exceeded']);
      expect((await stage.ask('GET', `/v1/keys/${stronger}`)).body.state).toBe('live');
    }
    for (const theirs of [other.id, id])
      expect((await stage.ask('DELETE', `/v1/keys/${theirs}`, { key })).body.state).toBe('revoked');
  });

  it('spares the last key that may do everything, and of two at once the second', async () => {
    expect(await refusal(stage.ask('DELETE', `/v1/keys/${idOf(stage.keys.ours)}`))).toEqual([409, 'last-admin-key']);
    const other = await create({ scopes: ['admin'] });
    const both = await Promise.all([
      stage.ask('DELETE', `/v1/keys/${idOf(stage.keys.ours)}`),
      stage.ask('DELETE', `/v1/keys/${other.id}`, { key: other.key }),
    ]);
    expect(both.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 409]);
  });
});

describe('the list', () => {
  it('pages through all of them, newest first, with when each was last used', async () => {
    const [oldest, older, newest] = [
      await create({ scopes: ['rooms:read'] }),
      await create({ scopes: ['rooms:read'] }),
      await create({ scopes: ['rooms:read'] }),
    ];
    await opens(oldest.key);
    const first = (await stage.ask('GET', '/v1/keys?limit=2')).body;
    const second = (await stage.ask('GET', `/v1/keys?limit=2&after=${first.next}`)).body;
    expect([...first.keys, ...second.keys].map(({ id }: { id: string }) => id)).toEqual([
      newest.id,
      older.id,
      oldest.id,
      idOf(stage.keys.ours),
    ]);
    expect(second.next).toBeNull();
    expect(
      [...first.keys, ...second.keys].map(({ lastUsedAt }: { lastUsedAt: string | null }) => lastUsedAt !== null),
    ).toEqual([false, false, true, true]);
    for (const query of ['?after=none', '?after=key_x', '?limit=0'])
      expect(await refusal(stage.ask('GET', `/v1/keys${query}`))).toEqual([422, 'invalid-query']);
  });

  it('is the tenant’s own, and so is every key in it', async () => {
    const { id } = await create({ scopes: ['rooms:read'] });
    const key = stage.keys.theirs;
    expect((await stage.ask('GET', '/v1/keys', { key })).body.keys).toHaveLength(1);
    for (const [method, path, body] of [
      ['GET', `/v1/keys/${id}`, undefined],
      ['POST', `/v1/keys/${id}/rotate`, {}],
      ['DELETE', `/v1/keys/${id}`, undefined],
      ['GET', '/v1/keys/none', undefined],
      ['GET', '/v1/keys/%00', undefined],
    ] as const) {
      expect([path, await refusal(stage.ask(method, path, { key, body }))]).toEqual([path, [404, 'key-not-found']]);
    }
    expect(await refusal(stage.ask('GET', `/v1/keys?after=${id}`, { key }))).toEqual([422, 'invalid-query']);
  });
});

describe('when a key was last used', () => {
  const writes = async (): Promise<string | undefined> =>
    (await stage.store.pool.query<{ xmin: string }>('SELECT xmin FROM api_key WHERE id = $1', [idOf(stage.keys.ours)]))
      .rows[0]?.xmin;

  it('is written once a minute, however many requests come at once', async () => {
    await Promise.all(Array.from({ length: 20 }, () => opens(stage.keys.ours)));
    const after = await writes();
    await Promise.all(Array.from({ length: 20 }, () => opens(stage.keys.ours)));
    expect(await writes()).toBe(after);
    await stage.store.pool.query(`UPDATE api_key SET last_used_at = now() - interval '61 seconds' WHERE id = $1`, [
      idOf(stage.keys.ours),
    ]);
    const aged = await writes();
    await opens(stage.keys.ours);
    expect(await writes()).not.toBe(aged);
  });

  it('is not written for a key that is refused', async () => {
    const wrong = stage.keys.ours.slice(0, -43) + newKey().slice(-43);
    const before = await writes();
    await opens(wrong);
    expect(await writes()).toBe(before);
  });
});
