import { once } from 'node:events';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { setInterval } from 'node:timers/promises';
import { Controller, Get, Header, Module, Post, Query, StreamableFile } from '@nestjs/common';
import { VerdictError } from '@partyline/domain/verdict';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from './config.ts';
import { openLogger } from './logging.ts';
import { openMetrics } from './metrics.ts';
import { NotReadyError } from './not-ready-error.ts';
import { startService, type RunningService } from './service.ts';

/** No server listens on port 1. */
const connectionRefused = (): Promise<Error> =>
  new Promise((resolve) => connect({ host: '127.0.0.1', port: 1 }).once('error', resolve));
const coded = (message: string, code: string, more = {}): Error => Object.assign(new Error(message), { code, ...more });

const OUTAGES: Record<string, () => Error | Promise<Error>> = {
  'connection refused': connectionRefused,
  'connection refused on every address': async () =>
    new AggregateError([await connectionRefused(), await connectionRefused()]),
  'server shutdown': () => coded('terminating connection due to administrator command', '57P01'),
  'server starting': () => coded('the database system is starting up', '57P03'),
  'too many clients': () => coded('sorry, too many clients already', '53300'),
  'read-only server': () => coded('cannot execute INSERT in a read-only transaction', '25006'),
  'full disk': () => coded('could not extend file', '53100'),
  'an error that no list names': () => coded('something new', '99Z99'),
  'a pooler that changed the session': () => coded('prepared statement "s1" already exists', '42P05'),
  'a pooler that lost a statement': () => coded('prepared statement "s1" does not exist', '26000'),
  'broken connection': () => new Error('Connection terminated unexpectedly'),
  'no free connection in the pool': () => new Error('timeout exceeded when trying to connect'),
  'query read timeout': () => new Error('Query read timeout'),
  'statement timeout': () => coded('canceling statement due to statement timeout', '57014'),
  'lock timeout': () => coded('canceling statement due to lock timeout', '55P03'),
  'repeated deadlock': () => coded('deadlock detected', '40P01'),
  'repeated serialization failure': () => coded('could not serialize access', '40001'),
  'read-only server through Prisma': () =>
    coded('Database error', 'P2039', { meta: { driverAdapterError: { cause: { originalCode: '25006' } } } }),
  'statement timeout through Prisma': () =>
    coded('Database error', 'P2039', { meta: { driverAdapterError: { cause: { originalCode: '57014' } } } }),
};
const BUGS: Record<string, () => Error> = {
  'a TypeError': () => new TypeError('x is not a function'),
  'a violated unique constraint': () => coded('duplicate key value violates unique constraint', '23505'),
  'a missing permission': () => coded('permission denied for table room', '42501'),
  'an exception that a function raised': () => coded('no such rate', 'P0001'),
  'a syntax error through Prisma': () =>
    coded('Database error', 'P2039', { meta: { driverAdapterError: { cause: { originalCode: '42601' } } } }),
};

@Controller('failing')
class FailingController {
  @Get()
  async fail(@Query('by') by: string): Promise<never> {
    throw await (OUTAGES[by] ?? BUGS[by])?.();
  }
  @Post()
  accept(): string {
    return 'accepted';
  }
  @Get('stored')
  @Header('cache-control', 'public, max-age=60')
  answerFromDocument(): string {
    return 'document';
  }
  @Get('flood')
  flood(): StreamableFile {
    const zeros = function* (): Generator<Buffer> {
      for (;;) yield Buffer.alloc(64 * 1024);
    };
    return new StreamableFile(Readable.from(zeros(), { objectMode: false }));
  }
  /** A heartbeat every 100 ms, without an end. */
  @Get('stream')
  stream(): StreamableFile {
    return new StreamableFile(Readable.from(heartbeats(), { objectMode: false }), { type: 'text/event-stream' });
  }
  @Get('verdict')
  refuse(): never {
    throw new VerdictError('client', 'room-full', 'The room is full.', { retryAfterMs: 1_500 });
  }
}
async function* heartbeats(): AsyncGenerator<string> {
  for await (const _ of setInterval(100)) yield ':\n\n';
}
@Module({ controllers: [FailingController] })
class FailingModule {}

let notReady = false;
const silentLog = openLogger({ service: 'test', level: 'silent' });
const start = (
  env: Readonly<Record<string, string>> = {},
  log = silentLog,
  ready: Parameters<typeof startService>[0]['ready'] = {
    database: () => (notReady ? Promise.reject(new Error('down')) : Promise.resolve()),
  },
): Promise<RunningService> =>
  startService({
    config: readConfig({ HOST: '127.0.0.1', PORT: '0', MANAGEMENT_PORT: '0', DRAIN_SECONDS: '1', ...env }, ['service']),
    log,
    metrics: openMetrics(),
    module: FailingModule,
    ready,
    drain: async () => undefined,
    close: async () => undefined,
  });

let service: RunningService;
beforeAll(async () => {
  service = await start();
});
afterAll(() => service.stop());

