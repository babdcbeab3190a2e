import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { acceptingProvider, generateKey, startTestHarness, type TestHarness } from '../testing/test-harness.ts';

let harness: TestHarness;
beforeAll(async () => {
  harness = await startTestHarness(() => acceptingProvider);
  await setRates('USD', ['inbound', 'outbound', 'bridge-voice', 'bridge-media', 'webrtc']);
});
afterAll(() => harness.stop());

const setRates = (currency: string, kinds: readonly string[]) =>
  harness.request('PATCH', '/v1/operator/rates', {
    body: { rates: kinds.map((what) => ({ what, currency, microPerMinute: '10000' })) },
  });
const TENANTS = '/v1/operator/tenants';

/** A tenant with its first key. */
async function createTestTenant(body: object = { name: 'Acme' }): Promise<{ id: string; key: string; path: string }> {
  const { status, body: reply } = await harness.request('POST', TENANTS, { body });
  expect(status).toBe(201);
  return { id: reply.tenant.id, key: reply.key, path: `${TENANTS}/${reply.tenant.id}` };
}
const suspend = (path: string) => harness.request('POST', `${path}/suspend`);
const rejectionOf = async (reply: ReturnType<TestHarness['request']>): Promise<[number, string]> => {
  const { status, body } = await reply;
  return [status, body.reason];
};

