import { openRequestVault } from '@partyline/conference/crypto/request-vault';
import { appendEvents } from '@partyline/store/events/append-events';
import { lockSession } from '@partyline/store/sessions/session-lock';
import { inTransaction } from '@partyline/store/database/store';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeStreamToken } from '../auth/stream-token.ts';
import { acceptingProvider, startTestHarness, type TestHarness } from '../testing/test-harness.ts';

let harness: TestHarness;
type TestRoom = { readonly tenantId: string; readonly roomId: string; readonly sessionId: string };
let one: TestRoom;
let two: TestRoom;
beforeAll(async () => {
  harness = await startTestHarness(() => acceptingProvider);
  [one, two] = [await openRoom('One'), await openRoom('Two')];
  for (const room of [one, two]) await emit(room, ['session.live', 'session.ending']);
});
afterAll(() => harness.stop());

const openRoom = async (name: string): Promise<TestRoom> => {
  const { body } = await harness.request('POST', '/v1/rooms', { body: { name } });
  // These tests count the events of sessions.
  await harness.store.pool.query('DELETE FROM outbox WHERE room_id = $1', [body.room.id]);
  return { tenantId: 'ten_ours', roomId: body.room.id, sessionId: body.session.id };
};

const emit = ({ tenantId, roomId, sessionId }: TestRoom, types: readonly string[]): Promise<void> =>
  inTransaction(harness.store, tenantId, async (tx) => {
    const { session } = (await lockSession(tx, tenantId, sessionId))!;
    await appendEvents(
      tx,
      tenantId,
      { roomId, sessionId, firstSeq: session.last_seq + 1 },
      types.map((type) => ({ type, data: {} })),
    );
    await tx.query('UPDATE session SET last_seq = last_seq + $2 WHERE id = $1', [sessionId, types.length]);
  });

const createToken = async (limits: object = {}, key = harness.keys.ours): Promise<string> =>
  (await harness.request('POST', '/v1/events/stream-tokens', { key, body: limits })).body.token;
const createKey = async (scopes: readonly string[]): Promise<{ key: string; id: string }> => {
  const { body } = await harness.request('POST', '/v1/keys', { body: { label: 'Key', scopes } });
  return { key: body.key, id: body.apiKey.id };
};
/** Lists events as a page of another origin does. */
const list = (token: string, query = '') =>
  harness.request('GET', `/v1/events?streamToken=${token}${query}`, {
    key: null,
    headers: { origin: 'https://customer.example' },
  });
const shown = (body: { events: readonly { roomId: string; type: string }[] }): string[] =>
  body.events.map(({ roomId, type }) => `${roomId === one.roomId ? 'One' : 'Two'} ${type}`);

