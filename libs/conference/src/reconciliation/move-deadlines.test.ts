import { ProviderError } from '@partyline/provider-contract/provider-error';
import type { ObservedCall } from '@partyline/provider-contract/voice-provider';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { moveSessionDeadlines } from '../legs/move-deadlines.ts';
import { removeParticipant } from '../participants/remove-participant.ts';
import { updateRoom } from '../rooms/update-room.ts';
import { endSession } from '../sessions/end-session.ts';
import { joinByPhone, openRoom, readLegs, type Meeting } from '../testing/meeting.ts';
import { passTime, resetHarness } from '../testing/pass-time.ts';
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
async function withDeadlines(meeting: Meeting, { clock = deps.clock, orphans = [] as readonly string[] } = {}) {
  const first = await readDeadline(meeting);
  const deadlines = new Map<string, Date>();
  const requests: { callId: string; deadline: Date | 'hang-up' }[] = [];
  let isReachable: boolean | ProviderError = true;
  let onMove: (() => Promise<unknown>) | undefined;
  const provider = withProviders(
    { ...deps, clock },
    {
      voice: {
        capabilities: { ...deps.voice.capabilities, setDeadline: true },
        async listLiveCalls() {
          const calls = (await deps.voice.listLiveCalls()).map((call) => ({
            ...call,
            deadline: deadlines.get(call.callId) ?? first,
          }));
          const unknown = orphans.map((callId): ObservedCall => ({
            callId,
            over: false,
            calledNumber: null,
            event: { kind: 'call', callId, phase: 'answered', at: null },
          }));
          return [...calls, ...unknown];
        },
        async setDeadline(callId, deadline) {
          requests.push({ callId, deadline });
          const act = onMove;
          onMove = undefined;
          await act?.();
          if (isReachable !== true) throw isReachable || new Error('not reachable');
          deadlines.set(callId, deadline);
        },
        async hangUp(callId) {
          requests.push({ callId, deadline: 'hang-up' });
        },
      },
    },
  );
  return {
    sweep: () => sweepInventory(provider, null),
    /** Does the work of the move-deadlines job. */
    move: () => moveSessionDeadlines(provider, meeting.tenantId, meeting.sessionId),
    requests,
    setReachable: (is: boolean | ProviderError) => (isReachable = is),
    /** While the next move is on its way. */
    duringNextMove: (act: () => Promise<unknown>) => (onMove = act),
  };
}

/** Moves the end of a session by hours. */
const prolong = ({ tenantId, roomId }: Meeting, hours = 5): Promise<unknown> =>
  updateRoom(deps, tenantId, roomId, { max_duration_s: hours * HOUR_S }, null);

