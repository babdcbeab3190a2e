import { eventId, findEventPosition, listEvents } from '@partyline/store/events/outbox';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openRoom, scheduleRoom } from '../testing/meeting.ts';
import { startTestHarness, type TestDeps, type TestHarness } from '../testing/test-harness.ts';
import { deleteRoom } from './delete-room.ts';
import { endRoom } from './end-room.ts';
import { updateRoom } from './update-room.ts';

let harness: TestHarness;
let deps: TestDeps;
beforeAll(async () => {
  harness = await startTestHarness();
  deps = harness.deps.unified;
});
afterAll(() => harness.close());

const eventsOfRoom = async (roomId: string) =>
  (await listEvents(deps.store, deps.tenantId, { after: null, upTo: '1000000', types: [], roomId, limit: 100 })).filter(
    ({ type }) => type.startsWith('room.'),
  );

it('a room emits each of its changes once, in an order of its own', async () => {
  const { roomId, number } = await openRoom(deps, { external_id: 'booking-4711' });
  await updateRoom(deps, deps.tenantId, roomId, { name: 'Weekly', external_id: 'booking-4712' }, 1);
  for (let i = 0; i < 2; i++) await endRoom(deps, deps.tenantId, roomId);
  for (let i = 0; i < 2; i++) await deleteRoom(deps, deps.tenantId, roomId);
  const events = await eventsOfRoom(roomId);
  const changed = { dialInNumber: number, externalId: 'booking-4712' };
  expect(events.map(({ seq, session_id, type, data }) => [seq, session_id, type, data])).toEqual([
    [1, null, 'room.created', { ...changed, name: 'Room', version: 1, externalId: 'booking-4711' }],
    [2, null, 'room.updated', { ...changed, name: 'Weekly', version: 2 }],
    [3, null, 'room.ended', { reason: 'ended-by-tenant', externalId: 'booking-4712' }],
    [4, null, 'room.deleted', { externalId: 'booking-4712' }],
  ]);
  // The public id names one event, also after the event was purged.
  const second = events.at(1)!;
  expect(await findEventPosition(deps.store, deps.tenantId, eventId(second))).toEqual({ id: second.id, old: false });
  await harness.store.prisma.outbox.delete({ where: { id: BigInt(second.id) } });
  expect(await findEventPosition(deps.store, deps.tenantId, eventId(second))).toEqual({ id: null, old: true });
  expect(await findEventPosition(deps.store, deps.tenantId, eventId({ ...second, seq: 5 }))).toBeNull();
  expect(await findEventPosition(deps.store, 'ten_other', eventId({ ...second, seq: 3 }))).toBeNull();
});

it('a room without a session emits too', async () => {
  const { roomId } = await scheduleRoom(deps);
  await endRoom(deps, deps.tenantId, roomId);
  expect((await eventsOfRoom(roomId)).map(({ seq, type }) => [seq, type])).toEqual([
    [1, 'room.created'],
    [2, 'room.ended'],
  ]);
});

it('a change that is rolled back emits nothing', async () => {
  await openRoom(deps, { external_id: 'taken' });
  const { roomId } = await openRoom(deps);
  await expect(updateRoom(deps, deps.tenantId, roomId, { external_id: 'taken' }, null)).rejects.toMatchObject({
    verdict: { reason: 'external-id-taken' },
  });
  expect((await eventsOfRoom(roomId)).map(({ type }) => type)).toEqual(['room.created']);
});
