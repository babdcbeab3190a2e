import { Redis } from 'ioredis';
import type { Callback } from '@partyline/provider-contract/callback';
import { listOwed } from '@partyline/store/reconciliation/due-work';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { submitPin } from './submit-pin.ts';
import { answerCall } from './answer-call.ts';
import { BRIDGE_HEADER } from '../legs/bridge-token.ts';
import { endSession } from '../sessions/end-session.ts';
import {
  callIn,
  meet,
  openRoom,
  readLegs,
  readSession,
  ringIn,
  settleNow,
  until,
  type Meeting,
} from '../testing/meeting.ts';
import { NUMBER, setStage, type Stage, type World } from '../testing/test-harness.ts';

let stage: Stage;
let world: World;
beforeAll(async () => {
  stage = await setStage();
  world = stage.worlds.unified;
});
afterEach(async () => {
  stage.jobsDown = false;
  await stage.emulator.client.resetFaults();
});
afterAll(() => stage.close());

let used = 0;
const token = () => ({ accountId: null, jti: `jti-${(used += 1)}`, expiresAt: new Date('2099-01-01') });
const call = (callId: string, headers: Record<string, string> = {}) => ({
  callId,
  from: '+447700900001',
  to: NUMBER,
  viaSip: true,
  headers,
});

