import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { openLink } from '@partyline/dev/faults/proxy';
import { findFreePort } from '@partyline/dev/processes/ports';
import { createTestRedis, type TestRedis } from '@partyline/testing/redis';
import { producerOptions, workerOptions } from '@partyline/runtime/redis';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it, test } from 'vitest';
import { jobBackoffMs, CATALOGUE, type JobName } from './catalogue.ts';
import { openJobs, type OpenJobs } from './enqueue.ts';
import { startWorkers, type RetryLater, type Handlers, type Workers } from './work.ts';

let redis: TestRedis;
let jobs: OpenJobs;
let workers: Workers[] = [];
const SESSION = { tenantId: 'ten_1', sessionId: 'ses_1' };

beforeAll(async () => {
  redis = await createTestRedis();
  jobs = openJobs({
    connection: { ...producerOptions(redis.url), commandTimeout: 20_000 },
    prefix: redis.prefix,
    now: () => Date.now(),
    onError: () => undefined,
  });
});
afterEach(async () => {
  await Promise.all(workers.map((each) => each.drain(2_000)));
  workers = [];
  await redis.clear();
});
afterAll(async () => {
  await jobs.close();
  await redis.close();
});

/** The jobs that ran, in order, and the failures. */
interface JobRuns {
  readonly log: { name: JobName; payload: unknown; at: number }[];
  readonly failed: string[];
}

function work(
  handle: Partial<{ [N in JobName]: (payload: never) => Promise<RetryLater | void> }> = {},
  concurrency = 1,
): JobRuns {
  const ran: JobRuns = { log: [], failed: [] };
  const handlers = Object.fromEntries(
    (Object.keys(CATALOGUE) as JobName[]).map((name) => [
      name,
      async (payload: unknown) => {
        ran.log.push({ name, payload, at: performance.now() });
        return (handle[name] as ((payload: unknown) => Promise<RetryLater | void>) | undefined)?.(payload);
      },
    ]),
  ) as unknown as Handlers;
  workers.push(
    startWorkers({
      connection: workerOptions(redis.url),
      prefix: redis.prefix,
      handlers,
      concurrency: { conference: concurrency, dial: concurrency, 'hang-up': concurrency },
      now: () => Date.now(),
      onFailed: (name, error, tenantId) => ran.failed.push(`${name}: ${error.message} (${tenantId})`),
      onError: () => undefined,
    }),
  );
  return ran;
}

const until = async (read: () => unknown, wanted: unknown): Promise<void> => {
  await expect.poll(read, { timeout: 20_000, interval: 10 }).toEqual(wanted);
};
const queueOf = async <T>(lane: string, use: (queue: Queue) => Promise<T>): Promise<T> => {
  const queue = new Queue(lane, {
    connection: { ...producerOptions(redis.url), commandTimeout: 20_000 },
    prefix: redis.prefix,
  });
  try {
    await queue.waitUntilReady();
    return await use(queue);
  } finally {
    await queue.close();
  }
};
const countJobs = (lane: string): Promise<number> =>
  queueOf(lane, async (queue) => (await queue.getJobs(['waiting', 'delayed', 'active', 'failed', 'completed'])).length);

