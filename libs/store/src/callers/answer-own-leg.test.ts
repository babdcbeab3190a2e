import { LEG_STATES, legMachine } from '@partyline/domain/leg';
import { nextState } from '@partyline/domain/machine';
import { SESSION_STATES } from '@partyline/domain/session';
import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { afterAll, beforeAll, describe, expect, it, test, vi } from 'vitest';
import { openStore, type Store } from '../database/store.ts';
import {
  freshId,
  freshToken,
  makeLeg,
  makeNumbers,
  makeRoom,
  readLeg,
  readSession,
  setColumns,
  type TestRoom,
} from '../testing/fixtures.ts';
import { answerOwnLeg } from './voice-webhooks.ts';

let database: TestDatabase;
let store: Store;
let room: TestRoom;

beforeAll(async () => {
  database = await createTestDatabase();
  store = openStore({ owner: true, url: database.url, onError: () => undefined });
  await makeNumbers(store);
  room = await makeRoom(store);
});
afterAll(async () => {
  await store.close();
  await database.drop();
});

const KINDS = ['bridge', 'outbound'] as const;

/** A leg that we dialled, and the identifier of its answer webhook. */
async function makeOwnLeg(kind: (typeof KINDS)[number], state: (typeof LEG_STATES)[number], of: TestRoom) {
  const token_hash = Buffer.from(freshId('hash'));
  const legId = await makeLeg(store, of, { kind, state, token_hash });
  return { legId, by: kind === 'bridge' ? { tokenHash: token_hash } : { legId } };
}

describe.each(KINDS)('answerOwnLeg for a leg of kind %s', (kind) => {
  test.each(LEG_STATES)('follows the leg machine when the leg is %s', async (state) => {
    const of = await makeRoom(store);
    const { legId, by } = await makeOwnLeg(kind, state, of);
    const callId = freshId('call');
    const answered = await answerOwnLeg(store, freshToken(), by, callId);
    const isOver = state === 'ending' || state === 'ended';
    expect(answered).toMatchObject({
      outcome: isOver ? 'hang-up' : 'join',
      leg_id: legId,
      tenant_id: of.tenantId,
      session_id: of.sessionId,
      conversation: isOver ? null : of.conversation,
    });
    // The call id is stored in every state, because the call must be confirmed as closed.
    expect(await readLeg(store, legId)).toMatchObject({
      state: nextState(legMachine, state, 'answered') ?? state,
      voice_call_id: callId,
    });
    expect((await readSession(store, of.sessionId)).settle_due_at !== null).toBe(!isOver);
  });

  test.each(SESSION_STATES)('joins only a running session when the session is %s', async (state) => {
    const of = await makeRoom(store);
    await setColumns(store, 'session', of.sessionId, { state });
    const { legId, by } = await makeOwnLeg(kind, 'dialling', of);
    const { outcome } = await answerOwnLeg(store, freshToken(), by, freshId('call'));
    const joins = state === 'open' || state === 'live';
    expect(outcome).toBe(joins ? 'join' : 'hang-up');
    expect((await readLeg(store, legId)).state).toBe(joins ? 'answered' : 'dialling');
  });

  it('names the end of the session, which may have moved after the dial', async () => {
    const of = await makeRoom(store);
    const { by } = await makeOwnLeg(kind, 'dialling', of);
    const ends_at = new Date(Date.now() + 600_000);
    await setColumns(store, 'room', of.roomId, { ends_at });
    expect(await answerOwnLeg(store, freshToken(), by, freshId('call'))).toMatchObject({
      outcome: 'join',
      deadline_at: ends_at,
    });
  });

  it('repeats the answer for a duplicate webhook with a new token, and rejects a replayed token', async () => {
    const { legId, by } = await makeOwnLeg(kind, 'dialling', await makeRoom(store));
    const callId = freshId('call');
    const token = freshToken();
    const first = await answerOwnLeg(store, token, by, callId);
    expect(await answerOwnLeg(store, freshToken(), by, callId)).toEqual(first);
    const before = await readLeg(store, legId);
    expect(await answerOwnLeg(store, token, by, callId)).toMatchObject({
      outcome: 'replayed',
      tenant_id: null,
      leg_id: null,
    });
    expect(await readLeg(store, legId)).toEqual(before);
  });

  it('rejects a second call that names the same leg', async () => {
    const { legId, by } = await makeOwnLeg(kind, 'dialling', await makeRoom(store));
    const callId = freshId('call');
    await answerOwnLeg(store, freshToken(), by, callId);
    const before = await readLeg(store, legId);
    expect(await answerOwnLeg(store, freshToken(), by, freshId('call'))).toEqual({
      outcome: 'unknown-leg',
      tenant_id: null,
      session_id: null,
      conversation: null,
      leg_id: null,
      kind: null,
      waits: false,
      deadline_at: null,
    });
    expect(await readLeg(store, legId)).toEqual(before);
  });

  it('makes the hang-up of an ending leg due at once, because its call id is now known', async () => {
    const { legId, by } = await makeOwnLeg(kind, 'ending', await makeRoom(store));
    await setColumns(store, 'leg', legId, { hangup_attempted_at: new Date(), hangup_attempts: 1 });
    await answerOwnLeg(store, freshToken(), by, freshId('call'));
    expect((await readLeg(store, legId)).hangup_attempted_at).toBeNull();
  });
});

