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

/** As the world is, but that something comes between endRoom's two transactions: before the second begins. */
function withInBetween(happens: () => Promise<unknown>): TestDeps {
  const { pool } = harness.store;
  let connections = 0;
  const connect = async () => {
    connections += 1;
    if (connections === 2) await happens();
    return pool.connect();
  };
  return { ...deps, store: { ...harness.store, pool: { connect } as unknown as TestDeps['store']['pool'] } };
}

it('a room whose end was cut short by a crash does not leave its session running', async () => {
  const meeting = await startMeeting(harness, deps);
  // The first of endRoom's two transactions, and then nothing.
  await inTransaction(harness.store, meeting.tenantId, (tx) =>
    closeRoom(tx, meeting.tenantId, meeting.roomId, 'ended-by-tenant', 3_600),
  );
  await passTime(harness, 3);
  await reconcileUntilQuiet(harness, deps);
  expect(await readSession(harness, meeting)).toMatchObject({ state: 'ended', end_reason: 'ended-by-tenant' });
  expect(await listLegsAtProvider(harness, meeting)).toEqual([]);
  await expect(endRoom(deps, meeting.tenantId, meeting.roomId)).rejects.toMatchObject({
    verdict: { reason: 'room-ended' },
  });
});

/** The first of endRoom's two transactions: the room has ended, and its session does not know yet. */
const endOnlyTheRoom = (roomId: string, tenantId: string): Promise<unknown> =>
  inTransaction(harness.store, tenantId, (tx) => closeRoom(tx, tenantId, roomId, 'ended-by-tenant', 3_600));

it('a room that ended a moment ago has nobody rung for it (seen by the simulation: a create for a session whose end was decided in the same commit)', async () => {
  const meeting = await openRoom(deps);
  const { legId } = await requestDialOut(deps, meeting.tenantId, meeting.roomId, { phone: '+442079460018' });
  await endOnlyTheRoom(meeting.roomId, meeting.tenantId);
  expect(await dialOut(deps, meeting.tenantId, legId)).toBe('not-wanted');
  expect(await listLegsAtProvider(harness, meeting)).toEqual([]);
  expect(await readSession(harness, meeting)).toMatchObject({ state: 'ended', end_reason: 'ended-by-tenant' });
});

it('a room that ends while its bridge is about to be dialled has it dialled no more', async () => {
  const meeting = await openRoom(deps);
  await joinBrowser(harness, meeting);
  await joinByPhone(harness, deps, meeting);
  const armHangUp: TestDeps['jobs']['armHangUp'] = async (session, delayMs) => {
    await endOnlyTheRoom(meeting.roomId, meeting.tenantId);
    await deps.jobs.armHangUp(session, delayMs);
  };
  expect(await openBridge({ ...deps, jobs: { ...deps.jobs, armHangUp } }, meeting.tenantId, meeting.sessionId)).toBe(
    'not-wanted',
  );
  expect(await readLegs(harness, meeting, 'bridge')).toEqual([]);
  expect((await readSession(harness, meeting)).state).toBe('ending');
});

it.each(['ended-by-tenant', 'room-expired', 'tenant-suspended'] as const)(
  'a webhook that comes between the room’s end and its session’s ends the session in the name of whoever ended the room: %s',
  async (reason) => {
    const meeting = await openRoom(deps);
    await joinBrowser(harness, meeting);
    const between = withInBetween(() => settleNow(deps, meeting));
    expect(await endRoom(between, meeting.tenantId, meeting.roomId, reason)).toEqual({
      decided: true,
      state: 'ending',
      sessionId: meeting.sessionId,
    });
    expect(await readSession(harness, meeting)).toMatchObject({ state: 'ending', end_reason: reason });
    await expect(endRoom(deps, meeting.tenantId, meeting.roomId)).rejects.toMatchObject({
      verdict: { reason: 'room-ended' },
    });
  },
);

it.each(['the reconciler', 'whoever asks again'] as const)(
  'a room that expired, and then a crash: %s ends its session for the room’s reason',
  async (who) => {
    const meeting = await openRoom(deps);
    await joinBrowser(harness, meeting);
    const crash = new Error('killed');
    await expect(
      endRoom(
        withInBetween(() => Promise.reject(crash)),
        meeting.tenantId,
        meeting.roomId,
        'room-expired',
      ),
    ).rejects.toBe(crash);
    expect(await readSession(harness, meeting)).toMatchObject({ state: 'live' });
    if (who === 'the reconciler') {
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

it('a room whose session was ending already did not decide that', async () => {
  const meeting = await openRoom(deps);
  await joinBrowser(harness, meeting);
  await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
  expect(await endRoom(deps, meeting.tenantId, meeting.roomId)).toEqual({
    decided: false,
    state: 'ending',
    sessionId: meeting.sessionId,
  });
});

it('a full room rings nobody and gives no token, and nobody is on its roster for it', async () => {
  const meeting = await openRoom(deps, { max_participants: 1 });
  await joinBrowser(harness, meeting);
  const people = await harness.store.prisma.participant.count({ where: { room_id: meeting.roomId } });
  const full = { verdict: { outcome: 'client', reason: 'room-full' } };
  await expect(
    requestDialOut(deps, meeting.tenantId, meeting.roomId, { phone: '+442079460018' }),
  ).rejects.toMatchObject(full);
  await expect(issueToken(deps, meeting.tenantId, meeting.roomId, { name: 'Grace' })).rejects.toMatchObject(full);
  expect(await harness.store.prisma.participant.count({ where: { room_id: meeting.roomId } })).toBe(people);
  expect(await readLegs(harness, meeting)).toHaveLength(1);
});
