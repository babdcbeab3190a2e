import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { createRpcHandlers } from '@partyline/conference/provider-rpc/handlers';
import type { Deps } from '@partyline/conference/deps';
import { createKeyService } from '@partyline/conference/crypto/key-service';
import { composeProviders } from '@partyline/conference/providers/compose-providers';
import { createWebhookUrls } from '@partyline/conference/providers/webhook-urls';
import { openJobs } from '@partyline/jobs/enqueue';
import { startWorkers } from '@partyline/jobs/work';
import { createAccountBuilder, UNLISTED_REGION } from '@partyline/provider-registry/from-account';
import { createPlatformProviders } from '@partyline/provider-registry/from-environment';
import { readConfig } from '@partyline/runtime/config';
import { systemClock, systemIds, systemSecret, systemSleep } from '@partyline/runtime/system';
import { openLogger } from '@partyline/runtime/logging';
import { openMetrics, openReport } from '@partyline/runtime/metrics';
import {
  assertRedisConnected,
  connectRedis,
  producerOptions,
  watchRedis,
  workerOptions,
} from '@partyline/runtime/redis';
import { openRefusalLog } from '@partyline/runtime/refusal-log';
import { runMain, startService } from '@partyline/runtime/service';
import { openWriteCheck } from '@partyline/store/database/check-writes';
import { openStore } from '@partyline/store/database/store';
import { createJobHandlers } from './job-handlers.ts';
import { createProviderRpcController } from './provider-rpc.controller.ts';
import { RpcServer } from './rpc-server.ts';

@Module({})
class OrchestratorModule {}

/**
 * Concurrent jobs per queue. The provider's rate limit bounds the requests; each account has few
 * jobs waiting for a slot (providers/rate-limit-providers.ts), which leaves workers for other
 * accounts.
 */
const CONCURRENT_JOBS = { conference: 8, dial: 24, 'hang-up': 16 };

await runMain(async () => {
  const config = readConfig(process.env, ['service', 'database', 'redis', 'webhooks', 'provider', 'accounts', 'rpc']);
  const { REDIS_URL: redisUrl, REDIS_PREFIX: prefix } = config.redis;
  const log = openLogger({ service: 'dial-orchestrator', level: config.service.LOG_LEVEL });
  const metrics = openMetrics();
  const logRedisError = (err: Error): void => log.warn({ err }, 'Redis is unavailable');
  const store = openStore({
    url: config.database.DATABASE_URL,
    max: config.database.DATABASE_POOL,
    onError: (err) => log.warn({ err }, 'database connection failed'),
  });
  const watched: object[] = [];
  const watch = (client: object): void => {
    watched.push(client);
    watchRedis(client);
  };
  const jobs = openJobs({
    connection: producerOptions(redisUrl),
    prefix,
    now: () => systemClock.now().getTime(),
    onError: logRedisError,
    watch,
  });
  const redis = connectRedis(redisUrl, logRedisError);
  const providerDeps = { timeoutMs: config.provider.PROVIDER_TIMEOUT_MS, clock: systemClock, secret: systemSecret };
  const { providers, vault, build } = composeProviders({
    store,
    keys: createKeyService(config.accounts.MASTER_KEYS),
    sleep: systemSleep,
    ...createPlatformProviders(config.provider, providerDeps),
    buildAccount: createAccountBuilder(config.provider, providerDeps, (account) => log.warn(account, UNLISTED_REGION)),
  });
  const deps: Deps = {
    providers,
    store,
    jobs,
    clock: systemClock,
    ids: systemIds,
    secret: systemSecret,
    webhooks: createWebhookUrls(config.webhooks.PUBLIC_WEBHOOK_URL),
    report: openReport(metrics, log),
  };

  const workers = startWorkers({
    connection: workerOptions(redisUrl),
    prefix,
    handlers: createJobHandlers(deps),
    concurrency: CONCURRENT_JOBS,
    now: () => systemClock.now().getTime(),
    onFailed: (job, err, tenantId) => {
      metrics.count('job_failed', { job });
      log.warn({ job, err, tenantId }, 'a job failed; it will be retried');
    },
    onError: logRedisError,
    watch,
  });
  const logRefusal = openRefusalLog(log, () => systemClock.now().getTime());
  const controller = createProviderRpcController({
    provider: createRpcHandlers({ ...deps, accounts: { vault, build } }),
    redis,
    prefix,
    secrets: config.rpc,
    now: () => systemClock.now().getTime(),
    onRefused: (method, reason) => {
      metrics.count('rpc_request_refused', { reason });
      logRefusal('redis', {
        reason,
        detail: 'RPC_SECRET must be the same in room-api and dial-orchestrator, and their clocks must agree.',
        route: method,
        requestId: 'none',
        tenantId: undefined,
        keyId: undefined,
      });
    },
    onError: (err, tenantId) => log.error({ err, tenantId }, 'a provider RPC request failed'),
  });

  await startService({
    config,
    log,
    metrics,
    module: { module: OrchestratorModule, controllers: [controller] },
    microservice: { strategy: new RpcServer(workerOptions(redisUrl), watch) },
    ready: { postgres: openWriteCheck(store), redis: () => (assertRedisConnected(watched), redis.ping()) },
    drain: (withinMs) => workers.drain(withinMs),
    close: async () => {
      redis.disconnect();
      await Promise.allSettled([jobs.close(), store.close()]);
    },
  });
});
