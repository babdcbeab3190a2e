import { Controller, Get, Module } from '@nestjs/common';
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
  @Get('bad')
  fail(): never {
    throw new TypeError('a bug');
  }
}
@Module({ controllers: [AnsweringController] })
class AnsweringModule {}

let service: RunningService;
const lines: string[] = [];
beforeAll(async () => {
  service = await startService({
    config: readConfig({ HOST: '127.0.0.1', PORT: '0', MANAGEMENT_PORT: '0', DRAIN_SECONDS: '1' }, ['service']),
    log: openLogger({ service: 'test', level: 'error' }, { write: (line) => void lines.push(line) }),
    metrics: openMetrics(),
    module: AnsweringModule,
    ready: {},
    drain: async () => undefined,
    close: async () => undefined,
  });
});
beforeEach(() => lines.splice(0));
afterAll(() => service.stop());

/** Requests with a reply, without a route, with a failure, and with a URL that the router cannot parse. */
const PATHS = ['/good', '/nowhere', '/bad', '/%zz'];

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