describe('tenant', () => {
  it('is created with an admin key that has no access to operator operations', async () => {
    const { body } = await harness.request('POST', TENANTS, { body: { name: ' Acme ' } });
    expect(body).toEqual({
      tenant: {
        id: expect.stringMatching(/^ten_/),
        name: 'Acme',
        homeCountry: 'US',
        allowedCountries: [],
        limits: { maxLiveRooms: null, maxLiveLegs: null, maxDialOutsPerMinute: null, maxRequestsPerMinute: null },
        fraudLimits: {
          callsPerMinute: null,
          concurrent: null,
          toOneNumber: null,
          minutesPerDay: null,
          longestMinutes: null,
        },
        currency: 'EUR',
        maxMinutesPerMonth: null,
        maxSpendMicroPerMonth: null,
        state: 'active',
        createdAt: expect.any(String),
        suspendedAt: null,
      },
      key: expect.stringMatching(/^pl_test_[0-9a-f]{32}_[\w-]{43}$/),
    });
    expect((await harness.request('POST', '/v1/rooms', { key: body.key, body: { name: 'Room' } })).status).toBe(201);
    expect(await rejectionOf(harness.request('GET', TENANTS, { key: body.key }))).toEqual([403, 'scope-missing']);
    // Only the reply contains the key.
    const { rows } = await harness.store.pool.query<{ row: string }>(
      `SELECT to_jsonb(k)::text AS row FROM api_key k WHERE tenant_id = $1`,
      [body.tenant.id],
    );
    expect(rows).toHaveLength(1);
    expect(rows[0]?.row).not.toContain(body.key.slice(-43));
  });

  it('can be read and changed by field', async () => {
    const { path } = await createTestTenant({ name: 'Acme', homeCountry: 'DE' });
    expect((await harness.request('GET', path)).body).toMatchObject({ name: 'Acme', homeCountry: 'DE' });
    expect((await harness.request('PATCH', path, { body: { name: 'Acme Ltd' } })).body).toMatchObject({
      name: 'Acme Ltd',
      homeCountry: 'DE',
    });
    expect((await harness.request('PATCH', path, { body: { homeCountry: 'FR' } })).body).toMatchObject({
      name: 'Acme Ltd',
      homeCountry: 'FR',
    });
    const settings = {
      allowedCountries: ['CA', 'GB'],
      currency: 'USD',
      maxMinutesPerMonth: 1_000,
      maxSpendMicroPerMonth: '900719925474099312',
    };
    expect(
      (await harness.request('PATCH', path, { body: { ...settings, limits: { maxLiveRooms: 3 } } })).body,
    ).toMatchObject({ ...settings, limits: { maxLiveRooms: 3, maxLiveLegs: null } });
    expect(
      (await harness.request('PATCH', path, { body: { limits: { maxLiveLegs: 5 }, maxSpendMicroPerMonth: null } }))
        .body,
    ).toMatchObject({ ...settings, maxSpendMicroPerMonth: null, limits: { maxLiveRooms: 3, maxLiveLegs: 5 } });
  });

  it('cannot have a currency without a complete price list, which its spend limits need', async () => {
    await setRates('CHF', ['inbound', 'webrtc']);
    const { path } = await createTestTenant();
    for (const reply of [
      harness.request('POST', TENANTS, { body: { name: 'Acme', currency: 'CHF' } }),
      harness.request('PATCH', path, { body: { currency: 'CHF' } }),
    ]) {
      expect((await reply).body).toMatchObject({
        status: 422,
        reason: 'currency-without-rates',
        errors: [
          {
            pointer: '/currency',
            detail: 'The price list has no rate in CHF for outbound, bridge-voice, bridge-media.',
          },
        ],
        fix: expect.stringContaining('/v1/operator/rates'),
      });
    }
    await setRates('CHF', ['outbound', 'bridge-voice', 'bridge-media']);
    expect((await harness.request('PATCH', path, { body: { currency: 'CHF' } })).body.currency).toBe('CHF');
  });

  it('can be created with all settings', async () => {
    const settings = {
      allowedCountries: ['CA'],
      currency: 'USD',
      maxMinutesPerMonth: 5,
      maxSpendMicroPerMonth: '7',
      limits: { maxLiveRooms: 3 },
      fraudLimits: { concurrent: { warn: 1, critical: 2 }, toOneNumber: null },
    };
    const { path } = await createTestTenant({ name: 'Acme', homeCountry: 'DE', ...settings });
    expect((await harness.request('GET', path)).body).toMatchObject({ homeCountry: 'DE', ...settings });
  });

  it('has its own fraud limits per meter, which apply to its calls', async () => {
    const { id, key, path } = await createTestTenant({ name: 'Acme', homeCountry: 'GB' });
    const change = async (fraudLimits: object): Promise<object> =>
      (await harness.request('PATCH', path, { body: { fraudLimits } })).body.fraudLimits;
    const none = {
      callsPerMinute: null,
      concurrent: null,
      toOneNumber: null,
      minutesPerDay: null,
      longestMinutes: null,
    };
    expect(await change({ toOneNumber: { warn: 0, critical: 0 } })).toEqual({
      ...none,
      toOneNumber: { warn: 0, critical: 0 },
    });
    expect(await change({ concurrent: { warn: 3, critical: 3 } })).toEqual({
      ...none,
      toOneNumber: { warn: 0, critical: 0 },
      concurrent: { warn: 3, critical: 3 },
    });
    const { body } = await harness.request('POST', '/v1/rooms', { key, body: { name: 'Room' } });
    const dialOut = () =>
      harness.request('POST', `/v1/rooms/${body.room.id}/participants`, { key, body: { phone: '+442079460018' } });
    expect(await rejectionOf(dialOut())).toEqual([429, 'fraud-limit']);
    expect(await change({ toOneNumber: null })).toEqual({ ...none, concurrent: { warn: 3, critical: 3 } });
    expect((await dialOut()).status).toBe(202);
    // A stored threshold without `warn`: the platform's value applies.
    await harness.store.pool.query(
      `UPDATE tenant SET fraud_limits = '{"callsPerMinute":{"critical":90},"concurrent":"many"}' WHERE id = $1`,
      [id],
    );
    expect((await harness.request('GET', path)).body.fraudLimits).toEqual({
      ...none,
      callsPerMinute: { warn: 30, critical: 90 },
    });
  });

  it.each([
    ['POST', '', {}, '/name'],
    ['POST', '', { name: 'X', homeCountry: 'de' }, '/homeCountry'],
    ['POST', '', { name: 'X', homeCountry: 'Germany' }, '/homeCountry'],
    ['POST', '', { name: 'X', id: 'ten_mine' }, '/id'],
    ['PATCH', '/ten_ours', {}, ''],
    ['PATCH', '/ten_ours', { name: '' }, '/name'],
    ['PATCH', '/ten_ours', { suspendedAt: null }, '/suspendedAt'],
    ['PATCH', '/ten_ours', { allowedCountries: ['GB', 'gb'] }, '/allowedCountries/1'],
    ['PATCH', '/ten_ours', { limits: { maxLiveRooms: -1 } }, '/limits/maxLiveRooms'],
    ['PATCH', '/ten_ours', { currency: 'euro' }, '/currency'],
    ['PATCH', '/ten_ours', { currency: 'ZZZ' }, '/currency'],
    ['PATCH', '/ten_ours', { maxSpendMicroPerMonth: 500_000 }, '/maxSpendMicroPerMonth'],
    ['PATCH', '/ten_ours', { maxSpendMicroPerMonth: '0.5' }, '/maxSpendMicroPerMonth'],
    ['PATCH', '/ten_ours', { fraudLimits: { concurrent: { warn: 11, critical: 10 } } }, '/fraudLimits/concurrent/warn'],
    ['PATCH', '/ten_ours', { fraudLimits: { concurrent: { warn: 1 } } }, '/fraudLimits/concurrent/critical'],
    [
      'PATCH',
      '/ten_ours',
      { fraudLimits: { concurrent: { warn: -1, critical: 1_000_001 } } },
      '/fraudLimits/concurrent/warn',
    ],
    ['PATCH', '/ten_ours', { fraudLimits: { perDay: null } }, '/fraudLimits/perDay'],
    ['POST', '', { name: 'X', fraudLimits: { concurrent: { warn: 2, critical: 1 } } }, '/fraudLimits/concurrent/warn'],
    ['POST', '/ten_ours/keys', { scopes: ['everything'] }, '/scopes/0'],
    ['POST', '/ten_ours/keys', { scopes: [] }, '/scopes'],
  ])('is rejected by %s %s with %j', async (method, path, body, pointer) => {
    const reply = await harness.request(method, TENANTS + path, { body });
    expect([reply.status, reply.body.reason, reply.body.errors[0].pointer]).toEqual([422, 'invalid-body', pointer]);
  });

  it('without a live key gets a new one from an operator', async () => {
    const { id, path } = await createTestTenant();
    await harness.store.pool.query('UPDATE api_key SET revoked_at = now() WHERE tenant_id = $1', [id]);
    const { status, body } = await harness.request('POST', `${path}/keys`, { body: {} });
    expect([status, body.apiKey.scopes]).toEqual([201, ['admin']]);
    expect((await harness.request('GET', '/v1/keys', { key: body.key })).status).toBe(200);
  });

  it('with an unknown id is not found', async () => {
    for (const id of ['ten_AAAAAAAAAAAAAAAAAAAAAA', 'x', '%00', "'; DROP TABLE tenant; --"]) {
      const path = `${TENANTS}/${encodeURIComponent(id)}`;
      for (const [method, more, body] of [
        ['GET', '', undefined],
        ['PATCH', '', { name: 'X' }],
        ['POST', '/suspend', undefined],
        ['POST', '/resume', undefined],
        ['POST', '/keys', {}],
      ] as const) {
        expect([method, more, await rejectionOf(harness.request(method, path + more, { body }))]).toEqual([
          method,
          more,
          [404, 'tenant-not-found'],
        ]);
      }
    }
  });
});

