import { inTransaction } from '@partyline/store/database/store';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { endSession } from '../sessions/end-session.ts';
import { readLegs, startMeeting, type Meeting } from '../testing/meeting.ts';
import { passTime, resetHarness } from '../testing/pass-time.ts';
import { startTestHarness, type TestDeps, type TestHarness } from '../testing/test-harness.ts';
import { withProviders } from '../testing/with-providers.ts';
import { hangUpLeg } from './hang-up-leg.ts';
import { hangUpSession } from './hang-up-session.ts';

let harness: TestHarness;
let deps: TestDeps;
beforeAll(async () => {
  harness = await startTestHarness();
  deps = harness.deps.unified;
});
beforeEach(() => resetHarness(harness));
afterAll(() => harness.close());

/** Returns `deps` with a store that counts the transactions that it begins. */
function withTransactionCount(): { counted: TestDeps; takeCount: () => number } {
  let count = 0;
  const connect = async () => {
    const client = await harness.store.pool.connect();
    const query: typeof client.query = ((statement: string, ...rest: []) => {
      if (typeof statement === 'string' && statement.startsWith('BEGIN')) count += 1;
      return client.query(statement, ...rest);
    }) as typeof client.query;
    return { query, release: (error?: Error) => client.release(error) };
  };
  const pool = { connect } as unknown as TestDeps['store']['pool'];
  const store: TestDeps['store'] = {
    ...harness.store,
    pool,
    query: (scope, query) => inTransaction({ ...harness.store, pool }, scope, (tx) => tx.query(query)),
  };
  const takeCount = (): number => {
    const before = count;
    count = 0;
    return before;
  };
  return { counted: { ...deps, store }, takeCount };
}

/** A meeting that has ended, and deps whose hang-up requests are accepted and have no effect. */
async function endMeeting(
  requests: string[] = [],
): Promise<{ meeting: Meeting; takeCount: () => number; counted: TestDeps }> {
  const meeting = await startMeeting(harness, deps);
  await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
  const { counted, takeCount } = withTransactionCount();
  const accept = async (id: string): Promise<void> => void requests.push(id);
  const ineffective = withProviders(counted, {
    voice: { hangUp: accept },
    media: { disconnect: ({ connectionId }) => accept(connectionId) },
  });
  return { meeting, takeCount, counted: ineffective };
}

describe('hangUpLeg', () => {
  it.each([
    { kind: 'bridge', handles: 2 },
    { kind: 'inbound', handles: 1 },
    { kind: 'webrtc', handles: 1 },
  ] as const)(
    'costs two transactions for the first attempt of a leg ($kind), and three for a retry',
    async ({ kind, handles }) => {
      const requests: string[] = [];
      const { meeting, counted, takeCount } = await endMeeting(requests);
      const [leg] = await readLegs(harness, meeting, kind);
      for (const attempt of [1, 2, 3]) {
        expect(await hangUpLeg(counted, meeting.tenantId, leg?.id ?? '')).toEqual({
          retryAfterMs: expect.any(Number),
        });
        expect({ attempt, transactions: takeCount() }).toEqual({ attempt, transactions: attempt === 1 ? 2 : 3 });
        expect(requests).toHaveLength(attempt * handles);
        await passTime(harness, 16);
      }
    },
  );

  it('costs one transaction before the back-off has passed', async () => {
    const { meeting, counted, takeCount } = await endMeeting();
    const [leg] = await readLegs(harness, meeting, 'inbound');
    await hangUpLeg(counted, meeting.tenantId, leg?.id ?? '');
    takeCount();
    // Moves the end of the back-off away, so that a slow machine does not reach it.
    await passTime(harness, -60);
    expect(await hangUpLeg(counted, meeting.tenantId, leg?.id ?? '')).toEqual({ retryAfterMs: expect.any(Number) });
    expect(takeCount()).toBe(1);
  });
});

describe('hangUpSession', () => {
  it('costs one transaction while every leg waits for the end of its back-off', async () => {
    const { meeting, counted, takeCount } = await endMeeting();
    await hangUpSession(counted, meeting.tenantId, meeting.sessionId);
    takeCount();
    await passTime(harness, -60);
    expect(await hangUpSession(counted, meeting.tenantId, meeting.sessionId)).toEqual({
      retryAfterMs: expect.any(Number),
    });
    expect(takeCount()).toBe(1);
  });
});