describe('a stream token', () => {
  it('lists and streams events in a page of another origin', async () => {
    const token = await createToken();
    const { status, body, headers } = await list(token);
    expect([status, headers.get('access-control-allow-origin')]).toEqual([200, '*']);
    expect(shown(body)).toEqual(['One session.live', 'One session.ending', 'Two session.live', 'Two session.ending']);
    const disconnect = new AbortController();
    const stream = await fetch(`${harness.url}/v1/events?streamToken=${token}`, {
      signal: disconnect.signal,
      headers: { accept: 'text/event-stream', origin: 'https://customer.example' },
    });
    expect([stream.status, stream.headers.get('access-control-allow-origin')]).toEqual([200, '*']);
    const messages: EventSourceMessage[] = [];
    const parser = createParser({ onEvent: (event) => void messages.push(event) });
    const decoder = new TextDecoder();
    const reading = (async () => {
      for await (const chunk of stream.body!) {
        parser.feed(decoder.decode(chunk, { stream: true }));
        if (messages.length > 0) return;
      }
    })();
    await emit(one, ['session.ended']);
    await reading;
    expect(messages.map(({ event }) => event)).toEqual(['session.ended']);
    disconnect.abort();
  });

  it('is limited to its room and types', async () => {
    const token = await createToken({ roomId: two.roomId, types: ['session.ending'] });
    expect(shown((await list(token)).body)).toEqual(['Two session.ending']);
    expect(shown((await list(token, `&roomId=${two.roomId}&types=session.ending`)).body)).toHaveLength(1);
    for (const [query, pointer] of [
      [`&roomId=${one.roomId}`, '/roomId'],
      ['&types=session.live', '/types'],
    ] as const) {
      const { status, body } = await list(token, query);
      expect([status, body.reason, body.errors[0].pointer]).toEqual([422, 'invalid-query', pointer]);
    }
  });

  it('is accepted by no other operation', async () => {
    const token = await createToken();
    for (const [method, path] of [
      ['GET', '/v1/rooms'],
      ['GET', `/v1/sessions/${one.sessionId}/timeline`],
      ['POST', '/v1/events/stream-tokens'],
    ] as const) {
      const { status, body } = await harness.request(method, path, { key: token });
      expect([path, status, body.reason]).toEqual([path, 401, 'unknown-key']);
      expect(body.fix).toContain('only for GET /v1/events');
      const inQuery = await harness.request(method, `${path}?streamToken=${token}`, { key: null });
      expect(inQuery.status).toBe(401);
    }
  });

  it('expires, and ends with its key', async () => {
    const { key, id } = await createKey(['events:read']);
    const grant = { tenantId: 'ten_ours', keyId: id, roomId: null, types: [] };
    const vault = openRequestVault([Buffer.alloc(32, 7)]);
    const expired = writeStreamToken(vault, { ...grant, expiresAt: new Date(Date.now() - 1_000).toISOString() });
    const { status, body, headers } = await list(expired);
    expect([status, body.reason, headers.get('access-control-allow-origin')]).toEqual([401, 'expired-key', '*']);
    expect([body.detail, body.fix]).toEqual([
      expect.stringMatching(/^This stream token/),
      expect.stringContaining('POST /v1/events/stream-tokens'),
    ]);
    const token = await createToken({}, key);
    expect((await list(token)).status).toBe(200);
    await harness.request('DELETE', `/v1/keys/${id}`);
    expect((await list(token)).body.reason).toBe('unknown-key');
  });

  it('is rejected if another deployment created it, if it is changed, or if it is no token', async () => {
    const grant = { tenantId: 'ten_ours', keyId: 'k', roomId: null, types: [], expiresAt: '2099-01-01T00:00:00.000Z' };
    const token = await createToken();
    for (const forged of [
      writeStreamToken(openRequestVault([Buffer.alloc(32, 8)]), grant),
      `${token.slice(0, -4)}AAAA`,
      `plst_${'A'.repeat(40)}`,
    ]) {
      const { status, body } = await list(forged);
      expect([status, body.reason]).toEqual([401, 'unknown-key']);
    }
  });

  it('needs the scope events:read, a room of the tenant, and 10 to 600 seconds', async () => {
    const { key } = await createKey(['rooms:read']);
    const post = (body: object, given = harness.keys.ours) =>
      harness.request('POST', '/v1/events/stream-tokens', { key: given, body });
    expect((await post({}, key)).body.reason).toBe('scope-missing');
    expect((await post({ roomId: one.roomId }, harness.keys.theirs)).body.reason).toBe('room-not-found');
    for (const expiresInSeconds of [9, 601, 0, null])
      expect((await post({ expiresInSeconds })).body.errors[0].pointer).toBe('/expiresInSeconds');
  });

  it.each([
    [{}, 300],
    [{ expiresInSeconds: 10 }, 10],
    [{ expiresInSeconds: 600 }, 600],
  ])('is accepted for the given time by the clock of the database: %o', async (body, seconds) => {
    const readClock = async (): Promise<number> => {
      const { rows } = await harness.store.pool.query<{ now: Date }>('SELECT now()');
      return rows.at(0)!.now.getTime();
    };
    const before = await readClock();
    const created = await harness.request('POST', '/v1/events/stream-tokens', { body });
    const after = await readClock();
    const start = Date.parse(created.body.expiresAt) - seconds * 1_000;
    expect([created.status, start >= before, start <= after]).toEqual([201, true, true]);
  });
});

it('only the event stream allows other origins', async () => {
  const preflight = (path: string) =>
    fetch(harness.url + path, {
      method: 'OPTIONS',
      headers: { origin: 'https://customer.example', 'access-control-request-method': 'GET' },
    });
  const allowed = await preflight('/v1/events');
  expect([allowed.status, allowed.headers.get('access-control-allow-methods')]).toEqual([204, 'GET']);
  expect(allowed.headers.get('access-control-allow-headers')).toContain('last-event-id');
  for (const path of ['/v1/rooms', '/v1/events/stream-tokens', '/docs']) {
    expect((await preflight(path)).headers.get('access-control-allow-origin')).toBeNull();
    const reply = await harness.request('GET', path, { headers: { origin: 'https://customer.example' } });
    expect(reply.headers.get('access-control-allow-origin')).toBeNull();
  }
});
