import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Partyline } from './client.ts';
import { ConnectionError, ConflictError, RateLimitError, ServerError } from './error.ts';

type Answer = (reply: ServerResponse, request: IncomingMessage) => void;

let server: Server;
let baseUrl: string;
/** What each request in turn is answered with; the last one stays. */
let script: Answer[] = [];
let seen: { method: string; key: string | undefined; body: string; agent: string | undefined }[] = [];
let pauses: number[] = [];
beforeAll(async () => {
  server = createServer((request, reply) => {
    let body = '';
    request.on('data', (bytes: Buffer) => (body += bytes.toString()));
    request.on('end', () => {
      seen.push({
        method: request.method ?? '',
        key: request.headers['idempotency-key'] as string | undefined,
        body,
        agent: request.headers['user-agent'],
      });
      const answer = script.length > 1 ? script.shift() : script[0];
      answer?.(reply, request);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  [script, seen, pauses] = [[], [], []];
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

const answer =
  (status: number, body: unknown, headers: Record<string, string> = {}): Answer =>
  (reply) =>
    reply
      .writeHead(status, { 'content-type': status < 400 ? 'application/json' : 'application/problem+json', ...headers })
      .end(JSON.stringify(body));
const problem = (status: number, reason: string, headers?: Record<string, string>): Answer =>
  answer(
    status,
    { type: `urn:partyline:problem:${reason}`, title: 'No', status, detail: 'No.', reason, requestId: 'req_1' },
    headers,
  );
const cut: Answer = (reply) => reply.socket?.destroy();
const rooms = answer(200, { rooms: [], next: null });
const made = answer(201, { room: { id: 'room_1' } });

const client = (more: object = {}): Partyline =>
  new Partyline({
    apiKey: 'pl_test_x',
    baseUrl,
    sleep: async (ms) => void pauses.push(ms),
    random: () => 0.5,
    ...more,
  });

describe('a request is tried again', () => {
  it.each([
    ['a broken connection', cut],
    ['429', problem(429, 'too-many-requests')],
    ['503', problem(503, 'provider-unreachable')],
  ])('after %s, backing off', async (_what, failure) => {
    script = [failure, failure, rooms];
    expect(await client().rooms.list().page()).toEqual({ rooms: [], next: null });
    expect(seen).toHaveLength(3);
    expect(pauses).toEqual([187.5, 375]);
  });

  it('when the API says so, and not before', async () => {
    script = [problem(429, 'too-many-requests', { 'retry-after': '7' }), rooms];
    await client().rooms.list().page();
    expect(pauses).toEqual([7_000]);
  });

  it('with a pause that stops growing', async () => {
    script = [cut, cut, cut, cut, cut, cut, cut, cut, rooms];
    await client({ retries: 8 }).rooms.list().page();
    expect(Math.max(...pauses)).toBe(6_000);
  });

  it('as the same write: one key, one body', async () => {
    script = [cut, problem(503, 'provider-unreachable'), made];
    await client().rooms.create({ name: 'Once' });
    expect(new Set(seen.map(({ key }) => key)).size).toBe(1);
    expect(seen[0]?.key).toMatch(/^[\w-]{36}$/);
    expect(seen.map(({ body }) => body)).toEqual(Array.from({ length: 3 }, () => '{"name":"Once"}'));
    script = [made];
    await client().rooms.create({ name: 'Another' });
    expect(seen.at(-1)?.key).not.toBe(seen[0]?.key);
  });

  it('under the key that the caller gave', async () => {
    script = [cut, made];
    await client().rooms.create({ name: 'Mine' }, { idempotencyKey: 'order-17' });
    expect(seen.map(({ key }) => key)).toEqual(['order-17', 'order-17']);
  });
});

describe('a request is not tried again', () => {
  it.each([400, 401, 403, 404, 409, 412, 422, 500, 502, 504])('after %i', async (status) => {
    script = [problem(status, 'some-reason')];
    await expect(client().rooms.list().page()).rejects.toMatchObject({
      status,
      reason: 'some-reason',
      requestId: 'req_1',
    });
    expect(seen).toHaveLength(1);
  });

  it('for ever', async () => {
    script = [problem(503, 'no-numbers', { 'retry-after': '1' })];
    await expect(client({ retries: 2 }).rooms.list().page()).rejects.toMatchObject({
      constructor: ServerError,
      retryAfterSeconds: 1,
    });
    expect(seen).toHaveLength(3);
  });

  it('when the wait would be longer than a minute', async () => {
    script = [problem(429, 'too-many-requests', { 'retry-after': '3600' })];
    await expect(client().rooms.list().page()).rejects.toMatchObject({
      constructor: RateLimitError,
      retryAfterSeconds: 3600,
    });
    expect(pauses).toEqual([]);
  });

  it('once its caller gave it up', async () => {
    const given = new AbortController();
    script = [() => given.abort(new Error('changed my mind'))];
    await expect(client().rooms.list({}, { signal: given.signal }).page()).rejects.toThrow('changed my mind');
    expect(seen).toHaveLength(1);
  });

  it('once its caller gave it up in a pause', async () => {
    const given = new AbortController();
    let asked = 0;
    const fetch = async (): Promise<Response> => {
      asked++;
      setImmediate(() => given.abort(new Error('changed my mind')));
      return new Response(null, { status: 503, headers: { 'retry-after': '60' } });
    };
    await expect(client({ fetch, sleep: undefined }).rooms.list({}, { signal: given.signal }).page()).rejects.toThrow(
      'changed my mind',
    );
    expect(asked).toBe(1);
  });
});

it('a twin that is still being worked on is waited for', async () => {
  script = [problem(409, 'in-progress', { 'retry-after': '1' }), made];
  await client().rooms.create({ name: 'Twin' });
  expect(seen).toHaveLength(2);
  script = [problem(409, 'room-ended')];
  await expect(client().rooms.end('room_1')).rejects.toThrow(ConflictError);
});

it('no answer at all says whom it asked', async () => {
  script = [cut];
  const error: unknown = await client({ retries: 1 })
    .rooms.list()
    .page()
    .catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ConnectionError);
  expect(error).toMatchObject({ status: 0, reason: 'no-answer', message: expect.stringContaining(baseUrl) as string });
});

it('an answer that takes too long is none', async () => {
  script = [() => undefined, rooms];
  expect(await client({ timeoutMs: 5_000 }).rooms.list().page()).toEqual({ rooms: [], next: null });
  expect(seen).toHaveLength(2);
});

it('something else than Partyline is told apart', async () => {
  script = [answer(404, 'no such page', { 'content-type': 'text/html' })];
  await expect(client().rooms.list().page()).rejects.toMatchObject({
    status: 404,
    reason: 'not-partyline',
    fix: expect.stringContaining('base URL') as string,
  });
});

it('a redirect is not followed: the key would go along', async () => {
  script = [answer(302, {}, { location: 'http://127.0.0.1:9/' })];
  await expect(client({ retries: 0 }).rooms.list().page()).rejects.toThrow(ConnectionError);
  expect(seen).toHaveLength(1);
});

it('says which client asks', async () => {
  script = [rooms];
  await client().rooms.list().page();
  expect(seen[0]?.agent).toBe('partyline-sdk/0.1.0');
});
