import { closeRoom } from '@partyline/store/rooms/rooms';
import { inTransaction } from '@partyline/store/database/store';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { dialOut, requestDialOut } from '../legs/dial-out.ts';
import { endSession } from '../sessions/end-session.ts';
import { endRoom } from './end-room.ts';
import { issueToken } from '../participants/issue-token.ts';
import { openBridge } from '../legs/open-bridge.ts';
import {
  joinByPhone,
  joinBrowser,
  startMeeting,
  openRoom,
  readLegs,
  readSession,
  settleNow,
  listLegsAtProvider,
} from '../testing/meeting.ts';
import { passTime, reconcileUntilQuiet, resetHarness } from '../testing/pass-time.ts';
import { startTestHarness, type TestHarness, type TestDeps } from '../testing/test-harness.ts';

let harness: TestHarness;
let deps: TestDeps;
beforeAll(async () => {
  harness = await startTestHarness();
  deps = harness.deps.unified;
});
beforeEach(() => resetHarness(harness));
afterAll(() => harness.close());

/** Returns dependencies that run `action` between endRoom's two transactions. */
function interruptEndRoom(action: () => Promise<unknown>): TestDeps {
  const { pool } = harness.store;
  let connections = 0;
  const connect = async () => {
    connections += 1;
    if (connections === 2) await action();
    return pool.connect();
  };
  return { ...deps, store: { ...harness.store, pool: { connect } as unknown as TestDeps['store']['pool'] } };
}

it('a crash between the two transactions of endRoom does not leave the session running', async () => {
  const meeting = await startMeeting(harness, deps);
  // Only the first of endRoom's two transactions.
  await inTransaction(harness.store, meeting.tenantId, (tx) =>
    closeRoom(tx, meeting.tenantId, meeting.roomId, 'ended-by-tenant', 3_600),
  );
  await passTime(harness, 3);
  await reconcileUntilQuiet(harness, deps);
  expect(await readSession(harness, meeting)).toMatchObject({ state: 'ended', end_reason: 'ended-by-tenant' });
  expect(await listLegsAtProvider(harness, meeting)).toEqual([]);
  expect(await endRoom(deps, meeting.tenantId, meeting.roomId)).toEqual({
    decided: false,
    state: 'ended',
    sessionId: meeting.sessionId,
  });
});

/** Runs only the first of endRoom's two transactions, so the session is still running. */
const closeRoomOnly = (roomId: string, tenantId: string): Promise<unknown> =>
  inTransaction(harness.store, tenantId, (tx) => closeRoom(tx, tenantId, roomId, 'ended-by-tenant', 3_600));

// Found by the simulation: a call was created for a session that the same commit had ended.
it('does not dial out for a room that has just ended', async () => {
  const meeting = await openRoom(deps);
  const { legId } = await requestDialOut(deps, meeting.tenantId, meeting.roomId, { phone: '+442079460018' });
  await closeRoomOnly(meeting.roomId, meeting.tenantId);
  expect(await dialOut(deps, meeting.tenantId, legId)).toBe('not-wanted');
  expect(await listLegsAtProvider(harness, meeting)).toEqual([]);
  expect(await readSession(harness, meeting)).toMatchObject({ state: 'ended', end_reason: 'ended-by-tenant' });
});

it('does not dial the bridge of a room that ends just before the dial', async () => {
  const meeting = await openRoom(deps);
  await joinBrowser(harness, meeting);
  await joinByPhone(harness, deps, meeting);
  const armHangUp: TestDeps['jobs']['armHangUp'] = async (session, delayMs) => {
    await closeRoomOnly(meeting.roomId, meeting.tenantId);
    await deps.jobs.armHangUp(session, delayMs);
  };
  expect(await openBridge({ ...deps, jobs: { ...deps.jobs, armHangUp } }, meeting.tenantId, meeting.sessionId)).toBe(
    'not-wanted',
  );
  expect(await readLegs(harness, meeting, 'bridge')).toEqual([]);
  expect((await readSession(harness, meeting)).state).toBe('ending');
});

it.each(['ended-by-tenant', 'room-expired', 'tenant-suspended'] as const)(
  'a webhook between the two transactions ends the session with the reason of the room: %s',
  async (reason) => {
    const meeting = await openRoom(deps);
    await joinBrowser(harness, meeting);
    const between = interruptEndRoom(() => settleNow(deps, meeting));
    expect(await endRoom(between, meeting.tenantId, meeting.roomId, reason)).toEqual({
      decided: true,
      state: 'ending',
      sessionId: meeting.sessionId,
    });
    expect(await readSession(harness, meeting)).toMatchObject({ state: 'ending', end_reason: reason });
    expect(await endRoom(deps, meeting.tenantId, meeting.roomId)).toMatchObject({ decided: false, state: 'ending' });
  },
);

it.each(['the reconciler', 'a second endRoom'] as const)(
  'after a crash while a room expires, %s ends its session with the reason of the room',
  async (actor) => {
    const meeting = await openRoom(deps);
    await joinBrowser(harness, meeting);
    const crash = new Error('killed');
    await expect(
      endRoom(
        interruptEndRoom(() => Promise.reject(crash)),
        meeting.tenantId,
        meeting.roomId,
        'room-expired',
      ),
    ).rejects.toBe(crash);
    expect(await readSession(harness, meeting)).toMatchObject({ state: 'live' });
    if (actor === 'the reconciler') {
      await passTime(harness, 3);
      await reconcileUntilQuiet(harness, deps);
    } else {
      expect(await endRoom(deps, meeting.tenantId, meeting.roomId)).toEqual({
        decided: true,
        state: 'ending',
        sessionId: meeting.sessionId,
      });
    }
    expect(await readSession(harness, meeting)).toMatchObject({ end_reason: 'room-expired' });
  },
);

it('reports decided: false when the session was already ending', async () => {
  const meeting = await openRoom(deps);
  await joinBrowser(harness, meeting);
  await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
  expect(await endRoom(deps, meeting.tenantId, meeting.roomId)).toEqual({
    decided: false,
    state: 'ending',
    sessionId: meeting.sessionId,
  });
});

it('a full room rejects dial-outs and tokens, and adds no participant', async () => {
  const meeting = await openRoom(deps, { max_participants: 1 });
  await joinBrowser(harness, meeting);
  const participants = await harness.store.prisma.participant.count({ where: { room_id: meeting.roomId } });
  const full = { verdict: { outcome: 'client', reason: 'room-full' } };
  await expect(
    requestDialOut(deps, meeting.tenantId, meeting.roomId, { phone: '+442079460018' }),
  ).rejects.toMatchObject(full);
  await expect(issueToken(deps, meeting.tenantId, meeting.roomId, { name: 'Grace' })).rejects.toMatchObject(full);
  expect(await harness.store.prisma.participant.count({ where: { room_id: meeting.roomId } })).toBe(participants);
  expect(await readLegs(harness, meeting)).toHaveLength(1);
});