describe('a caller', () => {
  it('keys the PIN and is in the conference; the roster and the clocks know it', async () => {
    const meeting = await openRoom(world);
    const person = await callIn(stage, world, meeting);
    const session = await readSession(stage, meeting);
    expect((await stage.emulator.client.caller(person.id)).conversation).toBe(session.conversation);
    expect(session).toMatchObject({ state: 'live', had_phone: true, had_browser: false, settle_due_at: null });
    expect((await readLegs(stage, meeting)).map((leg) => [leg.kind, leg.state, leg.remote])).toEqual([
      ['inbound', 'joined', '+447700900001'],
    ]);
  });

  it('keys wrong three times, hears why, and is let go; nobody’s room was touched', async () => {
    const { client } = stage.emulator;
    const person = await ringIn(stage);
    for (let i = 1; i <= 3; i++) {
      await client.key(person.id, '135790864#');
      if (i < 3) await client.awaitPrompt(person.id);
    }
    await client.awaitEnded(person.id);
    const heard = (await client.caller(person.id)).timeline
      .filter((each) => each.event === 'heard')
      .map((each) => each.text);
    expect(heard.at(-1)).toMatch(/not known either/);
    const leg = await stage.store.prisma.leg.findUniqueOrThrow({ where: { voice_call_id: person.callId } });
    expect(leg).toMatchObject({ tenant_id: null, session_id: null, tries: 3, hangup_reason: 'too-many-tries' });
    await until(async () => (await stage.store.prisma.leg.findUniqueOrThrow({ where: { id: leg.id } })).state, 'ended');
  });

  it.each(['', '12', '*#', '1234567890123', '123*56'])('who keys %j is asked again', async (digits) => {
    const callId = `odd-${digits}`;
    const plan = await answerCall(world, token(), call(callId));
    const leg = await stage.store.prisma.leg.findUniqueOrThrow({ where: { voice_call_id: callId } });
    expect(plan.map((step) => step.do)).toEqual(['say', 'ask-digits']);
    const again = await submitPin(world, token(), { legId: leg.id, tryNo: 1 }, { callId, digits, timedOut: false });
    expect(again.at(-1)).toMatchObject({ do: 'ask-digits', replyUrl: world.webhooks(null).digits(leg.id, 2) });
  });

  it('who keyed right while Redis was away is in all the same, and the settling is listed as owed', async () => {
    const meeting = await openRoom(world);
    const { client } = stage.emulator;
    const person = await ringIn(stage);
    stage.jobsDown = true;
    await client.key(person.id, `${meeting.pin}#`);
    await client.awaitJoined(person.id);
    // The call's own events settle the session too; here they are lost.
    await stage.store.prisma.session.update({
      where: { id: meeting.sessionId },
      data: { settle_due_at: new Date(0) },
    });
    expect((await listOwed(stage.store, { graceMs: 0 })).settle).toContainEqual({
      tenant_id: meeting.tenantId,
      id: meeting.sessionId,
    });
    await until(async () => stage.counted, expect.arrayContaining(['enqueue_failed settle-session']));
    await settleNow(world, meeting);
    expect((await listOwed(stage.store, { graceMs: 0 })).settle).not.toContainEqual({
      tenant_id: meeting.tenantId,
      id: meeting.sessionId,
    });
  });

  it('whose session ended while the digits were on their way is let go', async () => {
    const meeting = await openRoom(world);
    const person = await ringIn(stage);
    await stage.store.prisma.room.update({ where: { id: meeting.roomId }, data: { state: 'ended' } });
    await endSession(world, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
    await stage.emulator.client.key(person.id, `${meeting.pin}#`);
    await stage.emulator.client.awaitPrompt(person.id);
    expect(await readLegs(stage, meeting)).toEqual([]);
    await stage.emulator.client.hangUp(person.id);
  });
});

describe('a call that says it is the bridge', () => {
  const digitsAsked = (plan: readonly { do: string }[]): boolean => plan.some((step) => step.do === 'ask-digits');

  it('by the vendor’s own session header only, is a caller like any other and is asked for a PIN', async () => {
    const meeting = await openRoom(world);
    const plan = await answerCall(world, token(), call('forged', { 'x-opentok-sessionid': meeting.mediaSessionId }));
    expect(digitsAsked(plan)).toBe(true);
    expect(plan.some((step) => step.do === 'join')).toBe(false);
    expect(await readLegs(stage, meeting)).toEqual([]);
  });

  it.each(['', 'guess', 'x'.repeat(43)])('by the token %j, joins nothing', async (shown) => {
    expect(
      await answerCall(world, token(), call(`guess-${shown.length}`, { [BRIDGE_HEADER.toLowerCase()]: shown })),
    ).toEqual([]);
  });

  it('by the token of a bridge that is up, joins nothing; the bridge’s own call gets its plan again', async () => {
    const meeting = await meet(stage, world);
    const connection = (await stage.emulator.client.sessions())
      .find((each) => each.sessionId === meeting.mediaSessionId)
      ?.connections.find((each) => each.kind === 'sip');
    const stolen = { [BRIDGE_HEADER.toLowerCase()]: connection?.sipCall?.headers[BRIDGE_HEADER] ?? '' };
    expect(Object.values(stolen)[0]).toMatch(/^[\w-]{43}$/);
    const before = await readLegs(stage, meeting);
    expect(await answerCall(world, token(), call('thief', stolen))).toEqual([]);
    expect(await readLegs(stage, meeting)).toEqual(before);
    const [bridge] = await readLegs(stage, meeting, 'bridge');
    const { conversation } = await readSession(stage, meeting);
    expect(await answerCall(world, token(), call(bridge?.voice_call_id ?? '', stolen))).toMatchObject([
      { do: 'join', conversation },
    ]);
  });

  it('from a telephone, whatever it says, is a caller: only the SIP side can show a token', async () => {
    const plan = await answerCall(world, token(), {
      ...call('phone', { [BRIDGE_HEADER.toLowerCase()]: 'guess' }),
      viaSip: false,
    });
    expect(digitsAsked(plan)).toBe(true);
  });
});

describe('a webhook that was used before', () => {
  const post = async (path: string, { authorization, rawBody }: Callback): Promise<number> =>
    (
      await fetch(`${stage.hooksUrl}/unified${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(authorization === undefined ? {} : { authorization }) },
        body: rawBody.toString(),
      })
    ).status;

  /** What the emulator sent, byte for byte. */
  async function recorded(
    kind: 'answer' | 'input' | 'event' | 'session-callback',
    meeting: Meeting,
    callId: string,
  ): Promise<Callback & { path: string }> {
    const log = await stage.emulator.client.webhookLog({ kind });
    // What a stream does is none of our business: such a callback changes nothing and is not remembered.
    const entry = log.findLast(
      (each) =>
        each.body.includes(callId) ||
        (each.event === 'connectionCreated' && each.body.includes(meeting.mediaSessionId)),
    );
    if (entry === undefined) throw new Error(`no ${kind} was sent`);
    return {
      authorization: entry.headers.authorization,
      rawBody: Buffer.from(entry.body),
      path: new URL(entry.url).pathname.replace('/unified', ''),
    };
  }

  it.each(['answer', 'input', 'event', 'session-callback'] as const)(
    '(%s) is refused and changes nothing; so is it with any byte of it changed (I13, I19)',
    async (kind) => {
      const meeting = await meet(stage, world);
      const callback = await recorded(kind, meeting, meeting.caller.callId);
      const state = async () => ({
        legs: await readLegs(stage, meeting),
        session: await readSession(stage, meeting),
        observations: await stage.store.prisma.observation.count(),
      });
      const before = await state();
      expect(await post(callback.path, callback)).toBe(401);
      expect(stage.failures.at(-1)).toMatchObject({ verdict: { reason: 'webhook-replayed' } });
      expect(
        await post(callback.path, {
          ...callback,
          rawBody: Buffer.from(callback.rawBody.toString().replace('"', ' "')),
        }),
      ).toBe(401);
      expect(await post(callback.path, { ...callback, authorization: undefined })).toBe(401);
      expect(await state()).toEqual(before);
    },
  );
});

describe('what holds a caller on the line', () => {
  /**
   * Commands that this process sends to Redis while `work` runs; what a script does inside is no round trip.
   * Counted where they leave: ioredis fails on a MONITOR stream whose first lines come together with its "OK".
   */
  async function redisCommands(work: () => Promise<unknown>): Promise<string[]> {
    const send = vi.spyOn(Redis.prototype, 'sendCommand');
    await work();
    const commands = send.mock.calls.map(([command]) => command.name);
    send.mockRestore();
    return commands;
  }

  it('is one round trip to Postgres, and one to Redis when somebody joined', async () => {
    const meeting = await openRoom(world);
    // Connected and with its script loaded, as a service is.
    await world.jobs.enqueue('settle-session', { tenantId: meeting.tenantId, sessionId: meeting.sessionId });
    const query = vi.spyOn(stage.store.pool, 'query');
    const connect = vi.spyOn(stage.store.pool, 'connect');
    const costs = async (
      work: () => Promise<unknown>,
    ): Promise<{ queries: number; connections: number; commands: string[] }> => {
      query.mockClear();
      connect.mockClear();
      const commands = await redisCommands(work);
      return { queries: query.mock.calls.length, connections: connect.mock.calls.length, commands };
    };
    expect(await costs(() => answerCall(world, token(), call('counted')))).toEqual({
      queries: 1,
      connections: 1,
      commands: [],
    });
    const leg = await stage.store.prisma.leg.findUniqueOrThrow({ where: { voice_call_id: 'counted' } });
    const keyed = (tryNo: number, digits: string) => () =>
      submitPin(world, token(), { legId: leg.id, tryNo }, { callId: 'counted', digits, timedOut: false });
    expect(await costs(keyed(1, '111222'))).toEqual({ queries: 1, connections: 1, commands: [] });
    expect(await costs(keyed(2, meeting.pin))).toEqual({ queries: 1, connections: 1, commands: ['evalsha'] });
  });
});
