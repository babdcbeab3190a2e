import { OPERATIONS } from '@partyline/contracts/operations';
import { inTransaction } from '@partyline/store/database/store';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { acceptingProvider, startTestHarness, type Reply, type TestHarness } from '../testing/test-harness.ts';

let harness: TestHarness;
beforeAll(async () => {
  harness = await startTestHarness(() => acceptingProvider);
});
beforeEach(async () => {
  await harness.store.pool.query('TRUNCATE audit_entry');
});
afterAll(() => harness.stop());

type Entry = Record<'id' | 'operation' | 'source' | 'requestId' | 'at' | 'reason', string> & {
  status: number;
  targets: Record<string, string>;
  actor: { kind: string; id: string };
  tenantId: string | null;
  changes: unknown;
  endedAt: string | null;
};
const entries = async (query = '', key?: string): Promise<Entry[]> =>
  (await harness.request('GET', `/v1/audit${query}`, key === undefined ? {} : { key })).body.entries;
const allEntries = async (query = ''): Promise<Entry[]> =>
  (await harness.request('GET', `/v1/operator/audit${query}`)).body.entries;
const keyId = (key: string): string => key.split('_')[2] ?? '';

describe('audit of write operations', () => {
  const writing = OPERATIONS.filter(({ method }) => method !== 'get');

  it('covers more than ten operations', () => expect(writing.length).toBeGreaterThan(10));

  it.each(writing.map((operation) => [operation.id, operation] as const))(
    '%s records one entry with its status',
    async (id, { method, path, scope }) => {
      const operator = scope === 'operator';
      const key = operator ? harness.keys.operator : harness.keys.ours;
      const reply: Reply = await harness.request(method.toUpperCase(), path.replaceAll(/\{\w+\}/g, 'none_x'), {
        key,
        body: {},
      });
      expect(await allEntries()).toEqual([
        {
          id: expect.stringMatching(/^aud_/),
          tenantId: operator ? null : 'ten_ours',
          actor: operator ? { kind: 'operator', id: 'oscar' } : { kind: 'key', id: keyId(key) },
          operation: id,
          targets: expect.any(Object),
          changes: expect.toSatisfy((changes) => changes === null || typeof changes === 'object'),
          requestId: reply.body?.requestId ?? expect.stringMatching(/^req_/),
          source: expect.stringMatching(/127\.0\.0\.1$/),
          at: expect.any(String),
          endedAt: expect.any(String),
          status: reply.status,
          reason: reply.body?.reason ?? null,
        },
      ]);
    },
  );

  it('records no entry for a read', async () => {
    for (const path of ['/v1/rooms', '/v1/keys', '/v1/hang-ups', '/v1/audit', '/docs'])
      await harness.request('GET', path);
    expect(await allEntries()).toEqual([]);
  });

  it('rejects a write whose entry cannot be stored', async () => {
    const before = await harness.countRows();
    await harness.store.pool.query('ALTER TABLE audit_entry RENAME TO gone');
    try {
      const { status, body } = await harness.request('POST', '/v1/rooms', { body: { name: 'Room' } });
      expect([status, body.reason]).toEqual([503, 'temporarily-unavailable']);
      expect(await harness.countRows()).toEqual(before);
    } finally {
      await harness.store.pool.query('ALTER TABLE gone RENAME TO audit_entry');
    }
  });

  it('records the entry before the write, so that a crash leaves an entry without an end', async () => {
    // The lock blocks the insertion of the room. The entry is written before it.
    const blocker = await harness.store.pool.connect();
    await blocker.query('BEGIN; LOCK TABLE room IN EXCLUSIVE MODE');
    const pending = harness.request('POST', '/v1/rooms', { body: { name: 'Room' } });
    await expect
      .poll(async () => (await entries()).map(({ operation, status, endedAt }) => [operation, status, endedAt]))
      .toEqual([['createRoom', null, null]]);
    await blocker.query('ROLLBACK');
    blocker.release();
    expect((await pending).status).toBe(201);
    expect((await entries())[0]).toMatchObject({ status: 201, endedAt: expect.any(String) });
  });
});

