import type { WebhookToken } from './webhook-tokens.ts';
import { LEG_STATES, legMachine, type LegEvent, type LegState } from '@partyline/domain/leg';
import { nextState } from '@partyline/domain/machine';
import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { afterAll, beforeAll, describe, expect, it, test, vi } from 'vitest';
import { openStore, type Store } from '../database/store.ts';
import {
  NUMBER,
  OTHER_NUMBER,
  freshId,
  freshIds,
  freshToken,
  lookupOf,
  makeAccount,
  makeLeg,
  makeNumbers,
  makeRoom,
  readLeg,
  readSession,
  setColumns,
} from '../testing/fixtures.ts';
import { admitCaller, answerCaller, type Admission } from './voice-webhooks.ts';

let database: TestDatabase;
let store: Store;

beforeAll(async () => {
  database = await createTestDatabase();
  store = openStore({ owner: true, url: database.url, onError: () => undefined });
  await makeNumbers(store);
});
afterAll(async () => {
  await store.close();
  await database.drop();
});

interface Call {
  readonly legId: string;
  readonly callId: string;
}

const answerCall = async (number: string | null = NUMBER): Promise<Call> => {
  const callId = freshId('call');
  const { leg_id } = await answerCaller(
    store,
    freshToken(),
    { legId: freshId('leg'), callId, number, remote: '+447700900001' },
    freshIds(),
  );
  return { legId: leg_id ?? 'none', callId };
};

const keyPin = (
  call: Call,
  tryNo: number,
  pin: string | null,
  token: WebhookToken = freshToken(),
): Promise<Admission> =>
  admitCaller(store, token, { ...call, tryNo, lookups: pin === null ? null : [lookupOf(pin)] }, freshIds());

/** The prompt ends without a digit. */
const keyNothing = (call: Call, tryNo: number): Promise<Admission> =>
  admitCaller(store, freshToken(), { ...call, tryNo, lookups: null, isSilent: true }, freshIds());

const counts = async () => ({
  legs: await store.prisma.leg.count(),
  sessions: await store.prisma.session.count(),
  participants: await store.prisma.participant.count(),
});

describe('answerCaller', () => {
  it('asks for a PIN in the language of the number and sets a deadline, without a tenant', async () => {
    const callId = freshId('call');
    const answered = await answerCaller(
      store,
      freshToken(),
      { legId: 'leg_de', callId, number: OTHER_NUMBER, remote: null },
      freshIds(),
    );
    expect(answered).toEqual({
      outcome: 'ask',
      leg_id: 'leg_de',
      language: 'de-DE',
      tenant_id: null,
      session_id: null,
      conversation: null,
      waits: false,
      deadline_at: null,
    });
    const leg = await readLeg(store, 'leg_de');
    expect(leg).toMatchObject({
      kind: 'inbound',
      state: 'ringing',
      tenant_id: null,
      session_id: null,
      voice_call_id: callId,
    });
    expect(leg.deadline_at.getTime() - leg.created_at.getTime()).toBe(80_000);
  });

  test.each([null, '+15550100'])('rejects a call to the unknown number %s without a leg', async (number) => {
    const before = await counts();
    expect(
      await answerCaller(
        store,
        freshToken(),
        { legId: freshId('leg'), callId: freshId('call'), number, remote: null },
        freshIds(),
      ),
    ).toMatchObject({ outcome: 'unknown-number', leg_id: null });
    expect(await counts()).toEqual(before);
  });

  it('returns the same leg for a duplicate webhook with a new token, and rejects a replayed token', async () => {
    const callId = freshId('call');
    const token = freshToken();
    const call = { callId, number: NUMBER, remote: null };
    const first = await answerCaller(store, token, { ...call, legId: freshId('leg') }, freshIds());
    expect(await answerCaller(store, freshToken(), { ...call, legId: freshId('leg') }, freshIds())).toEqual(first);
    const before = await counts();
    expect(
      await answerCaller(store, token, { ...call, callId: freshId('call'), legId: freshId('leg') }, freshIds()),
    ).toMatchObject({ outcome: 'replayed', leg_id: null });
    expect(await counts()).toEqual(before);
  });

  test.each(LEG_STATES)('does not change the state of a leg that is %s for a duplicate webhook', async (state) => {
    const call = await answerCall();
    await setColumns(store, 'leg', call.legId, { state });
    const answered = await answerCaller(
      store,
      freshToken(),
      { legId: freshId('leg'), callId: call.callId, number: NUMBER, remote: null },
      freshIds(),
    );
    expect(answered.outcome).toBe(state === 'ending' || state === 'ended' ? 'hang-up' : 'ask');
    expect((await readLeg(store, call.legId)).state).toBe(state);
  });

  it('starts a leg in a state that the leg machine allows', () => {
    expect(nextState(legMachine, legMachine.initial, 'ringing')).toBe('ringing');
  });
});

