import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { OPERATIONS } from '@partyline/contracts/operations';
import { agreeable, newKey, startStage, type Stage } from '../testing/test-harness.ts';

const UNAUTHENTICATED = 20;

let stage: Stage;
let from = 0;
beforeAll(async () => {
  stage = await startStage(() => agreeable, { unauthenticatedPerMinute: UNAUTHENTICATED });
});
afterAll(() => stage.stop());
beforeEach(async () => {
  from += 1;
  await stage.store.pool.query(`UPDATE tenant SET max_requests_per_minute = 30 WHERE id IN ('ten_ours', 'ten_theirs')`);
});

const at = (address = `192.0.2.${from}`) => ({ 'x-forwarded-for': address });
const look = (key: string = stage.keys.ours) => stage.ask('GET', '/v1/rooms', { key });
const left = (headers: Headers): number => Number(/r=(\d+)/.exec(headers.get('ratelimit') ?? '')?.[1]);

describe('a tenant', () => {
  it('is told on every reply how much is left, is refused beyond that, and can always hang up', async () => {
    const { body: made } = await stage.ask('POST', '/v1/rooms', { body: { name: 'Room' } });
    const { headers } = await look();
    expect(headers.get('ratelimit-policy')).toBe('"tenant";q=30;w=60');
    expect(headers.get('ratelimit')).toMatch(/^"tenant";r=28;t=\d+$/);
    // Problems too.
    expect(left((await stage.ask('GET', '/v1/rooms/room_none')).headers)).toBe(27);

    const replies = await Promise.all(Array.from({ length: 60 }, () => look()));
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(27);
    const refused = replies.filter(({ status }) => status === 429);
    expect(refused).toHaveLength(33);
    const told = refused[0]?.headers ?? new Headers();
    expect(refused[0]?.body).toMatchObject({
      reason: 'rate-limited',
      limit: 30,
      used: expect.any(Number),
      fix: expect.stringContaining('Wait'),
    });
    expect(left(told)).toBe(0);
    expect(Number(told.get('retry-after'))).toBe(Number(/t=(\d+)/.exec(told.get('ratelimit') ?? '')?.[1]));

    expect((await stage.ask('POST', `/v1/rooms/${made.room.id}/end`)).status).toBe(202);
    // Nobody else has anything of it.
    expect((await look(stage.keys.theirs)).status).toBe(200);
  });

  it('can hang up twenty times as often, and no oftener, also where there is nothing to hang up', async () => {
    const { body: made } = await stage.ask('POST', '/v1/operator/tenants', {
      body: { name: 'Hurried', limits: { maxRequestsPerMinute: 2 } },
    });
    const asked = await Promise.all(
      Array.from({ length: 50 }, () => stage.ask('POST', '/v1/rooms/room_none/end', { key: made.key })),
    );
    const refused = asked.filter(({ status }) => status === 429);
    expect([asked.length - refused.length, refused[0]?.body.reason]).toEqual([40, 'rate-limited']);
    // To take a PIN hangs up nobody.
    expect((await stage.ask('DELETE', '/v1/rooms/room_none/pins/pin_none', { key: made.key })).status).toBe(429);
  });
});

it.each(OPERATIONS.filter(({ id, method }) => method !== 'get' && /^(end|suspend|remove|kick|hangUp)/i.test(id)))(
  '$id ends something, and is refused only much later',
  ({ ends }) => {
    expect(ends).toBe(true);
  },
);