describe('list of tenants', () => {
  it('returns all tenants in pages, newest first, or those of one state', async () => {
    const [first, second, third] = [await createTestTenant(), await createTestTenant(), await createTestTenant()];
    await suspend(second.path);
    const ids: string[] = [];
    for (let after: string | null = ''; after !== null;) {
      const { body }: { body: { tenants: { id: string }[]; next: string | null } } = await harness.request(
        'GET',
        `${TENANTS}?limit=2${after === '' ? '' : `&after=${after}`}`,
      );
      ids.push(...body.tenants.map(({ id }) => id));
      after = body.next;
    }
    expect(ids.slice(0, 3)).toEqual([third.id, second.id, first.id]);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toEqual(expect.arrayContaining(['ten_ours', 'ten_theirs']));
    const inState = async (state: string): Promise<string[]> =>
      (await harness.request('GET', `${TENANTS}?state=${state}&limit=100`)).body.tenants.map(
        ({ id }: { id: string }) => id,
      );
    expect(await inState('suspended')).toContain(second.id);
    expect(await inState('active')).not.toContain(second.id);
    expect((await inState('all')).length).toBe((await inState('active')).length + (await inState('suspended')).length);
  });

  it.each(['?state=dead', '?limit=0', '?after=room_x', '?after=ten_none', '?colour=red'])(
    'rejects %s',
    async (query) => {
      expect(await rejectionOf(harness.request('GET', TENANTS + query))).toEqual([422, 'invalid-query']);
    },
  );
});

