import { LEG_STATES } from '@partyline/domain/leg';
import { SESSION_STATES } from '@partyline/domain/session';
import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { listDueWork, type DueWork } from './due-work.ts';
import type { LegRow } from '../legs/legs.ts';
import { openStore, type Store } from '../database/store.ts';
import { makeLeg, makeNumbers, makeRoom, setColumns } from '../testing/fixtures.ts';

let database: TestDatabase;
let store: Store;
/** Far from the database clock, which decides what is due. */
const LONG_AGO = new Date('2020-01-01T00:00:00Z');
const FAR = new Date('2099-01-01T00:00:00Z');

beforeAll(async () => {
  database = await createTestDatabase();
  store = openStore({ owner: true, url: database.url, onError: () => undefined });
  await makeNumbers(store);
});
afterAll(async () => {
  await store.close();
  await database.drop();
});

/** The lists that contain an id. */
async function listsOf(id: string, graceMs = 2_000): Promise<string[]> {
  const due = await listDueWork(store, { graceMs });
  return (Object.entries(due) as [keyof DueWork, readonly { id: string }[]][])
    .filter(([, list]) => list.some((each) => each.id === id))
    .map(([name]) => name);
}

describe('listDueWork for sessions', () => {
  const rows = SESSION_STATES.flatMap((state) => {
    const runs = state === 'open' || state === 'live';
    return [
      { state, columns: {}, listed: [] as string[] },
      { state, columns: { due_at: LONG_AGO }, listed: runs ? ['overdue'] : [] },
      { state, columns: { ending_at: LONG_AGO }, listed: state === 'ending' ? ['ending'] : [] },
      { state, columns: { settle_due_at: LONG_AGO }, listed: ['settle'] },
      { state, columns: { bridge_due_at: LONG_AGO }, listed: ['bridge'] },
      { state, columns: { bridge_due_at: FAR, settle_due_at: FAR }, listed: [] },
    ];
  });
  test.each(rows)('lists a session that is $state with $columns in $listed', async ({ state, columns, listed }) => {
    const room = await makeRoom(store);
    await setColumns(store, 'session', room.sessionId, { state, due_at: FAR, ...columns });
    expect(await listsOf(room.sessionId)).toEqual(listed);
  });

  it('leaves work to its job during the grace period', async () => {
    const room = await makeRoom(store);
    await store.pool.query(
      `UPDATE session SET state = 'ending', ending_at = now() - interval '5 seconds' WHERE id = $1`,
      [room.sessionId],
    );
    expect(await listsOf(room.sessionId, 60_000)).toEqual([]);
    expect(await listsOf(room.sessionId, 1_000)).toEqual(['ending']);
  });

  it('returns the tenant with the session', async () => {
    const room = await makeRoom(store);
    await setColumns(store, 'session', room.sessionId, { settle_due_at: LONG_AGO });
    expect((await listDueWork(store, { graceMs: 0 })).settle).toContainEqual({
      tenant_id: room.tenantId,
      id: room.sessionId,
    });
  });
});

describe('listDueWork for legs', () => {
  const inSession = (
    kind: 'inbound' | 'outbound' | 'webrtc' | 'bridge',
    session: 'live' | 'ending' | 'ended',
    leg: object,
    listed: (state: string) => string[],
  ) => LEG_STATES.map((state) => ({ kind, session: session as string | null, state, leg, listed: listed(state) }));
  const alone = (leg: object, listed: (state: string) => string[]) =>
    LEG_STATES.map((state) => ({ kind: 'inbound' as const, session: null, state, leg, listed: listed(state) }));
  const never = () => [];
  const up = (state: string) => (state === 'ended' ? [] : ['hangUpLegs']);
  const ending = (state: string) => (state === 'ending' ? ['hangUpLegs'] : []);

  test.each([
    ...alone({ deadline_at: FAR }, never),
    ...alone({ deadline_at: LONG_AGO }, up),
    // The goodbye prompt is playing.
    ...alone({ deadline_at: FAR, hangup_requested_at: LONG_AGO }, never),
    ...inSession('inbound', 'live', { deadline_at: LONG_AGO }, never),
    ...inSession('inbound', 'live', { deadline_at: FAR, hangup_requested_at: LONG_AGO }, ending),
    // The session is listed instead.
    ...inSession('inbound', 'ending', { deadline_at: FAR, hangup_requested_at: LONG_AGO }, never),
    ...inSession('webrtc', 'ended', { deadline_at: FAR, hangup_requested_at: LONG_AGO }, ending),
    ...inSession('outbound', 'live', { created_at: LONG_AGO }, (state) => (state === 'requested' ? ['dial'] : [])),
    ...inSession('outbound', 'live', { created_at: FAR }, never),
    ...inSession('inbound', 'live', { created_at: LONG_AGO }, never),
  ])(
    'lists a leg $kind $state of session $session with $leg in $listed',
    async ({ kind, session, state, leg, listed }) => {
      const room = await makeRoom(store);
      if (session !== null) await setColumns(store, 'session', room.sessionId, { state: session });
      const legId = await makeLeg(store, room, { kind, state });
      await setColumns(store, 'leg', legId, {
        ...leg,
        ...(session === null ? { session_id: null, tenant_id: null } : {}),
      });
      expect(await listsOf(legId)).toEqual(listed);
    },
  );

  it('lists a leg once, and no more than the limit', async () => {
    const room = await makeRoom(store);
    const legId = await makeLeg(store, room, { kind: 'inbound', state: 'ending' });
    await setColumns(store, 'leg', legId, {
      session_id: null,
      tenant_id: null,
      deadline_at: LONG_AGO,
      hangup_requested_at: LONG_AGO,
    });
    const { hangUpLegs } = await listDueWork(store, { graceMs: 0 });
    expect(hangUpLegs.filter((each) => each.id === legId)).toHaveLength(1);
    expect((await listDueWork(store, { graceMs: 0, limit: 1 })).hangUpLegs).toHaveLength(1);
  });
});

describe('listDueWork for bridge dials without a reply', () => {
  const ago = (seconds: number): Date => new Date(Date.now() - seconds * 1_000);
  /** Far more than a busy machine takes for one test. */
  const GRACE_SECONDS = 60;
  const due = ago(2 * GRACE_SECONDS);
  test.each<[string, () => Partial<LegRow>, boolean]>([
    ['whose check is due', () => ({ lease_until: due }), true],
    ['whose check is not due', () => ({ lease_until: ago(0) }), false],
    ['under a lease', () => ({ lease_until: FAR }), false],
    ['of a process that died', () => ({}), true],
    ['whose request may still run', () => ({ dialled_at: ago(GRACE_SECONDS) }), false],
    ['with a connection', () => ({ media_connection_id: 'with-connection' }), false],
    ['with a call', () => ({ voice_call_id: 'with-call' }), false],
    ['that rings', () => ({ state: 'ringing' }), false],
    ['of a telephone', () => ({ kind: 'outbound' }), false],
  ])('a dial %s', async (_what, columns, isListed) => {
    const leg = { kind: 'bridge', state: 'dialling', dialled_at: due } as const;
    const id = await makeLeg(store, await makeRoom(store), { ...leg, ...columns() });
    expect(await listsOf(id, GRACE_SECONDS * 1_000)).toEqual(isListed ? ['unansweredBridges'] : []);
  });
});
