import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { updateRoom } from '../rooms/update-room.ts';
import { endSession } from '../sessions/end-session.ts';
import { joinByPhone, openRoom, type Meeting } from '../testing/meeting.ts';
import { resetHarness } from '../testing/pass-time.ts';
import { startTestHarness, type TestDeps, type TestHarness } from '../testing/test-harness.ts';
import { withProviders } from '../testing/with-providers.ts';
import { sweepInventory } from './sweep-inventory.ts';

let harness: TestHarness;
let deps: TestDeps;
beforeAll(async () => {
  harness = await startTestHarness();
  deps = harness.deps.unified;
});
beforeEach(() => resetHarness(harness));
afterAll(() => harness.close());

const HOUR_S = 3_600;

async function readDeadline({ tenantId, sessionId, roomId }: Meeting): Promise<Date> {
  const session = await harness.store.prisma.session.findUniqueOrThrow({
    where: { tenant_id: tenantId, id: sessionId },
  });
  const room = await harness.store.prisma.room.findUniqueOrThrow({ where: { tenant_id: tenantId, id: roomId } });
  return new Date(session.created_at.getTime() + room.max_duration_s * 1_000);
}

/** A provider whose calls have a deadline, which is that of the session at first. */
async function withDeadlines(meeting: Meeting) {
  let deadline = await readDeadline(meeting);
  const requests: { callId: string; deadline: Date }[] = [];
  let isReachable = true;
  const provider = withProviders(deps, {
    voice: {
      capabilities: { ...deps.voice.capabilities, setDeadline: true },
      listLiveCalls: async () => (await deps.voice.listLiveCalls()).map((call) => ({ ...call, deadline })),
      async setDeadline(callId, wanted) {
        requests.push({ callId, deadline: wanted });
        if (!isReachable) throw new Error('not reachable');
        deadline = wanted;
      },
    },
  });
  return { sweep: () => sweepInventory(provider, null), requests, setReachable: (is: boolean) => (isReachable = is) };
}

describe('the deadline of a call', () => {
  it('follows the end of its session, again after a failure', async () => {
    const meeting = await openRoom(deps);
    const { callId } = await joinByPhone(harness, deps, meeting);
    const { sweep, requests, setReachable } = await withDeadlines(meeting);
    await sweep();
    expect(requests).toEqual([]);
    await updateRoom(deps, meeting.tenantId, meeting.roomId, { max_duration_s: 5 * HOUR_S }, null);
    setReachable(false);
    await sweep();
    setReachable(true);
    await sweep();
    await sweep();
    const moved = { callId, deadline: await readDeadline(meeting) };
    expect(requests).toEqual([moved, moved]);
  });

  it('stays when its session is over', async () => {
    const meeting = await openRoom(deps);
    await joinByPhone(harness, deps, meeting);
    const { sweep, requests } = await withDeadlines(meeting);
    await updateRoom(deps, meeting.tenantId, meeting.roomId, { max_duration_s: 5 * HOUR_S }, null);
    await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
    await sweep();
    expect(requests).toEqual([]);
  });
});
