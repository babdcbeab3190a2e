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

const ring = async (number: string | null = NUMBER): Promise<Call> => {
  const callId = freshId('call');
  const { leg_id } = await answerCaller(
    store,
    freshToken(),
    { legId: freshId('leg'), callId, number, remote: '+447700900001' },
    freshIds(),
  );
  return { legId: leg_id ?? 'none', callId };
};

const key = (call: Call, tryNo: number, pin: string | null, token: WebhookToken = freshToken()): Promise<Admission> =>
  admitCaller(store, token, { ...call, tryNo, lookup: pin === null ? null : lookupOf(pin) }, freshIds());

const counts = async () => ({
  legs: await store.prisma.leg.count(),
  sessions: await store.prisma.session.count(),
  participants: await store.prisma.participant.count(),
});

describe('a caller dials', () => {
  it('is asked for a PIN in the language of the number, with a deadline and no tenant yet', async () => {
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
    });
    const leg = await readLeg(store, 'leg_de');
    expect(leg).toMatchObject({
      kind: 'inbound',
      state: 'ringing',
      tenant_id: null,
      session_id: null,
      voice_call_id: callId,
    });
    expect(leg.deadline_at.getTime() - leg.created_at.getTime()).toBe(30_000);
  });

  test.each([null, '+15550100'])('number %s, which is none of ours: turned away without a leg', async (number) => {
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

  it('finds the first leg when the webhook comes again with another token, and is refused with the same', async () => {
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

  test.each(LEG_STATES)('again, with the leg %s: the state stays', async (state) => {
    const call = await ring();
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

  it('begins in a state that the table lets a new leg reach', () => {
    expect(nextState(legMachine, legMachine.initial, 'ringing')).toBe('ringing');
  });
});

describe('every state that a caller can key digits in', () => {
  /** What keying does in each state; `event` is the table's word for it. */
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

  test.each(cases)('$state, $what PIN: $outcome, as the table moves it', async ({ state, what, outcome, event }) => {
    const room = await makeRoom(store, { max_participants: what === 'full' ? 1 : 10 });
    if (what === 'full') await makeLeg(store, room, { kind: 'webrtc', state: 'joined' });
    const call = await ring();
    await setColumns(store, 'leg', call.legId, { state, tries: what === 'last-wrong' ? 2 : 0 });
    const admission = await key(
      call,
      what === 'last-wrong' ? 3 : 1,
      what === 'right' || what === 'full' ? room.pin : '000000',
    );
    expect(admission.outcome).toBe(outcome);
    const moved = outcome === 'hang-up' ? state : (nextState(legMachine, state, event) ?? state);
    const leg = await readLeg(store, call.legId);
    expect(leg.state).toBe(moved);
    expect(leg.hangup_requested_at !== null).toBe(moved === 'ending' && state !== 'ending');
  });
});

describe('a caller keys', () => {
  it('the right PIN and is seated in the room’s session; the tenant comes from the PIN, and settling is owed', async () => {
    const room = await makeRoom(store);
    const call = await ring();
    expect(await key(call, 1, room.pin)).toMatchObject({
      outcome: 'admitted',
      tries: 1,
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

  it('wrong twice, and the third time is refused and owed a hang-up', async () => {
    const call = await ring();
    const outcomes = [await key(call, 1, '111222'), await key(call, 2, null), await key(call, 3, '111222')];
    expect(outcomes.map((each) => [each.outcome, each.tries])).toEqual([
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
    expect((await key(call, 4, room.pin)).outcome).toBe('hang-up');
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
  ])('a PIN $what: as if it were not there', async ({ spoil }) => {
    const room = await makeRoom(store);
    await spoil(room);
    const call = await ring();
    const before = await counts();
    expect(await key(call, 1, room.pin)).toMatchObject({ outcome: 'wrong-pin', tenant_id: null, session_id: null });
    expect(await counts()).toEqual(before);
    expect(await readLeg(store, call.legId)).toMatchObject({ tenant_id: null, session_id: null });
  });

  it('the PIN of a full room: ended legs and the bridge do not count, everybody else does', async () => {
    const room = await makeRoom(store, { max_participants: 2 });
    await makeLeg(store, room, { kind: 'bridge', state: 'joined' });
    await makeLeg(store, room, { kind: 'inbound', state: 'ended' });
    await makeLeg(store, room, { kind: 'webrtc', state: 'joined' });
    expect((await key(await ring(), 1, room.pin)).outcome).toBe('admitted');
    const call = await ring();
    expect((await key(call, 1, room.pin)).outcome).toBe('full');
    expect(await readLeg(store, call.legId)).toMatchObject({
      state: 'ending',
      hangup_reason: 'room-full',
      session_id: null,
    });
  });

  it('when the last session is over, and opens the next, on the room’s longest duration', async () => {
    const room = await makeRoom(store);
    await setColumns(store, 'session', room.sessionId, { state: 'ended' });
    const admission = await key(await ring(), 1, room.pin);
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

describe('the same webhook again', () => {
  it('with the same token: refused, and nothing changes', async () => {
    const room = await makeRoom(store);
    const call = await ring();
    const token = freshToken();
    await key(call, 1, '111222', token);
    const before = { leg: await readLeg(store, call.legId), counts: await counts() };
    expect(await key(call, 2, room.pin, token)).toMatchObject({
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
  ])('with another token, after $tries: $outcome once more, and no try is counted', async ({ tries, outcome }) => {
    const room = await makeRoom(store);
    const call = await ring();
    const pinOf = (what: string): string => (what === 'right' ? room.pin : what);
    let last: Admission | undefined;
    for (const [i, what] of tries.entries()) last = await key(call, i + 1, pinOf(what));
    const before = { leg: await readLeg(store, call.legId), counts: await counts() };
    // Whatever it says this time: only the number of the try counts.
    expect(await key(call, tries.length, '999888')).toEqual(last);
    expect(last?.outcome).toBe(outcome);
    expect({ leg: await readLeg(store, call.legId), counts: await counts() }).toEqual(before);
  });

  test.each(['ending', 'ended'] as const)('after admission, when the session is %s by now: let go', async (state) => {
    const room = await makeRoom(store);
    const call = await ring();
    await key(call, 1, room.pin);
    await setColumns(store, 'session', room.sessionId, { state });
    expect((await key(call, 1, room.pin)).outcome).toBe('hang-up');
  });

  test.each([
    { what: 'another call’s leg', at: async (call: Call) => ({ ...call, callId: (await ring()).callId }) },
    { what: 'a leg that is not there', at: async (call: Call) => ({ ...call, legId: 'leg_none' }) },
    {
      what: 'a leg that is no caller’s',
      at: async (call: Call) => {
        await setColumns(store, 'leg', call.legId, { kind: 'outbound' });
        return call;
      },
    },
  ])('for $what: unknown', async ({ at }) => {
    const room = await makeRoom(store);
    expect(await key(await at(await ring()), 1, room.pin)).toMatchObject({
      outcome: 'unknown-call',
      tenant_id: null,
      session_id: null,
    });
  });
});

test('answering and admitting cost one query each', async () => {
  const room = await makeRoom(store);
  const query = vi.spyOn(store.pool, 'query');
  const connect = vi.spyOn(store.pool, 'connect');
  const call = await ring();
  expect(query).toHaveBeenCalledTimes(1);
  expect((await key(call, 1, room.pin)).outcome).toBe('admitted');
  expect(query).toHaveBeenCalledTimes(2);
  expect(connect).toHaveBeenCalledTimes(2);
});
