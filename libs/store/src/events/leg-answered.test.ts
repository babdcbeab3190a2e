import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { appendEvents } from './append-events.ts';
import { lockSession, saveSession } from '../sessions/session-lock.ts';
import { inTransaction, openStore, type Store } from '../database/store.ts';
import {
  type TestRoom,
  NUMBER,
  freshId,
  freshIds,
  freshToken,
  lookupOf,
  makeLeg,
  makeNumbers,
  makeRoom,
  setColumns,
} from '../testing/fixtures.ts';
import { admitCaller, answerCaller, answerOwnLeg, type Admission } from '../callers/voice-webhooks.ts';

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

async function answerCall(): Promise<{ legId: string; callId: string }> {
  const call = { legId: freshId('leg'), callId: freshId('call') };
  await answerCaller(store, freshToken(), { ...call, number: NUMBER, remote: null }, freshIds());
  return call;
}
const keyPin = (call: { legId: string; callId: string }, tryNo: number, pin: string): Promise<Admission> =>
  admitCaller(store, freshToken(), { ...call, tryNo, lookups: [lookupOf(pin)] }, freshIds());
const eventsOf = async ({ sessionId }: TestRoom) =>
  (await store.prisma.outbox.findMany({ where: { session_id: sessionId }, orderBy: { seq: 'asc' } })).map(
    ({ seq, type, data }) => ({ seq, type, data }),
  );
const lastSeq = async ({ sessionId }: TestRoom): Promise<number> =>
  (await store.prisma.session.findUniqueOrThrow({ where: { id: sessionId } })).last_seq;

describe('the admission of a caller', () => {
  it('emits leg.answered with the next sequence number of the session', async () => {
    const room = await makeRoom(store);
    const call = await answerCall();
    await inTransaction(store, room.tenantId, async (tx) => {
      const view = await lockSession(tx, room.tenantId, room.sessionId);
      await appendEvents(tx, room.tenantId, { roomId: room.roomId, sessionId: room.sessionId, firstSeq: 1 }, [
        { type: 'session.live', data: {} },
      ]);
      await saveSession(tx, room.tenantId, { ...view!.session, last_seq: 1 });
    });
    expect((await keyPin(call, 1, room.pin)).outcome).toBe('admitted');
    const leg = await store.prisma.leg.findUniqueOrThrow({ where: { id: call.legId } });
    expect(leg).toMatchObject({ state: 'answered', participant_id: expect.any(String) });
    expect(await eventsOf(room)).toEqual([
      { seq: 1, type: 'session.live', data: { externalId: null } },
      {
        seq: 2,
        type: 'leg.answered',
        data: {
          legId: call.legId,
          kind: 'inbound',
          participantId: leg.participant_id,
          name: 'Caller',
          role: 'participant',
          number: null,
          externalId: null,
        },
      },
    ]);
    expect(await lastSeq(room)).toBe(2);
  });

  it('emits one event after a wrong PIN and for duplicate webhooks', async () => {
    const room = await makeRoom(store);
    const call = await answerCall();
    await keyPin(call, 1, '000000');
    expect(await eventsOf(room)).toEqual([]);
    for (let i = 0; i < 3; i++) expect((await keyPin(call, 2, room.pin)).outcome).toBe('admitted');
    expect((await eventsOf(room)).map(({ seq, type }) => [seq, type])).toEqual([[1, 'leg.answered']]);
  });

  it('numbers the events of twenty concurrent callers without a gap', async () => {
    const room = await makeRoom(store, { max_participants: 100 });
    const calls = await Promise.all(Array.from({ length: 20 }, answerCall));
    expect((await Promise.all(calls.map((call) => keyPin(call, 1, room.pin)))).map(({ outcome }) => outcome)).toEqual(
      calls.map(() => 'admitted'),
    );
    const events = await eventsOf(room);
    expect(events.map(({ seq }) => seq)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    expect(events.map(({ data }) => (data as { legId: string }).legId).toSorted()).toEqual(
      calls.map(({ legId }) => legId).toSorted(),
    );
    expect(await lastSeq(room)).toBe(20);
  });

  it('emits no event when the room is full', async () => {
    const room = await makeRoom(store, { max_participants: 1 });
    await keyPin(await answerCall(), 1, room.pin);
    expect((await keyPin(await answerCall(), 1, room.pin)).outcome).toBe('full');
    expect(await eventsOf(room)).toHaveLength(1);
  });

  it('creates due deliveries for the endpoints that subscribe to the type', async () => {
    const room = await makeRoom(store);
    for (const [id, types] of [
      ['all', []],
      ['answers', ['leg.answered']],
      ['ends', ['session.ended']],
    ] as const) {
      await store.prisma.endpoint.create({
        data: {
          id: `${id} of ${room.tenantId}`,
          tenant_id: room.tenantId,
          url: 'http://127.0.0.1:9/',
          types: [...types],
          secret: new Uint8Array(32),
        },
      });
    }
    await keyPin(await answerCall(), 1, room.pin);
    const deliveries = await store.prisma.delivery.findMany({
      where: { tenant_id: room.tenantId },
      orderBy: { endpoint_id: 'asc' },
    });
    expect(deliveries).toMatchObject(
      ['all', 'answers'].map((id) => ({
        endpoint_id: `${id} of ${room.tenantId}`,
        stream: room.sessionId,
        seq: 1,
        next_try_at: expect.any(Date),
      })),
    );
  });
});

describe('the answer of an outbound call', () => {
  it.each(['requested', 'dialling', 'ringing'] as const)('emits one event from state %s', async (state) => {
    const room = await makeRoom(store);
    const legId = await makeLeg(store, room, { kind: 'outbound', state });
    await setColumns(store, 'leg', legId, { participant_id: 'part_dialled' });
    for (let i = 0; i < 2; i++)
      expect((await answerOwnLeg(store, freshToken(), { legId }, `call of ${legId}`)).outcome).toBe('join');
    expect(await eventsOf(room)).toEqual([
      {
        seq: 1,
        type: 'leg.answered',
        data: {
          legId,
          kind: 'outbound',
          participantId: 'part_dialled',
          name: null,
          role: 'participant',
          number: null,
          externalId: null,
        },
      },
    ]);
  });

  it.each(['answered', 'joined', 'ending', 'ended'] as const)('emits no event from state %s', async (state) => {
    const room = await makeRoom(store);
    const legId = await makeLeg(store, room, { kind: 'outbound', state });
    await answerOwnLeg(store, freshToken(), { legId }, freshId('call'));
    expect(await eventsOf(room)).toEqual([]);
    expect(await lastSeq(room)).toBe(0);
  });
});
