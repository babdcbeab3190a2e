import { once } from 'node:events';
import { connect } from 'node:net';
import { Controller, Get, Module, Post, Query } from '@nestjs/common';
import { VerdictError } from '@partyline/domain/verdict';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openLogger } from './logging.ts';
import { openMetrics } from './metrics.ts';
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
  'broken connection': () => new Error('Connection terminated unexpectedly'),
  'no free connection in the pool': () => new Error('timeout exceeded when trying to connect'),
  'query read timeout': () => new Error('Query read timeout'),
  'statement timeout': () => coded('canceling statement due to statement timeout', '57014'),
  'lock timeout': () => coded('canceling statement due to lock timeout', '55P03'),
  'repeated deadlock': () => coded('deadlock detected', '40P01'),
  'repeated serialization failure': () => coded('could not serialize access', '40001'),
  'statement timeout through Prisma': () =>
    coded('Database error', 'P2039', { meta: { driverAdapterError: { cause: { originalCode: '57014' } } } }),
};
const BUGS: Record<string, () => Error> = {
  'a TypeError': () => new TypeError('x is not a function'),
  'a violated unique constraint': () => coded('duplicate key value violates unique constraint', '23505'),
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
  @Get('verdict')
  refuse(): never {
    throw new VerdictError('client', 'room-full', 'The room is full.', { retryAfterMs: 1_500 });
  }
}
@Module({ controllers: [FailingController] })
class FailingModule {}

let service: RunningService;
beforeAll(async () => {
  service = await startService({
    config: { service: { HOST: '127.0.0.1', PORT: 0, LOG_LEVEL: 'silent', DRAIN_SECONDS: 1 } },
    log: openLogger({ service: 'test', level: 'silent' }),
    metrics: openMetrics(),
    module: FailingModule,
    ready: {},
    drain: async () => undefined,
    close: async () => undefined,
  });
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
