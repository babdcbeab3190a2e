import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { FaultsInput } from '@partyline/vonage-emulator/control-client';
import { acquireLease } from '@partyline/store/database/lease';
import { dialOut, requestDialOut } from '../legs/dial-out.ts';
import { endSession } from '../sessions/end-session.ts';
import { reconcile } from './reconcile.ts';
import { sweepInventory } from './sweep-inventory.ts';
import {
  executeSql,
  joinByPhone,
  startMeeting,
  openRoom,
  readLegs,
  readSession,
  dialIn,
  listLegsAtProvider,
  type Meeting,
} from '../testing/meeting.ts';
import { emptyDatabase, countHangUpRequests, passTime, resetHarness } from '../testing/pass-time.ts';
import { NUMBER, startTestHarness, type TestHarness, type TestDeps } from '../testing/test-harness.ts';

let harness: TestHarness;
let deps: TestDeps;
let phones = 0;
beforeAll(async () => {
  harness = await startTestHarness();
  deps = harness.deps.unified;
});
beforeEach(() => resetHarness(harness));
afterAll(() => harness.close());

const isUp = async (callId: string): Promise<boolean> => (await harness.emulator.client.ledger({ callId })).up === 1;
const freshPhone = (): string => `+4479462${String((phones += 1)).padStart(5, '0')}`;

/**
 * Places a call without a leg, as after a database loss or a use of the account by another system.
 */
async function placeOrphanCall(): Promise<{ callId: string; personId: string }> {
  const phone = freshPhone();
  await harness.emulator.client.setPhone(phone, { mode: 'no-answer' });
  const { callId } = await deps.voice.createCall({
    to: phone,
    from: NUMBER,
    answerUrl: `${harness.webhooksUrl}/unused`,
    eventUrl: `${harness.webhooksUrl}/unused`,
    ringingTimerS: 60,
    lengthTimerS: 60,
  });
  const { id } = await harness.emulator.client.awaitRing(phone);
  return { callId, personId: id };
}

describe('an orphan call', () => {
  it('is hung up after two complete inventories thirty seconds apart, and not before', async () => {
    const { callId, personId } = await placeOrphanCall();
    expect(await sweepInventory(deps, null)).toMatchObject({ calls: 1, orphans: 0 });
    // The second and the third inventory come too early.
    await passTime(harness, 1);
    expect(await sweepInventory(deps, null)).toMatchObject({ orphans: 0 });
    await passTime(harness, 1);
    expect(await sweepInventory(deps, null)).toMatchObject({ orphans: 0 });
    expect(await isUp(callId)).toBe(true);
    await passTime(harness, 28);
    expect(await sweepInventory(deps, null)).toMatchObject({ orphans: 1 });
    await harness.emulator.client.awaitEnded(personId);
    expect(harness.counters.filter((name) => name.startsWith('orphan'))).toHaveLength(1);
    expect(await sweepInventory(deps, null)).toMatchObject({ calls: 0, orphans: 0 });
  });

  it('is not hung up after a single inventory', async () => {
    const { callId } = await placeOrphanCall();
    await passTime(harness, 3_600);
    expect(await sweepInventory(deps, null)).toMatchObject({ orphans: 0 });
    expect(await isUp(callId)).toBe(true);
  });

  it('is hung up again by each inventory that lists it', async () => {
    const { callId } = await placeOrphanCall();
    await harness.emulator.client.setFaults({ switches: { hangupKeepsLegAlive: true } });
    for (const orphans of [0, 1, 1, 1]) {
      expect(await sweepInventory(deps, null)).toMatchObject({ orphans });
      await passTime(harness, 31);
    }
    expect(await countHangUpRequests(harness)).toEqual({ [callId]: 3 });
  });

  it.each<{ what: string; faults: FaultsInput }>([
    { what: 'rejected by the rate limit', faults: { rest: [{ route: 'list-calls', fault: '429' }] } },
    { what: 'a server error', faults: { rest: [{ route: 'list-calls', fault: '500' }] } },
    { what: 'not JSON', faults: { rest: [{ route: 'list-calls', fault: 'non-json' }] } },
    { what: 'cut off', faults: { rest: [{ route: 'list-calls', fault: 'reset' }] } },
    { what: 'without a reply', faults: { rest: [{ route: 'list-calls', fault: 'not-applied-silent' }] } },
    // The first page succeeds, the second fails.
    {
      what: 'partial',
      faults: {
        rest: [
          { route: 'list-calls', fault: 'hang', delayMs: 1, next: 1 },
          { route: 'list-calls', fault: '500' },
        ],
      },
    },
  ])('is not hung up when the second list was $what', async ({ faults }) => {
    const { callId } = await placeOrphanCall();
    const meeting = await openRoom(deps);
    const caller = await joinByPhone(harness, deps, meeting);
    await sweepInventory(deps, null);
    const before = await harness.store.prisma.orphan_call.findMany();
    await harness.emulator.client.setFaults(faults);
    await passTime(harness, 31);
    await expect(sweepInventory(deps, null)).rejects.toMatchObject({ name: 'ProviderError' });
    expect(await countHangUpRequests(harness)).toEqual({});
    expect([await isUp(callId), await isUp(caller.callId)]).toEqual([true, true]);
    expect((await harness.store.prisma.orphan_call.findMany()).map(({ id, sweeps }) => [id, sweeps])).toEqual(
      before.map(({ id, sweeps }) => [id, sweeps]),
    );
    expect((await readLegs(harness, meeting)).map((leg) => leg.state)).toEqual(['joined']);
    // The next complete list counts.
    await harness.emulator.client.resetFaults();
    expect(await sweepInventory(deps, null)).toMatchObject({ orphans: 1 });
    expect(await isUp(caller.callId)).toBe(true);
  });

  it('starts its quarantine again when an inventory between did not list it', async () => {
    const { callId } = await placeOrphanCall();
    await sweepInventory(deps, null);
    await passTime(harness, 31);
    await harness.emulator.client.setFaults({ switches: { listOmitsLive: true } });
    await sweepInventory(deps, null);
    expect(await harness.store.prisma.orphan_call.count()).toBe(0);
    await harness.emulator.client.resetFaults();
    await passTime(harness, 31);
    expect(await sweepInventory(deps, null)).toMatchObject({ calls: 1, orphans: 0 });
    expect(await isUp(callId)).toBe(true);
  });
});

