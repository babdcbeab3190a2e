import { AsyncResource } from 'node:async_hooks';
import { EventEmitter } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { Body, Controller, Get, Module, Post, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { readConfig } from './config.ts';
import { openLogger } from './logging.ts';
import { openMetrics } from './metrics.ts';
import { startService, type RunningService } from './service.ts';

@Controller()
class AnsweringController {
  @Get('good')
  accept(): object {
    return { ok: true };
  }
  @Get('endless')
  stream(@Res() reply: FastifyReply): void {
    reply.raw.write('first');
  }
  @Get('bad')
  fail(): never {
    throw new TypeError('a bug');
  }
  @Post('work')
  async work(@Body() { lines: count }: { lines: number }): Promise<object> {
    for (let line = 0; line < count; line++) {
      await new Promise(setImmediate);
      log.error({ line }, 'a line of the work');
    }
    leftOpen.once(
      'failed',
      AsyncResource.bind(() => log.error('a connection failed')),
    );
    return { ok: true };
  }
}
@Module({ controllers: [AnsweringController] })
class AnsweringModule {}

let service: RunningService;
const lines: string[] = [];
const log = openLogger({ service: 'test', level: 'error' }, { write: (line) => void lines.push(line) });
const leftOpen = new EventEmitter();
beforeAll(async () => {
  service = await startService({
    config: readConfig(
      {
        HOST: '127.0.0.1',
        PORT: '0',
        MANAGEMENT_PORT: '0',
        DRAIN_SECONDS: '1',
        HEADERS_TIMEOUT_MS: '300',
        REQUEST_TIMEOUT_MS: '300',
        HSTS_SECONDS: '60',
      },
      ['service'],
    ),
    log,
    metrics: openMetrics(),
    module: AnsweringModule,
    ready: {},
    drain: async () => undefined,
    close: async () => undefined,
  });
});
beforeEach(() => {
  lines.splice(0);
  leftOpen.removeAllListeners();
});
afterAll(() => service.stop());

/**
 * Requests with a reply, without a route, with a failure, and with a URL that the router cannot
 * parse.
 */
const PATHS = ['/good', '/nowhere', '/bad', '/%zz'];

const work = (id: string, body: object) =>
  fetch(`${service.url}/work`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-request-id': id },
    body: JSON.stringify(body),
  });
const namedRequests = () => lines.map((line) => (JSON.parse(line) as { requestId?: string }).requestId);

const send = async (path: string, id?: string) => {
  const reply = await fetch(service.url + path, { headers: id === undefined ? {} : { 'x-request-id': id } });
  const { requestId } = (await reply.json()) as { requestId?: string };
  return { header: reply.headers.get('x-request-id'), requestId };
};

it.each(PATHS)('the reply to %s has a new request id, and its problem and log line name it', async (path) => {
  const { header, requestId } = await send(path);
  expect(header).toMatch(/^req_[\w-]{22}$/);
  expect((await send(path)).header).not.toBe(header);
  if (path !== '/good') expect(requestId).toBe(header);
  if (path === '/bad')
    expect(lines.map((line) => (JSON.parse(line) as { requestId: string }).requestId)).toContain(header);
});

it.each([
  '0f8fad5b-d9cb-469f-a165-70867728950e',
  '12345678-1234-4234-8234-123456789012',
  'trace:abc.DEF-1',
  'edge_7f3a9c1b',
])('the request id of the client is kept everywhere: %s', async (id) => {
  for (const path of PATHS) {
    const { header, requestId } = await send(path, id);
    expect([path, header]).toEqual([path, id]);
    if (path !== '/good') expect(requestId).toBe(id);
  }
  expect(lines.map((line) => (JSON.parse(line) as { requestId: string }).requestId)).toEqual([id]);
});

it.each([
  'short',
  'two words',
  'x'.repeat(65),
  '442079460018',
  'pin-407281935',
  'a"b<script>c',
  `pl_live_${'a'.repeat(30)}`,
])('a request id of another form, or that could be a secret, is replaced: %s', async (id) => {
  for (const path of PATHS) expect((await send(path, id)).header).toMatch(/^req_[\w-]{22}$/);
  expect(lines.join()).not.toContain(id);
});

/** Sends bytes and returns the whole reply. The server closes the connection. */
async function sendBytes(bytes: string): Promise<{ head: string; problem: Record<string, unknown> }> {
  const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
  socket.write(bytes);
  const [head = '', body = ''] = (await text(socket)).split('\r\n\r\n');
  return { head, problem: JSON.parse(body) as Record<string, unknown> };
}

it.each([
  ['nothing', '', 408, 'request-timeout'],
  ['headers that never end', 'GET /good HTTP/1.1\r\nhost: x\r\n', 408, 'request-timeout'],
  [
    'a body that never ends',
    'POST /good HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{',
    408,
    'request-timeout',
  ],
  ['no HTTP', 'hello\r\n\r\n', 400, 'malformed-request'],
  ['a header without a name', 'GET /good HTTP/1.1\r\nhost: x\r\n: y\r\n\r\n', 400, 'malformed-request'],
  [
    'two lengths',
    'POST /good HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}',
    400,
    'malformed-request',
  ],
  ['no host', 'GET /good HTTP/1.1\r\nconnection: close\r\n\r\n', 400, 'malformed-request'],
  ['too many headers', `GET /good HTTP/1.1\r\nhost: x\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`, 431, 'headers-too-large'],
])('a client that sends %s gets a problem with a request id', async (_what, bytes, status, reason) => {
  const { head, problem } = await sendBytes(bytes);
  const [, requestId] = /\r\nx-request-id: (req_[\w-]{22})(\r\n|$)/.exec(head) ?? [];
  expect(problem).toMatchObject({ status, reason, requestId, title: expect.any(String), fix: expect.any(String) });
  for (const line of [
    new RegExp(`^HTTP/1.1 ${status} [A-Z]`),
    /content-type: application\/problem\+json/,
    /cache-control: no-store/,
    /x-content-type-options: nosniff/,
    /strict-transport-security: max-age=60/,
  ])
    expect(head).toMatch(line);
});

it('an invalid request does not interrupt the reply to an earlier one', async () => {
  const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
  socket.write('GET /endless HTTP/1.1\r\nhost: x\r\n\r\n');
  let received = '';
  for await (const part of socket.setEncoding('utf8')) {
    received += part;
    if (received.includes('first')) socket.write('hello\r\n\r\n');
  }
  expect(received).toMatch(/^HTTP\/1\.1 200 /);
  expect(received).not.toContain('malformed-request');
});

it('a request with an unknown expectation is answered as any other', async () => {
  const { head } = await sendBytes('GET /good HTTP/1.1\r\nhost: x\r\nexpect: a-miracle\r\nconnection: close\r\n\r\n');
  expect(head).toMatch(/^HTTP\/1\.1 200 /);
  expect(head).toMatch(/x-request-id: req_/);
});

it('every log line that a request causes names it, also during concurrent requests with bodies', async () => {
  const ids = ['trace:first-1', 'trace:second-2', 'trace:third-3'];
  await Promise.all(ids.map((id) => work(id, { lines: 3, padding: 'x'.repeat(50_000) })));
  log.error('a line outside of all requests');
  const named = namedRequests();
  expect(named.pop()).toBeUndefined();
  expect(named.toSorted((a, b) => String(a).localeCompare(String(b)))).toEqual(ids.flatMap((id) => [id, id, id]));
});

it('a log line of what a request left open names no request after the reply', async () => {
  await work('trace:opened-it', { lines: 0 });
  leftOpen.emit('failed');
  expect(namedRequests()).toEqual([undefined]);
});
