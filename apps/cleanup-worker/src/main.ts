import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { sweepOwed } from '@partyline/conference/sweep-owed';
import { openJobs } from '@partyline/jobs/enqueue';
import { readConfig } from '@partyline/runtime/config';
import { systemClock } from '@partyline/runtime/edges';
import { openLogger } from '@partyline/runtime/logging';
import { openMetrics } from '@partyline/runtime/metrics';
import { producerOptions } from '@partyline/runtime/redis';
import { runMain, startService } from '@partyline/runtime/service';
import { purgeExpired } from '@partyline/store/owed';
import { openStore } from '@partyline/store/store';
import { startTimer } from './timer.ts';

@Module({})
class CleanupModule {}

const SWEEP_MS = 1_000;
const PURGE_MS = 60_000;

await runMain(async () => {
  const config = readConfig(process.env, ['service', 'database', 'redis']);
  const log = openLogger({ service: 'cleanup-worker', level: config.service.LOG_LEVEL });
  const metrics = openMetrics();
  const store = openStore({ url: config.database.DATABASE_URL, max: config.database.DATABASE_POOL, onError: (err) => log.warn({ err }, 'a database connection broke') });
  const jobs = openJobs({ connection: producerOptions(config.redis.REDIS_URL), prefix: config.redis.REDIS_PREFIX, onError: (err) => log.warn({ err }, 'Redis is away') });

  const failed = (what: string) => (err: unknown): void => log.warn({ err }, `the ${what} failed; the next run makes good`);
  const sweep = startTimer({
    everyMs: SWEEP_MS,
    clock: systemClock,
    onError: failed('sweep'),
    run: async () => {
      for (const [what, count] of Object.entries(await sweepOwed({ store, jobs }))) {
        if (count === 0) continue;
        metrics.count('swept', { what }, count);
        log.info({ what, count }, 'picked up what was owed');
      }
    },
  });
  const purge = startTimer({ everyMs: PURGE_MS, clock: systemClock, onError: failed('purge'), run: async () => void (await purgeExpired(store)) });

  await startService({
    config,
    log,
    metrics,
    module: CleanupModule,
    ready: { postgres: () => store.pool.query('SELECT 1') },
    // Alive is running, not connected: a sweep that hangs is to be restarted, one that fails because Postgres is away is not.
    live: () => sweep.assertRunning(10 * SWEEP_MS + 20_000),
    drain: async () => {
      await Promise.all([sweep.stop(), purge.stop()]);
    },
    close: async () => {
      await Promise.allSettled([jobs.close(), store.close()]);
    },
  });
});