describe('sweepInventory', () => {
  it('hangs up each live call, in each state, when the database is empty', async () => {
    const meeting = await startMeeting(harness, deps);
    await dialIn(harness);
    await placeOrphanCall();
    await emptyDatabase(harness);
    expect(await sweepInventory(deps, null)).toMatchObject({ calls: 4, orphans: 0 });
    await passTime(harness, 30.5);
    expect(await sweepInventory(deps, null)).toMatchObject({ orphans: 4 });
    for (const kind of ['voice-inbound', 'voice-outbound', 'voice-sip', 'sip-interconnect'] as const)
      await harness.emulator.client.awaitLegsUp(0, { kind });
    expect((await harness.emulator.client.caller(meeting.caller.id)).state).toBe('ended');
  });

  it('hangs up a live call whose leg has ended after a hang-up request', async () => {
    const meeting = await openRoom(deps);
    const { callId, id } = await joinByPhone(harness, deps, meeting);
    await executeSql(
      harness,
      `UPDATE leg
       SET state = 'ended', ended_at = now(), voice_closed_at = now(), hangup_requested_at = now()
       WHERE voice_call_id = $1`,
      [callId],
    );
    await sweepInventory(deps, null);
    await passTime(harness, 31);
    expect(await sweepInventory(deps, null)).toMatchObject({ orphans: 1 });
    await harness.emulator.client.awaitEnded(id);
  });
});

/** Places a call whose reply and webhooks are lost. */
async function placeCallWithoutReply(): Promise<{ meeting: Meeting; legId: string; phone: string }> {
  const meeting = await openRoom(deps);
  const phone = freshPhone();
  await harness.emulator.client.setPhone(phone, { mode: 'no-answer' });
  const { legId } = await requestDialOut(deps, meeting.tenantId, meeting.roomId, { phone });
  await harness.emulator.client.setFaults({
    rest: [{ route: 'create-call', fault: 'applied-silent', next: 1 }],
    webhooks: [{ fault: 'drop' }],
  });
  expect(await dialOut(deps, meeting.tenantId, legId)).toBe('unknown');
  await harness.emulator.client.awaitRing(phone);
  return { meeting, legId, phone };
}

