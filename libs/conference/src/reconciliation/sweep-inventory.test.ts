import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { FaultsInput } from '@partyline/vonage-emulator/control-client';
import { takeTurn } from '@partyline/store/database/lease';
import { dialOut, requestDialOut } from '../legs/dial-out.ts';
import { endSession } from '../sessions/end-session.ts';
import { reconcile } from './reconcile.ts';
import { sweepInventory } from './sweep-inventory.ts';
import {
  alterRows,
  callIn,
  meet,
  openRoom,
  readLegs,
  readSession,
  ringIn,
  upAtVendor,
  type Meeting,
} from '../testing/meeting.ts';
import { emptyDatabase, hangUpsAsked, passTime, startOver } from '../testing/pass-time.ts';
import { NUMBER, setStage, type Stage, type World } from '../testing/test-harness.ts';

let stage: Stage;
let world: World;
let phones = 0;
beforeAll(async () => {
  stage = await setStage();
  world = stage.worlds.unified;
});
beforeEach(() => startOver(stage));
afterAll(() => stage.close());

const isUp = async (callId: string): Promise<boolean> => (await stage.emulator.client.ledger({ callId })).up === 1;
const freshPhone = (): string => `+4479462${String((phones += 1)).padStart(5, '0')}`;

/** A live call that no row knows: somebody's phone rings, as after a lost database or a stranger's use of our account. */
async function strayCall(): Promise<{ callId: string; personId: string }> {
  const phone = freshPhone();
  await stage.emulator.client.setPhone(phone, { mode: 'no-answer' });
  const { callId } = await world.voice.createCall({
    to: phone,
    from: NUMBER,
    answerUrl: `${stage.hooksUrl}/nowhere`,
    eventUrl: `${stage.hooksUrl}/nowhere`,
    ringingTimerS: 60,
    lengthTimerS: 60,
  });
  const { id } = await stage.emulator.client.awaitRing(phone);
  return { callId, personId: id };
}

describe('a live call that nobody knows', () => {
  it('is hung up after two complete inventories thirty seconds apart, and not before', async () => {
    const { callId, personId } = await strayCall();
    expect(await sweepInventory(world, null)).toMatchObject({ calls: 1, orphans: 0 });
    // The second comes too soon, and so does the third.
    await passTime(stage, 1);
    expect(await sweepInventory(world, null)).toMatchObject({ orphans: 0 });
    await passTime(stage, 1);
    expect(await sweepInventory(world, null)).toMatchObject({ orphans: 0 });
    expect(await isUp(callId)).toBe(true);
    await passTime(stage, 28);
    expect(await sweepInventory(world, null)).toMatchObject({ orphans: 1 });
    await stage.emulator.client.awaitEnded(personId);
    expect(stage.counted.filter((name) => name.startsWith('orphan'))).toHaveLength(1);
    expect(await sweepInventory(world, null)).toMatchObject({ calls: 0, orphans: 0 });
  });

  it('is not hung up after one, however long ago that was', async () => {
    const { callId } = await strayCall();
    await passTime(stage, 3_600);
    expect(await sweepInventory(world, null)).toMatchObject({ orphans: 0 });
    expect(await isUp(callId)).toBe(true);
  });

  it('is asked again at every inventory for as long as it is seen', async () => {
    const { callId } = await strayCall();
    await stage.emulator.client.setFaults({ switches: { hangupKeepsLegAlive: true } });
    for (const orphans of [0, 1, 1, 1]) {
      expect(await sweepInventory(world, null)).toMatchObject({ orphans });
      await passTime(stage, 31);
    }
    expect(await hangUpsAsked(stage)).toEqual({ [callId]: 3 });
  });

  it.each<{ what: string; faults: FaultsInput }>([
    { what: 'refused by the rate limit', faults: { rest: [{ route: 'list-calls', fault: '429' }] } },
    { what: 'a failure', faults: { rest: [{ route: 'list-calls', fault: '500' }] } },
    { what: 'no JSON', faults: { rest: [{ route: 'list-calls', fault: 'non-json' }] } },
    { what: 'cut off', faults: { rest: [{ route: 'list-calls', fault: 'reset' }] } },
    { what: 'never answered', faults: { rest: [{ route: 'list-calls', fault: 'not-applied-silent' }] } },
    // The first page comes, the next does not.
    {
      what: 'partial',
      faults: {
        rest: [
          { route: 'list-calls', fault: 'hang', delayMs: 1, next: 1 },
          { route: 'list-calls', fault: '500' },
        ],
      },
    },
  ])('is left alone when the second list was $what; nothing else is concluded from it either', async ({ faults }) => {
    const { callId } = await strayCall();
    const meeting = await openRoom(world);
    const caller = await callIn(stage, world, meeting);
    await sweepInventory(world, null);
    const before = await stage.store.prisma.orphan_call.findMany();
    await stage.emulator.client.setFaults(faults);
    await passTime(stage, 31);
    await expect(sweepInventory(world, null)).rejects.toMatchObject({ name: 'ProviderError' });
    expect(await hangUpsAsked(stage)).toEqual({});
    expect([await isUp(callId), await isUp(caller.callId)]).toEqual([true, true]);
    expect((await stage.store.prisma.orphan_call.findMany()).map(({ id, sweeps }) => [id, sweeps])).toEqual(
      before.map(({ id, sweeps }) => [id, sweeps]),
    );
    expect((await readLegs(stage, meeting)).map((leg) => leg.state)).toEqual(['joined']);
    // The next complete one counts.
    await stage.emulator.client.resetFaults();
    expect(await sweepInventory(world, null)).toMatchObject({ orphans: 1 });
    expect(await isUp(caller.callId)).toBe(true);
  });

  it('is forgotten when it vanished between the two: seen anew, it has its whole time again', async () => {
    const { callId } = await strayCall();
    await sweepInventory(world, null);
    await passTime(stage, 31);
    await stage.emulator.client.setFaults({ switches: { listOmitsLive: true } });
    await sweepInventory(world, null);
    expect(await stage.store.prisma.orphan_call.count()).toBe(0);
    await stage.emulator.client.resetFaults();
    await passTime(stage, 31);
    expect(await sweepInventory(world, null)).toMatchObject({ calls: 1, orphans: 0 });
    expect(await isUp(callId)).toBe(true);
  });
});

