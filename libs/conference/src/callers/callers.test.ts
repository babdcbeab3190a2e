import { Redis } from 'ioredis';
import type { Callback } from '@partyline/provider-contract/callback';
import { listDueWork } from '@partyline/store/reconciliation/due-work';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { submitPin } from './submit-pin.ts';
import { answerCall } from './answer-call.ts';
import { BRIDGE_HEADER } from '../legs/bridge-token.ts';
import { endSession } from '../sessions/end-session.ts';
import {
  joinByPhone,
  startMeeting,
  openRoom,
  readLegs,
  readSession,
  dialIn,
  settleNow,
  until,
  type Meeting,
} from '../testing/meeting.ts';
import { NUMBER, startTestHarness, type TestHarness, type TestDeps } from '../testing/test-harness.ts';

let harness: TestHarness;
let deps: TestDeps;
beforeAll(async () => {
  harness = await startTestHarness();
  deps = harness.deps.unified;
});
afterEach(async () => {
  harness.jobsDown = false;
  await harness.emulator.client.resetFaults();
});
afterAll(() => harness.close());

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
    const meeting = await openRoom(deps);
    const person = await joinByPhone(harness, deps, meeting);
    const session = await readSession(harness, meeting);
    expect((await harness.emulator.client.caller(person.id)).conversation).toBe(session.conversation);
    expect(session).toMatchObject({ state: 'live', had_phone: true, had_browser: false, settle_due_at: null });
    expect((await readLegs(harness, meeting)).map((leg) => [leg.kind, leg.state, leg.remote])).toEqual([
      ['inbound', 'joined', '+447700900001'],
    ]);
  });

  it('keys wrong three times, hears why, and is let go; nobody’s room was touched', async () => {
    const { client } = harness.emulator;
    const person = await dialIn(harness);
    for (let i = 1; i <= 3; i++) {
      await client.key(person.id, '135790864#');
      if (i < 3) await client.awaitPrompt(person.id);
    }
    await client.awaitEnded(person.id);
    const heard = (await client.caller(person.id)).timeline
      .filter((each) => each.event === 'heard')
      .map((each) => each.text);
    expect(heard.at(-1)).toMatch(/not known either/);
    const leg = await harness.store.prisma.leg.findUniqueOrThrow({ where: { voice_call_id: person.callId } });
    expect(leg).toMatchObject({ tenant_id: null, session_id: null, tries: 3, hangup_reason: 'too-many-tries' });
    await until(
      async () => (await harness.store.prisma.leg.findUniqueOrThrow({ where: { id: leg.id } })).state,
      'ended',
    );
  });

  it.each(['', '12', '*#', '1234567890123', '123*56'])('who keys %j is asked again', async (digits) => {
    const callId = `odd-${digits}`;
    const plan = await answerCall(deps, token(), call(callId));
    const leg = await harness.store.prisma.leg.findUniqueOrThrow({ where: { voice_call_id: callId } });
    expect(plan.map((step) => step.do)).toEqual(['say', 'ask-digits']);
    const again = await submitPin(deps, token(), { legId: leg.id, tryNo: 1 }, { callId, digits, timedOut: false });
    expect(again.at(-1)).toMatchObject({ do: 'ask-digits', replyUrl: deps.webhooks(null).digits(leg.id, 2) });
  });

  it('who keyed right while Redis was away is in all the same, and the settling is listed as owed', async () => {
    const meeting = await openRoom(deps);
    const { client } = harness.emulator;
    const person = await dialIn(harness);
    harness.jobsDown = true;
    await client.key(person.id, `${meeting.pin}#`);
    await client.awaitJoined(person.id);
    // The call's own events settle the session too; here they are lost.
    await harness.store.prisma.session.update({
      where: { id: meeting.sessionId },
      data: { settle_due_at: new Date(0) },
    });
    expect((await listDueWork(harness.store, { graceMs: 0 })).settle).toContainEqual({
      tenant_id: meeting.tenantId,
      id: meeting.sessionId,
    });
    await until(async () => harness.counters, expect.arrayContaining(['enqueue_failed settle-session']));
    await settleNow(deps, meeting);
    expect((await listDueWork(harness.store, { graceMs: 0 })).settle).not.toContainEqual({
      tenant_id: meeting.tenantId,
      id: meeting.sessionId,
    });
  });

  it('whose session ended while the digits were on their way is let go', async () => {
    const meeting = await openRoom(deps);
    const person = await dialIn(harness);
    await harness.store.prisma.room.update({ where: { id: meeting.roomId }, data: { state: 'ended' } });
    await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
    await harness.emulator.client.key(person.id, `${meeting.pin}#`);
    await harness.emulator.client.awaitPrompt(person.id);
    expect(await readLegs(harness, meeting)).toEqual([]);
    await harness.emulator.client.hangUp(person.id);
  });
});