const request = async (by: string) => {
  const reply = await fetch(`${service.url}/failing?by=${encodeURIComponent(by)}`);
  return {
    status: reply.status,
    retryAfter: reply.headers.get('retry-after'),
    body: (await reply.json()) as { reason: string; detail: string },
  };
};

describe('a failing request', () => {
  it.each(Object.keys(OUTAGES))('is answered 503 with a retry time after an outage: %s', async (by) => {
    expect(await request(by)).toMatchObject({
      status: 503,
      retryAfter: '1',
      body: { reason: 'temporarily-unavailable' },
    });
  });

  it.each(Object.keys(BUGS))('is answered 500 after %s', async (by) => {
    expect(await request(by)).toMatchObject({ status: 500, retryAfter: null, body: { reason: 'internal-error' } });
  });
});

it('rounds Retry-After up to whole seconds', async () => {
  const reply = await fetch(`${service.url}/failing/verdict`);
  expect([reply.status, reply.headers.get('retry-after')]).toEqual([409, '2']);
});

describe('the headers of a reply', () => {
  it.each([
    ['a reply', 'POST', '/failing', 201, 'no-store'],
    ['a verdict', 'GET', '/failing/verdict', 409, 'no-store'],
    ['an unknown route', 'GET', '/nothing', 404, 'no-store'],
    ['a URL that the router cannot parse', 'GET', '/%', 404, 'no-store'],
    ['a stream', 'GET', '/failing/stream', 200, 'no-store'],
    ['a document that says so', 'GET', '/failing/stored', 200, 'public, max-age=60'],
  ])(
    'forbid to store and to guess the type of %s, unless it may be stored',
    async (_what, method, path, status, cache) => {
      const reply = await fetch(service.url + path, { method });
      await reply.body?.cancel();
      expect([
        reply.status,
        reply.headers.get('cache-control'),
        reply.headers.get('x-content-type-options'),
        reply.headers.get('strict-transport-security'),
      ]).toEqual([status, cache, 'nosniff', null]);
    },
  );

  it('contain Strict-Transport-Security if HSTS_SECONDS is set', async () => {
    const strict = await start({ HSTS_SECONDS: '31536000' });
    for (const path of ['/failing/stored', '/nothing', '/%'])
      expect((await fetch(strict.url + path)).headers.get('strict-transport-security')).toBe('max-age=31536000');
    await strict.stop();
  });
});

describe('the management port', () => {
  it('serves health, readiness and metrics, which the main port does not', async () => {
    for (const [path, body] of [
      ['/healthz', '{"ok":true}'],
      ['/readyz', '{"ready":true,"stopping":false,"database":"up"}'],
      ['/metrics', expect.stringContaining('partyline_http_request_seconds')],
    ]) {
      const managed = await fetch(service.managementUrl + path);
      expect([managed.status, await managed.text()]).toEqual([200, body]);
      expect((await fetch(service.url + path)).status).toBe(404);
    }
    expect((await fetch(`${service.managementUrl}/failing`)).status).toBe(404);
    expect((await fetch(`${service.managementUrl}/healthz`, { method: 'POST' })).status).toBe(405);
  });

  it('answers 503 at /readyz while a dependency is down', async () => {
    notReady = true;
    const reply = await fetch(`${service.managementUrl}/readyz`);
    notReady = false;
    expect([reply.status, await reply.json()]).toEqual([503, { ready: false, stopping: false, database: 'down' }]);
  });

  it('shows at /readyz what an operator must do, and no other error', async () => {
    const problem = 'Set JANUS_API_SECRET to the value of api_secret in janus.jcfg.';
    const waiting = await start({}, undefined, {
      janus: () => Promise.reject(new NotReadyError(problem)),
      database: () => Promise.reject(new Error('connect to partyline:password@db')),
    });
    const reply = await fetch(`${waiting.managementUrl}/readyz`);
    await waiting.stop();
    expect(await reply.json()).toEqual({
      ready: false,
      stopping: false,
      janus: 'down',
      database: 'down',
      problems: [problem],
    });
  });

  it('logs once why a dependency is down, and once that it is up', async () => {
    const lines: string[] = [];
    const logged = await start(
      {},
      openLogger({ service: 'test', level: 'info' }, { write: (line) => lines.push(line) }),
    );
    for (const isDown of [true, true, false, false]) {
      notReady = isDown;
      await fetch(`${logged.managementUrl}/readyz`);
    }
    await logged.stop();
    const about = lines.filter((line) => line.includes('"dependency":"database"'));
    expect(about).toEqual([expect.stringContaining('not ready'), expect.stringContaining('available again')]);
    expect(about[0]).toContain('"message":"down"');
  });
});

