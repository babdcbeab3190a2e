import { readConfig } from '@partyline/runtime/config';
import { FakeClock } from '@partyline/testing/fake-clock';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { dialOut, requestDialOut } from '../legs/dial-out.ts';
import { endSession } from '../sessions/end-session.ts';
import { reconcile } from './reconcile.ts';
import { sweepInventory } from './sweep-inventory.ts';
import { breakTransactions } from '../testing/broken-store.ts';
import { cause } from '../testing/causes.ts';
import {
  callIn,
  joinBrowser,
  meet,
  openRoom,
  readLegs,
  readSession,
  ringIn,
  until,
  untilLegs,
  upAtVendor,
  type Meeting,
} from '../testing/meeting.ts';
import { hangUpsAsked, passTime, reconcileUntilQuiet, startOver } from '../testing/pass-time.ts';
import { setStage, type Stage, type World } from '../testing/test-harness.ts';
import { withProviders } from '../testing/with-providers.ts';

let stage: Stage;
let world: World;
beforeAll(async () => {
  stage = await setStage();
  world = stage.worlds.unified;
});
beforeEach(() => startOver(stage));
afterAll(() => stage.close());

const allDown = () => stage.emulator.client.awaitLegsUp(0);
const dials = async (): Promise<number> => (await stage.emulator.client.restLog({ route: 'create-call' })).length;
const ALL_UP = ['sip-interconnect', 'voice-inbound', 'voice-sip', 'webrtc'];

/** Somebody to be rung, who lets it ring. */
async function requested(): Promise<{ meeting: Meeting; legId: string }> {
  const meeting = await openRoom(world);
  await stage.emulator.client.setPhone('+447946500001', { mode: 'no-answer' });
  const { legId } = await requestDialOut(world, meeting.tenantId, meeting.roomId, { phone: '+447946500001' });
  return { meeting, legId };
}

describe('time', () => {
  it.each([
    { clock: 'five minutes behind', now: () => new Date(Date.now() - 300_000) },
    { clock: 'five minutes ahead', now: () => new Date(Date.now() + 300_000) },
    { clock: 'frozen', now: () => new FakeClock().now() },
  ])(
    `${cause(11)}: the deadline is on the database’s clock, and a process that knew nothing of the session ends it; its own clock is $clock`,
    async ({ now }) => {
      const meeting = await meet(stage, world, { max_duration_s: 600 });
      stage.jobsDown = true;
      const skewed = { ...world, clock: { now } };
      await passTime(stage, 540);
      await reconcile(skewed);
      await sweepInventory(skewed, null);
      expect(await upAtVendor(stage, meeting)).toEqual(ALL_UP);
      await passTime(stage, 63);
      await reconcile(skewed);
      expect((await readSession(stage, meeting)).end_reason).toBe('max-duration');
      await reconcileUntilQuiet(stage, skewed);
      expect((await allDown()).up).toBe(0);
    },
  );

  it(`${cause(15)}: no timer can be set to nothing, and no session is without an end`, async () => {
    for (const variable of ['RECONCILE_MS', 'INVENTORY_MS'])
      expect(() => readConfig({ [variable]: '0' }, ['reconciler'])).toThrow(variable);
    expect(() => readConfig({ PROVIDER_TIMEOUT_MS: '0' }, ['vonage'])).toThrow('PROVIDER_TIMEOUT_MS');
    const meeting = await openRoom(world, { max_duration_s: 600 });
    await joinBrowser(stage, meeting);
    const { due_at, created_at } = await readSession(stage, meeting);
    expect(due_at.getTime() - created_at.getTime()).toBe(600_000);
    await passTime(stage, 603);
    await reconcileUntilQuiet(stage, world);
    await reconcileUntilQuiet(stage, world);
    expect((await allDown()).up).toBe(0);
  });
});