describe('audit entry', () => {
  it('contains the ids of created and changed objects', async () => {
    const { body } = await harness.request('POST', '/v1/rooms', { body: { name: 'Room' } });
    await harness.request('POST', `/v1/rooms/${body.room.id}/end`);
    expect((await entries()).map(({ operation, targets }) => [operation, targets])).toEqual([
      ['endRoom', { roomId: body.room.id, sessionId: body.session.id }],
      ['createRoom', { roomId: body.room.id, sessionId: body.session.id, participantId: body.participantId }],
    ]);
  });

  it('contains the changed fields before and after', async () => {
    await harness.request('PATCH', '/v1/operator/tenants/ten_theirs', {
      body: { name: 'Others', limits: { maxLiveRooms: 7 } },
    });
    expect((await allEntries())[0]?.changes).toEqual({
      before: { name: 'Theirs', max_live_rooms: null },
      after: { name: 'Others', max_live_rooms: 7 },
    });
    await harness.request('PATCH', '/v1/operator/limits', { body: { maxLiveLegs: 400 } });
    expect((await allEntries())[0]?.changes).toEqual({ before: { max_live_legs: 500 }, after: { max_live_legs: 400 } });
    await harness.request('PATCH', '/v1/operator/rates', {
      body: {
        rates: [
          { what: 'outbound', prefix: '+44', currency: 'EUR', microPerMinute: null },
          { what: 'inbound', prefix: '+12025550100', currency: 'EUR', microPerMinute: '5' },
        ],
      },
    });
    // A long prefix can be a phone number, which no log may contain.
    expect((await allEntries())[0]?.changes).toEqual({
      before: { rates: [{ what: 'outbound', prefix: '+44', currency: 'EUR', microPerMinute: '40000' }] },
      after: { rates: [{ what: 'inbound', prefix: '+120255...', currency: 'EUR', microPerMinute: '5' }] },
    });
  });

  it('contains changes of rooms and participants, with free text of the tenant masked', async () => {
    const latest = async (): Promise<unknown> => (await entries('?limit=1'))[0]?.changes;
    const { body: made } = await harness.request('POST', '/v1/rooms', { body: { name: 'Board' } });
    expect(await latest()).toMatchObject({ after: { roomId: made.room.id, name: '...', wait_for_host: false } });
    await harness.request('PATCH', `/v1/rooms/${made.room.id}`, { body: { name: 'Bored', waitForHost: true } });
    expect(await latest()).toEqual({
      before: { name: '...', wait_for_host: false },
      after: { name: '...', wait_for_host: true },
    });
    const { body: dialled } = await harness.request('POST', `/v1/rooms/${made.room.id}/participants`, {
      body: { phone: '+442079460018', name: 'Ada' },
    });
    expect(await latest()).toEqual({ after: { ...dialled, number: '+442*******18', role: 'participant' } });
    const { body: pin } = await harness.request('POST', `/v1/rooms/${made.room.id}/pins`, {
      body: { name: 'Ada', role: 'host' },
    });
    expect(await latest()).toEqual({ after: { pinId: pin.id, participantId: pin.participantId, role: 'host' } });
    await harness.request('DELETE', `/v1/participants/${dialled.participantId}`);
    expect(await latest()).toEqual({ after: { legIds: [dialled.legId] } });
  });

  it('contains the client address from a trusted proxy, unless it is not an IP address', async () => {
    const from = async (forwarded: string): Promise<string | undefined> => {
      await fetch(`${harness.url}/v1/rooms`, {
        method: 'POST',
        headers: { authorization: `Bearer ${harness.keys.ours}`, 'x-forwarded-for': forwarded },
      });
      return (await entries('?limit=1'))[0]?.source;
    };
    expect(await from('203.0.113.7')).toBe('203.0.113.7');
    expect(await from('+442079460018')).toMatch(/127\.0\.0\.1$/);
  });

  it('cannot be deleted, changed or backdated by a tenant', async () => {
    await harness.request('POST', '/v1/rooms', { body: { name: 'Room' } });
    for (const text of [
      'DELETE FROM audit_entry',
      `UPDATE audit_entry SET actor_id = 'else'`,
      `UPDATE audit_entry SET tenant_id = NULL`,
      `UPDATE audit_entry SET begun_at = now()`,
    ]) {
      await expect(inTransaction(harness.store, 'ten_ours', (tx) => tx.query(text))).rejects.toMatchObject({
        code: '42501',
      });
    }
  });
});