describe('when the rows do not know what is live', () => {
  it('an empty database: every live call is hung up, in every state', async () => {
    const meeting = await meet(stage, world);
    await ringIn(stage);
    await strayCall();
    await emptyDatabase(stage);
    expect(await sweepInventory(world, null)).toMatchObject({ calls: 4, orphans: 0 });
    await passTime(stage, 30.5);
    expect(await sweepInventory(world, null)).toMatchObject({ orphans: 4 });
    for (const kind of ['voice-inbound', 'voice-outbound', 'voice-sip', 'sip-interconnect'] as const)
      await stage.emulator.client.awaitLegsUp(0, { kind });
    expect((await stage.emulator.client.caller(meeting.caller.id)).state).toBe('ended');
  });

  it('a leg that we hold to be ended and that is live all the same is hung up', async () => {
    const meeting = await openRoom(world);
    const { callId, id } = await callIn(stage, world, meeting);
    await alterRows(
      stage,
      `UPDATE leg SET state = 'ended', ended_at = now(), voice_closed_at = now() WHERE voice_call_id = $1`,
      [callId],
    );
    await sweepInventory(world, null);
    await passTime(stage, 31);
    expect(await sweepInventory(world, null)).toMatchObject({ orphans: 1 });
    await stage.emulator.client.awaitEnded(id);
  });
});

/** Somebody is rung, the vendor’s answer is lost, and nothing that it sends comes through. */
async function unnamedCall(): Promise<{ meeting: Meeting; legId: string; phone: string }> {
  const meeting = await openRoom(world);
  const phone = freshPhone();
  await stage.emulator.client.setPhone(phone, { mode: 'no-answer' });
  const { legId } = await requestDialOut(world, meeting.tenantId, meeting.roomId, { phone });
  await stage.emulator.client.setFaults({
    rest: [{ route: 'create-call', fault: 'applied-silent', next: 1 }],
    webhooks: [{ fault: 'drop' }],
  });
  expect(await dialOut(world, meeting.tenantId, legId)).toBe('unknown');
  await stage.emulator.client.awaitRing(phone);
  return { meeting, legId, phone };
}

