import { afterAll, beforeAll, expect, it } from 'vitest';
import { createRpcHandlers } from '@partyline/conference/provider-rpc/handlers';
import { acceptingProvider, startTestHarness, type TestHarness } from '../testing/test-harness.ts';

let harness: TestHarness;
let roomId: string;
let sessionId: string;
beforeAll(async () => {
  // The orchestrator checks the tenant too, so its real handler runs here. It never reaches the
  // provider.
  harness = await startTestHarness((store) => ({
    ...acceptingProvider,
    observeRoom: (input) => createRpcHandlers({ store } as Parameters<typeof createRpcHandlers>[0]).observeRoom(input),
  }));
  const { body } = await harness.request('POST', '/v1/rooms', { body: { name: 'Ours' } });
  [roomId, sessionId] = [body.room.id, body.session.id];
});
afterAll(() => harness.stop());

const requests = [
  ['GET', () => `/v1/rooms/${roomId}`, undefined],
  ['GET', () => `/v1/rooms/${roomId}/live`, undefined],
  ['GET', () => `/v1/rooms/${roomId}/participants`, undefined],
  ['POST', () => `/v1/rooms/${roomId}/participants`, { phone: '+442079460018' }],
  ['POST', () => `/v1/rooms/${roomId}/tokens`, { name: 'Mallory' }],
  ['POST', () => `/v1/rooms/${roomId}/end`, undefined],
] as const;

it.each(requests)("returns 404 for another tenant's room: %s %s", async (method, path, body) => {
  const before = await harness.countRows();
  const theirs = await harness.request(method, path(), { key: harness.keys.theirs, body });
  const unknown = await harness.request(method, path().replace(roomId, 'room_AAAAAAAAAAAAAAAAAAAAAA'), { body });
  expect([theirs.status, theirs.body.reason]).toEqual([404, 'room-not-found']);
  // The reply is the same as for a room that does not exist.
  expect({ ...theirs.body, requestId: '' }).toEqual({ ...unknown.body, requestId: '' });
  expect(await harness.countRows()).toEqual(before);
  expect((await harness.request('GET', `/v1/rooms/${roomId}`)).body.room.state).toBe('active');
});

it("returns 404 for another tenant's session", async () => {
  const { status, body } = await harness.request('GET', `/v1/sessions/${sessionId}/events`, {
    key: harness.keys.theirs,
  });
  expect([status, body.reason]).toEqual([404, 'session-not-found']);
});

it('lists only rooms of the tenant', async () => {
  expect((await harness.request('GET', '/v1/rooms', { key: harness.keys.theirs })).body).toEqual({
    rooms: [],
    next: null,
  });
});
