import { afterAll, beforeAll, expect, it } from 'vitest';
import { answerQuestions } from '@partyline/conference/provider-rpc/handlers';
import { agreeable, startStage, type Stage } from '../testing/test-harness.ts';

let stage: Stage;
let roomId: string;
let sessionId: string;
beforeAll(async () => {
  // Who may ask about a room is decided on the answering side too: its real code, over a provider that is never reached.
  stage = await startStage((store) => ({
    ...agreeable,
    observeRoom: (input) => answerQuestions({ store } as Parameters<typeof answerQuestions>[0]).observeRoom(input),
  }));
  const { body } = await stage.ask('POST', '/v1/rooms', { body: { name: 'Ours' } });
  [roomId, sessionId] = [body.room.id, body.session.id];
});
afterAll(() => stage.stop());

const others = [
  ['GET', () => `/v1/rooms/${roomId}`, undefined],
  ['GET', () => `/v1/rooms/${roomId}/live`, undefined],
  ['GET', () => `/v1/rooms/${roomId}/participants`, undefined],
  ['POST', () => `/v1/rooms/${roomId}/participants`, { phone: '+442079460018' }],
  ['POST', () => `/v1/rooms/${roomId}/tokens`, { name: 'Mallory' }],
  ['POST', () => `/v1/rooms/${roomId}/end`, undefined],
] as const;

it.each(others)('another tenant’s room is no room: %s %s', async (method, path, body) => {
  const before = await stage.counts();
  const theirs = await stage.ask(method, path(), { key: stage.keys.theirs, body });
  const nobodys = await stage.ask(method, path().replace(roomId, 'room_AAAAAAAAAAAAAAAAAAAAAA'), { body });
  expect([theirs.status, theirs.body.reason]).toEqual([404, 'room-not-found']);
  // Nothing tells a room of somebody else's from one that never was.
  expect({ ...theirs.body, requestId: '' }).toEqual({ ...nobodys.body, requestId: '' });
  expect(await stage.counts()).toEqual(before);
  expect((await stage.ask('GET', `/v1/rooms/${roomId}`)).body.room.state).toBe('active');
});

it('another tenant’s session is no session', async () => {
  const { status, body } = await stage.ask('GET', `/v1/sessions/${sessionId}/events`, { key: stage.keys.theirs });
  expect([status, body.reason]).toEqual([404, 'session-not-found']);
});

it('lists only one’s own rooms', async () => {
  expect((await stage.ask('GET', '/v1/rooms', { key: stage.keys.theirs })).body).toEqual({ rooms: [], next: null });
});