describe('a call whose create was never answered', () => {
  it('is given to its leg, and stays', async () => {
    const { meeting, phone } = await unnamedCall();
    const { callId } = await stage.emulator.client.awaitRing(phone);
    expect(await sweepInventory(world, null)).toMatchObject({ adopted: 1, orphans: 0 });
    expect((await readLegs(stage, meeting))[0]).toMatchObject({ voice_call_id: callId, state: 'ringing' });
    for (let sweep = 0; sweep < 2; sweep++) {
      await passTime(stage, 31);
      expect(await sweepInventory(world, null)).toMatchObject({ adopted: 0, orphans: 0 });
    }
    expect(await hangUpsAsked(stage)).toEqual({});
  });

  it('is hung up by the name it was given, when its session has ended', async () => {
    const { meeting, phone } = await unnamedCall();
    await endSession(world, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
    await passTime(stage, 3);
    await reconcile(world);
    expect((await readLegs(stage, meeting)).map((leg) => leg.state)).toEqual(['ending']);
    await sweepInventory(world, null);
    await passTime(stage, 3);
    await reconcile(world);
    const person = await stage.emulator.client.awaitRing(phone);
    await stage.emulator.client.awaitEnded(person.id);
    await passTime(stage, 3);
    await reconcile(world);
    expect((await readSession(stage, meeting)).state).toBe('ended');
  });

  it('is not given to a leg that rings another number', async () => {
    const { meeting } = await unnamedCall();
    await alterRows(stage, `UPDATE leg SET remote = '+447946299999' WHERE session_id = $1`, [meeting.sessionId]);
    expect(await sweepInventory(world, null)).toMatchObject({ adopted: 0, orphans: 0 });
    expect((await readLegs(stage, meeting))[0]).toMatchObject({ voice_call_id: null, state: 'dialling' });
  });
});

describe('two calls to one number whose creates were never answered', () => {
  /** Two rooms ring the same phone, and nobody hears which call is whose. */
  async function twins() {
    const [mine, other] = [await openRoom(world), await openRoom(world)];
    const phone = freshPhone();
    await stage.emulator.client.setPhone(phone, { mode: 'no-answer' });
    await stage.emulator.client.setFaults({
      rest: [{ route: 'create-call', fault: 'applied-silent', next: 2 }],
      webhooks: [{ fault: 'drop' }],
    });
    const legs: string[] = [];
    for (const meeting of [mine, other]) {
      const { legId } = await requestDialOut(world, meeting.tenantId, meeting.roomId, { phone });
      expect(await dialOut(world, meeting.tenantId, legId)).toBe('unknown');
      legs.push(legId);
    }
    const { legs: calls } = await stage.emulator.client.ledger({ kind: 'voice-outbound' });
    return {
      mine,
      other,
      phone,
      legs,
      callIds: calls.filter((call) => call.endedAt === undefined).map((call) => call.id),
    };
  }

  it('are given to neither: the list does not say which is whose, and nobody is hung up for another’s end', async () => {
    const { mine, other, callIds } = await twins();
    expect(callIds).toHaveLength(2);
    for (let sweep = 0; sweep < 2; sweep++) {
      expect(await sweepInventory(world, null)).toMatchObject({ calls: 2, adopted: 0, orphans: 0, ambiguous: 2 });
      await passTime(stage, 31);
    }
    await endSession(world, mine.tenantId, mine.sessionId, 'ended-by-tenant');
    await passTime(stage, 3);
    await reconcile(world);
    await sweepInventory(world, null);
    await passTime(stage, 3);
    await reconcile(world);
    expect(await hangUpsAsked(stage)).toEqual({});
    expect((await readLegs(stage, other))[0]).toMatchObject({ voice_call_id: null, hangup_requested_at: null });
  });

  it('nor is one of them, when the other’s leg was given up just now', async () => {
    const { mine } = await twins();
    await alterRows(
      stage,
      `UPDATE leg SET state = 'ended', reason = 'unobserved', ended_at = now() WHERE session_id = $1`,
      [mine.sessionId],
    );
    expect(await sweepInventory(world, null)).toMatchObject({ adopted: 0, orphans: 0, ambiguous: 2 });
  });

  it('are hung up as nobody’s once no leg waits for its name any more', async () => {
    const { mine, other, callIds } = await twins();
    await sweepInventory(world, null);
    await alterRows(
      stage,
      `UPDATE leg SET state = 'ended', reason = 'unobserved', ended_at = now() WHERE session_id IN ($1, $2)`,
      [mine.sessionId, other.sessionId],
    );
    expect(await sweepInventory(world, null)).toMatchObject({ orphans: 0, ambiguous: 0 });
    await passTime(stage, 31);
    expect(await sweepInventory(world, null)).toMatchObject({ orphans: 2, ambiguous: 0 });
    expect(await hangUpsAsked(stage)).toEqual(Object.fromEntries(callIds.map((id) => [id, 1])));
  });
});

describe('a call that we hold to be up and the list lacks', () => {
  it('is closed by its own final status, when the news of its end was lost', async () => {
    const meeting = await openRoom(world);
    const caller = await callIn(stage, world, meeting);
    await stage.emulator.client.setFaults({ switches: { neverSendsCompleted: true } });
    await stage.emulator.client.hangUp(caller.id);
    // Younger than the list may be stale.
    expect(await sweepInventory(world, null)).toMatchObject({ missing: 0 });
    await passTime(stage, 31);
    expect(await sweepInventory(world, null)).toMatchObject({ missing: 1 });
    expect((await readLegs(stage, meeting))[0]).toMatchObject({
      state: 'ended',
      confirmed_at: expect.any(Date),
      outcome: 'success',
    });
    expect(await stage.store.prisma.observation.findMany({ where: { phase: 'over' } })).toMatchObject([
      { source: 'look-up', handle: 'voice' },
    ]);
  });

  it.each<{ what: string; faults: FaultsInput }>([
    { what: 'says it is live', faults: {} },
    { what: 'knows no such call', faults: { switches: { get404WhileLive: true } } },
    { what: 'fails', faults: { rest: [{ route: 'get-call', fault: '500' }] } },
    { what: 'answers in no JSON', faults: { rest: [{ route: 'get-call', fault: 'non-json' }] } },
  ])('is not touched when the look-up $what (I2, I6)', async ({ faults }) => {
    const meeting = await meet(stage, world);
    await stage.emulator.client.setFaults({ ...faults, switches: { ...faults.switches, listOmitsLive: true } });
    for (let sweep = 0; sweep < 3; sweep++) {
      await passTime(stage, 31);
      expect(await sweepInventory(world, null)).toMatchObject({ calls: 0, missing: 2, orphans: 0 });
      await reconcile(world);
    }
    expect((await readLegs(stage, meeting)).map((leg) => leg.state)).toEqual(['joined', 'joined', 'joined']);
    expect(await hangUpsAsked(stage)).toEqual({});
    expect(await upAtVendor(stage, meeting)).toEqual(['sip-interconnect', 'voice-inbound', 'voice-sip', 'webrtc']);
  });
});

describe('two replicas', () => {
  it('take turns: one inventory a minute, whoever makes it', async () => {
    await strayCall();
    const turn = async (): Promise<void> =>
      void ((await takeTurn(stage.store, 'inventory', 60_000)) && (await sweepInventory(world, null)));
    const lists = async (): Promise<number> => (await stage.emulator.client.restLog({ route: 'list-calls' })).length;
    await Promise.all(Array.from({ length: 6 }, turn));
    const once = await lists();
    expect(await stage.store.prisma.orphan_call.findMany()).toMatchObject([{ sweeps: 1 }]);
    await passTime(stage, 10);
    await Promise.all([turn(), turn()]);
    expect(await lists()).toBe(once);
    await passTime(stage, 50);
    await Promise.all([turn(), turn()]);
    expect(await lists()).toBe(2 * once);
    expect(await stage.store.prisma.orphan_call.findMany()).toMatchObject([{ sweeps: 2 }]);
  });

  it('that sweep at once all the same count as two inventories, and hang nothing up before its time', async () => {
    const { callId } = await strayCall();
    await Promise.all([sweepInventory(world, null), sweepInventory(world, null), sweepInventory(world, null)]);
    expect(await isUp(callId)).toBe(true);
    expect(await hangUpsAsked(stage)).toEqual({});
  });
});
