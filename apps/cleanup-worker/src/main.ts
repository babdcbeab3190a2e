import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { openSender } from '@partyline/conference/endpoints/deliver-events';
import type { Deps } from '@partyline/conference/deps';
import { openEndpointSecrets } from '@partyline/conference/endpoints/endpoint-secrets';
import { guardSpend } from '@partyline/conference/limits/guard-spend';
import { keyServiceOf } from '@partyline/conference/crypto/key-service';
import { composeProviders } from '@partyline/conference/providers/compose-providers';
import { reconcile } from '@partyline/conference/reconciliation/reconcile';
import { reconcileCharges } from '@partyline/conference/billing/reconcile-charges';
import { sweepAccounts } from '@partyline/conference/reconciliation/sweep-accounts';
import { webhookUrls } from '@partyline/conference/providers/webhook-urls';
import { openJobs } from '@partyline/jobs/enqueue';
import { createAccountBuilder } from '@partyline/provider-registry/from-account';
import { settingsFromEnvironment } from '@partyline/provider-registry/from-environment';
import { createProviders } from '@partyline/provider-registry/registry';
import { readConfig } from '@partyline/runtime/config';
import { systemClock, systemIds, systemRandomInt, systemSecret, systemSleep } from '@partyline/runtime/system';
import { openLogger } from '@partyline/runtime/logging';
import { openMetrics, openReport } from '@partyline/runtime/metrics';
import { producerOptions } from '@partyline/runtime/redis';
import { runMain, startService } from '@partyline/runtime/service';
import { tidyDeliveries } from '@partyline/store/endpoints/deliveries';
import { countUnconfirmed, purgeExpired, SERVED_KINDS } from '@partyline/store/reconciliation/due-work';
import { purgeEvents } from '@partyline/store/events/purge-events';
import { countCharges } from '@partyline/store/billing/cdrs';
import { dropOldCredentials } from '@partyline/store/provider-accounts/provider-accounts';
import { openStore } from '@partyline/store/database/store';
import { postEvent } from './post-event.ts';
import { purge } from './purge.ts';
import { startTimer } from './timer.ts';

@Module({})
class CleanupModule {}

const PURGE_MS = 60_000;
/** Of each kind in one round: half a million rows, as many as eight thousand webhooks a second leave behind. */
const PURGE_BATCHES = 500;
const WATCH_MS = 5_000;
/** From one look at what running calls cost to the next: what can be overdrawn is what they cost in between. */
const SPEND_MS = 5_000;
/** From one round of asking for prices to the next; a round is ten requests at most. */
const CHARGES_MS = 10_000;
/** How often it is looked for events to send; looking costs little when there are none. */
const DELIVERY_MS = 50;
const WAIT_MS = 1_000;
/** Deliveries that one replica may have on their way at once. */
const AT_ONCE = 64;
const TIDY_MS = 5_000;
const TIDY_BATCH = 1_000;
const POST_TIMEOUT_MS = 15_000;
/** A round of the reconciler that takes longer than this hangs: the longest wait in it is for a place in the provider's line. */
const HUNG_MS = 60_000;