describe('admitCaller in each leg state', () => {
  /** The outcome of keying a PIN in each state; `event` is the leg machine's event. */
  const cases = LEG_STATES.flatMap((state) => {
    const over = state === 'ending' || state === 'ended';
    const rows: {
      state: LegState;
      what: 'right' | 'wrong' | 'last-wrong' | 'full';
      outcome: string;
      event: LegEvent;
    }[] = [
      { state, what: 'right', outcome: over ? 'hang-up' : 'admitted', event: 'answered' },
      { state, what: 'wrong', outcome: over ? 'hang-up' : 'wrong-pin', event: 'answered' },
      { state, what: 'last-wrong', outcome: over ? 'hang-up' : 'refused', event: 'hangUpRequested' },
      { state, what: 'full', outcome: over ? 'hang-up' : 'full', event: 'hangUpRequested' },
    ];
    return rows;
  });

  test.each(cases)(
    'answers $outcome to a $what PIN when the leg is $state, and follows the leg machine',
    async ({ state, what, outcome, event }) => {
      const room = await makeRoom(store, { max_participants: what === 'full' ? 1 : 10 });
      if (what === 'full') await makeLeg(store, room, { kind: 'webrtc', state: 'joined' });
      const call = await answerCall();
      await setColumns(store, 'leg', call.legId, { state, tries: what === 'last-wrong' ? 2 : 0 });
      const admission = await keyPin(
        call,
        what === 'last-wrong' ? 3 : 1,
        what === 'right' || what === 'full' ? room.pin : '000000',
      );
      expect(admission.outcome).toBe(outcome);
      const moved = outcome === 'hang-up' ? state : (nextState(legMachine, state, event) ?? state);
      const leg = await readLeg(store, call.legId);
      expect(leg.state).toBe(moved);
      expect(leg.hangup_requested_at !== null).toBe(moved === 'ending' && state !== 'ending');
    },
  );
});

