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

/**
 * Returns `deps` with a store that records the statements of its transactions, with their row
 * counts.
 */
function withStatementLog(): { logged: TestDeps; statements: { name: string | undefined; rows: number | null }[] } {
  const statements: { name: string | undefined; rows: number | null }[] = [];
  const connect = async () => {
    const client = await harness.store.pool.connect();
    const query = async (statement: string | QueryConfig): Promise<QueryResult> => {
      const result = await client.query(statement);
      statements.push({ name: typeof statement === 'string' ? statement : statement.name, rows: result.rowCount });
      return result;
    };
    return { query, release: (error?: Error) => client.release(error) };
  };
  return {
    logged: { ...deps, store: { ...harness.store, pool: { connect } as unknown as TestDeps['store']['pool'] } },
    statements,
  };
}

it('writes the legs of an ending session in one statement, and does not read ended legs', async () => {
  const meeting = await openRoom(deps, { max_participants: 50 });
  await addLegs(meeting, 'left', 30, 'ended');
  await addLegs(meeting, 'there', 20, 'joined');
  const { logged, statements } = withStatementLog();
  await endSession(logged, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
  const [read, saved] = ['legs-of-session', 'save-legs'].map((name) =>
    statements.filter((each) => each.name === name).map(({ rows }) => rows),
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
