import type { Deps } from '@partyline/conference/deps';
import type { JobName } from '@partyline/jobs/catalogue';
import { openJobs, type OpenJobs } from '@partyline/jobs/enqueue';
import { producerOptions } from '@partyline/runtime/redis';
import { systemClock, systemIds, systemSecret } from '@partyline/runtime/system';
import { openStore, type Store } from '@partyline/store/database/store';
import { makeLeg, makeNumbers, makeRoom, setColumns } from '@partyline/store/testing/fixtures';
import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { createTestRedis, type TestRedis } from '@partyline/testing/redis';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createJobHandlers } from './job-handlers.ts';

let database: TestDatabase;
let redis: TestRedis;
let store: Store;
let jobs: OpenJobs;
/** The tenants for which a handler asked for a provider. */
let asked: (string | null | undefined)[] = [];
let handlers: ReturnType<typeof createJobHandlers>;

beforeAll(async () => {
  [database, redis] = await Promise.all([createTestDatabase(), createTestRedis()]);
  store = openStore({ owner: true, url: database.url, max: 4, onError: () => undefined });
  await makeNumbers(store);
  jobs = openJobs({
    connection: { ...producerOptions(redis.url), commandTimeout: 20_000 },
    prefix: redis.prefix,
    now: () => systemClock.now().getTime(),
    onError: () => undefined,
  });
  const deps: Deps = {
    store,
    jobs,
    clock: systemClock,
    ids: systemIds,
    secret: systemSecret,
    // The handlers get as far as the provider, which is enough to see that they act.
    providers: (_accountId, context) => {
      asked.push(context?.tenantId);
      return Promise.reject(new Error('the provider is not part of this test'));
    },
    webhooks: () => ({ answer: () => 'unused', digits: () => 'unused', events: () => 'unused' }),
    report: { count: () => undefined, observe: () => undefined, warn: () => undefined },
  };
  handlers = createJobHandlers(deps);
});
beforeEach(() => {
  asked = [];
});
afterAll(async () => {
  await Promise.all([jobs.close(), store.close()]);
  await Promise.all([redis.close(), database.drop()]);
});

const PAST = new Date('2020-01-01T00:00:00Z');

/** A room whose session has the work of every job to do. */
async function makeBusyRoom(): Promise<{
  tenantId: string;
  sessionId: string;
  dialLegId: string;
  endingLegId: string;
}> {
  const room = await makeRoom(store);
  await makeLeg(store, room, { kind: 'inbound', state: 'joined', voice_call_id: `call-${room.sessionId}` });
  await makeLeg(store, room, { kind: 'webrtc', state: 'joined', media_connection_id: `connection-${room.sessionId}` });
  const dialLegId = await makeLeg(store, room, { kind: 'outbound', state: 'requested', remote: '+442079460018' });
  const endingLegId = await makeLeg(store, room, {
    kind: 'inbound',
    state: 'ending',
    voice_call_id: `ending-${room.sessionId}`,
    hangup_requested_at: PAST,
    hangup_reason: 'removed',
  });
  await setColumns(store, 'session', room.sessionId, {
    settle_due_at: PAST,
    media_session_id: `media-${room.sessionId}`,
    state: 'live',
  });
  const { tenantId, sessionId } = room;
  return { tenantId, sessionId, dialLegId, endingLegId };
}

/** Every row that a handler may change. */
async function readRows({ tenantId }: { tenantId: string }): Promise<unknown> {
  const of = async (table: string): Promise<unknown> =>
    (
      await store.pool.query(
        `SELECT to_jsonb(t) AS row FROM ${table} t WHERE tenant_id = $1 ORDER BY to_jsonb(t)::text`,
        [tenantId],
      )
    ).rows;
  return Promise.all(['session', 'leg', 'hang_up_attempt', 'outbox', 'participant'].map(of));
}

test.each<
  [JobName, string, (room: Awaited<ReturnType<typeof makeBusyRoom>>, tenantId: string | null) => Promise<unknown>]
>([
  [
    'settle-session',
    'the session of another tenant',
    ({ sessionId }, tenantId) => handlers['settle-session']({ tenantId: tenantId!, sessionId }),
  ],
  [
    'open-bridge',
    'the session of another tenant',
    ({ sessionId }, tenantId) => handlers['open-bridge']({ tenantId: tenantId!, sessionId }),
  ],
  [
    'move-deadlines',
    'the session of another tenant',
    ({ sessionId }, tenantId) => handlers['move-deadlines']({ tenantId: tenantId!, sessionId }),
  ],
  [
    'dial-out',
    'the leg of another tenant',
    ({ dialLegId }, tenantId) => handlers['dial-out']({ tenantId: tenantId!, legId: dialLegId }),
  ],
  [
    'hang-up-session',
    'the session of another tenant',
    ({ sessionId }, tenantId) => handlers['hang-up-session']({ tenantId: tenantId!, sessionId }),
  ],
  [
    'hang-up-leg',
    'the leg of another tenant',
    ({ endingLegId }, tenantId) => handlers['hang-up-leg']({ tenantId, legId: endingLegId }),
  ],
])('a %s job that names %s does nothing', async (name, _what, run) => {
  const [victim, other] = [await makeBusyRoom(), await makeRoom(store)];
  // Without a tenant, a job names a caller who was never admitted.
  for (const tenantId of name === 'hang-up-leg' ? [other.tenantId, 'ten_none', null] : [other.tenantId, 'ten_none']) {
    const before = [await readRows(victim), await readRows(other)];
    await run(victim, tenantId);
    expect([await readRows(victim), await readRows(other)]).toEqual(before);
    expect(asked).toEqual([]);
  }
  // The same job of the right tenant has work to do.
  const before = await readRows(victim);
  await run(victim, victim.tenantId).catch(() => undefined);
  expect(await readRows(victim)).not.toEqual(before);
  expect(asked.every((tenantId) => tenantId === victim.tenantId)).toBe(true);
});