describe('an address that has no key', () => {
  it.each([
    ['no key', 'GET', '/v1/rooms', { key: null }, 401],
    ['a wrong key', 'GET', '/v1/rooms', { key: 'pl_test_wrong_key' }, 401],
    ['nothing there', 'GET', '/v1/nothing', {}, 404],
    ['a wrong method', 'PUT', '/v1/rooms', {}, 405],
    ['a wrong body', 'POST', '/v1/rooms', { body: '{' }, 422],
    ['the document', 'GET', '/v1/openapi.json', { key: null }, 200],
  ] as const)('%s: told what is left, and refused beyond it', async (_what, method, path, given, status) => {
    const ask = () => stage.ask(method, path, { ...given, headers: at() });
    const first = await ask();
    expect([first.status, first.headers.get('ratelimit-policy'), left(first.headers)]).toEqual([
      status,
      `"address";q=${UNAUTHENTICATED};w=60`,
      UNAUTHENTICATED - 1,
    ]);
    const replies = await Promise.all(Array.from({ length: UNAUTHENTICATED + 4 }, ask));
    const refused = replies.filter((reply) => reply.status === 429);
    expect(refused).toHaveLength(5);
    expect(refused[0]?.body).toMatchObject({ reason: 'rate-limited', status: 429 });
    expect(Number(refused[0]?.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  it('does not stand in the way of whoever comes from there with a good key, nor of another address', async () => {
    await stage.store.pool.query(`UPDATE tenant SET max_requests_per_minute = 10000`);
    const wrong = (address: string) => stage.ask('GET', '/v1/rooms', { key: null, headers: at(address) });
    for (let i = 0; i <= UNAUTHENTICATED; i++) await wrong('198.51.100.1');
    expect((await wrong('198.51.100.1')).status).toBe(429);
    expect((await stage.ask('GET', '/v1/rooms', { headers: at('198.51.100.1') })).status).toBe(200);
    expect((await wrong('198.51.100.2')).status).toBe(401);
  });

  it('has one key looked up at a time once it is over, however many it tries at once; whose key was good there is let in', async () => {
    await stage.store.pool.query(`UPDATE tenant SET max_requests_per_minute = 10000`);
    const there = at('198.51.100.9');
    const wrong = () => stage.ask('GET', '/v1/rooms', { headers: there, key: newKey() });
    expect((await stage.ask('GET', '/v1/rooms', { headers: there })).status).toBe(200);
    for (let i = 0; i <= UNAUTHENTICATED; i++) await wrong();
    const lock = await stage.store.pool.connect();
    await lock.query('BEGIN; LOCK TABLE api_key');
    const first = wrong();
    await expect
      .poll(
        async () =>
          (await lock.query(`SELECT FROM pg_locks WHERE NOT granted AND relation = 'api_key'::regclass`)).rowCount,
      )
      .toBe(1);
    // None of these waits for the database.
    const refused = await Promise.all(Array.from({ length: 10 }, wrong));
    expect(new Set(refused.map(({ status, body }) => `${status} ${body.reason}`))).toEqual(
      new Set(['429 rate-limited']),
    );
    const good = stage.ask('GET', '/v1/rooms', { headers: there });
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

  it('cannot choose its address: what a client wrote before the proxy did is not believed', async () => {
    for (let i = 0; i <= UNAUTHENTICATED; i++)
      await stage.ask('GET', '/v1/rooms', { key: null, headers: at(`203.0.113.${i}, 198.51.100.3`) });
    expect(
      (await stage.ask('GET', '/v1/rooms', { key: null, headers: at('203.0.113.200, 198.51.100.3') })).status,
    ).toBe(429);
  });

  it('nor without a proxy: the header is then anybody’s', async () => {
    const bare = await startStage(() => agreeable, { unauthenticatedPerMinute: UNAUTHENTICATED, trustedProxies: [] });
    const statuses: number[] = [];
    for (let i = 0; i <= UNAUTHENTICATED; i++)
      statuses.push((await bare.ask('GET', '/v1/rooms', { key: null, headers: at(`203.0.113.${i}`) })).status);
    await bare.ask('POST', '/v1/rooms', { body: { name: 'Room' }, headers: at('203.0.113.7') });
    const { rows } = await bare.store.pool.query<{ source: string }>(`SELECT source FROM audit_entry`);
    await bare.stop();
    expect([statuses.at(-1), rows.map(({ source }) => source)]).toEqual([429, ['127.0.0.1']]);
  });

  it('health is nobody’s business to count', async () => {
    const { headers } = await stage.ask('GET', '/healthz', { key: null });
    expect(headers.get('ratelimit')).toBeNull();
  });
});

// Last: while the connection to Redis is made anew, requests are counted here.
describe('without Redis, a tenant', () => {
  it('is counted by each replica for itself while Redis is away, and by all together when it is back', async () => {
    stage.redis.sever();
    const replies = await Promise.all(Array.from({ length: 60 }, () => look(stage.keys.theirs)));
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(30);
    expect(replies.filter(({ status }) => status === 429)).toHaveLength(30);
    stage.redis.restore();
    await expect.poll(async () => (await look(stage.keys.theirs)).status).toBe(200);
  });

  it('is answered while Redis hangs', async () => {
    const own = await startStage(() => agreeable, { hurried: true });
    own.redis.stall();
    expect((await own.ask('GET', '/v1/rooms')).status).toBe(200);
    await own.stop();
  });
});
