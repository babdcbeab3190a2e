import { EVERY_TENANT, inTransaction } from '@partyline/store/database/store';
import { reconcile } from '../reconciliation/reconcile.ts';
import { STAGE_TENANT, type Stage, type World } from './test-harness.ts';
import { alterRows, until, untilAnswered } from './meeting.ts';

/** Every column that something counts from or towards, by table; rooms before sessions before legs, as the use-cases lock them. */
const TIMES = {
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

/** So many seconds go by, for everything in the database: all that it counts by is moved back. */
export async function passTime(stage: Pick<Stage, 'store'>, seconds: number): Promise<void> {
  for (const [table, columns] of Object.entries(TIMES)) {
    await alterRows(
      stage,
      `UPDATE ${table} SET ${columns.map((column) => `${column} = ${column} - make_interval(secs => $1)`).join(', ')}`,
      [seconds],
    );
  }
}

/** Nobody and nothing is left: no row but the tenant and the number, no call, no fault, nothing counted. */
export async function startOver(stage: Stage): Promise<void> {
  stage.jobsDown = false;
  stage.answersHeld = undefined;
  stage.videoHeld = undefined;
  await stage.emulator.client.reset();
  // What the test before it had told may still be in hand.
  await untilAnswered(stage);
  await emptyDatabase(stage);
  for (const noted of [stage.counted, stage.observed, stage.failures, stage.sent]) noted.length = 0;
  await stage.store.prisma.tenant.create({ data: { ...STAGE_TENANT, id: stage.worlds.unified.tenantId } });
  await stage.store.prisma.dial_in_number.create({ data: { e164: '+442079460000', guarded: false } });
}

/** As after a restore of a backup from before the first room. */
export async function emptyDatabase({ store }: Pick<Stage, 'store'>): Promise<void> {
  await inTransaction(store, EVERY_TENANT, async (tx) => {
    // Only their owner may empty tables. The platform's limits and rates are settings, and made by a migration.
    await tx.query('SET LOCAL ROLE NONE');
    const { rows } = await tx.query<{ tables: string }>(
      `SELECT string_agg(quote_ident(tablename), ', ') AS tables FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE '\\_%' AND tablename NOT IN ('platform_limit', 'platform_rate')`,
    );
    await tx.query(`TRUNCATE ${rows[0]?.tables ?? ''} CASCADE`);
  });
}

/**
 * A round of the reconciler at one instant of the database's clock, however long this machine takes: `owe` has that instant as $1 and says since when
 * something is owed; the lists are read in a transaction that began then, where now() stands still.
 */
export const reconcileWhen = (stage: Stage, world: World, owe: string): Promise<Record<string, number>> =>
  inTransaction(stage.store, EVERY_TENANT, async (tx) => {
    const { rows } = await tx.query<{ at: Date }>('SELECT now() AS at');
    await alterRows(stage, owe, [rows[0]?.at]);
    let before: Promise<unknown> = Promise.resolve();
    const query: Stage['store']['query'] = (_, { name, text, values }) => {
      const read = before.then(() => tx.query({ name, text, values: [...(values ?? [])] }));
      before = read.catch(() => undefined);
      return read as never;
    };
    return reconcile({ ...world, store: { ...stage.store, query } });
  });

/** Rounds of the reconciler, with time between them, until no leg is owed a hang-up and no session is ending; answers how many it took. */
export async function reconcileUntilQuiet(stage: Stage, world: World, rounds = 8): Promise<number> {
  for (let round = 1; round <= rounds; round++) {
    await passTime(stage, 16);
    await reconcile(world);
    if (await isQuiet(stage)) {
      await untilAnswered(stage);
      return round;
    }
  }
  // The last webhook may be on its way.
  await until(() => isQuiet(stage), true);
  await untilAnswered(stage);
  return rounds;
}

async function isQuiet({ store }: Pick<Stage, 'store'>): Promise<boolean> {
  const { rows } = await store.pool.query<{ n: number }>(
    `SELECT (SELECT count(*) FROM leg WHERE state = 'ending')::int + (SELECT count(*) FROM session WHERE state = 'ending')::int AS n`,
  );
  return rows[0]?.n === 0;
}

/** How often the vendor was asked to end something, by what: call ids and connection ids. */
export async function hangUpsAsked({ emulator }: Pick<Stage, 'emulator'>): Promise<Record<string, number>> {
  const asked: Record<string, number> = {};
  for (const route of ['hangup', 'disconnect']) {
    for (const { url } of await emulator.client.restLog({ route })) {
      const id = url.split('?')[0]?.split('/').at(-1) ?? '';
      asked[id] = (asked[id] ?? 0) + 1;
    }
  }
  return asked;
}