describe('a slow client', () => {
  const MANY = 1_000;
  const BYTE_INTERVAL_MS = 500;
  const HEAD = 'POST /failing HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n';
  /**
   * Sends `first`, then a byte at each tick of `endless` until the server closes. Resolves with
   * what it received.
   */
  const drip = async (port: number, first: string, rest: string, endless: AsyncIterable<unknown>): Promise<string> => {
    const socket = connect(port, '127.0.0.1');
    let received = '';
    socket.setEncoding('latin1').on('data', (part: string) => (received += part));
    const closed = new Promise<void>((resolve) => socket.on('error', () => undefined).once('close', () => resolve()));
    await once(socket, 'connect');
    socket.write(first);
    let at = 0;
    for await (const _ of endless) {
      if (socket.destroyed) break;
      if (rest !== '') socket.write(rest.charAt(at++ % rest.length));
    }
    await closed;
    return received;
  };

  it(`of ${MANY} that send one byte at a time is answered 408 and closed, while others are served`, async () => {
    const bounded = await start({ HEADERS_TIMEOUT_MS: '2000', REQUEST_TIMEOUT_MS: '3000' });
    const port = Number(new URL(bounded.url).port);
    const slow = Array.from({ length: MANY }, (_, n) =>
      n % 2 === 0
        ? drip(port, HEAD, '{', setInterval(BYTE_INTERVAL_MS))
        : drip(port, 'POST /failing HTTP/1.1\r\nx-slow: ', 'x', setInterval(BYTE_INTERVAL_MS)),
    );
    expect((await fetch(`${bounded.url}/failing/stored`)).status).toBe(200);
    // Without the bounds, each would last for at least `MANY` bytes.
    const replies = await Promise.all(slow);
    expect(replies.filter((reply) => reply.startsWith('HTTP/1.1 408')).length).toBe(MANY);
    await bounded.stop();
  }, 120_000);

  it('that sends nothing, or stops inside a rejected body, is closed', async () => {
    const bounded = await start({ HEADERS_TIMEOUT_MS: '300', REQUEST_TIMEOUT_MS: '600' });
    const port = Number(new URL(bounded.url).port);
    const tooLarge = HEAD.replace('content-length: 1000', `content-length: ${1024 * 1024}`);
    const [silent, discarded] = await Promise.all([
      drip(port, '', '', setInterval(100)),
      drip(port, tooLarge, 'x', setInterval(100)),
    ]);
    expect(silent).toMatch(/^HTTP\/1\.1 408/);
    expect(discarded).toMatch(/^HTTP\/1\.1 413/);
    await bounded.stop();
  });

  it('of a stream is served beyond every time limit while the server sends', async () => {
    const bounded = await start({ HEADERS_TIMEOUT_MS: '300', REQUEST_TIMEOUT_MS: '300', SOCKET_TIMEOUT_MS: '1000' });
    const reply = await fetch(`${bounded.url}/failing/stream`);
    let bytes = 0;
    for await (const part of reply.body ?? []) if ((bytes += part.length) >= 3 * 20) break;
    expect(bytes).toBe(3 * 20);
    await bounded.stop();
  });

  it('that reads nothing of a stream is closed', async () => {
    // The reply is larger than the buffers of the connection, so sending stops.
    const bounded = await start({ SOCKET_TIMEOUT_MS: '1000' });
    const socket = connect(Number(new URL(bounded.url).port), '127.0.0.1').pause();
    const connections = (): Promise<number> =>
      new Promise((resolve) =>
        bounded.app.getHttpServer().getConnections((_: unknown, count: number) => resolve(count)),
      );
    socket.write('GET /failing/flood HTTP/1.1\r\nhost: x\r\n\r\n');
    await expect.poll(connections).toBe(1);
    await expect.poll(connections, { timeout: 10_000 }).toBe(0);
    socket.destroy();
    await bounded.stop();
  });
});

describe('a body above the size limit', () => {
  const MIB = 1024 * 1024;
  /** Sends the head, waits for the whole reply, then sends the body. */
  const sendBodyAfterReply = async (bytes: number) => {
    const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
    let received = '';
    socket.setEncoding('latin1').on('data', (part: string) => (received += part));
    const replies = (): number[] => [...received.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status));
    const head = (length: number): string =>
      `POST /failing HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n`;
    socket.write(head(bytes));
    while (replies().length < 1) await once(socket, 'data');
    return { socket, replies, head };
  };

  it('is answered 413 and discarded, so that the connection can be used again', async () => {
    const { socket, replies, head } = await sendBodyAfterReply(2 * MIB);
    socket.write(Buffer.alloc(2 * MIB, 'x'));
    socket.write(`${head(2)}{}`);
    while (replies().length < 2) await once(socket, 'data');
    socket.destroy();
    expect(replies()).toEqual([413, 201]);
  });

  it('is discarded up to 8 MiB, then the connection is closed', async () => {
    const { socket, replies } = await sendBodyAfterReply(1024 * MIB);
    const closed = new Promise<void>((resolve) => socket.on('error', () => undefined).once('close', () => resolve()));
    const write = (): void => {
      while (!socket.destroyed && socket.write(Buffer.alloc(MIB, 'x')));
    };
    socket.on('drain', write);
    write();
    await closed;
    expect(replies()).toEqual([413]);
    expect(socket.bytesWritten).toBeLessThan(64 * MIB);
  });
});
