import { VerdictError } from '@partyline/domain/verdict';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { acceptingProvider, startTestHarness, type TestHarness } from '../testing/test-harness.ts';

let harness: TestHarness;
const calls: unknown[] = [];
let rejection: Error | null = null;
beforeAll(async () => {
  const recordCall = (what: string) => async (input: object) => {
    calls.push([what, input]);
    if (rejection !== null) throw rejection;
    return { legId: 'leg_1' };
  };
  harness = await startTestHarness(() => ({
    ...acceptingProvider,
    mute: recordCall('mute'),
    sendDigits: recordCall('digits'),
  }));
});
afterAll(() => harness.stop());

async function dialParticipant(): Promise<{ room: string; participantId: string; legId: string }> {
  const { body } = await harness.request('POST', '/v1/rooms', { body: { name: 'Room' } });
  const { body: added } = await harness.request('POST', `/v1/rooms/${body.room.id}/participants`, {
    body: { phone: '+442079460018', name: 'Charles', role: 'host' },
  });
  return { room: body.room.id, ...added };
}

it('shows a participant and changes the name', async () => {
  const { room, participantId, legId } = await dialParticipant();
  const shown = await harness.request('GET', `/v1/participants/${participantId}`);
  expect(shown.body).toMatchObject({
    id: participantId,
    roomId: room,
    name: 'Charles',
    role: 'host',
    kind: 'dialled',
    state: 'requested',
    number: '+442*******18',
    legId,
    muted: false,
  });
  expect(
    (await harness.request('PATCH', `/v1/participants/${participantId}`, { body: { name: 'Charlie' } })).body,
  ).toEqual({
    ...shown.body,
    name: 'Charlie',
  });
  expect((await harness.request('GET', `/v1/rooms/${room}/participants`)).body.participants[1]).toEqual({
    ...shown.body,
    name: 'Charlie',
  });
});

it('removes a participant before the dial, and again without a leg', async () => {
  const { room, participantId, legId } = await dialParticipant();
  const { status, body } = await harness.request('DELETE', `/v1/participants/${participantId}`);
  expect([status, body]).toEqual([202, { legIds: [legId] }]);
  expect((await harness.request('GET', `/v1/participants/${participantId}`)).body).toMatchObject({
    state: 'ended',
    reason: 'removed',
  });
  expect((await harness.request('GET', `/v1/rooms/${room}`)).body).toMatchObject({
    session: { state: 'open' },
    legs: [{ hangUp: { reason: 'removed' } }],
  });
  expect((await harness.request('DELETE', `/v1/participants/${participantId}`)).body).toEqual({ legIds: [] });
});

it('shows a participant who was removed before the first connection as ended with the reason `removed`', async () => {
  const { body: made } = await harness.request('POST', '/v1/rooms', { body: { name: 'Room' } });
  const roster = `/v1/rooms/${made.room.id}/participants`;
  const invited = { state: 'invited', outcome: null, reason: null };
  const removed = { state: 'ended', outcome: 'success', reason: 'removed', legId: null, leftAt: expect.any(String) };
  expect((await harness.request('GET', roster)).body.participants).toMatchObject([invited]);
  await harness.request('DELETE', `/v1/participants/${made.participantId}`);
  expect((await harness.request('GET', roster)).body.participants).toMatchObject([removed]);
  expect((await harness.request('GET', `/v1/participants/${made.participantId}`)).body).toMatchObject(removed);
});

it('mutes and sends digits through the provider, and returns its rejections', async () => {
  const { participantId } = await dialParticipant();
  expect(
    (await harness.request('POST', `/v1/participants/${participantId}/mute`, { body: { muted: true } })).body,
  ).toEqual({
    legId: 'leg_1',
  });
  expect(
    (await harness.request('POST', `/v1/participants/${participantId}/dtmf`, { body: { digits: '1p2#' } })).body,
  ).toEqual({ legId: 'leg_1' });
  expect(calls).toEqual([
    ['mute', { tenantId: 'ten_ours', participantId, muted: true }],
    ['digits', { tenantId: 'ten_ours', participantId, digits: '1p2#' }],
  ]);
  for (const reason of ['participant-not-connected', 'not-supported'] as const) {
    rejection = new VerdictError('client', reason, 'No.');
    const { status, body } = await harness.request('POST', `/v1/participants/${participantId}/mute`, {
      body: { muted: false },
    });
    expect([status, body.reason]).toEqual([409, reason]);
  }
  for (const digits of ['', '1'.repeat(65), '12 3', 'A', '\uff11'])
    expect(
      (await harness.request('POST', `/v1/participants/${participantId}/dtmf`, { body: { digits } })).body.reason,
    ).toBe('invalid-body');
  rejection = null;
});

it('returns 404 for a participant of another tenant', async () => {
  const { participantId } = await dialParticipant();
  for (const [method, path, body] of [
    ['GET', '', undefined],
    ['PATCH', '', { name: 'X' }],
    ['DELETE', '', undefined],
  ] as const) {
    const { status, body: problem } = await harness.request(method, `/v1/participants/${participantId}${path}`, {
      key: harness.keys.theirs,
      body,
    });
    expect([status, problem.reason]).toEqual([404, 'participant-not-found']);
  }
  expect((await harness.request('GET', `/v1/participants/${participantId}`)).body).toMatchObject({
    name: 'Charles',
    state: 'requested',
  });
});
