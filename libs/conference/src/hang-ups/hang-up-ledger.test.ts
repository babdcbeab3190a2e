import { listHangUps, listSessionHangUps, type HangUpLedgerEntry } from '@partyline/store/hang-ups/hang-ups';
import { countUnconfirmed } from '@partyline/store/reconciliation/due-work';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { requestDialOut } from '../legs/dial-out.ts';
import { endSession } from '../sessions/end-session.ts';
import { hangUpLeg } from './hang-up-leg.ts';
import { hangUpSession } from './hang-up-session.ts';
import {
  hangUpUntilDone,
  moveLegsBack,
  startMeeting,
  openRoom,
  dialIn,
  until,
  type Meeting,
} from '../testing/meeting.ts';
import { MEDIA_KINDS, startTestHarness, type TestHarness, type TestDeps } from '../testing/test-harness.ts';
import { withProviders } from '../testing/with-providers.ts';

let harness: TestHarness;
let deps: TestDeps;
beforeAll(async () => {
  harness = await startTestHarness();
  deps = harness.deps.unified;
});
afterEach(() => harness.emulator.client.resetFaults());
afterAll(() => harness.close());

const end = (meeting: Meeting) => endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
const readLedger = async (meeting: Meeting): Promise<HangUpLedgerEntry[]> =>
  (await listSessionHangUps(harness.store, meeting.tenantId, meeting.sessionId))!;
const outcomes = async (meeting: Meeting) =>
  (await readLedger(meeting)).map((line) => line.attempts.map((each) => each.outcome));

describe.each(MEDIA_KINDS)('the hang-up ledger of a %s session', (kind) => {
  it('holds the request, the attempts, the observations and the confirmation of each leg', async () => {
    const meeting = await startMeeting(harness, harness.deps[kind]);
    harness.durations.length = 0;
    await end(meeting);
    expect(
      (await readLedger(meeting)).map((line) => [line.hangup_reason, line.attempts, line.closings, line.confirmed_at]),
    ).toEqual(Array.from({ length: 3 }, () => ['ended-by-tenant', [], [], null]));
    await hangUpUntilDone(harness, harness.deps[kind], meeting);
    const done = await readLedger(meeting);
    for (const line of done) {
      expect(line).toMatchObject({
        confirmed_at: expect.any(Date),
        session_id: meeting.sessionId,
        room_id: meeting.roomId,
      });
      const [first, ...others] = line.attempts;
      expect(first).toMatchObject({ no: 1, outcome: 'accepted', reason: null });
      // The next attempt may precede the event. One list proves nothing about a connection, so its
      // disconnect is requested again.
      for (const each of others)
        expect(
          line.kind === 'webrtc' || line.kind === 'bridge' ? ['already-closed', 'rejected'] : ['already-closed'],
        ).toContain(each.outcome);
      // Both handles of the bridge leg are observed closed.
      expect(new Set(line.closings.map((each) => each.handle))).toEqual(
        new Set({ bridge: ['media', 'voice'], inbound: ['voice'], webrtc: ['media'] }[line.kind]),
      );
    }
    expect(harness.durations.map((each) => each.name).toSorted()).toEqual([
      'hangup_confirm_seconds bridge platform',
      'hangup_confirm_seconds inbound platform',
      'hangup_confirm_seconds webrtc platform',
    ]);
    for (const { seconds } of harness.durations) expect(seconds).toBeGreaterThanOrEqual(0);
  });
});