describe('enqueue', () => {
  it('runs a job with its payload in its lane, and removes it', async () => {
    await jobs.enqueue('settle-session', SESSION);
    await jobs.enqueue('hang-up-leg', { tenantId: null, legId: 'leg_1' });
    const ran = work();
    await until(
      () => ran.log.map(({ name, payload }) => ({ name, payload })).toSorted((a, b) => a.name.localeCompare(b.name)),
      [
        { name: 'hang-up-leg', payload: { tenantId: null, legId: 'leg_1' } },
        { name: 'settle-session', payload: SESSION },
      ],
    );
    await until(async () => (await countJobs('conference')) + (await countJobs('hang-up')), 0);
    expect(ran.failed).toEqual([]);
  });

  test.each([
    ['settle-session', { tenantId: '', sessionId: 'ses_1' }],
    ['open-bridge', { tenantId: 'ten_1' }],
    ['dial-out', { tenantId: null, legId: 'leg_1' }],
    ['hang-up-leg', { tenantId: null, legId: '' }],
    ['hang-up-session', {}],
  ] as const)('rejects %s with the invalid payload %j before sending it', async (name, payload) => {
    await expect(jobs.enqueue(name, payload as never)).rejects.toThrow(/Invalid|Too small|expected/);
    expect(await countJobs(CATALOGUE[name].lane)).toBe(0);
  });

  it('fails a job with an invalid payload or an unknown name in Redis, without calling a handler', async () => {
    await queueOf('conference', async (queue) => {
      await queue.add('open-bridge', { tenantId: 7 });
      await queue.add('play-music', SESSION);
    });
    const ran = work();
    await until(() => ran.failed.map((each) => each.split(':')[0]).toSorted(), ['open-bridge', 'play-music']);
    expect(ran.failed.join()).toContain('Unknown job name: play-music.');
    expect(ran.log).toEqual([]);
  });

  it('retries a job that throws, with a back-off of at most 15 s', async () => {
    let failures = 0;
    await jobs.enqueue('settle-session', SESSION);
    const ran = work({
      'settle-session': async () => {
        if ((failures += 1) < 3) throw new Error('not yet');
      },
    });
    await until(() => ran.log.length, 3);
    expect(ran.failed).toEqual(['settle-session: not yet (ten_1)', 'settle-session: not yet (ten_1)']);
    expect([1, 2, 3, 6, 100, 999_999].map(jobBackoffMs)).toEqual([500, 1_000, 2_000, 15_000, 15_000, 15_000]);
  });

  it('has practically unlimited attempts for hang-up jobs, and few for the other lanes', () => {
    for (const { lane, attempts } of Object.values(CATALOGUE)) expect(attempts >= 1_000_000).toBe(lane === 'hang-up');
  });

  it('runs a job again after retryAfterMs, any number of times, without counting a failure', async () => {
    let rounds = 0;
    await jobs.enqueue('hang-up-leg', { tenantId: null, legId: 'leg_1' });
    const ran = work({ 'hang-up-leg': async () => ((rounds += 1) < 8 ? { retryAfterMs: 30 } : undefined) });
    await until(() => ran.log.length, 8);
    expect(ran.failed).toEqual([]);
    const gaps = ran.log.slice(1).map((each, i) => each.at - (ran.log[i]?.at ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(25);
    await until(() => countJobs('hang-up'), 0);
  });
});

describe('lanes', () => {
  it('run a hang-up while every worker of the dial lane is busy and a hundred dials wait', async () => {
    let release = (): void => undefined;
    const blocked = new Promise<void>((resolve) => (release = resolve));
    for (let i = 0; i < 100; i++) await jobs.enqueue('dial-out', { tenantId: 'ten_1', legId: `leg_${i}` });
    const ran = work({ 'dial-out': () => blocked }, 2);
    await until(() => ran.log.length, 2);
    await jobs.enqueue('hang-up-session', SESSION);
    await until(() => ran.log.at(-1)?.name, 'hang-up-session');
    expect(ran.log).toHaveLength(3);
    release();
  });
});

describe('armHangUp', () => {
  it('moves an armed hang-up forward, and runs it once', async () => {
    await jobs.armHangUp(SESSION, 3_600_000);
    await jobs.armHangUp(SESSION, 60_000);
    expect(await countJobs('hang-up')).toBe(1);
    const ran = work();
    await jobs.armHangUp(SESSION, 0);
    await until(() => countJobs('hang-up'), 0);
    expect(ran.log.map((each) => each.payload)).toEqual([SESSION]);
  });

  it('never moves an armed hang-up back', async () => {
    await jobs.armHangUp(SESSION, 300);
    await jobs.armHangUp(SESSION, 3_600_000);
    const ran = work();
    await until(() => ran.log.length, 1);
    await until(() => countJobs('hang-up'), 0);
    expect(ran.log).toHaveLength(1);
  });

  it.each([[[0, 3_600_000]], [[3_600_000, 0]], [[3_600_000, 60_000, 0, 7_200_000, 30_000]]])(
    'runs a hang-up armed by several processes at once (%j) at the earliest of the times',
    async (delays) => {
      const processes = delays.map((delayMs) => ({
        delayMs,
        ...openJobs({
          connection: { ...producerOptions(redis.url), commandTimeout: 20_000 },
          prefix: redis.prefix,
          now: () => Date.now(),
          onError: () => undefined,
        }),
      }));
      for (let round = 1; round <= 20; round++) {
        const session = { tenantId: 'ten_1', sessionId: `ses_${round}` };
        await Promise.all(processes.map(async (each) => each.armHangUp(session, each.delayMs)));
      }
      const ran = work();
      await until(() => new Set(ran.log.map(({ payload }) => (payload as typeof SESSION).sessionId)).size, 20);
      await until(() => countJobs('hang-up'), 0);
      expect(ran.failed).toEqual([]);
      await Promise.all(processes.map((each) => each.close()));
    },
  );

  it('schedules another run while the hang-up job is running', async () => {
    let release = (): void => undefined;
    const blocked = new Promise<void>((resolve) => (release = resolve));
    await jobs.armHangUp(SESSION, 0);
    let first = true;
    const ran = work(
      {
        'hang-up-session': async () => {
          if (!first) return undefined;
          first = false;
          await blocked;
          // This run found nothing to do for an hour.
          return { retryAfterMs: 3_600_000 };
        },
      },
      2,
    );
    await until(() => ran.log.length, 1);
    await jobs.armHangUp(SESSION, 0);
    await until(() => ran.log.length, 2);
    release();
    // The job that waits for an hour can be moved forward again.
    await until(async () => queueOf('hang-up', async (queue) => (await queue.getDelayed()).length), 1);
    await jobs.armHangUp(SESSION, 0);
    await until(() => ran.log.length, 3);
    expect(ran.failed).toEqual([]);
  });
});

describe('Redis that is down since the start', () => {
  it('fails each operation within the time limit of a command, and works once Redis answers', async () => {
    const direct = new URL(redis.url);
    const port = await findFreePort();
    const through = new URL(redis.url);
    through.host = `127.0.0.1:${port}`;
    const own = openJobs({
      connection: { ...producerOptions(through.href), commandTimeout: 300 },
      prefix: redis.prefix,
      now: () => Date.now(),
      onError: () => undefined,
    });
    const operations = {
      enqueue: () => own.enqueue('settle-session', SESSION),
      armHangUp: () => own.armHangUp(SESSION, 0),
      assertReachable: () => own.assertReachable(),
    };
    for (const run of Object.values(operations))
      await expect(run()).rejects.toThrow('Redis did not answer for 300 ms.');

    const link = await openLink({
      name: 'redis',
      port,
      targets: [{ host: direct.hostname, port: Number(direct.port) }],
    });
    for (const run of Object.values(operations)) await expect.poll(run).toBe(undefined);
    await until(async () => [await countJobs('conference'), await countJobs('hang-up')], [1, 1]);
    await own.close();
    await link.close();
  });

  it('does not depend on one request at the start, whose failure would be final', async () => {
    // BullMQ's check of the version (INFO) fails without this permission.
    const admin = new Redis(redis.url);
    const user = `without-info-${redis.prefix}`;
    await admin.call('ACL', 'SETUSER', user, 'on', '>pw', '~*', '&*', '+@all', '-info');
    const url = new URL(redis.url);
    [url.username, url.password] = [user, 'pw'];
    const own = openJobs({
      connection: { ...producerOptions(url.href), enableReadyCheck: false },
      prefix: redis.prefix,
      now: () => Date.now(),
      onError: () => undefined,
    });
    try {
      await expect.poll(() => own.assertReachable()).toBeUndefined();
      await own.enqueue('settle-session', SESSION);
      expect(await countJobs('conference')).toBe(1);
    } finally {
      await own.close();
      await admin.call('ACL', 'DELUSER', user);
      admin.disconnect();
    }
  });

  it('can be closed', async () => {
    const own = openJobs({
      connection: producerOptions(`redis://127.0.0.1:${await findFreePort()}`),
      prefix: redis.prefix,
      now: () => Date.now(),
      onError: () => undefined,
    });
    await expect(own.close()).resolves.toBeUndefined();
  });
});

describe('a killed worker', () => {
  async function child(): Promise<ChildProcess> {
    const script = new URL('./testing/stuck-worker.ts', import.meta.url);
    const forked = fork(script, [redis.url, redis.prefix], {
      execArgv: ['--conditions=@partyline/source'],
      stdio: 'inherit',
    });
    await once(forked, 'message');
    return forked;
  }

  it('leaves its job to the next worker, even after two kills', async () => {
    await jobs.enqueue('hang-up-session', SESSION);
    for (let kill = 0; kill < 2; kill++) {
      // The child reports when it has started the job, and never finishes it.
      const stuck = await child();
      stuck.kill('SIGKILL');
      await once(stuck, 'exit');
    }
    const ran = work();
    await expect.poll(() => ran.log.length, { timeout: 90_000, interval: 50 }).toBe(1);
    expect(ran.failed).toEqual([]);
  }, 180_000);
});
