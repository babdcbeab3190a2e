import { randomUUID } from 'node:crypto';
import type { ProviderRpc } from '@partyline/conference/providers/rpc-messages';
import { isWrite } from '@partyline/contracts/operation';
import { OPERATIONS } from '@partyline/contracts/operations';
import { VerdictError } from '@partyline/domain/verdict';
import { purgeExpired } from '@partyline/store/reconciliation/purge';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { acceptingProvider, startTestHarness, type TestHarness } from '../testing/test-harness.ts';

/** Replaces the provider's answer. Undefined: the provider accepts the call. */
let openMedia: ((input: Parameters<ProviderRpc['openMedia']>[0]) => ReturnType<ProviderRpc['openMedia']>) | undefined;
let harness: TestHarness;
beforeAll(async () => {
  harness = await startTestHarness(() => ({
    ...acceptingProvider,
    openMedia: (input) => (openMedia === undefined ? acceptingProvider.openMedia(input) : openMedia(input)),
  }));
});
afterAll(() => harness.stop());

const create = (key: string, body: unknown = { name: 'Room' }, as = harness.keys.ours) =>
  harness.request('POST', '/v1/rooms', { key: as, body, headers: { 'idempotency-key': key } });
const rooms = async (): Promise<number> => (await harness.countRows()).rooms ?? 0;