describe('a call whose dial got no reply', () => {
  it('is matched with its leg and stays up', async () => {
    const { meeting, phone } = await placeCallWithoutReply();
    const { callId } = await harness.emulator.client.awaitRing(phone);
    expect(await sweepInventory(deps, null)).toMatchObject({ adopted: 1, orphans: 0 });
    expect((await readLegs(harness, meeting))[0]).toMatchObject({ voice_call_id: callId, state: 'ringing' });
    for (let sweep = 0; sweep < 2; sweep++) {
      await passTime(harness, 31);
      expect(await sweepInventory(deps, null)).toMatchObject({ adopted: 0, orphans: 0 });
    }
    expect(await countHangUpRequests(harness)).toEqual({});
  });

  it('is hung up by its new call id after the end of its session', async () => {
    const { meeting, phone } = await placeCallWithoutReply();
    await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
    await passTime(harness, 3);
    await reconcile(deps);
    expect((await readLegs(harness, meeting)).map((leg) => leg.state)).toEqual(['ending']);
    await sweepInventory(deps, null);
    await passTime(harness, 3);
    await reconcile(deps);
    const person = await harness.emulator.client.awaitRing(phone);
    await harness.emulator.client.awaitEnded(person.id);
    await passTime(harness, 3);
    await reconcile(deps);
    expect((await readSession(harness, meeting)).state).toBe('ended');
  });

  it('is not matched with a leg to another number', async () => {
    const { meeting } = await placeCallWithoutReply();
    await executeSql(harness, `UPDATE leg SET remote = '+447946299999' WHERE session_id = $1`, [meeting.sessionId]);
    expect(await sweepInventory(deps, null)).toMatchObject({ adopted: 0, orphans: 0 });
    expect((await readLegs(harness, meeting))[0]).toMatchObject({ voice_call_id: null, state: 'dialling' });
  });
});

describe('two calls to one number whose dials got no reply', () => {
  /** Places calls from two rooms to the same telephone, and loses both replies. */
  async function placeTwoCallsWithoutReply() {
    const [mine, other] = [await openRoom(deps), await openRoom(deps)];
    const phone = freshPhone();
    await harness.emulator.client.setPhone(phone, { mode: 'no-answer' });
    await harness.emulator.client.setFaults({
      rest: [{ route: 'create-call', fault: 'applied-silent', next: 2 }],
      webhooks: [{ fault: 'drop' }],
    });
    const legs: string[] = [];
    for (const meeting of [mine, other]) {
      const { legId } = await requestDialOut(deps, meeting.tenantId, meeting.roomId, { phone });
      expect(await dialOut(deps, meeting.tenantId, legId)).toBe('unknown');
      legs.push(legId);
    }
    const { legs: calls } = await harness.emulator.client.ledger({ kind: 'voice-outbound' });
    return {
      mine,
      other,
      phone,
      legs,
      callIds: calls.filter((call) => call.endedAt === undefined).map((call) => call.id),
    };
  }

  it('are matched with neither leg, and the end of one session hangs up neither', async () => {
    const { mine, other, callIds } = await placeTwoCallsWithoutReply();
    expect(callIds).toHaveLength(2);
    for (let sweep = 0; sweep < 2; sweep++) {
      expect(await sweepInventory(deps, null)).toMatchObject({ calls: 2, adopted: 0, orphans: 0, ambiguous: 2 });
      await passTime(harness, 31);
    }
    await endSession(deps, mine.tenantId, mine.sessionId, 'ended-by-tenant');
    await passTime(harness, 3);
    await reconcile(deps);
    await sweepInventory(deps, null);
    await passTime(harness, 3);
    await reconcile(deps);
    expect(await countHangUpRequests(harness)).toEqual({});
    expect((await readLegs(harness, other))[0]).toMatchObject({ voice_call_id: null, hangup_requested_at: null });
  });

  it('are not matched when the leg of the other has just ended', async () => {
    const { mine } = await placeTwoCallsWithoutReply();
    await executeSql(
      harness,
      `UPDATE leg SET state = 'ended', reason = 'unobserved', ended_at = now() WHERE session_id = $1`,
      [mine.sessionId],
    );
    expect(await sweepInventory(deps, null)).toMatchObject({ adopted: 0, orphans: 0, ambiguous: 2 });
  });

  it('are hung up as orphans once no leg waits for a call id', async () => {
    const { mine, other, callIds } = await placeTwoCallsWithoutReply();
    await sweepInventory(deps, null);
    await executeSql(
      harness,
      `UPDATE leg SET state = 'ended', reason = 'unobserved', ended_at = now() WHERE session_id IN ($1, $2)`,
      [mine.sessionId, other.sessionId],
    );
    expect(await sweepInventory(deps, null)).toMatchObject({ orphans: 0, ambiguous: 0 });
    await passTime(harness, 31);
    expect(await sweepInventory(deps, null)).toMatchObject({ orphans: 2, ambiguous: 0 });
    expect(await countHangUpRequests(harness)).toEqual(Object.fromEntries(callIds.map((id) => [id, 1])));
  });
});

