import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore, type Store } from '../database/store.ts';
import {
  freshId,
  freshIds,
  freshToken,
  lookupOf,
  makeLeg,
  makeRoom,
  readLeg,
  setColumns,
  type TestRoom,
} from '../testing/fixtures.ts';
import { admitCaller, answerCaller, type AnsweredCaller } from './voice-webhooks.ts';

let database: TestDatabase;
let store: Store;
beforeAll(async () => {
  database = await createTestDatabase();
  store = openStore({ owner: true, url: database.url, onError: () => undefined });
});
afterAll(async () => {
  await store.close();
  await database.drop();
});

/** A pinless room on a dedicated number. */
async function makePinlessRoom(settings: Parameters<typeof makeRoom>[1] = {}): Promise<TestRoom & { number: string }> {
  const number = `+4420794${String(Math.trunc(Number(freshId('n').split('_')[1]))).padStart(5, '0')}`;
  const tenantId = freshId('ten');
  await store.prisma.tenant.create({ data: { id: tenantId, name: tenantId } });
  await store.prisma.dial_in_number.create({ data: { e164: number, language: 'en-GB', dedicated_to: tenantId } });
  return { ...(await makeRoom(store, { tenant_id: tenantId, number, pinless: true, ...settings })), number };
}
const answerCall = (number: string, callId = freshId('call')): Promise<AnsweredCaller> =>
  answerCaller(store, freshToken(), { legId: freshId('leg'), callId, number, remote: null }, freshIds());

describe('answerCaller for the number of a pinless room', () => {
  it('admits the caller at once, and again for a duplicate webhook', async () => {
    const room = await makePinlessRoom();
    const callId = freshId('call');
    const first = await answerCall(room.number, callId);
    expect(first).toMatchObject({
      outcome: 'admitted',
      tenant_id: room.tenantId,
      session_id: room.sessionId,
      conversation: room.conversation,
      waits: false,
    });
    expect(await answerCall(room.number, callId)).toEqual(first);
    expect(await readLeg(store, first.leg_id!)).toMatchObject({
      state: 'answered',
      tries: 1,
      session_id: room.sessionId,
    });
    expect(await store.prisma.participant.count({ where: { tenant_id: room.tenantId, kind: 'caller' } })).toBe(1);
    const ends_at = new Date(Date.now() + 600_000);
    await setColumns(store, 'room', room.roomId, { ends_at });
    expect(await answerCall(room.number, callId)).toMatchObject({ outcome: 'admitted', deadline_at: ends_at });
    await setColumns(store, 'session', room.sessionId, { state: 'ending' });
    expect((await answerCall(room.number, callId)).outcome).toBe('hang-up');
  });

  it('answers why the caller is not admitted, and the same for a duplicate webhook', async () => {
    const hour = 3_600_000;
    for (const [settings, outcome] of [
      [{ starts_at: new Date(Date.now() + hour) }, 'not-open'],
      [{ ends_at: new Date(Date.now() - hour) }, 'over'],
      [{ max_participants: 0 }, 'full'],
    ] as const) {
      const room = await makePinlessRoom(settings);
      const callId = freshId('call');
      const [first, again] = [await answerCall(room.number, callId), await answerCall(room.number, callId)];
      expect([first.outcome, again.outcome]).toEqual([outcome, outcome]);
      expect(await readLeg(store, first.leg_id!)).toMatchObject({
        state: 'ending',
        hangup_reason: `room-${outcome}`,
        session_id: null,
      });
    }
  });

  it('asks for a PIN when the room has ended, or belongs to another tenant than the number', async () => {
    const room = await makePinlessRoom();
    await setColumns(store, 'room', room.roomId, { state: 'ended' });
    expect((await answerCall(room.number)).outcome).toBe('ask');
    const other = await makePinlessRoom();
    await setColumns(store, 'room', other.roomId, { tenant_id: room.tenantId });
    expect((await answerCall(other.number)).outcome).toBe('ask');
  });

  it('admits no more of twelve concurrent callers than the room allows', async () => {
    const room = await makePinlessRoom({ max_participants: 5 });
    const outcomes = (await Promise.all(Array.from({ length: 12 }, () => answerCall(room.number)))).map(
      ({ outcome }) => outcome,
    );
    expect(outcomes.filter((outcome) => outcome === 'admitted')).toHaveLength(5);
    expect(outcomes.filter((outcome) => outcome === 'full')).toHaveLength(7);
  });
});

it('answerCaller makes the caller wait for the host only while no host has joined', async () => {
  const room = await makePinlessRoom({ wait_for_host: true });
  expect(await answerCall(room.number)).toMatchObject({ outcome: 'admitted', waits: true });
  await makeLeg(store, room, { kind: 'webrtc', state: 'joined', role: 'host' });
  expect(await answerCall(room.number)).toMatchObject({ outcome: 'admitted', waits: false });
});

it('admitCaller gives the leg the role and the participant of the PIN', async () => {
  const room = await makeRoom(store, { wait_for_host: true });
  const { number } = await store.prisma.room.findUniqueOrThrow({ where: { id: room.roomId } });
  await store.prisma.dial_in_number.createMany({ data: [{ e164: number }], skipDuplicates: true });
  const pin = await store.prisma.pin.findFirstOrThrow({ where: { room_id: room.roomId } });
  await setColumns(store, 'pin', pin.id, { role: 'host', participant_id: 'part_grace' });
  const { leg_id: legId } = await answerCall(number);
  const leg = await readLeg(store, legId!);
  expect(
    await admitCaller(
      store,
      freshToken(),
      { legId: leg.id, callId: leg.voice_call_id!, tryNo: 1, lookups: [lookupOf(room.pin)] },
      freshIds(),
    ),
  ).toMatchObject({ outcome: 'admitted', waits: false });
  expect(await readLeg(store, leg.id)).toMatchObject({ role: 'host', participant_id: 'part_grace' });
});