describe('suspended tenant', () => {
  it('can read only its hang-ups, usage and audit log until it is resumed', async () => {
    const { key, path } = await createTestTenant();
    const { body: room } = await harness.request('POST', '/v1/rooms', { key, body: { name: 'Room' } });
    const { body } = await suspend(path);
    expect(body).toMatchObject({ state: 'suspended', suspendedAt: expect.any(String) });
    for (const [method, address, wanted] of [
      ['GET', '/v1/rooms', undefined],
      ['POST', '/v1/rooms', { name: 'X' }],
      ['POST', `/v1/rooms/${room.room.id}/tokens`, { name: 'X' }],
      ['POST', `/v1/rooms/${room.room.id}/end`, undefined],
      ['GET', '/v1/keys', undefined],
    ] as const) {
      const reply = await harness.request(method, address, { key, body: wanted });
      expect([address, reply.status, reply.body.reason, reply.body.fix]).toEqual([
        address,
        403,
        'tenant-suspended',
        expect.any(String),
      ]);
    }
    for (const address of [
      '/v1/hang-ups',
      `/v1/sessions/${room.session.id}/hang-ups`,
      '/v1/usage',
      '/v1/cdrs',
      '/v1/spend',
      `/v1/spend?roomId=${room.room.id}`,
      '/v1/audit',
    ])
      expect([address, (await harness.request('GET', address, { key })).status]).toEqual([address, 200]);

    // A second suspension changes nothing, not even the time.
    expect((await suspend(path)).body).toEqual(body);
    for (let i = 0; i < 2; i++)
      expect((await harness.request('POST', `${path}/resume`)).body).toMatchObject({
        state: 'active',
        suspendedAt: null,
      });
    expect((await harness.request('GET', '/v1/rooms', { key })).status).toBe(200);
  });

  it('has its sessions ended immediately with the reason', async () => {
    const { key, path } = await createTestTenant();
    const sessions: string[] = [];
    for (let i = 0; i < 3; i++)
      sessions.push((await harness.request('POST', '/v1/rooms', { key, body: { name: 'Room' } })).body.session.id);
    await suspend(path);
    const { rows } = await harness.store.pool.query('SELECT state, end_reason FROM session WHERE id = ANY($1)', [
      sessions,
    ]);
    expect(rows).toEqual(sessions.map(() => ({ state: 'ended', end_reason: 'tenant-suspended' })));
  });
});

describe('deletion of a tenant', () => {
  it('requires suspension and no live leg, keeps only the audit log, and can be repeated', async () => {
    const { id, key, path } = await createTestTenant();
    const { body: room } = await harness.request('POST', '/v1/rooms', { key, body: { name: 'Room' } });
    expect(await rejectionOf(harness.request('DELETE', path))).toEqual([409, 'tenant-not-suspended']);
    await suspend(path);
    await harness.store.pool.query(
      `INSERT INTO leg (id, tenant_id, session_id, kind, state, deadline_at)
       VALUES ('leg_live', $1, $2, 'inbound', 'ending', now())`,
      [id, room.session.id],
    );
    const rejected = await harness.request('DELETE', path);
    expect([rejected.status, rejected.body.reason, rejected.headers.get('retry-after')]).toEqual([
      409,
      'tenant-has-legs',
      '5',
    ]);
    await harness.store.pool.query(`UPDATE leg SET state = 'ended' WHERE id = 'leg_live'`);
    for (let i = 0; i < 2; i++) expect((await harness.request('DELETE', path)).body).toEqual({ id });
    expect(await rejectionOf(harness.request('GET', path))).toEqual([404, 'tenant-not-found']);
    expect(await rejectionOf(harness.request('GET', '/v1/rooms', { key }))).toEqual([401, 'unknown-key']);
    const { body: log } = await harness.request('GET', `/v1/operator/audit?tenantId=${id}`);
    const operations = log.entries.map(({ operation }: { operation: string }) => operation).toReversed();
    expect(operations.filter((name: string) => name !== 'deleteTenant')).toEqual([
      'createTenant',
      'createRoom',
      'suspendTenant',
    ]);
    expect(operations.filter((name: string) => name === 'deleteTenant')).toHaveLength(4);
  });
});