describe('a leg that is up and missing from the list', () => {
  it('is closed by the final status of its call when the event was lost', async () => {
    const meeting = await openRoom(deps);
    const caller = await joinByPhone(harness, deps, meeting);
    await harness.emulator.client.setFaults({ switches: { neverSendsCompleted: true } });
    await harness.emulator.client.hangUp(caller.id);
    // The leg is younger than a list may be old.
    expect(await sweepInventory(deps, null)).toMatchObject({ missing: 0 });
    await passTime(harness, 31);
    expect(await sweepInventory(deps, null)).toMatchObject({ missing: 1 });
    expect((await readLegs(harness, meeting))[0]).toMatchObject({
      state: 'ended',
      confirmed_at: expect.any(Date),
      outcome: 'success',
    });
    expect(await harness.store.prisma.observation.findMany({ where: { phase: 'over' } })).toMatchObject([
      { source: 'look-up', handle: 'voice' },
    ]);
  });

  it.each<{ what: string; faults: FaultsInput }>([
    { what: 'shows a live call', faults: {} },
    { what: 'finds no call', faults: { switches: { get404WhileLive: true } } },
    { what: 'fails', faults: { rest: [{ route: 'get-call', fault: '500' }] } },
    { what: 'returns no JSON', faults: { rest: [{ route: 'get-call', fault: 'non-json' }] } },
  ])('is not closed when the look-up $what (I2, I6)', async ({ faults }) => {
    const meeting = await startMeeting(harness, deps);
    await harness.emulator.client.setFaults({ ...faults, switches: { ...faults.switches, listOmitsLive: true } });
    for (let sweep = 0; sweep < 3; sweep++) {
      await passTime(harness, 31);
      expect(await sweepInventory(deps, null)).toMatchObject({ calls: 0, missing: 2, orphans: 0 });
      await reconcile(deps);
    }
    expect((await readLegs(harness, meeting)).map((leg) => leg.state)).toEqual(['joined', 'joined', 'joined']);
    expect(await countHangUpRequests(harness)).toEqual({});
    expect(await listLegsAtProvider(harness, meeting)).toEqual([
      'sip-interconnect',
      'voice-inbound',
      'voice-sip',
      'webrtc',
    ]);
  });
});

describe('sweepInventory, in two replicas', () => {
  it('makes one inventory a minute', async () => {
    await placeOrphanCall();
    const sweepWithLease = async (): Promise<void> =>
      void ((await acquireLease(harness.store, 'inventory', 60_000)) && (await sweepInventory(deps, null)));
    const lists = async (): Promise<number> => (await harness.emulator.client.restLog({ route: 'list-calls' })).length;
    await Promise.all(Array.from({ length: 6 }, sweepWithLease));
    const once = await lists();
    expect(await harness.store.prisma.orphan_call.findMany()).toMatchObject([{ sweeps: 1 }]);
    await passTime(harness, 10);
    await Promise.all([sweepWithLease(), sweepWithLease()]);
    expect(await lists()).toBe(once);
    await passTime(harness, 50);
    await Promise.all([sweepWithLease(), sweepWithLease()]);
    expect(await lists()).toBe(2 * once);
    expect(await harness.store.prisma.orphan_call.findMany()).toMatchObject([{ sweeps: 2 }]);
  });

  it('hangs up nothing before its quarantine when both sweep at once', async () => {
    const { callId } = await placeOrphanCall();
    await Promise.all([sweepInventory(deps, null), sweepInventory(deps, null), sweepInventory(deps, null)]);
    expect(await isUp(callId)).toBe(true);
    expect(await countHangUpRequests(harness)).toEqual({});
  });
});