describe('audit log', () => {
  it('shows a tenant its own entries, and an operator all entries', async () => {
    await harness.request('POST', '/v1/rooms', { body: { name: 'Ours' } });
    await harness.request('POST', '/v1/rooms', { key: harness.keys.theirs, body: { name: 'Theirs' } });
    await harness.request('POST', '/v1/operator/tenants/ten_theirs/resume');
    expect((await entries()).map(({ tenantId }) => tenantId)).toEqual(['ten_ours']);
    expect((await entries('', harness.keys.theirs)).map(({ tenantId, operation }) => [tenantId, operation])).toEqual([
      [null, 'resumeTenant'],
      ['ten_theirs', 'createRoom'],
    ]);
    expect((await allEntries()).map(({ tenantId, operation }) => [tenantId, operation])).toEqual([
      [null, 'resumeTenant'],
      ['ten_theirs', 'createRoom'],
      ['ten_ours', 'createRoom'],
    ]);
    expect((await allEntries('?tenantId=ten_theirs')).map(({ operation }) => operation)).toEqual([
      'resumeTenant',
      'createRoom',
    ]);
  });

  it('shows a tenant the changes by operators, without their identity or data of other tenants', async () => {
    const TENANT = '/v1/operator/tenants/ten_ours';
    const number = '+13125550777';
    await harness.request('PATCH', TENANT, { body: { name: 'Slow payers', maxMinutesPerMonth: 90 } });
    await harness.request('PATCH', TENANT, { body: { maxMinutesPerMonth: null } });
    const { body: key } = await harness.request('POST', `${TENANT}/keys`, { body: {} });
    await harness.request('POST', '/v1/operator/numbers', { body: { number, tenantId: 'ten_ours' } });
    await harness.request('PATCH', `/v1/operator/numbers/${number.slice(1)}`, { body: { tenantId: 'ten_theirs' } });
    await harness.request('DELETE', `/v1/operator/numbers/${number.slice(1)}`);
    await harness.request('POST', `${TENANT}/suspend`);
    await harness.request('PATCH', '/v1/operator/limits', { body: { maxLiveLegs: 500 } });

    // A suspended tenant can still read its log.
    const ours = await entries();
    expect(ours.map(({ operation }) => operation)).toEqual([
      'suspendTenant',
      'updateNumber',
      'createNumber',
      'createTenantKey',
      'updateTenant',
      'updateTenant',
    ]);
    for (const entry of ours)
      expect(entry).toMatchObject({
        tenantId: null,
        actor: { kind: 'operator', id: 'operator' },
        source: null,
        status: expect.any(Number),
        targets: { tenantId: 'ten_ours' },
      });
    expect(ours.map(({ changes }) => changes)).toMatchObject([
      { after: { suspendedAt: expect.any(String) } },
      { before: { number: '+131******77', tenantId: 'ten_ours' }, after: { number: '+131******77', tenantId: null } },
      { after: { number: '+131******77', tenantId: 'ten_ours' } },
      { after: { keyId: key.apiKey.id } },
      { before: { max_minutes_per_month: 90 }, after: { max_minutes_per_month: null } },
      { before: { max_minutes_per_month: null }, after: { max_minutes_per_month: 90 } },
    ]);
    for (const theirs of ['oscar', 'ten_theirs', 'Slow payers', '127.0.0.1', number])
      expect(JSON.stringify(ours)).not.toContain(theirs);
    expect((await entries('', harness.keys.theirs)).map(({ operation }) => operation)).toEqual([
      'deleteNumber',
      'updateNumber',
    ]);
    await harness.request('POST', `${TENANT}/resume`);

    // Entries of operators are filtered and paged like others.
    await harness.request('POST', '/v1/rooms', { body: {} });
    expect((await entries('?actor=operator&operation=createNumber')).map(({ id }) => id)).toEqual([ours[2]?.id]);
    expect(await entries('?actor=oscar')).toEqual([]);
    const operations: string[] = [];
    for (let next: string | null = ''; next !== null;) {
      const { body }: { body: { entries: Entry[]; next: string | null } } = await harness.request(
        'GET',
        `/v1/audit?limit=3${next === '' ? '' : `&after=${next}`}`,
      );
      operations.push(...body.entries.map(({ operation }) => operation));
      next = body.next;
    }
    expect(operations).toEqual(['createRoom', 'resumeTenant', ...ours.map(({ operation }) => operation)]);
    // The log of operators hides nothing.
    const all = await allEntries('?tenantId=ten_theirs');
    expect(all.map(({ operation, actor, source }) => [operation, actor.id, source])).toEqual([
      ['deleteNumber', 'oscar', expect.any(String)],
      ['updateNumber', 'oscar', expect.any(String)],
    ]);
  });

  it("rejects a tenant's entry about another tenant, and a tenant's change of an operator's entry", async () => {
    await harness.request('POST', '/v1/operator/tenants/ten_ours/resume');
    for (const text of [
      `INSERT INTO audit_entry (id, tenant_id, about, actor_kind, actor_id, operation, request_id, source)
       VALUES ('aud_x', 'ten_ours', '{ten_theirs}', 'key', 'k', 'endRoom', 'r', 's')`,
      `UPDATE audit_entry SET reason = 'forged' WHERE actor_kind = 'operator'`,
    ])
      await expect(inTransaction(harness.store, 'ten_ours', (tx) => tx.query(text))).rejects.toMatchObject({
        code: '42501',
      });
  });

  it('can be filtered by time, actor and operation', async () => {
    const { body } = await harness.request('POST', '/v1/keys', { body: { label: 'Other', scopes: ['admin'] } });
    await harness.request('POST', '/v1/rooms', { key: body.key, body: { name: 'Room' } });
    const [second, first] = await entries();
    expect((await entries(`?actor=${body.apiKey.id}`)).map(({ id }) => id)).toEqual([second?.id]);
    expect((await entries('?operation=createKey')).map(({ id }) => id)).toEqual([first?.id]);
    expect((await entries(`?from=${second?.at}`)).map(({ id }) => id)).toEqual([second?.id]);
    expect((await entries(`?to=${second?.at}`)).map(({ id }) => id)).toEqual([first?.id]);
    expect(await entries('?operation=endRoom')).toEqual([]);
  });

  it('is returned in pages, or as a stream of all entries', async () => {
    for (let i = 0; i < 5; i++) await harness.request('POST', '/v1/rooms', { body: {} });
    const first = (await harness.request('GET', '/v1/audit?limit=3')).body;
    const second = (await harness.request('GET', `/v1/audit?limit=3&after=${first.next}`)).body;
    expect([first.entries.length, second.entries.length, second.next]).toEqual([3, 2, null]);
    const paged = [...first.entries, ...second.entries];
    for (const [address, key] of [
      ['/v1/audit', harness.keys.ours],
      ['/v1/operator/audit', harness.keys.operator],
    ] as const) {
      const reply = await fetch(harness.url + address, {
        headers: { authorization: `Bearer ${key}`, accept: 'application/x-ndjson' },
      });
      expect([reply.status, reply.headers.get('content-type')]).toEqual([200, 'application/x-ndjson']);
      expect(
        (await reply.text())
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line) as unknown),
      ).toEqual(paged);
    }
    const none = await fetch(`${harness.url}/v1/audit?operation=endRoom`, {
      headers: { authorization: `Bearer ${harness.keys.ours}`, accept: 'application/x-ndjson' },
    });
    expect([none.status, await none.text()]).toEqual([200, '']);
  });

  it('streams more entries than one query reads, without duplicates', async () => {
    await harness.store.pool.query(
      `INSERT INTO audit_entry (id, tenant_id, actor_kind, actor_id, operation, request_id, source, begun_at)
       SELECT 'aud_' || n, 'ten_ours', 'key', 'k', 'endRoom', 'req_' || n, '127.0.0.1',
              now() - (n / 3) * interval '1 second'
       FROM generate_series(1, 1234) AS n`,
    );
    const reply = await fetch(`${harness.url}/v1/audit`, {
      headers: { authorization: `Bearer ${harness.keys.ours}`, accept: 'application/x-ndjson' },
    });
    const ids = (await reply.text())
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { id: string }).id);
    expect([ids.length, new Set(ids).size]).toEqual([1_234, 1_234]);
  });

  it.each(['?from=yesterday', '?after=aud_none', '?actor=a%20b', '?operation=DROP%20TABLE', '?limit=101', '?who=me'])(
    'rejects %s',
    async (query) => {
      const { status, body } = await harness.request('GET', `/v1/audit${query}`);
      expect([status, body.reason]).toEqual([422, 'invalid-query']);
    },
  );

  it("rejects a page after another tenant's entry", async () => {
    await harness.request('POST', '/v1/rooms', { key: harness.keys.theirs, body: {} });
    const [theirs] = await allEntries();
    expect((await harness.request('GET', `/v1/audit?after=${theirs?.id}`)).status).toBe(422);
  });
});