test.each([
  { what: 'an unknown token', by: { tokenHash: Buffer.from('guess') } },
  { what: 'a missing leg', by: { legId: 'leg_none' } },
])('answerOwnLeg answers unknown-leg for $what', async ({ by }) => {
  expect((await answerOwnLeg(store, freshToken(), by, freshId('call'))).outcome).toBe('unknown-leg');
});

test.each([
  { kind: 'inbound', name: 'an inbound leg by its id' },
  { kind: 'webrtc', name: 'a browser leg by its id' },
  { kind: 'bridge', name: 'a bridge leg by its id, without its token' },
] as const)('answerOwnLeg answers unknown-leg for $name', async ({ kind }) => {
  const legId = await makeLeg(store, await makeRoom(store), { kind, state: 'dialling' });
  expect((await answerOwnLeg(store, freshToken(), { legId }, freshId('call'))).outcome).toBe('unknown-leg');
  expect((await readLeg(store, legId)).voice_call_id).toBeNull();
});

test('answerOwnLeg rejects a token for an outbound leg', async () => {
  const tokenHash = Buffer.from(freshId('hash'));
  await makeLeg(store, room, { kind: 'outbound', state: 'dialling', token_hash: tokenHash });
  expect((await answerOwnLeg(store, freshToken(), { tokenHash }, freshId('call'))).outcome).toBe('unknown-leg');
});

describe('answerOwnLeg for a call that another leg has', () => {
  /** An ended leg, and another leg that has the call. */
  async function makeLegs(callId: string, other: { of?: TestRoom; kind?: 'outbound' | 'inbound' } = {}) {
    const of = await makeRoom(store);
    const { by } = await makeOwnLeg('outbound', 'ended', of);
    const kind = other.kind ?? 'outbound';
    const legId = await makeLeg(store, other.of ?? of, { kind, state: 'ringing', voice_call_id: callId });
    return { by, legId };
  }

  it('answers the leg that reopened the call, although the URL names the ended one', async () => {
    const callId = freshId('call');
    const { by, legId } = await makeLegs(callId);
    for (let n = 0; n < 2; n++)
      expect(await answerOwnLeg(store, freshToken(), by, callId)).toMatchObject({ outcome: 'join', leg_id: legId });
    expect(await readLeg(store, legId)).toMatchObject({ state: 'answered', voice_call_id: callId });
  });

  it.each([
    { what: 'of another session', other: async () => ({ of: await makeRoom(store) }) },
    { what: 'that dialled in', other: async () => ({ kind: 'inbound' as const }) },
  ])('answers unknown-leg when it is a leg $what', async ({ other }) => {
    const callId = freshId('call');
    const { by, legId } = await makeLegs(callId, await other());
    expect((await answerOwnLeg(store, freshToken(), by, callId)).outcome).toBe('unknown-leg');
    expect((await readLeg(store, legId)).state).toBe('ringing');
  });

  it('answers unknown-leg for a token', async () => {
    const callId = freshId('call');
    const of = await makeRoom(store);
    const { by } = await makeOwnLeg('bridge', 'dialling', of);
    await makeLeg(store, of, { kind: 'outbound', state: 'ringing', voice_call_id: callId });
    expect((await answerOwnLeg(store, freshToken(), by, callId)).outcome).toBe('unknown-leg');
  });
});

test('answerOwnLeg runs one query', async () => {
  const { by } = await makeOwnLeg('bridge', 'dialling', await makeRoom(store));
  const query = vi.spyOn(store.pool, 'query');
  const connect = vi.spyOn(store.pool, 'connect');
  expect((await answerOwnLeg(store, freshToken(), by, freshId('call'))).outcome).toBe('join');
  expect([query.mock.calls.length, connect.mock.calls.length]).toEqual([1, 1]);
});
