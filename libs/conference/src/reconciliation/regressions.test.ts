import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { dialOut, requestDialOut } from '../legs/dial-out.ts';
import { endSession } from '../sessions/end-session.ts';
import { endRoom } from '../rooms/end-room.ts';
import { hangUpLeg } from '../hang-ups/hang-up-leg.ts';
import { openBridge } from '../legs/open-bridge.ts';
import { reconcile } from './reconcile.ts';
import { sweepInventory } from './sweep-inventory.ts';
import { cause } from '../testing/causes.ts';
import {
  alterRows,
  callIn,
  joinBrowser,
  meet,
  openRoom,
  readLegs,
  readSession,
  until,
  untilLegs,
  upAtVendor,
  type Meeting,
} from '../testing/meeting.ts';
import { hangUpsAsked, passTime, reconcileUntilQuiet, startOver } from '../testing/pass-time.ts';
import { setStage, type Stage, type World } from '../testing/test-harness.ts';

let stage: Stage;
let world: World;
beforeAll(async () => {
  stage = await setStage();
  world = stage.worlds.unified;
});
beforeEach(() => startOver(stage));
afterAll(() => stage.close());

/** The end is decided, and Redis is away: what follows is the reconciler's doing alone. */
async function end(meeting: Meeting): Promise<void> {
  stage.jobsDown = true;
  await endSession(world, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
}
const allDown = () => stage.emulator.client.awaitLegsUp(0);
const seenOver = (): Promise<number> => stage.store.prisma.observation.count({ where: { phase: 'over' } });
/** Some rounds of the reconciler, each with time before it. */
async function rounds(count: number): Promise<void> {
  for (let round = 0; round < count; round++) {
    await passTime(stage, 16);
    await reconcile(world);
  }
}

describe('a hang-up that does not hang up', () => {
  it(`${cause(1)}: any refusal leaves the leg open, unconfirmed, and asked again`, async () => {
    const meeting = await openRoom(world);
    const { callId } = await callIn(stage, world, meeting);
    await end(meeting);
    for (const fault of ['400', '401', '403', '404', '409'] as const) {
      await stage.emulator.client.setFaults({ rest: [{ route: 'hangup', fault }] });
      await rounds(1);
      expect((await readLegs(stage, meeting))[0]).toMatchObject({ state: 'ending', confirmed_at: null });
    }
    expect(await hangUpsAsked(stage)).toEqual({ [callId]: 5 });
    await stage.emulator.client.resetFaults();
    await reconcileUntilQuiet(stage, world);
    expect((await allDown()).up).toBe(0);
  });

  it(`${cause(2)}: 204 closes nothing; the legs are asked until the vendor was seen to have ended them`, async () => {
    const meeting = await meet(stage, world);
    await stage.emulator.client.setFaults({
      rest: [{ route: 'disconnect', fault: '204-no-effect' }],
      switches: { hangupKeepsLegAlive: true },
    });
    await end(meeting);
    await rounds(4);
    expect((await readLegs(stage, meeting)).map((leg) => [leg.state, leg.hangup_attempts])).toEqual(
      Array.from({ length: 3 }, () => ['ending', 4]),
    );
    expect([await seenOver(), (await readSession(stage, meeting)).state]).toEqual([0, 'ending']);
    await stage.emulator.client.resetFaults();
    await reconcileUntilQuiet(stage, world);
    expect((await allDown()).up).toBe(0);
  });

  it(`${cause(7)}: not found is no proof; the leg stays owed while the list shows it`, async () => {
    const meeting = await openRoom(world);
    const { callId } = await callIn(stage, world, meeting);
    await stage.emulator.client.setFaults({ switches: { hangup404WhileLive: true, get404WhileLive: true } });
    await end(meeting);
    await rounds(3);
    expect(await sweepInventory(world, null)).toMatchObject({ calls: 1, missing: 0 });
    expect((await readLegs(stage, meeting))[0]).toMatchObject({
      state: 'ending',
      confirmed_at: null,
      hangup_attempts: 3,
    });
    expect(await hangUpsAsked(stage)).toEqual({ [callId]: 3 });
    await stage.emulator.client.resetFaults();
    await reconcileUntilQuiet(stage, world);
    expect((await allDown()).up).toBe(0);
  });

  it(`${cause(10)}: a request that hangs is given up in time, counted, and made anew`, async () => {
    const meeting = await openRoom(world);
    await callIn(stage, world, meeting);
    await end(meeting);
    await stage.emulator.client.setFaults({ rest: [{ route: 'hangup', fault: 'hang', next: 1 }] });
    const [leg] = await readLegs(stage, meeting);
    expect(await hangUpLeg(world, world.tenantId, leg?.id ?? '')).toEqual({ retryAfterMs: 1_000 });
    expect(stage.counted.at(-1)).toContain('vendor-timeout');
    expect((await readLegs(stage, meeting))[0]).toMatchObject({ state: 'ending', lease_until: null });
    await reconcileUntilQuiet(stage, world);
    expect((await allDown()).up).toBe(0);
  });
});

describe('a session that ends in the wrong moment', () => {
  async function rung(mode: 'answer' | 'no-answer'): Promise<{ meeting: Meeting; legId: string }> {
    const meeting = await openRoom(world);
    await stage.emulator.client.setPhone('+447946400001', { mode });
    const { legId } = await requestDialOut(world, meeting.tenantId, meeting.roomId, { phone: '+447946400001' });
    return { meeting, legId };
  }
  const dial = ({ meeting, legId }: { meeting: Meeting; legId: string }) => dialOut(world, meeting.tenantId, legId);

  it.each<{ state: string; arrange: () => Promise<Meeting> }>([
    { state: 'requested', arrange: async () => (await rung('answer')).meeting },
    {
      state: 'dialling, the answer lost',
      arrange: async () => {
        const made = await rung('no-answer');
        await stage.emulator.client.setFaults({ rest: [{ route: 'create-call', fault: 'applied-silent', next: 1 }] });
        await dial(made);
        return made.meeting;
      },
    },
    {
      state: 'ringing',
      arrange: async () => {
        const made = await rung('no-answer');
        await dial(made);
        await untilLegs(stage, made.meeting, 'outbound', ['ringing']);
        return made.meeting;
      },
    },
    {
      state: 'ringing, and too young to be hung up',
      arrange: async () => {
        const made = await rung('no-answer');
        await dial(made);
        await untilLegs(stage, made.meeting, 'outbound', ['ringing']);
        await stage.emulator.client.setFaults({ rest: [{ route: 'hangup', fault: '400', next: 3 }] });
        return made.meeting;
      },
    },
    {
      state: 'joined',
      arrange: async () => {
        const made = await rung('answer');
        await dial(made);
        await untilLegs(stage, made.meeting, 'outbound', ['joined']);
        return made.meeting;
      },
    },
  ])(`${cause(3)}: whatever the call’s state, it ends: $state`, async ({ arrange }) => {
    const meeting = await arrange();
    await end(meeting);
    await reconcileUntilQuiet(stage, world);
    expect((await allDown()).up).toBe(0);
    expect((await readLegs(stage, meeting)).map((leg) => leg.state)).toEqual(['ended']);
  });

  it(`${cause(4)}: an answer after the end joins nothing, and its call is hung up by the next round, however soon that is`, async () => {
    const meeting = await openRoom(world);
    await joinBrowser(stage, meeting);
    await callIn(stage, world, meeting);
    let answer = (): void => undefined;
    stage.answersHeld = new Promise((resolve) => (answer = resolve));
    await openBridge(world, meeting.tenantId, meeting.sessionId);
    await end(meeting);
    await rounds(1);
    await until(
      async () => (await readLegs(stage, meeting, 'bridge')).map((leg) => leg.media_closed_at),
      [expect.any(Date)],
    );
    answer();
    await until(
      async () => (await readLegs(stage, meeting, 'bridge')).map((leg) => leg.voice_call_id),
      [expect.any(String)],
    );
    // No time goes by: it is asked at once, whatever was asked before.
    await reconcile(world);
    expect((await allDown()).up).toBe(0);
    const [call] = (await stage.emulator.client.ledger({ kind: 'voice-sip' })).legs;
    expect(call).toMatchObject({ endedAt: expect.any(Number) });
    expect(call?.answeredAt).toBeUndefined();
  });

  it(`${cause(5)}: ending a room owes every phone in it its hang-up, and they are hung up`, async () => {
    const meeting = await meet(stage, world);
    stage.jobsDown = true;
    await endRoom(world, meeting.tenantId, meeting.roomId);
    expect((await readLegs(stage, meeting)).map((leg) => leg.hangup_reason)).toEqual(Array(3).fill('ended-by-tenant'));
    await reconcileUntilQuiet(stage, world);
    expect((await allDown()).up).toBe(0);
    expect((await stage.emulator.client.caller(meeting.caller.id)).state).toBe('ended');
  });
});

describe('a vendor who does not tell', () => {
  it(`${cause(6)}: a live leg that the list leaves out is neither closed nor forgotten, and hung up by our own ids`, async () => {
    const meeting = await meet(stage, world);
    await stage.emulator.client.setFaults({ switches: { listOmitsLive: true } });
    for (let sweep = 0; sweep < 2; sweep++) {
      await passTime(stage, 31);
      await sweepInventory(world, null);
    }
    expect(await upAtVendor(stage, meeting)).toHaveLength(4);
    expect(await hangUpsAsked(stage)).toEqual({});
    await end(meeting);
    await reconcileUntilQuiet(stage, world);
    expect((await allDown()).up).toBe(0);
  });

  it(`${cause(8)}: an end that was never told is looked up: the leg ends, and what counts by it goes on`, async () => {
    const meeting = await openRoom(world, { phones_left_s: 60 });
    const caller = await callIn(stage, world, meeting);
    await stage.emulator.client.setFaults({ switches: { neverSendsCompleted: true } });
    await stage.emulator.client.hangUp(caller.id);
    await passTime(stage, 31);
    await sweepInventory(world, null);
    expect((await readLegs(stage, meeting))[0]).toMatchObject({ state: 'ended', ended_at: expect.any(Date) });
    expect(await readSession(stage, meeting)).toMatchObject({ state: 'live', due_reason: 'phones-left' });
  });

  it(`${cause(9)}: a leg that we call ended and that is up is found by the inventory and hung up`, async () => {
    const meeting = await meet(stage, world);
    await alterRows(
      stage,
      `UPDATE leg SET state = 'ended', ended_at = now(), voice_closed_at = now(), media_closed_at = now() WHERE session_id = $1`,
      [meeting.sessionId],
    );
    await stage.store.prisma.session.update({
      where: { id: meeting.sessionId },
      data: { state: 'ended', ended_at: new Date() },
    });
    await passTime(stage, 31);
    await sweepInventory(world, null);
    await passTime(stage, 31);
    await sweepInventory(world, null);
    expect((await allDown()).up).toBe(0);
  });
});