describe('a call that says it is the bridge', () => {
  const digitsAsked = (plan: readonly { do: string }[]): boolean => plan.some((step) => step.do === 'ask-digits');

  it('by the vendor’s own session header only, is a caller like any other and is asked for a PIN', async () => {
    const meeting = await openRoom(deps);
    const plan = await answerCall(deps, token(), call('forged', { 'x-opentok-sessionid': meeting.mediaSessionId }));
    expect(digitsAsked(plan)).toBe(true);
    expect(plan.some((step) => step.do === 'join')).toBe(false);
    expect(await readLegs(harness, meeting)).toEqual([]);
  });

  it.each(['', 'guess', 'x'.repeat(43)])('by the token %j, joins nothing', async (shown) => {
    expect(
      await answerCall(deps, token(), call(`guess-${shown.length}`, { [BRIDGE_HEADER.toLowerCase()]: shown })),
    ).toEqual([]);
  });

  it('by the token of a bridge that is up, joins nothing; the bridge’s own call gets its plan again', async () => {
    const meeting = await startMeeting(harness, deps);
    const connection = (await harness.emulator.client.sessions())
      .find((each) => each.sessionId === meeting.mediaSessionId)
      ?.connections.find((each) => each.kind === 'sip');
    const stolen = { [BRIDGE_HEADER.toLowerCase()]: connection?.sipCall?.headers[BRIDGE_HEADER] ?? '' };
    expect(Object.values(stolen)[0]).toMatch(/^[\w-]{43}$/);
    const before = await readLegs(harness, meeting);
    expect(await answerCall(deps, token(), call('thief', stolen))).toEqual([]);
    expect(await readLegs(harness, meeting)).toEqual(before);
    const [bridge] = await readLegs(harness, meeting, 'bridge');
    const { conversation } = await readSession(harness, meeting);
    expect(await answerCall(deps, token(), call(bridge?.voice_call_id ?? '', stolen))).toMatchObject([
      { do: 'join', conversation },
    ]);
  });

  it('from a telephone, whatever it says, is a caller: only the SIP side can show a token', async () => {
    const plan = await answerCall(deps, token(), {
      ...call('phone', { [BRIDGE_HEADER.toLowerCase()]: 'guess' }),
      viaSip: false,
    });
    expect(digitsAsked(plan)).toBe(true);
  });
});

describe('a webhook that was used before', () => {
  const post = async (path: string, { authorization, rawBody }: Callback): Promise<number> =>
    (
      await fetch(`${harness.webhooksUrl}/unified${path}`, {
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
    const log = await harness.emulator.client.webhookLog({ kind });
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
      const meeting = await startMeeting(harness, deps);
      const callback = await recorded(kind, meeting, meeting.caller.callId);
      const state = async () => ({
        legs: await readLegs(harness, meeting),
        session: await readSession(harness, meeting),
        observations: await harness.store.prisma.observation.count(),
      });
      const before = await state();
      expect(await post(callback.path, callback)).toBe(401);
      expect(harness.webhookErrors.at(-1)).toMatchObject({ verdict: { reason: 'webhook-replayed' } });
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
    const meeting = await openRoom(deps);
    // Connected and with its script loaded, as a service is.
    await deps.jobs.enqueue('settle-session', { tenantId: meeting.tenantId, sessionId: meeting.sessionId });
    const query = vi.spyOn(harness.store.pool, 'query');
    const connect = vi.spyOn(harness.store.pool, 'connect');
    const costs = async (
      work: () => Promise<unknown>,
    ): Promise<{ queries: number; connections: number; commands: string[] }> => {
      query.mockClear();
      connect.mockClear();
      const commands = await redisCommands(work);
      return { queries: query.mock.calls.length, connections: connect.mock.calls.length, commands };
    };
    expect(await costs(() => answerCall(deps, token(), call('counted')))).toEqual({
      queries: 1,
      connections: 1,
      commands: [],
    });
    const leg = await harness.store.prisma.leg.findUniqueOrThrow({ where: { voice_call_id: 'counted' } });
    const keyed = (tryNo: number, digits: string) => () =>
      submitPin(deps, token(), { legId: leg.id, tryNo }, { callId: 'counted', digits, timedOut: false });
    expect(await costs(keyed(1, '111222'))).toEqual({ queries: 1, connections: 1, commands: [] });
    expect(await costs(keyed(2, meeting.pin))).toEqual({ queries: 1, connections: 1, commands: ['evalsha'] });
  });
});
