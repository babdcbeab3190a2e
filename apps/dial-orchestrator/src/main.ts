import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { Transport } from '@nestjs/microservices';
import { openAccountVault } from '@partyline/conference/providers/account-vault';
import { answerQuestions } from '@partyline/conference/provider-rpc/handlers';
import type { Deps } from '@partyline/conference/deps';
import { keyServiceOf } from '@partyline/conference/crypto/key-service';
import { paceProviders } from '@partyline/conference/providers/rate-limit-providers';
import { openProviders, type BuildProviders } from '@partyline/conference/providers/open-providers';
import { webhookUrls } from '@partyline/conference/providers/webhook-urls';
import { openJobs } from '@partyline/jobs/enqueue';
import { startWorkers } from '@partyline/jobs/work';
import { createProviders } from '@partyline/provider-registry/registry';
import { accountBuilder } from '@partyline/provider-registry/from-account';
import { settingsFromEnvironment } from '@partyline/provider-registry/from-environment';
import { readConfig } from '@partyline/runtime/config';
import { systemClock, systemIds, systemSecret, systemSleep } from '@partyline/runtime/edges';
import { openLogger } from '@partyline/runtime/logging';
import { openMetrics, openReport } from '@partyline/runtime/metrics';
import { connectRedis, producerOptions, workerOptions } from '@partyline/runtime/redis';
import { runMain, startService } from '@partyline/runtime/service';
import { openStore } from '@partyline/store/database/store';
import { handlers } from './handlers.ts';
import { questionsController } from './questions.controller.ts';

@Module({})
class OrchestratorModule {}

/** Jobs at once in each lane. The vendor's limit, not ours, bounds what they do, and how many of one account may wait for it here (pace-provider.ts) leaves room for the others'. */
const CONCURRENCY = { conference: 8, dial: 24, 'hang-up': 16 };

await runMain(async () => {
  const config = readConfig(process.env, ['service', 'database', 'redis', 'webhooks', 'vonage', 'accounts']);
  const { REDIS_URL: redisUrl, REDIS_PREFIX: prefix } = config.redis;
  const log = openLogger({ service: 'dial-orchestrator', level: config.service.LOG_LEVEL });
  const metrics = openMetrics();
  const redisTrouble = (err: Error): void => log.warn({ err }, 'Redis is away');
  const store = openStore({
    url: config.database.DATABASE_URL,
    max: config.database.DATABASE_POOL,
    onError: (err) => log.warn({ err }, 'a database connection broke'),
  });
  const jobs = openJobs({
    connection: producerOptions(redisUrl),
    prefix,
    now: () => systemClock.now().getTime(),
    onError: redisTrouble,
  });
  const redis = connectRedis(redisUrl, redisTrouble);
  const timing = { timeoutMs: config.vonage.PROVIDER_TIMEOUT_MS };
  const vault = openAccountVault({ store, keys: keyServiceOf(config.accounts.MASTER_KEYS) });
  const buildAccount = accountBuilder(config.vonage, timing);
  const build: BuildProviders = (credentials, { tenantId, old }) =>
    paceProviders(buildAccount(credentials, old), { store, sleep: systemSleep, tenantId });
  const deps: Deps = {
    providers: openProviders({
      store,
      vault,
      build,
      platform: paceProviders(createProviders(settingsFromEnvironment(config.vonage), timing), {
        store,
        sleep: systemSleep,
      }),
    }),
    store,
    jobs,
    clock: systemClock,
    ids: systemIds,
    secret: systemSecret,
    webhooks: webhookUrls(config.webhooks.PUBLIC_WEBHOOK_URL),
    report: openReport(metrics, log),
  };

  const workers = startWorkers({
    connection: workerOptions(redisUrl),
    prefix,
    handlers: handlers(deps),
    concurrency: CONCURRENCY,
    now: () => systemClock.now().getTime(),
    onFailed: (job, err, tenantId) => {
      metrics.count('job_failed', { job });
      log.warn({ job, err, tenantId }, 'a job failed; it is tried again');
    },
    onError: redisTrouble,
  });
  const controller = questionsController({
    provider: answerQuestions({ ...deps, accounts: { vault, build } }),
    redis,
    prefix,
    onError: (err, tenantId) => log.error({ err, tenantId }, 'a question failed'),
  });

  await startService({
    config,
    log,
    metrics,
    module: { module: OrchestratorModule, controllers: [controller] },
    // Nest's server takes no retryStrategy: without these it is deaf for good after the first connection that breaks.
    microservice: {
      transport: Transport.REDIS,
      options: { ...workerOptions(redisUrl), retryAttempts: Number.MAX_SAFE_INTEGER, retryDelay: 500 },
    },
    ready: { postgres: () => store.pool.query('SELECT 1'), redis: () => redis.ping() },
    drain: (withinMs) => workers.drain(withinMs),
    close: async () => {
      redis.disconnect();
      await Promise.allSettled([jobs.close(), store.close()]);
    },
  });
});
