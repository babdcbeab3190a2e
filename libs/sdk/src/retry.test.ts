import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Partyline } from './client.ts';
import { ConnectionError, ConflictError, RateLimitError, ServerError } from './error.ts';
import { SDK_VERSION } from './version.ts';

type Respond = (reply: ServerResponse, request: IncomingMessage) => void;

let server: Server;
let baseUrl: string;
/** The response to each request, in order; the last one repeats. */
let responses: Respond[] = [];
let requests: { method: string; key: string | undefined; body: string; agent: string | undefined }[] = [];
let delays: number[] = [];
beforeAll(async () => {
  server = createServer((request, reply) => {
    let body = '';
    request.on('data', (bytes: Buffer) => (body += bytes.toString()));
    request.on('end', () => {
      requests.push({
        method: request.method ?? '',
        key: request.headers['idempotency-key'] as string | undefined,
        body,
        agent: request.headers['user-agent'],
      });
      const respond = responses.length > 1 ? responses.shift() : responses[0];
      respond?.(reply, request);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  [responses, requests, delays] = [[], [], []];
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

const respondWith =
  (status: number, body: unknown, headers: Record<string, string> = {}): Respond =>
  (reply) =>
    reply
      .writeHead(status, { 'content-type': status < 400 ? 'application/json' : 'application/problem+json', ...headers })
      .end(JSON.stringify(body));
const problem = (status: number, reason: string, headers?: Record<string, string>): Respond =>
  respondWith(
    status,
    { type: `urn:partyline:problem:${reason}`, title: 'No', status, detail: 'No.', reason, requestId: 'req_1' },
    headers,
  );
const disconnect: Respond = (reply) => reply.socket?.destroy();
const rooms = respondWith(200, { rooms: [], next: null });
const created = respondWith(201, { room: { id: 'room_1' } });

const createClient = (options: object = {}): Partyline =>
  new Partyline({
    apiKey: 'pl_test_x',
    baseUrl,
    sleep: async (ms) => void delays.push(ms),
    random: () => 0.5,
    ...options,
  });

describe('a request is retried', () => {
  it.each([
    ['a broken connection', disconnect],
    ['408', problem(408, 'request-timeout')],
    ['429', problem(429, 'too-many-requests')],
    ['503', problem(503, 'provider-unreachable')],
  ])('after %s, with back-off', async (_what, failure) => {
    responses = [failure, failure, rooms];
    expect(await createClient().rooms.list().page()).toEqual({ rooms: [], next: null });
    expect(requests).toHaveLength(3);
    expect(delays).toEqual([187.5, 375]);
  });

  it('after the time in Retry-After', async () => {
    responses = [problem(429, 'too-many-requests', { 'retry-after': '7' }), rooms];
    await createClient().rooms.list().page();
    expect(delays).toEqual([7_000]);
  });

  it('with a limited back-off', async () => {
    responses = [disconnect, disconnect, disconnect, disconnect, disconnect, disconnect, disconnect, disconnect, rooms];
    await createClient({ retries: 8 }).rooms.list().page();
    expect(Math.max(...delays)).toBe(6_000);
  });

  it('with the same idempotency key and body', async () => {
    responses = [disconnect, problem(503, 'provider-unreachable'), created];
    await createClient().rooms.create({ name: 'Once' });
    expect(new Set(requests.map(({ key }) => key)).size).toBe(1);
    expect(requests[0]?.key).toMatch(/^[\w-]{36}$/);
    expect(requests.map(({ body }) => body)).toEqual(Array.from({ length: 3 }, () => '{"name":"Once"}'));
    responses = [created];
    await createClient().rooms.create({ name: 'Another' });
    expect(requests.at(-1)?.key).not.toBe(requests[0]?.key);
  });

  it('with the idempotency key of the caller', async () => {
    responses = [disconnect, created];
    await createClient().rooms.create({ name: 'Mine' }, { idempotencyKey: 'order-17' });
    expect(requests.map(({ key }) => key)).toEqual(['order-17', 'order-17']);
  });
});

describe('a request is not retried', () => {
  it.each([400, 401, 403, 404, 409, 412, 422, 500, 502, 504])('after %i', async (status) => {
    responses = [problem(status, 'some-reason')];
    await expect(createClient().rooms.list().page()).rejects.toMatchObject({
      status,
      reason: 'some-reason',
      requestId: 'req_1',
    });
    expect(requests).toHaveLength(1);
  });

  it('after the last retry', async () => {
    responses = [problem(503, 'no-numbers', { 'retry-after': '1' })];
    await expect(createClient({ retries: 2 }).rooms.list().page()).rejects.toMatchObject({
      constructor: ServerError,
      retryAfterSeconds: 1,
    });
    expect(requests).toHaveLength(3);
  });

  it('when Retry-After exceeds a minute', async () => {
    responses = [problem(429, 'too-many-requests', { 'retry-after': '3600' })];
    await expect(createClient().rooms.list().page()).rejects.toMatchObject({
      constructor: RateLimitError,
      retryAfterSeconds: 3600,
    });
    expect(delays).toEqual([]);
  });

  it('once the caller aborted it', async () => {
    const controller = new AbortController();
    responses = [() => controller.abort(new Error('changed my mind'))];
    await expect(createClient().rooms.list({}, { signal: controller.signal }).page()).rejects.toThrow(
      'changed my mind',
    );
    expect(requests).toHaveLength(1);
  });

  it('once the caller aborted it during a delay', async () => {
    const controller = new AbortController();
    let attempts = 0;
    const fetch = async (): Promise<Response> => {
      attempts++;
      setImmediate(() => controller.abort(new Error('changed my mind')));
      return new Response(null, { status: 503, headers: { 'retry-after': '60' } });
    };
    await expect(
      createClient({ fetch, sleep: undefined }).rooms.list({}, { signal: controller.signal }).page(),
    ).rejects.toThrow('changed my mind');
    expect(attempts).toBe(1);
  });
});

it('waits for another request with the same key that is in progress', async () => {
  responses = [problem(409, 'in-progress', { 'retry-after': '1' }), created];
  await createClient().rooms.create({ name: 'Same key' });
  expect(requests).toHaveLength(2);
  responses = [problem(409, 'room-ended')];
  await expect(createClient().rooms.end('room_1')).rejects.toThrow(ConflictError);
});

it('names the address when the server sends no response', async () => {
  responses = [disconnect];
  const error: unknown = await createClient({ retries: 1 })
    .rooms.list()
    .page()
    .catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ConnectionError);
  expect(error).toMatchObject({ status: 0, reason: 'no-answer', message: expect.stringContaining(baseUrl) as string });
});

it('retries after the timeout', async () => {
  responses = [() => undefined, rooms];
  expect(await createClient({ timeoutMs: 5_000 }).rooms.list().page()).toEqual({ rooms: [], next: null });
  expect(requests).toHaveLength(2);
});

it('reports a response of another server', async () => {
  responses = [respondWith(404, 'no such page', { 'content-type': 'text/html' })];
  await expect(createClient().rooms.list().page()).rejects.toMatchObject({
    status: 404,
    reason: 'not-partyline',
    fix: expect.stringContaining('base URL') as string,
  });
});

it('does not follow a redirect, which would receive the key', async () => {
  responses = [respondWith(302, {}, { location: 'http://127.0.0.1:9/' })];
  await expect(createClient({ retries: 0 }).rooms.list().page()).rejects.toThrow(ConnectionError);
  expect(requests).toHaveLength(1);
});

it('sends its version as the user agent', async () => {
  responses = [rooms];
  await createClient().rooms.list().page();
  expect(requests[0]?.agent).toBe(`partyline-sdk/${SDK_VERSION}`);
});