describe('tenant with dedicated numbers', () => {
  const NUMBERS = '/v1/operator/numbers';
  const statesOf = async (rooms: readonly string[]): Promise<unknown[]> =>
    (await harness.store.pool.query<{ state: string }>('SELECT state FROM room WHERE id = ANY($1)', [rooms])).rows.map(
      ({ state }) => state,
    );

  it('cannot be deleted until its numbers are reassigned or deleted, which ends its rooms on them', async () => {
    const { id, key, path } = await createTestTenant();
    const [reassigned, deleted] = ['+13125550901', '+13125550902'];
    const rooms: string[] = [];
    for (const number of [reassigned, deleted]) {
      await harness.request('POST', NUMBERS, { body: { number, tenantId: id } });
      rooms.push((await harness.request('POST', '/v1/rooms', { key, body: { name: 'Room', number } })).body.room.id);
    }
    expect(await rejectionOf(harness.request('DELETE', `${NUMBERS}/${deleted}`))).toEqual([409, 'number-has-rooms']);
    await suspend(path);
    const rejected = await harness.request('DELETE', path);
    expect([rejected.status, rejected.body.reason, rejected.body.fix]).toEqual([
      409,
      'tenant-has-numbers',
      expect.stringContaining('/v1/operator/numbers'),
    ]);
    // A change that keeps the tenant ends no room.
    await harness.request('PATCH', `${NUMBERS}/${reassigned}`, { body: { language: 'es-US' } });
    await harness.request('PATCH', `${NUMBERS}/${reassigned}`, { body: { tenantId: id } });
    expect(await statesOf(rooms)).toEqual(['active', 'active']);
    expect(
      (await harness.request('PATCH', `${NUMBERS}/${reassigned}`, { body: { tenantId: 'ten_theirs' } })).body.tenantId,
    ).toBe('ten_theirs');
    expect(await rejectionOf(harness.request('DELETE', path))).toEqual([409, 'tenant-has-numbers']);
    expect((await harness.request('DELETE', `${NUMBERS}/${deleted}`)).status).toBe(200);
    expect(await statesOf(rooms)).toEqual(['ended', 'ended']);
    expect((await harness.request('DELETE', path)).body).toEqual({ id });
    expect((await harness.request('GET', `${NUMBERS}?tenantId=ten_theirs`)).body.numbers).toMatchObject([
      { number: reassigned },
    ]);
  });
});

describe('keys of operators and tenants', () => {
  it("are rejected by each other's operations", async () => {
    for (const [method, path, key] of [
      ['GET', '/v1/rooms', harness.keys.operator],
      ['POST', '/v1/rooms', harness.keys.operator],
      ['GET', '/v1/audit', harness.keys.operator],
      ['GET', TENANTS, harness.keys.ours],
      ['GET', '/v1/operator/audit', harness.keys.ours],
      ['DELETE', `${TENANTS}/ten_theirs`, harness.keys.ours],
    ] as const) {
      expect([
        path,
        await rejectionOf(harness.request(method, path, { key, body: method === 'POST' ? { name: 'X' } : undefined })),
      ]).toEqual([path, [403, 'scope-missing']]);
    }
  });

  it.each([
    ['with a character changed', (key: string) => key.slice(0, -1) + (key.endsWith('A') ? 'B' : 'A')],
    ['that is truncated', (key: string) => key.slice(0, -1)],
    ['that is longer', (key: string) => `${key}A`],
    ['with the name of another operator', (key: string) => key.replace('oscar', 'ophelia')],
    ['with another secret', () => generateKey().replace('pl_test', 'plop')],
    ['that is only the prefix', () => 'plop_'],
  ])('reject an operator key %s', async (_what, invalidate) => {
    expect(await rejectionOf(harness.request('GET', TENANTS, { key: invalidate(harness.keys.operator) }))).toEqual([
      401,
      'unknown-key',
    ]);
  });
});
