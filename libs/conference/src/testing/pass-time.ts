import { EVERY_TENANT, inTransaction } from '@partyline/store/database/store';
import { reconcile } from '../reconciliation/reconcile.ts';
import { TEST_TENANT, type TestHarness, type TestDeps } from './test-harness.ts';
import { executeSql, until, untilWebhooksDone } from './meeting.ts';

/** Every time column, by table, in the lock order of the use-cases: rooms, sessions, legs. */
const TIME_COLUMNS = {
  room: ['created_at', 'ended_at', 'starts_at', 'ends_at', 'expires_at', 'expiry_check_at'],
  session: [
    'browsers_left_at',
    'phones_left_at',
    'alone_since',
    'empty_since',
    'host_left_at',
    'due_at',
    'created_at',
    'live_at',
    'ending_at',
    'ended_at',
    'presence_checked_at',
    'settle_due_at',
    'bridge_due_at',
  ],
  cdr: ['started_at', 'ended_at', 'stored_at', 'price_lookup_at'],
  leg: [
    'media_missing_since',
    'media_closed_at',
    'sip_ended_at',
    'voice_closed_at',
    'created_at',
    'dialled_at',
    'answered_at',
    'joined_at',
    'ended_at',
    'deadline_at',
    'hangup_requested_at',
    'hangup_attempted_at',
    'lease_until',
    'confirmed_at',
  ],
  hang_up_attempt: ['at'],
  orphan_call: ['first_seen_at', 'last_seen_at'],
  lease: ['available_at'],
  provider_rate_limit: ['next_slot_at', 'next_retry_at'],
} as const;

/** Simulates the passing of time: moves every time column `seconds` into the past. */
export async function passTime(harness: Pick<TestHarness, 'store'>, seconds: number): Promise<void> {
  for (const [table, columns] of Object.entries(TIME_COLUMNS)) {
    await executeSql(
      harness,
      `UPDATE ${table} SET ${columns.map((column) => `${column} = ${column} - make_interval(secs => $1)`).join(', ')}`,
      [seconds],
    );
  }
}

/**
 * Resets the emulator, the counters and the database, except for the test tenant and its number.
 */
export async function resetHarness(harness: TestHarness): Promise<void> {
  harness.jobsDown = false;
  harness.answerGate = undefined;
  harness.videoEventGate = undefined;
  await harness.emulator.client.reset();
  // Webhooks of the previous test may still be in progress.
  await untilWebhooksDone(harness);
  await emptyDatabase(harness);
  for (const noted of [harness.counters, harness.durations, harness.webhookErrors, harness.sentJobs]) noted.length = 0;
  await harness.store.prisma.tenant.create({ data: { ...TEST_TENANT, id: harness.deps.unified.tenantId } });
  await harness.store.prisma.dial_in_number.create({ data: { e164: '+442079460000', guarded: false } });
}

/** Empties all tables, as a restore of a backup from before the first room does. */
export async function emptyDatabase({ store }: Pick<TestHarness, 'store'>): Promise<void> {
  await inTransaction(store, EVERY_TENANT, async (tx) => {
    // Only the owner may truncate tables. A migration inserts the platform's limits and rates.
    await tx.query('SET LOCAL ROLE NONE');
    const { rows } = await tx.query<{ tables: string }>(
      `SELECT string_agg(quote_ident(tablename), ', ') AS tables
       FROM pg_tables
       WHERE schemaname = 'public'
         AND tablename NOT LIKE '\\_%'
         AND tablename NOT IN ('platform_limit', 'platform_rate')`,
    );
    await tx.query(`TRUNCATE ${rows[0]?.tables ?? ''} CASCADE`);
  });
}

/**
 * Runs a round of the reconciler at one instant of the database's clock. The due work is listed in
 * one transaction, where now() is constant.
 * @param makeDueSql statement that makes work due, with that instant as $1
 */
export const reconcileAtNow = (
  harness: TestHarness,
  deps: TestDeps,
  makeDueSql: string,
): Promise<Record<string, number>> =>
  inTransaction(harness.store, EVERY_TENANT, async (tx) => {
    const { rows } = await tx.query<{ at: Date }>('SELECT now() AS at');
    await executeSql(harness, makeDueSql, [rows[0]?.at]);
    let before: Promise<unknown> = Promise.resolve();
    const query: TestHarness['store']['query'] = (_, { name, text, values }) => {
      const read = before.then(() => tx.query({ name, text, values: [...(values ?? [])] }));
      before = read.catch(() => undefined);
      return read as never;
    };
    return reconcile({ ...deps, store: { ...harness.store, query } });
  });

/**
 * Repeats rounds of the reconciler, 16 s apart, until no leg and no session is ending. Returns the
 * number of rounds.
 */
export async function reconcileUntilQuiet(harness: TestHarness, deps: TestDeps, rounds = 8): Promise<number> {
  for (let round = 1; round <= rounds; round++) {
    await passTime(harness, 16);
    await reconcile(deps);
    if (await isQuiet(harness)) {
      await untilWebhooksDone(harness);
      return round;
    }
  }
  // The last webhook may still be in flight.
  await until(() => isQuiet(harness), true);
  await untilWebhooksDone(harness);
  return rounds;
}

async function isQuiet({ store }: Pick<TestHarness, 'store'>): Promise<boolean> {
  const { rows } = await store.pool.query<{ n: number }>(
    `SELECT (SELECT count(*) FROM leg WHERE state = 'ending')::int
          + (SELECT count(*) FROM session WHERE state = 'ending')::int AS n`,
  );
  return rows[0]?.n === 0;
}

/** Counts the hang-up requests that the emulator received, by call id or connection id. */
export async function countHangUpRequests({
  emulator,
}: Pick<TestHarness, 'emulator'>): Promise<Record<string, number>> {
  const asked: Record<string, number> = {};
  for (const route of ['hangup', 'disconnect']) {
    for (const { url } of await emulator.client.restLog({ route })) {
      const id = url.split('?')[0]?.split('/').at(-1) ?? '';
      asked[id] = (asked[id] ?? 0) + 1;
    }
  }
  return asked;
}
