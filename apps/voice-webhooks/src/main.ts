import 'reflect-metadata';
import { openAccountVault } from '@partyline/conference/providers/account-vault';
import { createKeyService } from '@partyline/conference/crypto/key-service';
import { openProviders } from '@partyline/conference/providers/open-providers';
import { openPinVault } from '@partyline/conference/pins/pin-vault';
import { createWebhookUrls } from '@partyline/conference/providers/webhook-urls';
import { openJobs } from '@partyline/jobs/enqueue';
import { createAccountBuilder, UNLISTED_REGION } from '@partyline/provider-registry/from-account';
import { createPlatformProviders } from '@partyline/provider-registry/from-environment';
import { readConfig } from '@partyline/runtime/config';
import { systemClock, systemIds, systemSecret } from '@partyline/runtime/system';
import { openLogger } from '@partyline/runtime/logging';
import { openMetrics, openReport } from '@partyline/runtime/metrics';
import { producerOptions, watchRedis } from '@partyline/runtime/redis';
import { runMain, startService } from '@partyline/runtime/service';
import { openWriteCheck } from '@partyline/store/database/check-writes';
import { openStore } from '@partyline/store/database/store';
import { openAccountLimit } from './account-limit.ts';
import { createWebhooksModule } from './webhooks.module.ts';

/** A caller waits for the answer, and the provider's own timeout is 5 s. */
const STATEMENT_TIMEOUT_MS = 1_900;

await runMain(async () => {
  const config = readConfig(process.env, ['service', 'database', 'redis', 'pins', 'webhooks', 'provider', 'accounts']);
  const log = openLogger({ service: 'voice-webhooks', level: config.service.LOG_LEVEL });
  const metrics = openMetrics();
  const openPool = () =>
    openStore({
      url: config.database.DATABASE_URL,
      max: config.database.DATABASE_POOL,
      statementTimeoutMs: STATEMENT_TIMEOUT_MS,
      onError: (err) => log.warn({ err }, 'database connection failed'),
    });
  const [store, callerStore] = [openPool(), openPool()];
  const logRedisError = (err: Error): void => log.warn({ err }, 'Redis is unavailable');
  const jobs = openJobs({
    connection: producerOptions(config.redis.REDIS_URL),
    prefix: config.redis.REDIS_PREFIX,
    now: () => systemClock.now().getTime(),
    onError: logRedisError,
    watch: watchRedis,
  });
  const providerDeps = {
    timeoutMs: config.provider.PROVIDER_TIMEOUT_MS,
    holdMusicUrl: config.provider.HOLD_MUSIC_URL,
    clock: systemClock,
    secret: systemSecret,
  };
  const providers = openProviders({
    // The account is read to verify each of its webhooks, also those that a caller waits for.
    store: callerStore,
    vault: openAccountVault({ store: callerStore, keys: createKeyService(config.accounts.MASTER_KEYS) }),
    build: createAccountBuilder(config.provider, providerDeps, (account) => log.warn(account, UNLISTED_REGION)),
    ...createPlatformProviders(config.provider, providerDeps),
  });
  const pins = openPinVault(config.pins.PIN_KEYS.map(({ key }) => key));
  const webhooks = createWebhookUrls(config.webhooks.PUBLIC_WEBHOOK_URL);

  await startService({
    config,
    log,
    metrics,
    module: createWebhooksModule({
      store,
      callerStore: callerStore,
      jobs,
      providers,
      pins,
      accountLimit: openAccountLimit(),
      webhooks,
      clock: systemClock,
      ids: systemIds,
      report: openReport(metrics, log),
    }),
    // A provider does not send a rejected event again in another form.
    removesProtoKeys: true,
    // Calls are answered without Redis: the reconciler does the work of the missing jobs.
    ready: { postgres: openWriteCheck(callerStore) },
    drain: async () => undefined,
    close: async () => {
      await Promise.allSettled([jobs.close(), store.close(), callerStore.close()]);
    },
  });
});