describe('admitCaller', () => {
  it('treats a PIN as wrong and opens no session when the number moved to another account since the call', async () => {
    const { accountId, tenantId, number } = await makeAccount(store);
    const { pin, sessionId } = await makeRoom(store, { number, tenant_id: tenantId });
    await setColumns(store, 'session', sessionId, { state: 'ended' });
    const call = { legId: freshId('leg'), callId: freshId('call') };
    await answerCaller(store, freshToken(accountId), { ...call, number, remote: null }, freshIds());
    await store.prisma.dial_in_number.update({ where: { e164: number }, data: { account_id: null } });
    const before = await counts();
    const entry = { ...call, tryNo: 1, lookups: [lookupOf(pin)] };
    expect((await admitCaller(store, freshToken(accountId), entry, freshIds())).outcome).toBe('wrong-pin');
    expect(await counts()).toEqual(before);
  });

  it('admits a caller with the right PIN to the tenant of the PIN, and makes settling due', async () => {
    const room = await makeRoom(store);
    const call = await answerCall();
    expect(await keyPin(call, 1, room.pin)).toMatchObject({
      outcome: 'admitted',
      prompts: 1,
      tenant_id: room.tenantId,
      session_id: room.sessionId,
      conversation: room.conversation,
    });
    const leg = await readLeg(store, call.legId);
    expect(leg).toMatchObject({ state: 'answered', tenant_id: room.tenantId, session_id: room.sessionId });
    const session = await readSession(store, room.sessionId);
    expect(session.settle_due_at).not.toBeNull();
    expect(leg.deadline_at.getTime() - session.created_at.getTime()).toBe(3_600_000);
    expect(await store.prisma.participant.findUniqueOrThrow({ where: { id: leg.participant_id ?? '' } })).toMatchObject(
      { kind: 'caller', room_id: room.roomId, tenant_id: room.tenantId },
    );
  });

  it('rejects the third wrong PIN and requests the hang-up', async () => {
    const call = await answerCall();
    const outcomes = [await keyPin(call, 1, '111222'), await keyPin(call, 2, null), await keyPin(call, 3, '111222')];
    expect(outcomes.map((each) => [each.outcome, each.prompts])).toEqual([
      ['wrong-pin', 1],
      ['wrong-pin', 2],
      ['refused', 3],
    ]);
    expect(await readLeg(store, call.legId)).toMatchObject({
      state: 'ending',
      hangup_reason: 'too-many-tries',
      session_id: null,
      tenant_id: null,
    });
    const room = await makeRoom(store);
    expect((await keyPin(call, 4, room.pin)).outcome).toBe('hang-up');
  });

  it('asks again after a prompt without digits, without counting an attempt, and ends the call after three', async () => {
    const room = await makeRoom(store);
    const call = await answerCall();
    const outcomes = [
      await keyNothing(call, 1),
      await keyPin(call, 2, '111222'),
      await keyNothing(call, 3),
      await keyPin(call, 4, '111222'),
    ];
    expect(outcomes.map((each) => [each.outcome, each.prompts])).toEqual([
      ['no-digits', 1],
      ['wrong-pin', 2],
      ['no-digits', 3],
      ['wrong-pin', 4],
    ]);
    expect(await readLeg(store, call.legId)).toMatchObject({ tries: 2, silences: 2, state: 'answered' });
    // The same answer for a duplicate webhook.
    expect(await keyNothing(call, 4)).toEqual(outcomes.at(-1));
    expect((await keyNothing(call, 5)).outcome).toBe('silent');
    expect(await readLeg(store, call.legId)).toMatchObject({ state: 'ending', hangup_reason: 'no-digits' });
    expect((await keyPin(call, 6, room.pin)).outcome).toBe('hang-up');
  });

  it('admits a caller with the right PIN after prompts without digits, also with one attempt in slow mode', async () => {
    const room = await makeRoom(store);
    const call = await answerCall();
    await setColumns(store, 'leg', call.legId, { slow: true });
    await keyNothing(call, 1);
    await keyNothing(call, 2);
    expect(await keyPin(call, 3, room.pin)).toMatchObject({ outcome: 'admitted', prompts: 3 });
  });

  test.each([
    {
      what: 'of a room on another number',
      spoil: async (room: { roomId: string }) =>
        void (await store.prisma.pin.updateMany({ where: { room_id: room.roomId }, data: { number: OTHER_NUMBER } })),
    },
    {
      what: 'of a room that has ended',
      spoil: (room: { roomId: string }) => setColumns(store, 'room', room.roomId, { state: 'ended' }),
    },
    {
      what: 'that was released',
      spoil: async (room: { roomId: string }) =>
        void (await store.prisma.pin.updateMany({
          where: { room_id: room.roomId },
          data: { quarantined_until: new Date('2099-01-01') },
        })),
    },
  ])('rejects a PIN $what like an unknown PIN', async ({ spoil }) => {
    const room = await makeRoom(store);
    await spoil(room);
    const call = await answerCall();
    const before = await counts();
    expect(await keyPin(call, 1, room.pin)).toMatchObject({ outcome: 'wrong-pin', tenant_id: null, session_id: null });
    expect(await counts()).toEqual(before);
    expect(await readLeg(store, call.legId)).toMatchObject({ tenant_id: null, session_id: null });
  });

  it('rejects a caller of a full room, where ended legs and the bridge do not count', async () => {
    const room = await makeRoom(store, { max_participants: 2 });
    await makeLeg(store, room, { kind: 'bridge', state: 'joined' });
    await makeLeg(store, room, { kind: 'inbound', state: 'ended' });
    await makeLeg(store, room, { kind: 'webrtc', state: 'joined' });
    expect((await keyPin(await answerCall(), 1, room.pin)).outcome).toBe('admitted');
    const call = await answerCall();
    expect((await keyPin(call, 1, room.pin)).outcome).toBe('full');
    expect(await readLeg(store, call.legId)).toMatchObject({
      state: 'ending',
      hangup_reason: 'room-full',
      session_id: null,
    });
  });

  it('opens a new session with the max duration when the last session has ended', async () => {
    const room = await makeRoom(store);
    await setColumns(store, 'session', room.sessionId, { state: 'ended' });
    const admission = await keyPin(await answerCall(), 1, room.pin);
    if (admission.outcome !== 'admitted') throw new Error(admission.outcome);
    expect(admission.session_id).not.toBe(room.sessionId);
    const session = await readSession(store, admission.session_id);
    expect(session).toMatchObject({
      state: 'open',
      room_id: room.roomId,
      tenant_id: room.tenantId,
      media_session_id: null,
    });
    expect(session.due_at.getTime() - session.created_at.getTime()).toBe(3_600_000);
  });
});

