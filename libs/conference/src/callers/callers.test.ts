import { Redis } from 'ioredis';
import type { Callback } from '@partyline/provider-contract/callback';
import { listDueWork } from '@partyline/store/reconciliation/due-work';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { PIN_MAX_LENGTH } from '@partyline/domain/pin';
import { reconcile } from '../reconciliation/reconcile.ts';
import { DIGIT_TIMEOUT_SECONDS } from './call-steps.ts';
import { submitPin } from './submit-pin.ts';
import { answerCall } from './answer-call.ts';
import { BRIDGE_HEADER } from '../legs/bridge-token.ts';
import { getPrompt } from '@partyline/domain/prompts';
import { endSession } from '../sessions/end-session.ts';
import {
  executeSql,
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
  it('joins the conference with the correct PIN, and is in the roster and the clocks', async () => {
    const meeting = await openRoom(deps);
    const person = await joinByPhone(harness, deps, meeting);
    const session = await readSession(harness, meeting);
    expect((await harness.emulator.client.caller(person.id)).conversation).toBe(session.conversation);
    expect(session).toMatchObject({ state: 'live', had_phone: true, had_browser: false, settle_due_at: null });
    expect((await readLegs(harness, meeting)).map((leg) => [leg.kind, leg.state, leg.remote])).toEqual([
      ['inbound', 'joined', '+447700900001'],
    ]);
  });

  it('hears the reason and is hung up after three wrong PINs', async () => {
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
    expect(heard.at(-1)).toMatch(/not valid. Please check/);
    const leg = await harness.store.prisma.leg.findUniqueOrThrow({ where: { voice_call_id: person.callId } });
    expect(leg).toMatchObject({ tenant_id: null, session_id: null, tries: 3, hangup_reason: 'too-many-tries' });
    await until(
      async () => (await harness.store.prisma.leg.findUniqueOrThrow({ where: { id: leg.id } })).state,
      'ended',
    );
  });

  it.each(['', '#'])(
    'hears that no digits were received after %j, and a goodbye after three prompts',
    async (digits) => {
      const callId = `silent-${digits}`;
      await answerCall(deps, token(), call(callId));
      const leg = await harness.store.prisma.leg.findUniqueOrThrow({ where: { voice_call_id: callId } });
      const input = { callId, digits, timedOut: digits === '' };
      for (const tryNo of [1, 2])
        expect(await submitPin(deps, token(), { legId: leg.id, tryNo }, input)).toMatchObject([
          { do: 'say', text: getPrompt('en-GB', 'no-digits'), bargeIn: true },
          { do: 'ask-digits', replyUrl: deps.webhooks(null).digits(leg.id, tryNo + 1) },
        ]);
      expect(await submitPin(deps, token(), { legId: leg.id, tryNo: 3 }, input)).toMatchObject([
        { do: 'say', text: getPrompt('en-GB', 'silent') },
      ]);
    },
  );

  it('is not hung up while keying twelve digits at 3.9 seconds each', async () => {
    const callId = 'slow-keys';
    await answerCall(deps, token(), call(callId));
    const leg = await harness.store.prisma.leg.findUniqueOrThrow({ where: { voice_call_id: callId } });
    // The prompt, and the time of the keys.
    const passedS = 8 + 12 * 3.9;
    await executeSql(harness, `UPDATE leg SET deadline_at = deadline_at - make_interval(secs => $2) WHERE id = $1`, [
      leg.id,
      passedS,
    ]);
    await reconcile(deps);
    expect(await harness.store.prisma.leg.findUniqueOrThrow({ where: { id: leg.id } })).toMatchObject({
      state: 'ringing',
      hangup_requested_at: null,
    });
    expect(
      (
        await submitPin(deps, token(), { legId: leg.id, tryNo: 1 }, { callId, digits: '135790864213', timedOut: false })
      )[0],
    ).toMatchObject({ do: 'say', text: getPrompt('en-GB', 'wrong-pin') });
  });

  it('can key the longest PIN as slowly as the provider accepts it before the deadline of the prompt', async () => {
    const { rows } = await harness.store.pool.query<{ normal: number; slow: number }>(
      'SELECT extract(epoch FROM pin_entry_time(false))::int AS normal, extract(epoch FROM pin_entry_time(true))::int AS slow',
    );
    const slowestEntryS = (PIN_MAX_LENGTH + 1) * DIGIT_TIMEOUT_SECONDS;
    expect(rows.at(0)!.normal).toBeGreaterThanOrEqual(10 + slowestEntryS);
    expect(rows.at(0)!.slow).toBeGreaterThanOrEqual(40 + slowestEntryS);
  });

  it.each(['12', '*#', '1234567890123', '123*56'])('is asked again after %j', async (digits) => {
    const callId = `odd-${digits}`;
    const plan = await answerCall(deps, token(), call(callId));
    const leg = await harness.store.prisma.leg.findUniqueOrThrow({ where: { voice_call_id: callId } });
    expect(plan.map((step) => step.do)).toEqual(['say', 'ask-digits']);
    const again = await submitPin(deps, token(), { legId: leg.id, tryNo: 1 }, { callId, digits, timedOut: false });
    expect(again.at(-1)).toMatchObject({ do: 'ask-digits', replyUrl: deps.webhooks(null).digits(leg.id, 2) });
  });

  it('is admitted without Redis, and the settling is listed as due work', async () => {
    const meeting = await openRoom(deps);
    // Not through the emulator: the events of its call would settle the session too.
    const callId = 'without-redis';
    await answerCall(deps, token(), call(callId));
    const leg = await harness.store.prisma.leg.findUniqueOrThrow({ where: { voice_call_id: callId } });
    harness.jobsDown = true;
    const input = { callId, digits: meeting.pin, timedOut: false };
    expect((await submitPin(deps, token(), { legId: leg.id, tryNo: 1 }, input)).at(-1)).toMatchObject({ do: 'join' });
    await until(async () => harness.counters, expect.arrayContaining(['enqueue_failed settle-session']));
    await until(
      async () => (await listDueWork(harness.store, { graceMs: 0 })).settle,
      expect.arrayContaining([{ tenant_id: meeting.tenantId, id: meeting.sessionId }]),
    );
    await settleNow(deps, meeting);
    expect((await listDueWork(harness.store, { graceMs: 0 })).settle).not.toContainEqual({
      tenant_id: meeting.tenantId,
      id: meeting.sessionId,
    });
  });

  it('is not admitted when the session ended before the digits arrived', async () => {
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

describe('a call with a bridge token', () => {
  const asksForDigits = (plan: readonly { do: string }[]): boolean => plan.some((step) => step.do === 'ask-digits');

  it('is an ordinary call when it has only the session header of the provider', async () => {
    const meeting = await openRoom(deps);
    const plan = await answerCall(deps, token(), call('forged', { 'x-opentok-sessionid': meeting.mediaSessionId }));
    expect(asksForDigits(plan)).toBe(true);
    expect(plan.some((step) => step.do === 'join')).toBe(false);
    expect(await readLegs(harness, meeting)).toEqual([]);
  });

  it.each(['', 'guess', 'x'.repeat(43)])('is rejected with the unknown token %j', async (shown) => {
    expect(
      await answerCall(deps, token(), call(`guess-${shown.length}`, { [BRIDGE_HEADER.toLowerCase()]: shown })),
    ).toEqual([]);
  });

  it('is rejected with the token of another call that is up, which itself gets its plan again', async () => {
    const meeting = await startMeeting(harness, deps);
    const connection = (await harness.emulator.client.sessions())
      .find((each) => each.sessionId === meeting.mediaSessionId)
      ?.connections.find((each) => each.kind === 'sip');
    const stolen = { [BRIDGE_HEADER.toLowerCase()]: connection?.sipCall?.headers[BRIDGE_HEADER] ?? '' };
    expect(Object.values(stolen)[0]).toMatch(/^[\w-]{43}$/);
    const before = await readLegs(harness, meeting);
    expect(await answerCall(deps, token(), call('impostor', stolen))).toEqual([]);
    expect(await readLegs(harness, meeting)).toEqual(before);
    const [bridge] = await readLegs(harness, meeting, 'bridge');
    const { conversation } = await readSession(harness, meeting);
    expect(await answerCall(deps, token(), call(bridge?.voice_call_id ?? '', stolen))).toMatchObject([
      { do: 'join', conversation },
    ]);
  });

  it('is an ordinary call when it comes from a telephone, as only SIP calls carry a token', async () => {
    const plan = await answerCall(deps, token(), {
      ...call('phone', { [BRIDGE_HEADER.toLowerCase()]: 'guess' }),
      viaSip: false,
    });
    expect(asksForDigits(plan)).toBe(true);
  });
});

describe('a replayed webhook', () => {
  const post = async (path: string, { authorization, rawBody }: Callback): Promise<number> =>
    (
      await fetch(`${harness.webhooksUrl}/unified${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(authorization === undefined ? {} : { authorization }) },
        body: rawBody.toString(),
      })
    ).status;

  /** Returns a webhook of the emulator, byte for byte. */
  async function findWebhook(
    kind: 'answer' | 'input' | 'event' | 'session-callback',
    meeting: Meeting,
    callId: string,
  ): Promise<Callback & { path: string }> {
    const log = await harness.emulator.client.webhookLog({ kind });
    // Callbacks about streams are ignored, so their token is not consumed.
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
    '(%s) is rejected and changes nothing, also with a changed body (I13, I19)',
    async (kind) => {
      const meeting = await startMeeting(harness, deps);
      const callback = await findWebhook(kind, meeting, meeting.caller.callId);
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

describe("the cost of a caller's webhook", () => {
  /**
   * Returns the Redis commands that this process sends during `work`; commands inside a script are
   * not round trips. Spies on the client: ioredis fails on a MONITOR stream whose first lines
   * arrive with its "OK".
   */
  async function redisCommands(work: () => Promise<unknown>): Promise<string[]> {
    const send = vi.spyOn(Redis.prototype, 'sendCommand');
    await work();
    const commands = send.mock.calls.map(([command]) => command.name);
    send.mockRestore();
    return commands;
  }

  it('is one round trip to Postgres, and one to Redis when the caller is admitted', async () => {
    const meeting = await openRoom(deps);
    // Connects to Redis and loads the script, as in a running service.
    await deps.jobs.enqueue('settle-session', { tenantId: meeting.tenantId, sessionId: meeting.sessionId });
    const query = vi.spyOn(harness.store.pool, 'query');
    const connect = vi.spyOn(harness.store.pool, 'connect');
    const measure = async (
      work: () => Promise<unknown>,
    ): Promise<{ queries: number; connections: number; commands: string[] }> => {
      query.mockClear();
      connect.mockClear();
      const commands = await redisCommands(work);
      return { queries: query.mock.calls.length, connections: connect.mock.calls.length, commands };
    };
    expect(await measure(() => answerCall(deps, token(), call('counted')))).toEqual({
      queries: 1,
      connections: 1,
      commands: [],
    });
    const leg = await harness.store.prisma.leg.findUniqueOrThrow({ where: { voice_call_id: 'counted' } });
    const keyed = (tryNo: number, digits: string) => () =>
      submitPin(deps, token(), { legId: leg.id, tryNo }, { callId: 'counted', digits, timedOut: false });
    expect(await measure(keyed(1, '111222'))).toEqual({ queries: 1, connections: 1, commands: [] });
    expect(await measure(keyed(2, meeting.pin))).toEqual({ queries: 1, connections: 1, commands: ['evalsha'] });
  });
});
