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

/** A leg of ours that the carrier rings about, and how it is named. */
async function ownLeg(kind: (typeof KINDS)[number], state: (typeof LEG_STATES)[number], of: TestRoom) {
  const token_hash = Buffer.from(freshId('hash'));
  const legId = await makeLeg(store, of, { kind, state, token_hash });
  return { legId, by: kind === 'bridge' ? { tokenHash: token_hash } : { legId } };
}

describe.each(KINDS)('our own %s leg is picked up', (kind) => {
  test.each(LEG_STATES)('from %s, as the table moves it', async (state) => {
    const of = await makeRoom(store);
    const { legId, by } = await ownLeg(kind, state, of);
    const callId = freshId('call');
    const answered = await answerOwnLeg(store, freshToken(), by, callId);
    const letGo = state === 'ending' || state === 'ended';
    expect(answered).toMatchObject({
      outcome: letGo ? 'hang-up' : 'join',
      leg_id: legId,
      tenant_id: of.tenantId,
      session_id: of.sessionId,
      conversation: letGo ? null : of.conversation,
    });
    // Its call is known from now on, whatever the state: it must be seen closed.
    expect(await readLeg(store, legId)).toMatchObject({
      state: nextState(legMachine, state, 'answered') ?? state,
      voice_call_id: callId,
    });
    expect((await readSession(store, of.sessionId)).settle_due_at !== null).toBe(!letGo);
  });

  test.each(SESSION_STATES)('while its session is %s', async (state) => {
    const of = await makeRoom(store);
    await setColumns(store, 'session', of.sessionId, { state });
    const { legId, by } = await ownLeg(kind, 'dialling', of);
    const { outcome } = await answerOwnLeg(store, freshToken(), by, freshId('call'));
    const joins = state === 'open' || state === 'live';
    expect(outcome).toBe(joins ? 'join' : 'hang-up');
    expect((await readLeg(store, legId)).state).toBe(joins ? 'answered' : 'dialling');
  });

  it('comes again with another token, and gets the same answer; with the same, it is refused and changes nothing', async () => {
    const { legId, by } = await ownLeg(kind, 'dialling', await makeRoom(store));
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

  it('is taken by one call only: another that names it joins nothing', async () => {
    const { legId, by } = await ownLeg(kind, 'dialling', await makeRoom(store));
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
    });
    expect(await readLeg(store, legId)).toEqual(before);
  });

  it('after its end was decided, and is to be asked again at once, now that its call has a name', async () => {
    const { legId, by } = await ownLeg(kind, 'ending', await makeRoom(store));
    await setColumns(store, 'leg', legId, { hangup_attempted_at: new Date(), hangup_attempts: 1 });
    await answerOwnLeg(store, freshToken(), by, freshId('call'));
    expect((await readLeg(store, legId)).hangup_attempted_at).toBeNull();
  });
});

test.each([
  { what: 'a token that nobody gave out', by: { tokenHash: Buffer.from('guess') } },
  { what: 'a leg that is not there', by: { legId: 'leg_none' } },
])('$what joins nothing', async ({ by }) => {
  expect((await answerOwnLeg(store, freshToken(), by, freshId('call'))).outcome).toBe('unknown-leg');
});

test.each([
  { kind: 'inbound', name: 'a caller’s leg by its id' },
  { kind: 'webrtc', name: 'a browser’s leg by its id' },
  { kind: 'bridge', name: 'the bridge by its id, without its token' },
] as const)('$name joins nothing', async ({ kind }) => {
  const legId = await makeLeg(store, await makeRoom(store), { kind, state: 'dialling' });
  expect((await answerOwnLeg(store, freshToken(), { legId }, freshId('call'))).outcome).toBe('unknown-leg');
  expect((await readLeg(store, legId)).voice_call_id).toBeNull();
});

test('an outbound leg does not join by a token', async () => {
  const tokenHash = Buffer.from(freshId('hash'));
  await makeLeg(store, room, { kind: 'outbound', state: 'dialling', token_hash: tokenHash });
  expect((await answerOwnLeg(store, freshToken(), { tokenHash }, freshId('call'))).outcome).toBe('unknown-leg');
});

test('being picked up costs one query', async () => {
  const { by } = await ownLeg('bridge', 'dialling', await makeRoom(store));
  const query = vi.spyOn(store.pool, 'query');
  const connect = vi.spyOn(store.pool, 'connect');
  expect((await answerOwnLeg(store, freshToken(), by, freshId('call'))).outcome).toBe('join');
  expect([query.mock.calls.length, connect.mock.calls.length]).toEqual([1, 1]);
});
