import { connect } from 'node:net';
import { Controller, Get, Module, Query } from '@nestjs/common';
import { VerdictError } from '@partyline/domain/verdict';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openLogger } from './logging.ts';
import { openMetrics } from './metrics.ts';
import { startService, type RunningService } from './service.ts';

/** Nobody listens on port 1. */
const refused = (): Promise<Error> =>
  new Promise((resolve) => connect({ host: '127.0.0.1', port: 1 }).once('error', resolve));
const coded = (message: string, code: string, more = {}): Error => Object.assign(new Error(message), { code, ...more });

const FAILURES: Record<string, () => Error | Promise<Error>> = {
  'nobody listens': refused,
  'nobody listens, on any of its addresses': async () => new AggregateError([await refused(), await refused()]),
  'the server was told to stop': () => coded('terminating connection due to administrator command', '57P01'),
  'the server is starting': () => coded('the database system is starting up', '57P03'),
  'the server is full': () => coded('sorry, too many clients already', '53300'),
  'a connection that broke': () => new Error('Connection terminated unexpectedly'),
  'no connection came free': () => new Error('timeout exceeded when trying to connect'),
  'a connection that gives no answer': () => new Error('Query read timeout'),
  'a statement that took too long': () => coded('canceling statement due to statement timeout', '57014'),
  'a lock that was waited for too long': () => coded('canceling statement due to lock timeout', '55P03'),
  'two that waited for each other, again and again': () => coded('deadlock detected', '40P01'),
  'two that did not go together, again and again': () => coded('could not serialize access', '40001'),
  'a statement of Prisma’s that took too long': () =>
    coded('Database error', 'P2039', { meta: { driverAdapterError: { cause: { originalCode: '57014' } } } }),
};
const OURS: Record<string, () => Error> = {
  'a mistake of ours': () => new TypeError('x is not a function'),
  'a rule of the database': () => coded('duplicate key value violates unique constraint', '23505'),
  'a statement of Prisma’s that is wrong': () =>
    coded('Database error', 'P2039', { meta: { driverAdapterError: { cause: { originalCode: '42601' } } } }),
};

@Controller('failing')
class FailingController {
  @Get()
  async fail(@Query('by') by: string): Promise<never> {
    throw await (FAILURES[by] ?? OURS[by])?.();
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

const ask = async (by: string) => {
  const reply = await fetch(`${service.url}/failing?by=${encodeURIComponent(by)}`);
  return {
    status: reply.status,
    retryAfter: reply.headers.get('retry-after'),
    body: (await reply.json()) as { reason: string; detail: string },
  };
};

describe('a service whose database is away', () => {
  it.each(Object.keys(FAILURES))('says to come again, so that a carrier does: %s', async (by) => {
    expect(await ask(by)).toMatchObject({ status: 503, retryAfter: '1', body: { reason: 'temporarily-unavailable' } });
  });

  it.each(Object.keys(OURS))('and does not say so of %s', async (by) => {
    expect(await ask(by)).toMatchObject({ status: 500, retryAfter: null, body: { reason: 'internal-error' } });
  });
});

it('rounds the seconds to wait up', async () => {
  const reply = await fetch(`${service.url}/failing/verdict`);
  expect([reply.status, reply.headers.get('retry-after')]).toEqual([409, '2']);
});
