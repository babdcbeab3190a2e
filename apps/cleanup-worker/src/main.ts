import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { openSender } from '@partyline/conference/endpoints/deliver-events';
import type { Deps } from '@partyline/conference/deps';
import { openEndpointSecrets } from '@partyline/conference/endpoints/endpoint-secrets';
import { guardSpend } from '@partyline/conference/limits/guard-spend';
import { createKeyService } from '@partyline/conference/crypto/key-service';
import { fillPinHeads } from '@partyline/conference/pins/fill-pin-heads';
import { openPinVault } from '@partyline/conference/pins/pin-vault';
import { composeProviders } from '@partyline/conference/providers/compose-providers';
import { reconcile } from '@partyline/conference/reconciliation/reconcile';
import { reconcileCharges } from '@partyline/conference/billing/reconcile-charges';
import { createPhoneReader } from '@partyline/conference/sip-accounts/read-phones';
import { openSipPasswords } from '@partyline/conference/sip-accounts/sip-passwords';
import { listAccountsToSweep } from '@partyline/store/reconciliation/inventory';
import { sweepAccounts } from '@partyline/conference/reconciliation/sweep-accounts';
import { createWebhookUrls } from '@partyline/conference/providers/webhook-urls';
import { PLATFORM_SIP } from '@partyline/domain/platform-account';
import { openJobs } from '@partyline/jobs/enqueue';
import { createAccountBuilder, UNLISTED_REGION } from '@partyline/provider-registry/from-account';
import { createPlatformProviders } from '@partyline/provider-registry/from-environment';
import { openSipEdge } from '@partyline/provider-registry/sip-edge';
import { readConfig } from '@partyline/runtime/config';
import { systemClock, systemIds, systemRandomInt, systemSecret, systemSleep } from '@partyline/runtime/system';
import { openLogger } from '@partyline/runtime/logging';
import { openMetrics, openReport } from '@partyline/runtime/metrics';
import { producerOptions, watchRedis } from '@partyline/runtime/redis';
import { runMain, startService } from '@partyline/runtime/service';
import { cleanUpDeliveries } from '@partyline/store/endpoints/deliveries';
import { countUnconfirmed } from '@partyline/store/reconciliation/due-work';
import { listTrunkAccounts } from '@partyline/store/provider-accounts/trunk-accounts';
import { listGatewayNumbers } from '@partyline/store/sip-accounts/sip-accounts';
import { countOpenCharges } from '@partyline/store/billing/cdrs';
import { openWriteCheck } from '@partyline/store/database/check-writes';
import { openStore } from '@partyline/store/database/store';
import { postEvent } from './post-event.ts';
import { purge, purgesOf } from './purge.ts';
import { startTimers } from './timer.ts';

@Module({})
class CleanupModule {}

const PURGE_INTERVAL_MS = 60_000;
const PURGE_BATCH_ROWS = 1_000;
/**
 * Per kind in one round: half a million rows, as many as 8,000 webhooks per second leave in a
 * minute.
 */
const MAX_PURGE_BATCHES = 500;
const GAUGES_INTERVAL_MS = 5_000;
/** Running calls can exceed a limit by what they cost in one interval. */
const SPEND_INTERVAL_MS = 5_000;
/** A round makes at most ten price requests. */
const CHARGES_INTERVAL_MS = 10_000;
/** The query costs little when no event is due. */
const DELIVERY_INTERVAL_MS = 50;
const DELIVERY_BACKOFF_MS = 1_000;
/** Per replica. */
const MAX_CONCURRENT_DELIVERIES = 64;
/** Only PINs of older versions are found; one may run beside this one during a deployment. */
const PIN_HEADS_INTERVAL_MS = 600_000;
const DELIVERY_CLEANUP_INTERVAL_MS = 5_000;
const POST_TIMEOUT_MS = 15_000;
/** A restarted kamailio rejects the trunks and phones of tenants for this time at most. */
const SIP_EDGE_INTERVAL_MS = 2_000;
/** A longer reconciler round hangs: its longest wait is for a slot of the provider's rate limit. */
const MAX_RECONCILER_ROUND_MS = 60_000;

