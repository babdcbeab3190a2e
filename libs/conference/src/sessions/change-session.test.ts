import { insertLeg } from '@partyline/store/legs/legs';
import { inTransaction } from '@partyline/store/database/store';
import type { QueryConfig, QueryResult } from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { endSession } from './end-session.ts';
import { openRoom, readLegs, readSession, type Meeting } from '../testing/meeting.ts';
import { startTestHarness, type TestHarness, type TestDeps } from '../testing/test-harness.ts';

let harness: TestHarness;
let deps: TestDeps;
beforeAll(async () => {
  harness = await startTestHarness();
  deps = harness.deps.unified;
});
afterAll(() => harness.close());

const addLegs = (meeting: Meeting, name: string, count: number, state: 'joined' | 'ended'): Promise<void> =>
  inTransaction(harness.store, meeting.tenantId, async (tx) => {
    for (let i = 0; i < count; i++) {
      await insertLeg(
        tx,
        meeting.tenantId,
        { id: meeting.sessionId, account_id: null },
        {
          id: `${name} ${i} ${meeting.sessionId}`,
          kind: 'webrtc',
          state,
          media_connection_id: `${name} ${i} ${meeting.sessionId}`,
          deadline_at: new Date('2099-01-01'),
        },
      );
    }
  });

/** As the world is, but that what is asked of Postgres in transactions is noted, with how many rows it was about. */
function withNotes(): { noting: TestDeps; notes: { name: string | undefined; rows: number | null }[] } {
  const notes: { name: string | undefined; rows: number | null }[] = [];
  const connect = async () => {
    const client = await harness.store.pool.connect();
    const query = async (asked: string | QueryConfig): Promise<QueryResult> => {
      const result = await client.query(asked);
      notes.push({ name: typeof asked === 'string' ? asked : asked.name, rows: result.rowCount });
      return result;
    };
    return { query, release: (error?: Error) => client.release(error) };
  };
  return {
    noting: { ...deps, store: { ...harness.store, pool: { connect } as unknown as TestDeps['store']['pool'] } },
    notes,
  };
}

it('the end of a session with many people writes their legs in one statement, and leaves alone those who left before', async () => {
  const meeting = await openRoom(deps, { max_participants: 50 });
  await addLegs(meeting, 'left', 30, 'ended');
  await addLegs(meeting, 'there', 20, 'joined');
  const { noting, notes } = withNotes();
  await endSession(noting, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
  const [read, saved] = ['legs-of-session', 'save-legs'].map((name) =>
    notes.filter((each) => each.name === name).map(({ rows }) => rows),
  );
  expect({ read, saved }).toEqual({ read: [20], saved: [20] });
  expect(await readSession(harness, meeting)).toMatchObject({ state: 'ending', end_reason: 'ended-by-tenant' });
  const legs = await readLegs(harness, meeting);
  expect(
    legs.filter(
      ({ state, hangup_reason, version }) => state === 'ending' && hangup_reason === 'ended-by-tenant' && version === 1,
    ),
  ).toHaveLength(20);
  expect(
    legs.filter(
      ({ state, hangup_requested_at, version }) => state === 'ended' && hangup_requested_at === null && version === 0,
    ),
  ).toHaveLength(30);
});