describe('admitCaller with a duplicate webhook', () => {
  it('rejects a replayed token without a change', async () => {
    const room = await makeRoom(store);
    const call = await answerCall();
    const token = freshToken();
    await keyPin(call, 1, '111222', token);
    const before = { leg: await readLeg(store, call.legId), counts: await counts() };
    expect(await keyPin(call, 2, room.pin, token)).toMatchObject({
      outcome: 'replayed',
      tenant_id: null,
      session_id: null,
    });
    expect({ leg: await readLeg(store, call.legId), counts: await counts() }).toEqual(before);
  });

  test.each([
    { tries: ['111222'], outcome: 'wrong-pin' },
    { tries: ['111222', '111222', '111222'], outcome: 'refused' },
    { tries: ['right'], outcome: 'admitted' },
    { tries: ['111222', 'right'], outcome: 'admitted' },
  ])('repeats $outcome for a new token after $tries without counting an attempt', async ({ tries, outcome }) => {
    const room = await makeRoom(store);
    const call = await answerCall();
    const pinOf = (what: string): string => (what === 'right' ? room.pin : what);
    let last: Admission | undefined;
    for (const [i, what] of tries.entries()) last = await keyPin(call, i + 1, pinOf(what));
    const before = { leg: await readLeg(store, call.legId), counts: await counts() };
    // The digits are ignored: only the number of the attempt counts.
    expect(await keyPin(call, tries.length, '999888')).toEqual(last);
    expect(last?.outcome).toBe(outcome);
    expect({ leg: await readLeg(store, call.legId), counts: await counts() }).toEqual(before);
  });

  it('names the end of the session as it is by then', async () => {
    const room = await makeRoom(store);
    const call = await answerCall();
    await keyPin(call, 1, room.pin);
    const ends_at = new Date(Date.now() + 600_000);
    await setColumns(store, 'room', room.roomId, { ends_at });
    expect(await keyPin(call, 1, room.pin)).toMatchObject({ outcome: 'admitted', deadline_at: ends_at });
  });

  test.each(['ending', 'ended'] as const)('hangs up an admitted caller whose session is %s', async (state) => {
    const room = await makeRoom(store);
    const call = await answerCall();
    await keyPin(call, 1, room.pin);
    await setColumns(store, 'session', room.sessionId, { state });
    expect((await keyPin(call, 1, room.pin)).outcome).toBe('hang-up');
  });

  test.each([
    { what: 'a leg of another call', at: async (call: Call) => ({ ...call, callId: (await answerCall()).callId }) },
    { what: 'a missing leg', at: async (call: Call) => ({ ...call, legId: 'leg_none' }) },
    {
      what: 'an outbound leg',
      at: async (call: Call) => {
        await setColumns(store, 'leg', call.legId, { kind: 'outbound' });
        return call;
      },
    },
  ])('answers unknown-call for $what', async ({ at }) => {
    const room = await makeRoom(store);
    expect(await keyPin(await at(await answerCall()), 1, room.pin)).toMatchObject({
      outcome: 'unknown-call',
      tenant_id: null,
      session_id: null,
    });
  });
});

test('answerCaller and admitCaller run one query each', async () => {
  const room = await makeRoom(store);
  const query = vi.spyOn(store.pool, 'query');
  const connect = vi.spyOn(store.pool, 'connect');
  const call = await answerCall();
  expect(query).toHaveBeenCalledTimes(1);
  expect((await keyPin(call, 1, room.pin)).outcome).toBe('admitted');
  expect(query).toHaveBeenCalledTimes(2);
  expect(connect).toHaveBeenCalledTimes(2);
});
