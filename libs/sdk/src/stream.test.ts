import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { acceptingProvider, startTestHarness } from '@partyline/room-api/testing/test-harness';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { Partyline } from './client.ts';
import type { StreamOptions } from './stream.ts';

type Respond = (reply: ServerResponse, request: IncomingMessage) => void;
let server: Server;
let baseUrl: string;
let responses: Respond[] = [];
let requests: { url: string; last: string | undefined; accept: string | undefined }[] = [];
const delays: number[] = [];
beforeAll(async () => {
  server = createServer((request, reply) => {
    // The next test must not reuse a connection that this test closes.
    reply.setHeader('connection', 'close');
    requests.push({
      url: request.url ?? '',
      last: request.headers['last-event-id'] as string | undefined,
      accept: request.headers.accept,
    });
    (responses.length > 1 ? responses.shift() : responses[0])?.(reply, request);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  [responses, requests] = [[], []];
  delays.length = 0;
  server.closeAllConnections();
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

const event = (no: number): string =>
  `id: evt_${no}\nevent: session.live\ndata: ${JSON.stringify({ id: `evt_${no}`, type: 'session.live', seq: no })}\n\n`;
const sends =
  (...parts: string[]): Respond =>
  (reply) => {
    reply.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const part of parts) reply.write(part);
    reply.end();
  };
const breaksAfter =
  (...parts: string[]): Respond =>
  (reply) => {
    reply.writeHead(200, { 'content-type': 'text/event-stream' });
    reply.write(parts.join(''), () => reply.destroy());
  };
const fails =
  (status: number, reason: string, headers = {}): Respond =>
  (reply) =>
    reply
      .writeHead(status, { 'content-type': 'application/problem+json', ...headers })
      .end(JSON.stringify({ type: 'x', title: 'x', status, reason, detail: 'No.' }));

const createClient = (options: object = {}): Partyline =>
  new Partyline({
    apiKey: 'pl_test_x',
    baseUrl,
    random: () => 0.5,
    sleep: async (ms) => void delays.push(ms),
    ...options,
  });

async function readIds(count: number, options: StreamOptions = {}): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of createClient().events.stream(options)) if (ids.push(id) === count) break;
  return ids;
}

it('resumes after a broken connection without losing or duplicating events', async () => {
  responses = [
    sends('retry: 1000\n\n', event(1), ': still here\n\n', event(2)),
    breaksAfter(event(3)),
    sends(event(4), event(5)),
  ];
  expect(await readIds(5)).toEqual(['evt_1', 'evt_2', 'evt_3', 'evt_4', 'evt_5']);
  expect(requests.map(({ last }) => last)).toEqual([undefined, 'evt_2', 'evt_3']);
  expect(requests[0]?.accept).toBe('text/event-stream');
});

it('resumes at the start position of a stream without events', async () => {
  responses = [sends('retry: 1000\nid: evt_7\n\n'), sends('retry: 1000\n\n', event(8))];
  expect(await readIds(1)).toEqual(['evt_8']);
  expect(requests.map(({ last }) => last)).toEqual([undefined, 'evt_7']);
});

it('parses an event that arrives in several chunks', async () => {
  const text = event(1);
  responses = [sends(text.slice(0, 7), text.slice(7, 30), text.slice(30))];
  expect(await readIds(1)).toEqual(['evt_1']);
});

it('starts after the given event, with the given types and room', async () => {
  responses = [sends(event(8))];
  await readIds(1, { after: 'evt_7', types: ['session.live', 'session.ended'], roomId: 'room_1' });
  expect(requests[0]).toMatchObject({
    last: 'evt_7',
    url: '/v1/events?types=session.live%2Csession.ended&roomId=room_1',
  });
});

it('backs off without a response, and waits for Retry-After', async () => {
  responses = [
    (reply) => reply.destroy(),
    (reply) => reply.destroy(),
    fails(503, 'stopping', { 'retry-after': '9' }),
    sends(event(1)),
  ];
  expect(await readIds(1)).toEqual(['evt_1']);
  expect(delays).toEqual([187.5, 375, 9_000]);
});

it('reconnects after a minute even if Retry-After is longer', async () => {
  responses = [fails(429, 'rate-limited', { 'retry-after': '99999999' }), sends(event(1))];
  expect(await readIds(1)).toEqual(['evt_1']);
  expect(delays).toEqual([60_000]);
});

it.each([
  [401, 'unknown-key'],
  [403, 'scope-missing'],
  [422, 'invalid-query'],
])('throws on %i without a retry', async (status, reason) => {
  responses = [fails(status, reason)];
  await expect(readIds(1)).rejects.toMatchObject({ status, reason });
  expect(requests).toHaveLength(1);
});

it('ends when the signal is aborted', async () => {
  const controller = new AbortController();
  responses = [(reply) => reply.writeHead(200, { 'content-type': 'text/event-stream' }).write(event(1))];
  const ids: string[] = [];
  for await (const { id } of createClient().events.stream({ signal: controller.signal })) {
    ids.push(id);
    controller.abort();
  }
  expect(ids).toEqual(['evt_1']);
});

it('ends when the signal is aborted during a delay', async () => {
  const controller = new AbortController();
  responses = [fails(503, 'stopping', { 'retry-after': '3600' })];
  // `random` is called just before the delay begins.
  const random = (): number => {
    queueMicrotask(() => controller.abort());
    return 0.5;
  };
  for await (const { id } of createClient({ random, sleep: undefined }).events.stream({ signal: controller.signal }))
    expect.unreachable(id);
  expect(requests).toHaveLength(1);
});

it('yields the events of a real session', async () => {
  const harness = await startTestHarness(() => acceptingProvider);
  try {
    const partyline = new Partyline({ apiKey: harness.keys.ours, baseUrl: harness.url });
    const { session } = await partyline.rooms.create({ name: 'Watched' });
    // The stream also yields events from before it was opened.
    await partyline.sessions.end(session?.id ?? '');
    const types: string[] = [];
    for await (const { type, sessionId } of partyline.events.stream({ after: 'start' })) {
      types.push(type);
      if (type === 'session.ended' && sessionId === session?.id) break;
    }
    expect(types.slice(-2)).toEqual(['session.ending', 'session.ended']);
  } finally {
    await harness.stop();
  }
});