describe('counts', () => {
  it(`${cause(12)}: who is there is counted from the rows: a phantom is cleared, and doubled events count once`, async () => {
    const meeting = await openRoom(world, { max_participants: 1 });
    const first = await callIn(stage, world, meeting);
    await stage.emulator.client.setFaults({ switches: { neverSendsCompleted: true } });
    await stage.emulator.client.hangUp(first.id);
    const second = await ringIn(stage);
    await stage.emulator.client.key(second.id, `${meeting.pin}#`);
    await stage.emulator.client.awaitEnded(second.id);
    await passTime(stage, 31);
    await sweepInventory(world, null);
    await stage.emulator.client.setFaults({
      webhooks: [
        { kind: 'event', fault: 'duplicate' },
        { kind: 'transfer', fault: 'duplicate' },
      ],
    });
    for (let turn = 0; turn < 3; turn++) {
      const next = await callIn(stage, world, meeting);
      await stage.emulator.client.hangUp(next.id);
      await until(
        async () => (await readLegs(stage, meeting, 'inbound')).filter((leg) => leg.state !== 'ended').length,
        0,
      );
    }
    expect((await readLegs(stage, meeting, 'inbound')).filter((leg) => leg.joined_at !== null)).toHaveLength(4);
  });
});

describe('the reaper', () => {
  it(`${cause(13)}: it is on unless told otherwise`, () => {
    expect(readConfig({}, ['reconciler']).reconciler).toEqual({
      PARTYLINE_RECONCILER: 'on',
      RECONCILE_MS: 1_000,
      INVENTORY_MS: 60_000,
    });
  });

  it(`${cause(13)}: a live call is left alone at 123 seconds, and for as long as its session runs`, async () => {
    const meeting = await meet(stage, world);
    for (const seconds of [123, 600, 1_800]) {
      await passTime(stage, seconds);
      await reconcile(world);
      expect(await sweepInventory(world, null)).toMatchObject({ orphans: 0, missing: 0 });
    }
    expect(await hangUpsAsked(stage)).toEqual({});
    expect(await upAtVendor(stage, meeting)).toEqual(ALL_UP);
  });

  it(`${cause(13)}: what is confirmed is never asked again, whoever comes by`, async () => {
    const meeting = await meet(stage, world);
    await endSession(world, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
    await reconcileUntilQuiet(stage, world);
    expect((await allDown()).up).toBe(0);
    const asked = await hangUpsAsked(stage);
    for (let half = 0; half < 4; half++) {
      await passTime(stage, 30);
      await Promise.all([reconcile(world), reconcile(world)]);
      await sweepInventory(world, null);
    }
    expect(await hangUpsAsked(stage)).toEqual(asked);
  });

  it(`${cause(13)}: a restart loses no timer, since there is none: the rows know`, async () => {
    const meeting = await openRoom(world, { browsers_left_s: 60 });
    const { connectionId } = await joinBrowser(stage, meeting);
    const caller = await callIn(stage, world, meeting);
    // From here on no job is sent, and what was sent is never run.
    stage.jobsDown = true;
    await stage.emulator.client.leaveWebrtc(connectionId);
    await untilLegs(stage, meeting, 'webrtc', ['ended']);
    await passTime(stage, 63);
    await reconcile(world);
    await reconcileUntilQuiet(stage, world);
    await stage.emulator.client.awaitEnded(caller.id);
    expect((await readSession(stage, meeting)).end_reason).toBe('browsers-left');
  });

  it(`${cause(13)}: a look-up that fails keeps the call`, async () => {
    const meeting = await openRoom(world);
    const { callId } = await callIn(stage, world, meeting);
    await passTime(stage, 31);
    await stage.emulator.client.setFaults({
      switches: { listOmitsLive: true },
      rest: [
        { route: 'get-call', fault: '503', next: 1 },
        { route: 'get-call', fault: '404', next: 1 },
        { route: 'get-call', fault: 'reset', next: 1 },
      ],
    });
    for (let look = 0; look < 3; look++) expect(await sweepInventory(world, null)).toMatchObject({ missing: 1 });
    expect((await readLegs(stage, meeting)).map((leg) => leg.state)).toEqual(['joined']);
    expect((await stage.emulator.client.ledger({ callId })).up).toBe(1);
  });

  it(`${cause(13)}: a call whose id could not be written down is not dialled anew, and is found`, async () => {
    const { meeting, legId } = await requested();
    await stage.emulator.client.setFaults({ webhooks: [{ fault: 'drop' }] });
    let failures = 0;
    const createCall: World['voice']['createCall'] = async (call) => {
      const made = await world.voice.createCall(call);
      failures = 1;
      return made;
    };
    const store = breakTransactions(stage.store, () => failures-- > 0);
    expect(await dialOut(withProviders({ ...world, store }, { voice: { createCall } }), meeting.tenantId, legId)).toBe(
      'unknown',
    );
    await passTime(stage, 3);
    await reconcile(world);
    expect(await dials()).toBe(1);
    expect(await sweepInventory(world, null)).toMatchObject({ adopted: 1 });
    expect((await readLegs(stage, meeting))[0]?.voice_call_id).toBe(
      (await stage.emulator.client.awaitRing('+447946500001')).callId,
    );
  });

  it(`${cause(13)}: ten restarts in the middle of a dial ring once`, async () => {
    const { meeting, legId } = await requested();
    await stage.emulator.client.setFaults({ webhooks: [{ fault: 'drop' }] });
    let made = (): void => undefined;
    const dialled = new Promise<void>((resolve) => (made = resolve));
    const createCall: World['voice']['createCall'] = async (call) => {
      await world.voice.createCall(call);
      made();
      // The process is killed here.
      return new Promise<never>(() => undefined);
    };
    void dialOut(withProviders(world, { voice: { createCall } }), meeting.tenantId, legId);
    await dialled;
    for (let restart = 0; restart < 10; restart++) {
      await passTime(stage, 12);
      await reconcile(world);
      await dialOut(world, meeting.tenantId, legId);
    }
    expect(await dials()).toBe(1);
    // And past the vendor's own ringing timer it is let go, not tried again.
    expect((await readLegs(stage, meeting)).map((leg) => leg.hangup_reason)).toEqual(['unobserved']);
  });
});

describe('failures beside it', () => {
  it(`${cause(14)}: a leg whose hang-up throws stops no other, and its other side is asked all the same`, async () => {
    const meetings = [await meet(stage, world), await meet(stage, world)];
    for (const meeting of meetings) await endSession(world, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
    const media = { disconnect: () => Promise.reject(new TypeError('a bug of ours')) };
    await passTime(stage, 3);
    await reconcile(withProviders(world, { media }));
    await stage.emulator.client.awaitLegsUp(0, { kind: 'voice-inbound' });
    await stage.emulator.client.awaitLegsUp(0, { kind: 'voice-sip' });
    expect((await stage.emulator.client.ledger({ kind: 'webrtc' })).up).toBe(2);
    await reconcileUntilQuiet(stage, world);
    expect((await allDown()).up).toBe(0);
  });

  it(`${cause(16)}: a bridge that the vendor cut is dialled again, once; nobody else is touched, however its callbacks come`, async () => {
    const meeting = await meet(stage, world);
    await stage.emulator.client.setFaults({
      webhooks: [
        { kind: 'sip-callback', fault: 'reorder', next: 1 },
        { kind: 'sip-callback', fault: 'duplicate' },
        { kind: 'session-callback', fault: 'duplicate' },
        { kind: 'event', fault: 'duplicate' },
      ],
    });
    const [bridge] = await readLegs(stage, meeting, 'bridge');
    await world.media.disconnect({
      mediaSessionId: meeting.mediaSessionId,
      connectionId: bridge?.media_connection_id ?? '',
    });
    await untilLegs(stage, meeting, 'bridge', ['ended']);
    await passTime(stage, 4);
    await Promise.all([reconcile(world), reconcile(world)]);
    await untilLegs(stage, meeting, 'bridge', ['ended', 'joined']);
    await until(() => upAtVendor(stage, meeting), ALL_UP);
    expect((await stage.emulator.client.restLog({ route: 'dial' })).length).toBe(2);
    expect(
      [...(await readLegs(stage, meeting, 'webrtc')), ...(await readLegs(stage, meeting, 'inbound'))].map(
        (leg) => leg.state,
      ),
    ).toEqual(['joined', 'joined']);
    expect((await readSession(stage, meeting)).state).toBe('live');
  });
});
