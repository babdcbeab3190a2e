import { randomUUID } from 'node:crypto';
import type { ProviderRpc } from '@partyline/conference/providers/rpc-messages';
import { writes } from '@partyline/contracts/operation';
import { OPERATIONS } from '@partyline/contracts/operations';
import { VerdictError } from '@partyline/domain/verdict';
import { purgeExpired } from '@partyline/store/reconciliation/purge';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { agreeable, startStage, type Stage } from '../testing/test-harness.ts';

/** What the vendor does next; undefined: what it is asked. */
let openMedia: ((input: Parameters<ProviderRpc['openMedia']>[0]) => ReturnType<ProviderRpc['openMedia']>) | undefined;
let stage: Stage;
beforeAll(async () => {
  stage = await startStage(() => ({
    ...agreeable,
    openMedia: (input) => (openMedia === undefined ? agreeable.openMedia(input) : openMedia(input)),
  }));
});
afterAll(() => stage.stop());

const create = (key: string, body: unknown = { name: 'Room' }, as = stage.keys.ours) =>
  stage.ask('POST', '/v1/rooms', { key: as, body, headers: { 'idempotency-key': key } });
const rooms = async (): Promise<number> => (await stage.counts()).rooms ?? 0;

describe('a request that comes again with its key', () => {
  it('is done once, and gets the same answer, marked as given before', async () => {
    const key = randomUUID();
    const before = await rooms();
    const first = await create(key);
    const again = await create(key);
    expect([first.status, again.status, again.body]).toEqual([201, 201, first.body]);
    expect([first.headers.get('idempotency-replayed'), again.headers.get('idempotency-replayed')]).toEqual([
      null,
      'true',
    ]);
    expect(await rooms()).toBe(before + 1);
  });

  it('and the same body with its blanks elsewhere is the same request', async () => {
    const key = randomUUID();
    const first = await create(key, '{"name":"Blanks"}');
    expect((await create(key, '{ "name" : "Blanks" }')).body).toEqual(first.body);
  });

  it('is refused with another body, and at another address, and nothing is done', async () => {
    const key = randomUUID();
    const { body: made } = await create(key);
    const before = await stage.counts();
    for (const [path, body] of [
      ['/v1/rooms', { name: 'Another' }],
      [`/v1/rooms/${made.room.id}/tokens`, { name: 'Room' }],
      [`/v1/rooms/${made.room.id}/end`, undefined],
    ] as const) {
      const reply = await stage.ask('POST', path, { body, headers: { 'idempotency-key': key } });
      expect([reply.status, reply.body.reason, reply.body.fix]).toEqual([
        409,
        'idempotency-key-reused',
        expect.any(String),
      ]);
    }
    expect(await stage.counts()).toEqual(before);
  });

  it('is refused with another API key: what one was shown is not for the other', async () => {
    const make = (as: string, key: string, body: object) =>
      stage.ask('POST', '/v1/keys', { key: as, body, headers: { 'idempotency-key': key } });
    const { body: weak } = await make(stage.keys.ours, randomUUID(), { label: 'Weak', scopes: ['keys:write'] });
    const key = randomUUID();
    const admin = { label: 'Strong', scopes: ['admin'] };
    const { body: strong } = await make(stage.keys.ours, key, admin);
    const stolen = await make(weak.key, key, admin);
    expect([stolen.status, stolen.body.reason]).toEqual([409, 'idempotency-key-reused']);
    expect(JSON.stringify(stolen.body)).not.toContain(strong.key);
    expect((await make(stage.keys.ours, key, admin)).body).toEqual(strong);
  });

  it('is refused with another If-Match', async () => {
    const { body: made } = await create(randomUUID());
    const key = randomUUID();
    const rename = (match: string) =>
      stage.ask('PATCH', `/v1/rooms/${made.room.id}`, {
        body: { name: 'Renamed' },
        headers: { 'idempotency-key': key, 'if-match': match },
      });
    expect((await rename('"1"')).status).toBe(200);
    expect((await rename('"2"')).body.reason).toBe('idempotency-key-reused');
    expect((await rename('"1"')).headers.get('idempotency-replayed')).toBe('true');
  });

  it('is another tenant’s own, though the key is the same', async () => {
    const key = randomUUID();
    const ours = await create(key);
    const theirs = await create(key, { name: 'Room' }, stage.keys.theirs);
    expect([theirs.status, theirs.headers.get('idempotency-replayed')]).toEqual([201, null]);
    expect(theirs.body.room.id).not.toBe(ours.body.room.id);
  });

  it('forty at once make one, and all get its answer', async () => {
    const key = randomUUID();
    const before = await rooms();
    // Who waited in vain, on a machine that is busy, comes again as told.
    const patient = async (): ReturnType<typeof create> => {
      const reply = await create(key);
      return reply.body.reason === 'idempotency-in-progress' ? patient() : reply;
    };
    const replies = await Promise.all(Array.from({ length: 40 }, patient));
    expect(new Set(replies.map(({ status, body }) => `${status} ${body.room?.id}`)).size).toBe(1);
    expect(replies.filter(({ headers }) => headers.get('idempotency-replayed') === null)).toHaveLength(1);
    expect(await rooms()).toBe(before + 1);
  });

  it('waits for the first, and is told to come again when that takes too long', async () => {
    const key = randomUUID();
    let answer = (): void => undefined;
    const slow = new Promise<void>((resolve) => (answer = resolve));
    let asked = (): void => undefined;
    const under = new Promise<void>((resolve) => (asked = resolve));
    openMedia = async (input) => {
      asked();
      await slow;
      return agreeable.openMedia(input);
    };
    const first = create(key);
    await under;
    const twin = await create(key);
    expect([twin.status, twin.body.reason]).toEqual([409, 'idempotency-in-progress']);
    expect(Number(twin.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    answer();
    openMedia = undefined;
    const made = await first;
    expect([made.status, (await create(key)).body]).toEqual([201, made.body]);
  });

  it('is refused again, word for word, when it was refused for good', async () => {
    const { body: made } = await create(randomUUID());
    await stage.ask('POST', `/v1/rooms/${made.room.id}/end`);
    const key = { 'idempotency-key': randomUUID() };
    const token = () =>
      stage.ask('POST', `/v1/rooms/${made.room.id}/tokens`, { body: { name: 'Grace' }, headers: key });
    const first = await token();
    const again = await token();
    expect([first.status, first.body.reason]).toEqual([409, 'room-ended']);
    expect([again.status, again.body, again.headers.get('idempotency-replayed')]).toEqual([409, first.body, 'true']);
  });

  it('is done after all when it failed, or was refused for now, or had a wrong field', async () => {
    const key = randomUUID();
    const before = await rooms();
    expect((await create(key, { name: '' })).status).toBe(422);
    openMedia = async () => {
      throw new VerdictError('upstream', 'vendor-503', 'The vendor is too busy.');
    };
    expect((await create(key)).body.reason).toBe('vendor-503');
    openMedia = undefined;
    await stage.store.pool.query(`UPDATE tenant SET max_live_rooms = 0 WHERE id = 'ten_ours'`);
    expect((await create(key)).body.reason).toBe('limit-live-rooms');
    await stage.store.pool.query(`UPDATE tenant SET max_live_rooms = NULL WHERE id = 'ten_ours'`);
    expect(await rooms()).toBe(before);
    const made = await create(key);
    expect([made.status, made.headers.get('idempotency-replayed'), await rooms()]).toEqual([201, null, before + 1]);
  });

  it('is done after all when there was nothing left to spend, or the room had changed', async () => {
    const { body: made } = await create(randomUUID());
    const path = `/v1/rooms/${made.room.id}`;
    const key = { 'idempotency-key': randomUUID() };
    const limit = (micro: string | null) => stage.ask('PUT', `${path}/spend-limit`, { body: { maxSpendMicro: micro } });
    const token = () => stage.ask('POST', `${path}/tokens`, { body: { name: 'Grace' }, headers: key });
    await limit('0');
    expect((await token()).status).toBe(402);
    await limit(null);
    expect((await token()).status).toBe(201);

    const { version } = (await stage.ask('GET', path)).body.room;
    const rename = { 'idempotency-key': randomUUID(), 'if-match': `"${version + 1}"` };
    const renamed = () => stage.ask('PATCH', path, { body: { name: 'Renamed' }, headers: rename });
    expect((await renamed()).status).toBe(412);
    await stage.ask('PATCH', path, { body: { maxParticipants: 7 } });
    expect((await renamed()).body).toMatchObject({ name: 'Renamed', version: version + 2 });
  });

  it('is a new one after a day, and is forgotten by then', async () => {
    const key = randomUUID();
    const age = () =>
      stage.store.pool.query(
        `UPDATE idempotency_key SET created_at = created_at - interval '24 hours 1 second' WHERE key = $1`,
        [key],
      );
    const first = await create(key);
    await age();
    const second = await create(key, { name: 'Another' });
    expect([second.status, second.headers.get('idempotency-replayed')]).toEqual([201, null]);
    expect(second.body.room.id).not.toBe(first.body.room.id);
    await age();
    await purgeExpired(stage.store, 'keys', 1_000);
    expect((await stage.store.pool.query('SELECT FROM idempotency_key WHERE key = $1', [key])).rowCount).toBe(0);
    expect(
      (
        await stage.store.pool.query(
          'SELECT FROM idempotency_step WHERE key_id NOT IN (SELECT id FROM idempotency_key)',
        )
      ).rowCount,
    ).toBe(0);
  });
});

describe('a key', () => {
  it.each(['', 'x'.repeat(256), 'tab\there', 'caf\u00e9'])(
    'that is %j is refused, and nothing is done',
    async (key) => {
      const before = await stage.counts();
      const reply = await create(key);
      expect([reply.status, reply.body.reason, reply.body.fix]).toEqual([
        422,
        'invalid-idempotency-key',
        expect.any(String),
      ]);
      expect(await stage.counts()).toEqual(before);
    },
  );

  it.each(['x', 'x'.repeat(255), '~!@#$ "quoted", with commas'])('that is %j is taken', async (key) => {
    const first = await create(key);
    expect([first.status, (await create(key)).body]).toEqual([201, first.body]);
  });

  it('means nothing to what only reads', async () => {
    for (const _twice of [1, 2]) {
      const { status, headers } = await stage.ask('GET', '/v1/rooms', { headers: { 'idempotency-key': '\t' } });
      expect([status, headers.get('idempotency-replayed')]).toEqual([200, null]);
    }
  });
});

// A bad key is refused before anything else is looked at, so whoever refuses it would also have kept a good one.
it.each(OPERATIONS.filter(writes))('$method $path takes one', async ({ method, path }) => {
  const reply = await stage.ask(method.toUpperCase(), path.replaceAll(/\{\w+\}/g, 'x_y'), {
    body: {},
    headers: { 'idempotency-key': 'caf\u00e9' },
  });
  expect([reply.status, reply.body.reason]).toEqual([422, 'invalid-idempotency-key']);
});