describe('repeated request with an Idempotency-Key', () => {
  it('is executed once, and gets the stored answer, marked as replayed', async () => {
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

  it('may differ in the white space of its body', async () => {
    const key = randomUUID();
    const first = await create(key, '{"name":"Blanks"}');
    expect((await create(key, '{ "name" : "Blanks" }')).body).toEqual(first.body);
  });

  it('is rejected with another body or path, and changes nothing', async () => {
    const key = randomUUID();
    const { body: made } = await create(key);
    const before = await harness.countRows();
    for (const [path, body] of [
      ['/v1/rooms', { name: 'Another' }],
      [`/v1/rooms/${made.room.id}/tokens`, { name: 'Room' }],
      [`/v1/rooms/${made.room.id}/end`, undefined],
    ] as const) {
      const reply = await harness.request('POST', path, { body, headers: { 'idempotency-key': key } });
      expect([reply.status, reply.body.reason, reply.body.fix]).toEqual([
        409,
        'idempotency-key-reused',
        expect.any(String),
      ]);
    }
    expect(await harness.countRows()).toEqual(before);
  });

  it('is rejected with another API key, because an answer can contain a secret', async () => {
    const make = (as: string, key: string, body: object) =>
      harness.request('POST', '/v1/keys', { key: as, body, headers: { 'idempotency-key': key } });
    const { body: weak } = await make(harness.keys.ours, randomUUID(), { label: 'Weak', scopes: ['keys:write'] });
    const key = randomUUID();
    const admin = { label: 'Strong', scopes: ['admin'] };
    const { body: strong } = await make(harness.keys.ours, key, admin);
    const stolen = await make(weak.key, key, admin);
    expect([stolen.status, stolen.body.reason]).toEqual([409, 'idempotency-key-reused']);
    expect(JSON.stringify(stolen.body)).not.toContain(strong.key);
    expect((await make(harness.keys.ours, key, admin)).body).toEqual(strong);
  });

  it('is rejected with another If-Match', async () => {
    const { body: made } = await create(randomUUID());
    const key = randomUUID();
    const rename = (match: string) =>
      harness.request('PATCH', `/v1/rooms/${made.room.id}`, {
        body: { name: 'Renamed' },
        headers: { 'idempotency-key': key, 'if-match': match },
      });
    expect((await rename('"1"')).status).toBe(200);
    expect((await rename('"2"')).body.reason).toBe('idempotency-key-reused');
    expect((await rename('"1"')).headers.get('idempotency-replayed')).toBe('true');
  });

  it('is independent of the same key of another tenant', async () => {
    const key = randomUUID();
    const ours = await create(key);
    const theirs = await create(key, { name: 'Room' }, harness.keys.theirs);
    expect([theirs.status, theirs.headers.get('idempotency-replayed')]).toEqual([201, null]);
    expect(theirs.body.room.id).not.toBe(ours.body.room.id);
  });

  it('has one effect and one answer for forty concurrent requests', async () => {
    const key = randomUUID();
    const before = await rooms();
    // On a busy machine the wait can time out. The request is then repeated.
    const createPatiently = async (): ReturnType<typeof create> => {
      const reply = await create(key);
      return reply.body.reason === 'idempotency-in-progress' ? createPatiently() : reply;
    };
    const replies = await Promise.all(Array.from({ length: 40 }, createPatiently));
    expect(new Set(replies.map(({ status, body }) => `${status} ${body.room?.id}`)).size).toBe(1);
    expect(replies.filter(({ headers }) => headers.get('idempotency-replayed') === null)).toHaveLength(1);
    expect(await rooms()).toBe(before + 1);
  });

  it('waits for the first request, and gets 409 with Retry-After if that takes too long', async () => {
    const key = randomUUID();
    let release = (): void => undefined;
    const slow = new Promise<void>((resolve) => (release = resolve));
    let markStarted = (): void => undefined;
    const started = new Promise<void>((resolve) => (markStarted = resolve));
    openMedia = async (input) => {
      markStarted();
      await slow;
      return acceptingProvider.openMedia(input);
    };
    const first = create(key);
    await started;
    const duplicate = await create(key);
    expect([duplicate.status, duplicate.body.reason]).toEqual([409, 'idempotency-in-progress']);
    expect(Number(duplicate.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    release();
    openMedia = undefined;
    const made = await first;
    expect([made.status, (await create(key)).body]).toEqual([201, made.body]);
  });

  it('gets the stored rejection if it would be rejected again', async () => {
    const { body: made } = await create(randomUUID());
    await harness.request('POST', `/v1/rooms/${made.room.id}/end`);
    const key = { 'idempotency-key': randomUUID() };
    const token = () =>
      harness.request('POST', `/v1/rooms/${made.room.id}/tokens`, { body: { name: 'Grace' }, headers: key });
    const first = await token();
    const again = await token();
    expect([first.status, first.body.reason]).toEqual([409, 'room-ended']);
    expect([again.status, again.body, again.headers.get('idempotency-replayed')]).toEqual([409, first.body, 'true']);
  });

  it('is executed after a failure, a temporary rejection or an invalid body', async () => {
    const key = randomUUID();
    const before = await rooms();
    expect((await create(key, { name: '' })).status).toBe(422);
    openMedia = async () => {
      throw new VerdictError('upstream', 'upstream-503', 'The provider is too busy.');
    };
    expect((await create(key)).body.reason).toBe('upstream-503');
    openMedia = undefined;
    await harness.store.pool.query(`UPDATE tenant SET max_live_rooms = 0 WHERE id = 'ten_ours'`);
    expect((await create(key)).body.reason).toBe('limit-live-rooms');
    await harness.store.pool.query(`UPDATE tenant SET max_live_rooms = NULL WHERE id = 'ten_ours'`);
    expect(await rooms()).toBe(before);
    const made = await create(key);
    expect([made.status, made.headers.get('idempotency-replayed'), await rooms()]).toEqual([201, null, before + 1]);
  });

  it('is executed after a rejection for a spend limit or a version conflict', async () => {
    const { body: made } = await create(randomUUID());
    const path = `/v1/rooms/${made.room.id}`;
    const key = { 'idempotency-key': randomUUID() };
    const limit = (micro: string | null) =>
      harness.request('PUT', `${path}/spend-limit`, { body: { maxSpendMicro: micro } });
    const token = () => harness.request('POST', `${path}/tokens`, { body: { name: 'Grace' }, headers: key });
    await limit('0');
    expect((await token()).status).toBe(402);
    await limit(null);
    expect((await token()).status).toBe(201);

    const { version } = (await harness.request('GET', path)).body.room;
    const rename = { 'idempotency-key': randomUUID(), 'if-match': `"${version + 1}"` };
    const renamed = () => harness.request('PATCH', path, { body: { name: 'Renamed' }, headers: rename });
    expect((await renamed()).status).toBe(412);
    await harness.request('PATCH', path, { body: { maxParticipants: 7 } });
    expect((await renamed()).body).toMatchObject({ name: 'Renamed', version: version + 2 });
  });

  it('is a new request after a day, and its key is purged', async () => {
    const key = randomUUID();
    const age = () =>
      harness.store.pool.query(
        `UPDATE idempotency_key SET created_at = created_at - interval '24 hours 1 second' WHERE key = $1`,
        [key],
      );
    const first = await create(key);
    await age();
    const second = await create(key, { name: 'Another' });
    expect([second.status, second.headers.get('idempotency-replayed')]).toEqual([201, null]);
    expect(second.body.room.id).not.toBe(first.body.room.id);
    await age();
    await purgeExpired(harness.store, 'keys', 1_000);
    expect((await harness.store.pool.query('SELECT FROM idempotency_key WHERE key = $1', [key])).rowCount).toBe(0);
    expect(
      (
        await harness.store.pool.query(
          `SELECT
           FROM idempotency_step
           WHERE key_id NOT IN (SELECT id FROM idempotency_key)`,
        )
      ).rowCount,
    ).toBe(0);
  });
});

describe('Idempotency-Key', () => {
  it.each(['', 'x'.repeat(256), 'tab\there', 'caf\u00e9'])('%j is rejected, and nothing is changed', async (key) => {
    const before = await harness.countRows();
    const reply = await create(key);
    expect([reply.status, reply.body.reason, reply.body.fix]).toEqual([
      422,
      'invalid-idempotency-key',
      expect.any(String),
    ]);
    expect(await harness.countRows()).toEqual(before);
  });

  it.each(['x', 'x'.repeat(255), '~!@#$ "quoted", with commas'])('%j is accepted', async (key) => {
    const first = await create(key);
    expect([first.status, (await create(key)).body]).toEqual([201, first.body]);
  });

  it('is ignored by a read', async () => {
    for (const _attempt of [1, 2]) {
      const { status, headers } = await harness.request('GET', '/v1/rooms', { headers: { 'idempotency-key': '\t' } });
      expect([status, headers.get('idempotency-replayed')]).toEqual([200, null]);
    }
  });
});

// The key is validated first, so an operation that rejects an invalid key supports valid keys.
it.each(OPERATIONS.filter(isWrite))('$method $path supports an Idempotency-Key', async ({ method, path }) => {
  const reply = await harness.request(method.toUpperCase(), path.replaceAll(/\{\w+\}/g, 'x_y'), {
    body: {},
    headers: { 'idempotency-key': 'caf\u00e9' },
  });
  expect([reply.status, reply.body.reason]).toEqual([422, 'invalid-idempotency-key']);
});
