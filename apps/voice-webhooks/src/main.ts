import 'reflect-metadata';
import { openAccountVault } from '@partyline/conference/providers/account-vault';
import { keyServiceOf } from '@partyline/conference/crypto/key-service';
import { openProviders } from '@partyline/conference/providers/open-providers';
import { openPinVault } from '@partyline/conference/pins/pin-vault';
import { webhookUrls } from '@partyline/conference/providers/webhook-urls';
import { openJobs } from '@partyline/jobs/enqueue';
import { accountBuilder } from '@partyline/provider-registry/from-account';
import { settingsFromEnvironment } from '@partyline/provider-registry/from-environment';
import { createProviders } from '@partyline/provider-registry/registry';
import { readConfig } from '@partyline/runtime/config';
import { systemClock, systemIds } from '@partyline/runtime/edges';
import { openLogger } from '@partyline/runtime/logging';
import { openMetrics, openReport } from '@partyline/runtime/metrics';
import { producerOptions } from '@partyline/runtime/redis';
import { runMain, startService } from '@partyline/runtime/service';
import { openStore } from '@partyline/store/database/store';
import { webhooksModule } from './webhooks.module.ts';

/** A caller waits, and the carrier gives us up after 5 s. */
const PATIENCE_MS = 2_000;

await runMain(async () => {
  const config = readConfig(process.env, ['service', 'database', 'redis', 'pins', 'webhooks', 'vonage', 'accounts']);
  const log = openLogger({ service: 'voice-webhooks', level: config.service.LOG_LEVEL });
  const metrics = openMetrics();
  const openPool = () =>
    openStore({
      url: config.database.DATABASE_URL,
      max: config.database.DATABASE_POOL,
      patienceMs: PATIENCE_MS,
      onError: (err) => log.warn({ err }, 'a database connection broke'),
    });
  const [store, callers] = [openPool(), openPool()];
  const redisTrouble = (err: Error): void => log.warn({ err }, 'Redis is away');
  const jobs = openJobs({
    connection: producerOptions(config.redis.REDIS_URL),
    prefix: config.redis.REDIS_PREFIX,
    now: () => systemClock.now().getTime(),
    onError: redisTrouble,
  });
  const timing = { timeoutMs: config.vonage.PROVIDER_TIMEOUT_MS, holdMusicUrl: config.vonage.HOLD_MUSIC_URL };
  const buildAccount = accountBuilder(config.vonage, timing);
  const providers = openProviders({
    // Asked before each webhook of a tenant's account is believed, those that somebody waits for among them.
    store: callers,
    vault: openAccountVault({ store: callers, keys: keyServiceOf(config.accounts.MASTER_KEYS) }),
    build: (credentials, { old }) => buildAccount(credentials, old),
    platform: createProviders(settingsFromEnvironment(config.vonage), timing),
  });
  const pins = openPinVault(config.pins.PIN_KEY);
  const webhooks = webhookUrls(config.webhooks.PUBLIC_WEBHOOK_URL);

  await startService({
    config,
    log,
    metrics,
    module: webhooksModule({
      store,
      callers,
      jobs,
      providers,
      pins,
      webhooks,
      clock: systemClock,
      ids: systemIds,
      report: openReport(metrics, log),
    }),
    // A caller can be answered without Redis: what its jobs would do the reconciler does.
    ready: { postgres: () => callers.pool.query('SELECT 1') },
    drain: async () => undefined,
    close: async () => {
      await Promise.allSettled([jobs.close(), store.close(), callers.close()]);
    },
  });
});
