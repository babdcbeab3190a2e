import 'reflect-metadata';
import { openAccountVault } from '@partyline/conference/providers/account-vault';
import { openEndpointSecrets } from '@partyline/conference/endpoints/endpoint-secrets';
import { createKeyService } from '@partyline/conference/crypto/key-service';
import { openPinVault } from '@partyline/conference/pins/pin-vault';
import { openRequestVault } from '@partyline/conference/crypto/request-vault';
import { accountWebhookUrls } from '@partyline/conference/providers/webhook-urls';
import { openSipPasswords } from '@partyline/conference/sip-accounts/sip-passwords';
import { openJobs } from '@partyline/jobs/enqueue';
import { readConfig } from '@partyline/runtime/config';
import { systemClock, systemIds, systemRandomInt, systemSecret } from '@partyline/runtime/system';
import { openLogger } from '@partyline/runtime/logging';
import { openMetrics, openReport } from '@partyline/runtime/metrics';
import { connectRedis, producerOptions, watchRedis } from '@partyline/runtime/redis';
import { runMain, startService } from '@partyline/runtime/service';
import { openWriteCheck } from '@partyline/store/database/check-writes';
import { openStore } from '@partyline/store/database/store';
import { roomApiModule } from './app.module.ts';
import { openEventFeed } from './events/feed.ts';
import { openStreamSlots } from './events/stream-slots.ts';
import { enforceStrictHttp } from './input/strict-http.ts';
import { openRequestMeter } from './limits/request-meter.ts';
import { openProviderClient } from './provider-client.ts';
import { VERSION } from './version.ts';

await runMain(async () => {
  const config = readConfig(process.env, [
    'service',
    'database',
    'redis',
    'pins',
    'keys',
    'limits',
    'events',
    'webhooks',
    'sip',
    'accounts',
    'rpc',
  ]);
  const log = openLogger({ service: 'room-api', level: config.service.LOG_LEVEL });
  const metrics = openMetrics();
  const store = openStore({
    url: config.database.DATABASE_URL,
    max: config.database.DATABASE_POOL,
    onError: (err) => log.warn({ err }, 'database connection failed'),
  });
  const connection = producerOptions(config.redis.REDIS_URL);
  const jobs = openJobs({
    connection,
    prefix: config.redis.REDIS_PREFIX,
    now: () => systemClock.now().getTime(),
    onError: (err) => log.warn({ err }, 'Redis is unavailable'),
    watch: watchRedis,
  });
  const provider = openProviderClient({
    connection,
    prefix: config.redis.REDIS_PREFIX,
    secret: config.rpc.RPC_SECRET,
    nextId: () => systemIds.next('req'),
    now: () => systemClock.now().getTime(),
    onFailure: (method, err, tenantId) => log.warn({ method, err, tenantId }, 'no answer from the orchestrator'),
  });
  const pinKeys = config.pins.PIN_KEYS.map(({ key }) => key);
  const pins = openPinVault(pinKeys);
  const masterKeys = createKeyService(config.accounts.MASTER_KEYS);
  const accounts = openAccountVault({ store, keys: masterKeys });
  const endpointSecrets = openEndpointSecrets(pinKeys);
  const addresses = { allowPrivate: config.events.EVENTS_ALLOW_PRIVATE === 'on', ports: config.events.EVENTS_PORTS };
  const requests = openRequestVault(pinKeys);
  // Every request waits for this client: a short timeout, after which each replica counts alone.
  const countingRedis = connectRedis(
    config.redis.REDIS_URL,
    (err) => log.warn({ err }, 'Redis is unavailable: each replica counts requests and streams alone'),
    250,
  );
  const feed = openEventFeed({
    store,
    slots: openStreamSlots(countingRedis, config.redis.REDIS_PREFIX),
    nextId: systemSecret,
    now: () => systemClock.now(),
    onError: (err) => log.warn({ err }, 'events could not be read; a later poll sends them'),
  });

  await startService({
    config,
    log,
    metrics,
    module: roomApiModule({
      store,
      jobs,
      provider,
      pins,
      accounts,
      connectionDetails: {
        webhookUrls: accountWebhookUrls(config.webhooks.PUBLIC_WEBHOOK_URL),
        sipAddress: config.sip.SIP_PUBLIC_ADDRESS ?? null,
      },
      sipPasswords: openSipPasswords({ store, keys: masterKeys }),
      endpointSecrets,
      addresses,
      feed,
      random: systemRandomInt,
      clock: systemClock,
      ids: systemIds,
      secret: systemSecret,
      requests,
      requestMeter: openRequestMeter(countingRedis, config.redis.REDIS_PREFIX),
      ...(config.limits.BLOCKED_DESTINATIONS && { blockedDestinations: config.limits.BLOCKED_DESTINATIONS }),
      unauthenticatedPerMinute: config.limits.UNAUTHENTICATED_PER_MINUTE,
      operators: config.keys.OPERATOR_KEYS,
      keyEnv: config.keys.KEY_ENV,
      report: openReport(metrics, log),
      version: VERSION,
    }),
    prepare: enforceStrictHttp,
    // Without Redis, rooms can still be read and ended. Operations that need Redis answer 503
    // themselves.
    ready: { postgres: openWriteCheck(store) },
    // Clients continue their streams at another replica.
    drain: () => feed.close(),
    close: async () => {
      countingRedis.disconnect();
      await Promise.allSettled([provider.close(), jobs.close(), store.close()]);
    },
  });
});