await runMain(async () => {
  const config = readConfig(process.env, [
    'service',
    'database',
    'redis',
    'webhooks',
    'vonage',
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
    onError: (err) => log.warn({ err }, 'a database connection broke'),
  });
  const jobs = openJobs({
    connection: producerOptions(config.redis.REDIS_URL),
    prefix: config.redis.REDIS_PREFIX,
    now: () => systemClock.now().getTime(),
    onError: (err) => log.warn({ err }, 'Redis is away'),
  });
  const timing = { timeoutMs: config.vonage.PROVIDER_TIMEOUT_MS };
  // This worker calls the provider itself, because the dial-orchestrator gets its jobs through Redis
  // and the hang-up guarantee must not depend on Redis.
  const { providers } = composeProviders({
    store,
    keys: keyServiceOf(config.accounts.MASTER_KEYS),
    sleep: systemSleep,
    platform: createProviders(settingsFromEnvironment(config.vonage), timing),
    buildAccount: createAccountBuilder(config.vonage, timing),
  });
  const deps: Deps = {
    providers,
    store,
    jobs,
    clock: systemClock,
    ids: systemIds,
    secret: systemSecret,
    webhooks: webhookUrls(config.webhooks.PUBLIC_WEBHOOK_URL),
    report: openReport(metrics, log),
  };

  const timer = (what: string, everyMs: number, run: () => Promise<void>) =>
    startTimer({
      everyMs,
      clock: systemClock,
      random: systemRandomInt,
      run,
      onError: (err) => log.warn({ err }, `the ${what} failed; the next round makes good`),
    });
  const count = (counts: Record<string, number>): void => {
    for (const [what, number] of Object.entries(counts)) if (number > 0) metrics.count('swept', { what }, number);
  };
  const reconciler = timer('reconciler', RECONCILE_MS, async () => {
    if (PARTYLINE_RECONCILER === 'off') return;
    count(await reconcile(deps));
    metrics.set('reconciled_timestamp_seconds', systemClock.now().getTime() / 1000);
  });
  // Beside the reconciler and not in its round: what it tells must be right just when that takes long.
  const watch = timer('watch', WATCH_MS, async () => {
    const { legs, oldestS } = await countUnconfirmed(store);
    metrics.set('legs_unconfirmed', legs);
    metrics.set('oldest_unconfirmed_seconds', oldestS);
    const { open, slowNumbers } = await countCharges(store);
    metrics.set('charges_open', open);
    metrics.set('slow_numbers', slowNumbers);
  });
  const inventory = timer('inventory', INVENTORY_MS / 6, async () => {
    if (PARTYLINE_RECONCILER === 'off') return;
    const { adopted, ambiguous, orphans, missing, connections } = await sweepAccounts(deps, INVENTORY_MS);
    count({ adopted, ambiguous, orphans, missing, connections });
  });
  // Not in the reconciler's round: money is looked at however much there is to hang up.
  const guard = timer('spend guard', SPEND_MS, async () => {
    for (const [what, sessions] of Object.entries(await guardSpend(deps)))
      if (sessions > 0) metrics.count('spend_guard', { what }, sessions);
  });
  const charges = timer('reconciling of charges', CHARGES_MS, async () => {
    const filled = await reconcileCharges(deps);
    if (filled > 0) metrics.count('charges_reconciled', {}, filled);
  });
  const stopping = new AbortController();
  const purging = timer('purge', PURGE_MS, async () => {
    await purge(
      {
        // First: secrets that are not good any more.
        credentials: () => dropOldCredentials(store),
        ...Object.fromEntries(SERVED_KINDS.map((kind) => [kind, (limit: number) => purgeExpired(store, kind, limit)])),
        events: async (limit) => Math.max(...Object.values(await purgeEvents(store, limit))),
      },
      {
        limit: TIDY_BATCH,
        batches: PURGE_BATCHES,
        signal: stopping.signal,
        onError: (kind, err) =>
          log.warn({ err, kind }, 'what has served could not all be cleared away; the next round goes on'),
      },
    );
  });
  const addresses = { allowPrivate: config.events.EVENTS_ALLOW_PRIVATE === 'on', ports: config.events.EVENTS_PORTS };
  const post = postEvent({ timeoutMs: POST_TIMEOUT_MS, addresses });
  const sender = openSender(
    { ...deps, post, endpointSecrets: openEndpointSecrets(config.pins.PIN_KEY) },
    { atOnce: AT_ONCE, signal: stopping.signal },
  );
  const delivery = timer('delivery', DELIVERY_MS, async () => {
    try {
      await sender.look();
    } catch (error) {
      // Postgres is away: looking as often as in good days would fill the log.
      await systemSleep(WAIT_MS);
      throw error;
    }
  });
  const tidy = timer('tidying of deliveries', TIDY_MS, async () => {
    while (!stopping.signal.aborted && (await tidyDeliveries(store, TIDY_BATCH)) >= TIDY_BATCH);
  });

  await startService({
    config,
    log,
    metrics,
    module: CleanupModule,
    ready: { postgres: () => store.pool.query('SELECT 1') },
    // Alive is making progress, not being connected: a round that hangs is to be restarted, one that fails because Postgres is away is not.
    live: () => reconciler.assertRunning(RECONCILE_MS * 3 + HUNG_MS),
    drain: async () => {
      stopping.abort();
      await Promise.all(
        [reconciler, watch, inventory, guard, charges, purging, delivery, tidy].map((each) => each.stop()),
      );
      await sender.idle();
    },
    close: async () => {
      await Promise.allSettled([jobs.close(), store.close()]);
    },
  });
});