await runMain(async () => {
  const config = readConfig(process.env, [
    'service',
    'database',
    'redis',
    'webhooks',
    'provider',
    'reconciler',
    'pins',
    'events',
    'accounts',
  ]);
  const { RECONCILE_MS, INVENTORY_MS, PARTYLINE_RECONCILER } = config.reconciler;
  const log = openLogger({ service: 'cleanup-worker', level: config.service.LOG_LEVEL });
  const metrics = openMetrics();
  const store = openStore({
    url: config.database.DATABASE_URL,
    max: config.database.DATABASE_POOL,
    onError: (err) => log.warn({ err }, 'database connection failed'),
  });
  const jobs = openJobs({
    connection: producerOptions(config.redis.REDIS_URL),
    prefix: config.redis.REDIS_PREFIX,
    now: () => systemClock.now().getTime(),
    onError: (err) => log.warn({ err }, 'Redis is unavailable'),
    watch: watchRedis,
  });
  const providerDeps = { timeoutMs: config.provider.PROVIDER_TIMEOUT_MS, clock: systemClock, secret: systemSecret };
  const masterKeys = createKeyService(config.accounts.MASTER_KEYS);
  // This worker calls the provider itself, because the dial-orchestrator gets its jobs through
  // Redis and the hang-up guarantee must not depend on Redis.
  const platformProviders = createPlatformProviders(config.provider, providerDeps);
  const { providers } = composeProviders({
    store,
    keys: masterKeys,
    sleep: systemSleep,
    ...platformProviders,
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

  const isReconciling = PARTYLINE_RECONCILER !== 'off';
  const countSwept = (counts: Record<string, number>): void => {
    for (const [what, number] of Object.entries(counts))
      if (number > 0) metrics.count('reconciled', { kind: what }, number);
  };
  const sweep = async (accountIds: readonly (string | null)[]): Promise<void> => {
    if (!isReconciling) return;
    const { adopted, ambiguous, orphans, missing, connections } = await sweepAccounts(deps, INVENTORY_MS, accountIds);
    countSwept({ adopted, ambiguous, orphans, missing, connections });
  };
  const stopping = new AbortController();
  const purgeOptions = {
    limit: PURGE_BATCH_ROWS,
    batches: MAX_PURGE_BATCHES,
    signal: stopping.signal,
    onError: (kind: string, err: unknown) =>
      log.warn({ err, kind }, 'expired rows could not be deleted; the next round retries'),
  };
  const pinKeys = config.pins.PIN_KEYS.map(({ key }) => key);
  const addresses = { allowPrivate: config.events.EVENTS_ALLOW_PRIVATE === 'on', ports: config.events.EVENTS_PORTS };
  const sender = openSender(
    {
      ...deps,
      post: postEvent({ timeoutMs: POST_TIMEOUT_MS, addresses }),
      endpointSecrets: openEndpointSecrets(pinKeys),
    },
    { maxConcurrent: MAX_CONCURRENT_DELIVERIES, signal: stopping.signal },
  );

  const sipEdge = openSipEdge(config.provider, config.provider.PROVIDER_TIMEOUT_MS);
  const readPhones = createPhoneReader({ store, sipPasswords: openSipPasswords({ store, keys: masterKeys }) }, (err) =>
    log.warn({ err }, 'the password of a SIP phone cannot be derived'),
  );
  const pins = openPinVault(pinKeys);
  const timers = startTimers(
    {
      reconciler: {
        everyMs: RECONCILE_MS,
        run: async () => {
          if (!isReconciling) return;
          countSwept(await reconcile(deps));
          metrics.set('reconciled_timestamp_seconds', systemClock.now().getTime() / 1000);
        },
      },
      // The gauges have their own timer, so that they stay current while a reconciler round is
      // slow.
      gauges: {
        everyMs: GAUGES_INTERVAL_MS,
        run: async () => {
          const unconfirmed = await countUnconfirmed(store);
          const { open, slowNumbers, guessOdds } = await countOpenCharges(store);
          for (const owner of ['platform', 'tenant'] as const) {
            metrics.set('legs_unconfirmed', unconfirmed[owner].legs, { owner });
            metrics.set('oldest_unconfirmed_seconds', unconfirmed[owner].oldestS, { owner });
            metrics.set('charges_open', open[owner], { owner });
            metrics.set('slow_numbers', slowNumbers[owner], { owner });
            metrics.set('guess_odds', guessOdds[owner], { owner });
          }
        },
      },
      inventory: { everyMs: INVENTORY_MS / 6, run: () => sweep([null]) },
      // Each separate, so that no account delays the sweep of the platform's.
      platformSipInventory: {
        everyMs: INVENTORY_MS / 6,
        run: async () => {
          if (platformProviders.platformSip !== null) await sweep([PLATFORM_SIP]);
        },
      },
      tenantInventories: { everyMs: INVENTORY_MS / 6, run: async () => sweep(await listAccountsToSweep(store)) },
      // Separate from the reconciler: spend is checked however many hang-ups are due.
      spendGuard: {
        everyMs: SPEND_INTERVAL_MS,
        run: async () => {
          for (const [what, sessions] of Object.entries(await guardSpend(deps)))
            if (sessions > 0) metrics.count('spend_limit', { action: what }, sessions);
        },
      },
      charges: {
        everyMs: CHARGES_INTERVAL_MS,
        run: async () => void (await reconcileCharges(deps)),
      },
      sipEdge: {
        everyMs: SIP_EDGE_INTERVAL_MS,
        run: async () => {
          if (sipEdge === null) return;
          const changed = await sipEdge.write(async () => ({
            trunks: await listTrunkAccounts(store),
            phones: await readPhones(),
            numbers: await listGatewayNumbers(store, sipEdge.isPlatformHere),
          }));
          if (changed > 0) log.info({ changed }, "kamailio's table of tenants was updated");
        },
      },
      purge: { everyMs: PURGE_INTERVAL_MS, run: () => purge(purgesOf(store), purgeOptions) },
      pinHeads: {
        everyMs: PIN_HEADS_INTERVAL_MS,
        run: async () => {
          const { filled, unreadable } = await fillPinHeads({ store, pins });
          if (filled > 0) log.info({ filled }, 'PINs of an older version got the look-up of their first digits');
          if (unreadable > 0) log.warn({ unreadable }, 'PINs cannot be decrypted: PIN_KEYS lacks their key');
        },
      },
      delivery: {
        everyMs: DELIVERY_INTERVAL_MS,
        run: async () => {
          try {
            await sender.sendDue();
          } catch (error) {
            // Without Postgres, a retry after DELIVERY_INTERVAL_MS would fill the log.
            await systemSleep(DELIVERY_BACKOFF_MS);
            throw error;
          }
        },
      },
      deliveryCleanup: {
        everyMs: DELIVERY_CLEANUP_INTERVAL_MS,
        run: async () => {
          while (!stopping.signal.aborted && (await cleanUpDeliveries(store, PURGE_BATCH_ROWS)) >= PURGE_BATCH_ROWS);
        },
      },
    },
    {
      clock: systemClock,
      random: systemRandomInt,
      onError: (timer, err) => log.warn({ err, timer }, 'a timer run failed; the next run retries'),
    },
  );

  await startService({
    config,
    log,
    metrics,
    module: CleanupModule,
    ready: { postgres: openWriteCheck(store) },
    // Liveness means progress: a round that hangs restarts the process, one that fails does not.
    live: () => timers.reconciler.assertRunning(RECONCILE_MS * 3 + MAX_RECONCILER_ROUND_MS),
    drain: async () => {
      stopping.abort();
      await Promise.all(Object.values(timers).map((timer) => timer.stop()));
      await sender.idle();
    },
    close: async () => {
      await Promise.allSettled([jobs.close(), store.close()]);
    },
  });
});
