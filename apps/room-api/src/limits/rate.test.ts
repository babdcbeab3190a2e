import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { OPERATIONS } from '@partyline/contracts/operations';
import { acceptingProvider, generateKey, startTestHarness, type TestHarness } from '../testing/test-harness.ts';

const UNAUTHENTICATED_PER_MINUTE = 20;

let harness: TestHarness;
let addressNo = 0;
beforeAll(async () => {
  harness = await startTestHarness(() => acceptingProvider, { unauthenticatedPerMinute: UNAUTHENTICATED_PER_MINUTE });
});
afterAll(() => harness.stop());
beforeEach(async () => {
  addressNo += 1;
  await harness.store.pool.query(
    `UPDATE tenant SET max_requests_per_minute = 30 WHERE id IN ('ten_ours', 'ten_theirs')`,
  );
});

const at = (address = `192.0.2.${addressNo}`) => ({ 'x-forwarded-for': address });
const listRooms = (key: string = harness.keys.ours) => harness.request('GET', '/v1/rooms', { key });
const remaining = (headers: Headers): number => Number(/r=(\d+)/.exec(headers.get('ratelimit') ?? '')?.[1]);

describe('requests of a tenant', () => {
  it('show the remaining number, are rejected above the limit, and can still end a room', async () => {
    const { body: made } = await harness.request('POST', '/v1/rooms', { body: { name: 'Room' } });
    const { headers } = await listRooms();
    expect(headers.get('ratelimit-policy')).toBe('"tenant";q=30;w=60');
    expect(headers.get('ratelimit')).toMatch(/^"tenant";r=28;t=\d+$/);
    // Problems have the header too.
    expect(remaining((await harness.request('GET', '/v1/rooms/room_none')).headers)).toBe(27);

    const replies = await Promise.all(Array.from({ length: 60 }, () => listRooms()));
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(27);
    const rejected = replies.filter(({ status }) => status === 429);
    expect(rejected).toHaveLength(33);
    const headersOfRejection = rejected[0]?.headers ?? new Headers();
    expect(rejected[0]?.body).toMatchObject({
      reason: 'rate-limited',
      limit: 30,
      used: expect.any(Number),
      fix: expect.stringContaining('Wait'),
    });
    expect(remaining(headersOfRejection)).toBe(0);
    expect(Number(headersOfRejection.get('retry-after'))).toBe(
      Number(/t=(\d+)/.exec(headersOfRejection.get('ratelimit') ?? '')?.[1]),
    );

    expect((await harness.request('POST', `/v1/rooms/${made.room.id}/end`)).status).toBe(202);
    // Other tenants are not affected.
    expect((await listRooms(harness.keys.theirs)).status).toBe(200);
  });

  it('can end rooms at twenty times the limit and no more, also rooms that do not exist', async () => {
    const { body: made } = await harness.request('POST', '/v1/operator/tenants', {
      body: { name: 'Hurried', limits: { maxRequestsPerMinute: 2 } },
    });
    const replies = await Promise.all(
      Array.from({ length: 50 }, () => harness.request('POST', '/v1/rooms/room_none/end', { key: made.key })),
    );
    const rejected = replies.filter(({ status }) => status === 429);
    expect([replies.length - rejected.length, rejected[0]?.body.reason]).toEqual([40, 'rate-limited']);
    // The removal of a PIN ends no leg, so the normal limit applies.
    expect((await harness.request('DELETE', '/v1/rooms/room_none/pins/pin_none', { key: made.key })).status).toBe(429);
  });
});

it.each(OPERATIONS.filter(({ id, method }) => method !== 'get' && /^(end|suspend|remove|kick|hangUp)/i.test(id)))(
  '$id has the higher limit of operations that end something',
  ({ ends }) => {
    expect(ends).toBe(true);
  },
);

