import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { agreeable, startStage } from '@partyline/room-api/testing/test-harness';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { Partyline } from './client.ts';

type Answer = (reply: ServerResponse, request: IncomingMessage) => void;
let server: Server;
let baseUrl: string;
let script: Answer[] = [];
let asked: { url: string; last: string | undefined; accept: string | undefined }[] = [];
const pauses: number[] = [];
beforeAll(async () => {
  server = createServer((request, reply) => {
    // No test is to send its first request into a connection that the one before has closed.
    reply.setHeader('connection', 'close');
    asked.push({
      url: request.url ?? '',
      last: request.headers['last-event-id'] as string | undefined,
      accept: request.headers.accept,
    });
    (script.length > 1 ? script.shift() : script[0])?.(reply, request);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  [script, asked] = [[], []];
  pauses.length = 0;
  server.closeAllConnections();
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

const event = (no: number): string =>
  `id: evt_${no}\nevent: session.live\ndata: ${JSON.stringify({ id: `evt_${no}`, type: 'session.live', seq: no })}\n\n`;
const tells =
  (...parts: string[]): Answer =>
  (reply) => {
    reply.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const part of parts) reply.write(part);
    reply.end();
  };
const breaks =
  (...parts: string[]): Answer =>
  (reply) => {
    reply.writeHead(200, { 'content-type': 'text/event-stream' });
    reply.write(parts.join(''), () => reply.destroy());
  };
const refuses =
  (status: number, reason: string, headers = {}): Answer =>
  (reply) =>
    reply
      .writeHead(status, { 'content-type': 'application/problem+json', ...headers })
      .end(JSON.stringify({ type: 'x', title: 'x', status, reason, detail: 'No.' }));

const client = (more: object = {}): Partyline =>
  new Partyline({
    apiKey: 'pl_test_x',
    baseUrl,
    random: () => 0.5,
    sleep: async (ms) => void pauses.push(ms),
    ...more,
  });

async function take(count: number, options: { after?: string; types?: 'session.live'[] } = {}): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of client().events.stream(options)) if (ids.push(id) === count) break;
  return ids;
}

it('goes on where a connection broke: nothing twice, nothing missed', async () => {
  script = [
    tells('retry: 1000\n\n', event(1), ': still here\n\n', event(2)),
    breaks(event(3)),
    tells(event(4), event(5)),
  ];
  expect(await take(5)).toEqual(['evt_1', 'evt_2', 'evt_3', 'evt_4', 'evt_5']);
  expect(asked.map(({ last }) => last)).toEqual([undefined, 'evt_2', 'evt_3']);
  expect(asked[0]?.accept).toBe('text/event-stream');
});

it('goes on where a stream began that told nothing', async () => {
  script = [tells('retry: 1000\nid: evt_7\n\n'), tells('retry: 1000\n\n', event(8))];
  expect(await take(1)).toEqual(['evt_8']);
  expect(asked.map(({ last }) => last)).toEqual([undefined, 'evt_7']);
});

it('takes an event that comes in pieces', async () => {
  const text = event(1);
  script = [tells(text.slice(0, 7), text.slice(7, 30), text.slice(30))];
  expect(await take(1)).toEqual(['evt_1']);
});

it('begins after the event that it is given, with the types that are wanted', async () => {
  script = [tells(event(8))];
  await take(1, { after: 'evt_7', types: ['session.live'] });
  expect(asked[0]).toMatchObject({ last: 'evt_7', url: '/v1/events?types=session.live' });
});

it('waits longer each time that there is no answer, and as long as it is asked to', async () => {
  script = [
    (reply) => reply.destroy(),
    (reply) => reply.destroy(),
    refuses(503, 'stopping', { 'retry-after': '9' }),
    tells(event(1)),
  ];
  expect(await take(1)).toEqual(['evt_1']);
  expect(pauses).toEqual([187.5, 375, 9_000]);
});

it('asks again after a minute, however long it is told to stay away', async () => {
  script = [refuses(429, 'rate-limited', { 'retry-after': '99999999' }), tells(event(1))];
  expect(await take(1)).toEqual(['evt_1']);
  expect(pauses).toEqual([60_000]);
});

it.each([
  [401, 'unknown-key'],
  [403, 'scope-missing'],
  [422, 'invalid-query'],
])('gives up on %i, which trying does not help', async (status, reason) => {
  script = [refuses(status, reason)];
  await expect(take(1)).rejects.toMatchObject({ status, reason });
  expect(asked).toHaveLength(1);
});

it('ends when it is told to', async () => {
  const over = new AbortController();
  script = [(reply) => reply.writeHead(200, { 'content-type': 'text/event-stream' }).write(event(1))];
  const seen: string[] = [];
  for await (const { id } of client().events.stream({ signal: over.signal })) {
    seen.push(id);
    over.abort();
  }
  expect(seen).toEqual(['evt_1']);
});

it('ends in the middle of a pause', async () => {
  const over = new AbortController();
  script = [refuses(503, 'stopping', { 'retry-after': '3600' })];
  // Chance is asked for how long to pause, and the pause begins at once.
  const random = (): number => {
    queueMicrotask(() => over.abort());
    return 0.5;
  };
  for await (const { id } of client({ random, sleep: undefined }).events.stream({ signal: over.signal }))
    expect.unreachable(id);
  expect(asked).toHaveLength(1);
});

it('tells of a real room’s end', async () => {
  const stage = await startStage(() => agreeable);
  try {
    const partyline = new Partyline({ apiKey: stage.keys.ours, baseUrl: stage.url });
    const { session } = await partyline.rooms.create({ name: 'Watched' });
    // What happens before the stream is open is told too.
    await partyline.sessions.end(session?.id ?? '');
    const seen: string[] = [];
    for await (const { type, sessionId } of partyline.events.stream({ after: 'start' })) {
      seen.push(type);
      if (type === 'session.ended' && sessionId === session?.id) break;
    }
    expect(seen.slice(-2)).toEqual(['session.ending', 'session.ended']);
  } finally {
    await stage.stop();
  }
});
