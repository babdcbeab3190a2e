import { ProviderError } from '@partyline/provider-contract/provider-error';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { requestDialOut } from '../legs/dial-out.ts';
import { endSession } from '../sessions/end-session.ts';
import { reconcile } from './reconcile.ts';
import { breakTransactions } from '../testing/broken-store.ts';
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
import { hangUpsAsked, passTime, reconcileUntilQuiet, reconcileWhen, startOver } from '../testing/pass-time.ts';
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

const end = (meeting: Meeting) => endSession(world, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
const requests = async (route: string): Promise<number> => (await stage.emulator.client.restLog({ route })).length;

describe('with Redis away, a round does what is owed', () => {
  it('a session is settled whose roster changed: it goes live and its clocks start', async () => {
    const meeting = await openRoom(world, { alone_s: 300 });
    await stage.emulator.client.setFaults({
      webhooks: [
        { kind: 'event', fault: 'drop' },
        { kind: 'transfer', fault: 'drop' },
      ],
    });
    stage.jobsDown = true;
    const person = await ringIn(stage);
    await stage.emulator.client.key(person.id, `${meeting.pin}#`);
    await stage.emulator.client.awaitJoined(person.id);
    await until(async () => (await readLegs(stage, meeting)).length, 1);
    expect(
      await reconcileWhen(stage, world, `UPDATE session SET settle_due_at = $1::timestamptz - interval '1.9 seconds'`),
    ).toEqual({});
    expect((await readSession(stage, meeting)).state).toBe('open');
    await passTime(stage, 3);
    expect(await reconcile(world)).toEqual({ 'settle-session': 1 });
    expect(await readSession(stage, meeting)).toMatchObject({
      state: 'live',
      settle_due_at: null,
      due_reason: 'alone',
    });
    expect(await reconcile(world)).toEqual({});
  });

  it('a session past its end is ended, with its reason, and all its legs are hung up and confirmed', async () => {
    const meeting = await meet(stage, world);
    const other = await openRoom(world, { max_duration_s: 36_000 });
    await joinBrowser(stage, other);
    stage.jobsDown = true;
    await passTime(stage, 3_540);
    await reconcile(world);
    expect((await readSession(stage, meeting)).state).toBe('live');
    await passTime(stage, 63);
    expect(await reconcile(world)).toMatchObject({ 'hang-up-session': 1 });
    await reconcileUntilQuiet(stage, world);
    expect(await readSession(stage, meeting)).toMatchObject({ state: 'ended', end_reason: 'max-duration' });
    expect(await upAtVendor(stage, meeting)).toEqual([]);
    expect(await upAtVendor(stage, other)).toEqual(['webrtc']);
    expect((await readSession(stage, other)).state).toBe('live');
  });

  it.each(['opentok', 'unified'] as const)(
    'an ending %s session’s legs are hung up and confirmed, though no webhook tells',
    async (kind) => {
      const meeting = await meet(stage, stage.worlds[kind]);
      await stage.emulator.client.setFaults({ webhooks: [{ fault: 'drop' }] });
      stage.jobsDown = true;
      await endSession(stage.worlds[kind], meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
      await reconcileUntilQuiet(stage, stage.worlds[kind]);
      expect((await readLegs(stage, meeting)).map((leg) => [leg.state, leg.confirmed_at !== null])).toEqual(
        Array.from({ length: 3 }, () => ['ended', true]),
      );
      expect((await readSession(stage, meeting)).state).toBe('ended');
      expect(await upAtVendor(stage, meeting)).toEqual([]);
    },
  );

  it('a caller who was never admitted is let go past the deadline, and not before', async () => {
    const person = await ringIn(stage);
    stage.jobsDown = true;
    await passTime(stage, 3);
    expect(await reconcile(world)).toEqual({});
    expect((await stage.emulator.client.ledger({ callId: person.callId })).up).toBe(1);
    await passTime(stage, 30);
    expect(await reconcile(world)).toEqual({ 'hang-up-leg': 1 });
    await stage.emulator.client.awaitEnded(person.id);
    await until(
      async () => (await stage.store.prisma.leg.findUniqueOrThrow({ where: { voice_call_id: person.callId } })).state,
      'ended',
    );
  });

  it('nothing is dialled, for no hang-up can be armed; and nothing is lost: both are dialled once when it is back', async () => {
    const phone = '+447946000777';
    await stage.emulator.client.setPhone(phone, { mode: 'answer' });
    const meeting = await openRoom(world);
    stage.jobsDown = true;
    await joinBrowser(stage, meeting);
    await callIn(stage, world, meeting);
    await requestDialOut(world, meeting.tenantId, meeting.roomId, { phone });
    await passTime(stage, 3);
    for (let round = 0; round < 3; round++) expect(await reconcile(world)).toEqual({ 'open-bridge': 1, 'dial-out': 1 });
    expect([await requests('dial'), await requests('create-call')]).toEqual([0, 0]);
    expect((await readLegs(stage, meeting, 'outbound')).map((leg) => leg.state)).toEqual(['requested']);
    stage.jobsDown = false;
    expect(await reconcile(world)).toEqual({ 'open-bridge': 1, 'dial-out': 1 });
    await untilLegs(stage, meeting, 'bridge', ['joined']);
    await untilLegs(stage, meeting, 'outbound', ['joined']);
    await passTime(stage, 3);
    expect(await reconcile(world)).toEqual({});
    expect([await requests('dial'), await requests('create-call')]).toEqual([1, 1]);
  });
});

describe('one thing that fails', () => {
  it('does not stop the others: a bug in a hang-up, a vendor that says nothing', async () => {
    const [broken, silent, sound] = [await meet(stage, world), await meet(stage, world), await meet(stage, world)];
    stage.jobsDown = true;
    for (const meeting of [broken, silent, sound]) await end(meeting);
    const voice = {
      hangUp: (callId: string) =>
        callId === broken.caller.callId ? Promise.reject(new TypeError('a bug of ours')) : world.voice.hangUp(callId),
    };
    const media = {
      disconnect: (of: { mediaSessionId: string; connectionId: string }) =>
        of.mediaSessionId === silent.mediaSessionId
          ? new Promise<never>((_, reject) =>
              setImmediate(() => reject(new ProviderError('unknown', 'vendor-timeout', 'silence'))),
            )
          : world.media.disconnect(of),
    };
    await passTime(stage, 3);
    expect(await reconcile(withProviders(world, { voice, media }))).toEqual({ 'hang-up-session': 3 });
    await untilLegs(stage, sound, 'inbound', ['ended']);
    expect(await upAtVendor(stage, sound)).toEqual([]);
    // The legs of the same sessions that could be hung up, are.
    expect(await upAtVendor(stage, broken)).toEqual(['voice-inbound']);
    expect((await stage.emulator.client.caller(silent.caller.id)).state).toBe('ended');
    await reconcileUntilQuiet(stage, world);
    for (const meeting of [broken, silent, sound]) expect((await readSession(stage, meeting)).state).toBe('ended');
  });

  it('is tried again by the next round, and the round tells of it', async () => {
    const meeting = await meet(stage, world);
    stage.jobsDown = true;
    await end(meeting);
    const told: unknown[] = [];
    const store = breakTransactions(stage.store, () => true);
    await passTime(stage, 3);
    expect(
      await reconcile({ ...world, store, report: { ...world.report, warn: (_, fields) => told.push(fields) } }),
    ).toEqual({ 'hang-up-session': 1 });
    expect(told).toEqual([
      { what: 'hang-up-session', tenantId: meeting.tenantId, id: meeting.sessionId, error: 'Error: Postgres is away' },
    ]);
    expect(await hangUpsAsked(stage)).toEqual({});
    await reconcileUntilQuiet(stage, world);
    expect(await upAtVendor(stage, meeting)).toEqual([]);
  });
});

describe('replicas', () => {
  it('four at once ask once for each side of each leg, however many sessions end', async () => {
    const meetings = [await meet(stage, world), await meet(stage, world), await meet(stage, world)];
    stage.jobsDown = true;
    for (const meeting of meetings) await end(meeting);
    await passTime(stage, 3);
    await Promise.all(Array.from({ length: 4 }, () => reconcile(world)));
    const sides = (await Promise.all(meetings.map((meeting) => readLegs(stage, meeting))))
      .flat()
      .flatMap((leg) => [leg.voice_call_id, leg.media_connection_id])
      .filter((id) => id !== null);
    expect(sides).toHaveLength(12);
    expect(await hangUpsAsked(stage)).toEqual(Object.fromEntries(sides.map((id) => [id, 1])));
    await reconcileUntilQuiet(stage, world);
    for (const meeting of meetings) expect(await upAtVendor(stage, meeting)).toEqual([]);
    // And what is confirmed is not asked again.
    const asked = await hangUpsAsked(stage);
    await passTime(stage, 60);
    await reconcile(world);
    expect(await hangUpsAsked(stage)).toEqual(asked);
  });

  it('dial once', async () => {
    const meeting = await openRoom(world);
    stage.jobsDown = true;
    await joinBrowser(stage, meeting);
    await callIn(stage, world, meeting);
    await requestDialOut(world, meeting.tenantId, meeting.roomId, { phone: '+447946000778' });
    stage.jobsDown = false;
    await passTime(stage, 3);
    await Promise.all(Array.from({ length: 4 }, () => reconcile(world)));
    await untilLegs(stage, meeting, 'bridge', ['joined']);
    expect([await requests('dial'), await requests('create-call')]).toEqual([1, 1]);
  });
});