describe('the deadline of a call', () => {
  it('follows the end of its session, again after a failure', async () => {
    const meeting = await openRoom(deps);
    const { callId } = await joinByPhone(harness, deps, meeting);
    const { sweep, requests, setReachable } = await withDeadlines(meeting);
    await sweep();
    expect(requests).toEqual([]);
    await prolong(meeting);
    setReachable(false);
    await sweep();
    setReachable(true);
    await sweep();
    await sweep();
    const moved = { callId, deadline: await readDeadline(meeting) };
    expect(requests).toEqual([moved, moved]);
  });

  it('follows the end of its session by a job, before the next inventory', async () => {
    const meeting = await openRoom(deps);
    const { callId } = await joinByPhone(harness, deps, meeting);
    const { move, sweep, requests } = await withDeadlines(meeting);
    harness.sentJobs.length = 0;
    await updateRoom(deps, meeting.tenantId, meeting.roomId, { name: 'Another name' }, null);
    expect(harness.sentJobs.map(({ name }) => name)).not.toContain('move-deadlines');
    await prolong(meeting);
    expect(harness.sentJobs).toContainEqual({ name: 'move-deadlines', id: meeting.sessionId, delayMs: 0 });
    await move();
    const moved = { callId, deadline: await readDeadline(meeting) };
    expect(requests).toEqual([moved]);
    await sweep();
    expect(requests).toEqual([moved]);
  });

  it('is moved by a later attempt of the job when the provider fails, and not after the call has ended', async () => {
    const meeting = await openRoom(deps);
    const { callId } = await joinByPhone(harness, deps, meeting);
    const { move, requests, setReachable } = await withDeadlines(meeting);
    await prolong(meeting);
    setReachable(new ProviderError('unknown', 'upstream-timeout', 'No answer.'));
    await expect(move()).rejects.toMatchObject({ verdict: { reason: 'upstream-timeout' } });
    setReachable(new ProviderError('not-found', 'upstream-404', 'No call.'));
    await move();
    setReachable(true);
    await move();
    const moved = { callId, deadline: await readDeadline(meeting) };
    expect(requests).toEqual([moved, moved, moved]);
  });

  it('is the last end of its session when another job moves it meanwhile', async () => {
    const meeting = await openRoom(deps);
    const { callId } = await joinByPhone(harness, deps, meeting);
    const { move, requests, duringNextMove } = await withDeadlines(meeting);
    await prolong(meeting);
    const first = await readDeadline(meeting);
    duringNextMove(() => prolong(meeting, 9));
    await move();
    expect(requests).toEqual([
      { callId, deadline: first },
      { callId, deadline: await readDeadline(meeting) },
    ]);
  });

  it('is moved by the job only in a running session, and not for a participant who was removed', async () => {
    const meeting = await openRoom(deps);
    await joinByPhone(harness, deps, meeting);
    const { callId } = await joinByPhone(harness, deps, meeting);
    const { move, requests } = await withDeadlines(meeting);
    const legs = await readLegs(harness, meeting, 'inbound');
    const removed = legs.find((leg) => leg.voice_call_id !== callId);
    await removeParticipant(deps, meeting.tenantId, removed?.participant_id ?? '');
    await move();
    expect(requests.map((request) => request.callId)).toEqual([callId]);
    await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
    await move();
    expect(requests).toHaveLength(1);
  });

  it('is left to the inventory when its job cannot be enqueued, and the room is changed', async () => {
    const meeting = await openRoom(deps);
    const { callId } = await joinByPhone(harness, deps, meeting);
    const { sweep, requests } = await withDeadlines(meeting);
    harness.jobsDown = true;
    await prolong(meeting);
    harness.jobsDown = false;
    expect(harness.counters).toContain('enqueue_failed move-deadlines');
    await sweep();
    expect(requests).toEqual([{ callId, deadline: await readDeadline(meeting) }]);
  });

  it('stays when its session is over', async () => {
    const meeting = await openRoom(deps);
    await joinByPhone(harness, deps, meeting);
    const { sweep, requests } = await withDeadlines(meeting);
    await prolong(meeting);
    await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
    await sweep();
    expect(requests).toEqual([]);
  });

  it('stays when its participant was removed', async () => {
    const meeting = await openRoom(deps);
    await joinByPhone(harness, deps, meeting);
    const { sweep, requests } = await withDeadlines(meeting);
    await prolong(meeting);
    const [leg] = await readLegs(harness, meeting, 'inbound');
    await removeParticipant(deps, meeting.tenantId, leg?.participant_id ?? '');
    await sweep();
    expect(requests).toEqual([]);
  });

  it('is moved after orphan calls are hung up', async () => {
    const meeting = await openRoom(deps);
    const { callId } = await joinByPhone(harness, deps, meeting);
    const { sweep, requests } = await withDeadlines(meeting, { orphans: ['orphan'] });
    await sweep();
    await passTime(harness, 31);
    await prolong(meeting);
    await sweep();
    expect(requests).toEqual([
      { callId: 'orphan', deadline: 'hang-up' },
      { callId, deadline: await readDeadline(meeting) },
    ]);
  });

  it('is left to the next inventory when the provider is slow', async () => {
    const meeting = await openRoom(deps);
    const callIds = [
      (await joinByPhone(harness, deps, meeting)).callId,
      (await joinByPhone(harness, deps, meeting)).callId,
    ];
    let nowMs = Date.now();
    // The second request would begin half a minute after the first.
    const clock = { now: () => new Date((nowMs += 15_000)) };
    const { sweep, requests } = await withDeadlines(meeting, { clock });
    await prolong(meeting);
    await sweep();
    expect(requests.length).toBe(1);
    await sweep();
    expect(requests.map(({ callId }) => callId).toSorted()).toEqual(callIds.toSorted());
  });
});