describe('a hang-up attempt', () => {
  it('is stored with its outcome', async () => {
    const meeting = await startMeeting(harness, deps);
    await harness.emulator.client.setFaults({
      rest: [
        { route: 'hangup', fault: '429' },
        { route: 'disconnect', fault: '429' },
      ],
    });
    await end(meeting);
    for (let round = 1; round <= 3; round++) {
      await hangUpSession(deps, meeting.tenantId, meeting.sessionId);
      await moveLegsBack(harness, meeting, 6);
    }
    expect(await outcomes(meeting)).toEqual(Array.from({ length: 3 }, () => ['rejected', 'rejected', 'rejected']));
    for (const { attempts } of await readLedger(meeting)) for (const each of attempts) expect(each.reason).toMatch(/./);
    await harness.emulator.client.resetFaults();
    await hangUpUntilDone(harness, deps, meeting);
    expect((await outcomes(meeting)).map((each) => each.slice(0, 4))).toEqual(
      Array.from({ length: 3 }, () => ['rejected', 'rejected', 'rejected', 'accepted']),
    );
  });

  it('is stored as already-closed, without a request, when the look-up shows the leg closed', async () => {
    const meeting = await startMeeting(harness, deps);
    await harness.emulator.client.setFaults({ webhooks: [{ fault: 'drop' }] });
    await end(meeting);
    await hangUpUntilDone(harness, deps, meeting);
    for (const { attempts, closings } of await readLedger(meeting)) {
      expect([attempts[0]?.outcome, attempts.at(-1)?.outcome]).toEqual(['accepted', 'already-closed']);
      expect(new Set(closings.map((each) => each.source))).toEqual(new Set(['look-up']));
    }
  });

  it('is stored without an outcome when its process died, and the next attempt has one', async () => {
    const meeting = await startMeeting(harness, deps);
    await end(meeting);
    const line = (await readLedger(meeting)).find((each) => each.kind === 'inbound')!;
    // The process dies during the request: nothing after it happens.
    const died = new Promise<void>((resolve) => {
      const voice = {
        hangUp: () => {
          resolve();
          return new Promise<never>(() => undefined);
        },
      };
      void hangUpLeg(withProviders(deps, { voice }), meeting.tenantId, line.id);
    });
    await died;
    const attempts = async () =>
      (await readLedger(meeting)).find((each) => each.id === line.id)!.attempts.map(({ no, outcome }) => [no, outcome]);
    expect(await attempts()).toEqual([[1, null]]);
    await harness.store.pool.query(
      `UPDATE leg SET lease_until = now() - interval '1 second',
         hangup_attempted_at = hangup_attempted_at - make_interval(secs => 20)
       WHERE id = $1`,
      [line.id],
    );
    await hangUpLeg(deps, meeting.tenantId, line.id);
    expect(await attempts()).toEqual([
      [1, null],
      [2, 'accepted'],
    ]);
    await hangUpUntilDone(harness, deps, meeting);
  });

  it('of a caller who was never admitted is stored without a tenant', async () => {
    const person = await dialIn(harness);
    const leg = await harness.store.prisma.leg.update({
      where: { voice_call_id: person.callId },
      data: { deadline_at: new Date(0) },
    });
    harness.durations.length = 0;
    await hangUpLeg(deps, null, leg.id);
    await until(
      async () => (await harness.store.prisma.leg.findUniqueOrThrow({ where: { id: leg.id } })).state,
      'ended',
    );
    await until(async () => harness.durations.map((each) => each.name), ['hangup_confirm_seconds inbound platform']);
    expect(await harness.store.prisma.hang_up_attempt.findMany({ where: { leg_id: leg.id } })).toMatchObject([
      { no: 1, tenant_id: null, outcome: 'accepted' },
    ]);
    expect(
      (await listHangUps(harness.store, deps.tenantId, { state: 'all', limit: 100 })).some(
        (each) => each.id === leg.id,
      ),
    ).toBe(false);
  });
});

describe('countUnconfirmed', () => {
  it('counts the unconfirmed legs, with the age of the oldest', async () => {
    expect((await countUnconfirmed(harness.store)).platform).toEqual({ legs: 0, oldestS: 0 });
    const meeting = await startMeeting(harness, deps);
    await end(meeting);
    await harness.store.pool.query(
      `UPDATE leg SET hangup_requested_at = hangup_requested_at - interval '90 seconds'
       WHERE session_id = $1 AND kind = 'bridge'`,
      [meeting.sessionId],
    );
    const { legs, oldestS } = (await countUnconfirmed(harness.store)).platform;
    expect(legs).toBe(3);
    expect(oldestS).toBeGreaterThanOrEqual(90);
    await hangUpUntilDone(harness, deps, meeting);
    expect((await countUnconfirmed(harness.store)).platform).toEqual({ legs: 0, oldestS: 0 });
  });

  it('ignores a call that was never dialled, which has no hang-up latency either', async () => {
    const meeting = await openRoom(deps);
    await requestDialOut(deps, meeting.tenantId, meeting.roomId, { phone: '+442079460018' });
    harness.durations.length = 0;
    await end(meeting);
    expect(await readLedger(meeting)).toMatchObject([
      { kind: 'outbound', attempts: [], closings: [], confirmed_at: expect.any(Date) },
    ]);
    expect(harness.durations).toEqual([]);
  });
});