describe('requests without a valid key', () => {
  it.each([
    ['no key', 'GET', '/v1/rooms', { key: null }, 401],
    ['a wrong key', 'GET', '/v1/rooms', { key: 'pl_test_wrong_key' }, 401],
    ['an unknown path', 'GET', '/v1/nothing', {}, 404],
    ['a wrong method', 'PUT', '/v1/rooms', {}, 405],
    ['a wrong body', 'POST', '/v1/rooms', { body: '{' }, 422],
    ['the document', 'GET', '/v1/openapi.json', { key: null }, 200],
  ] as const)(
    'are counted per address and rejected above the limit: %s',
    async (_what, method, path, given, status) => {
      const sendRequest = () => harness.request(method, path, { ...given, headers: at() });
      const first = await sendRequest();
      expect([first.status, first.headers.get('ratelimit-policy'), remaining(first.headers)]).toEqual([
        status,
        `"address";q=${UNAUTHENTICATED_PER_MINUTE};w=60`,
        UNAUTHENTICATED_PER_MINUTE - 1,
      ]);
      const replies = await Promise.all(Array.from({ length: UNAUTHENTICATED_PER_MINUTE + 4 }, sendRequest));
      const rejected = replies.filter((reply) => reply.status === 429);
      expect(rejected).toHaveLength(5);
      expect(rejected[0]?.body).toMatchObject({ reason: 'rate-limited', status: 429 });
      expect(Number(rejected[0]?.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(rejected[0]?.headers.get('cache-control')).toBe('no-store');
    },
  );

  it('do not affect a valid key at the same address, or another address', async () => {
    await harness.store.pool.query(`UPDATE tenant SET max_requests_per_minute = 10000`);
    const wrong = (address: string) => harness.request('GET', '/v1/rooms', { key: null, headers: at(address) });
    for (let i = 0; i <= UNAUTHENTICATED_PER_MINUTE; i++) await wrong('198.51.100.1');
    expect((await wrong('198.51.100.1')).status).toBe(429);
    expect((await harness.request('GET', '/v1/rooms', { headers: at('198.51.100.1') })).status).toBe(200);
    expect((await wrong('198.51.100.2')).status).toBe(401);
  });

  it('are counted together for all addresses of an IPv6 /64, and for every form of an IPv4 address', async () => {
    const flood = async (addressOf: (n: number) => string) =>
      (
        await Promise.all(
          Array.from({ length: UNAUTHENTICATED_PER_MINUTE + 5 }, (_, n) =>
            harness.request('GET', '/v1/rooms', { key: null, headers: at(addressOf(n)) }),
          ),
        )
      ).filter(({ status }) => status === 429).length;
    expect(await flood((n) => `2001:db8:7:7:${n.toString(16)}::1`)).toBe(5);
    expect(await flood((n) => `2001:db8:${n.toString(16)}:1::1`)).toBe(0);
    expect(await flood((n) => ['198.51.100.77', '::ffff:198.51.100.77', '64:ff9b::198.51.100.77'][n % 3] ?? '')).toBe(
      5,
    );
  });

  it('above the limit are looked up one at a time, except keys that were valid in the last minute', async () => {
    await harness.store.pool.query(`UPDATE tenant SET max_requests_per_minute = 10000`);
    const there = at('198.51.100.9');
    const wrong = () => harness.request('GET', '/v1/rooms', { headers: there, key: generateKey() });
    expect((await harness.request('GET', '/v1/rooms', { headers: there })).status).toBe(200);
    for (let i = 0; i <= UNAUTHENTICATED_PER_MINUTE; i++) await wrong();
    const lock = await harness.store.pool.connect();
    await lock.query('BEGIN; LOCK TABLE api_key');
    const first = wrong();
    await expect
      .poll(
        async () =>
          (await lock.query(`SELECT FROM pg_locks WHERE NOT granted AND relation = 'api_key'::regclass`)).rowCount,
      )
      .toBe(1);
    // None of these waits for the database.
    const rejected = await Promise.all(Array.from({ length: 10 }, wrong));
    expect(new Set(rejected.map(({ status, body }) => `${status} ${body.reason}`))).toEqual(
      new Set(['429 rate-limited']),
    );
    const good = harness.request('GET', '/v1/rooms', { headers: there });
    await expect
      .poll(
        async () =>
          (await lock.query(`SELECT FROM pg_locks WHERE NOT granted AND relation = 'api_key'::regclass`)).rowCount,
      )
      .toBe(2);
    await lock.query('COMMIT');
    lock.release();
    expect([(await first).status, (await good).status]).toEqual([429, 200]);
  });

  it('are counted by the address that the trusted proxy added, not by one that the client sent', async () => {
    for (let i = 0; i <= UNAUTHENTICATED_PER_MINUTE; i++)
      await harness.request('GET', '/v1/rooms', { key: null, headers: at(`203.0.113.${i}, 198.51.100.3`) });
    expect(
      (await harness.request('GET', '/v1/rooms', { key: null, headers: at('203.0.113.200, 198.51.100.3') })).status,
    ).toBe(429);
  });

  it('are counted by the socket address if no proxy is trusted', async () => {
    const withoutProxy = await startTestHarness(() => acceptingProvider, {
      unauthenticatedPerMinute: UNAUTHENTICATED_PER_MINUTE,
      trustedProxies: [],
    });
    const statuses: number[] = [];
    for (let i = 0; i <= UNAUTHENTICATED_PER_MINUTE; i++)
      statuses.push(
        (await withoutProxy.request('GET', '/v1/rooms', { key: null, headers: at(`203.0.113.${i}`) })).status,
      );
    await withoutProxy.request('POST', '/v1/rooms', { body: { name: 'Room' }, headers: at('203.0.113.7') });
    const { rows } = await withoutProxy.store.pool.query<{ source: string }>(`SELECT source FROM audit_entry`);
    await withoutProxy.stop();
    expect([statuses.at(-1), rows.map(({ source }) => source)]).toEqual([429, ['127.0.0.1']]);
  });
});

// Last, because this replica counts alone until its Redis client has reconnected.
describe('requests of a tenant without Redis', () => {
  it('are counted by each replica alone while Redis is unavailable, and together afterwards', async () => {
    harness.redis.sever();
    const replies = await Promise.all(Array.from({ length: 60 }, () => listRooms(harness.keys.theirs)));
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(30);
    expect(replies.filter(({ status }) => status === 429)).toHaveLength(30);
    harness.redis.restore();
    await expect.poll(async () => (await listRooms(harness.keys.theirs)).status).toBe(200);
  });

  it('are answered while Redis hangs', async () => {
    const own = await startTestHarness(() => acceptingProvider, { shortTimeouts: true });
    own.redis.stall();
    expect((await own.request('GET', '/v1/rooms')).status).toBe(200);
    await own.stop();
  });
});
