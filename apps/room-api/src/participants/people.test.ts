import { VerdictError } from '@partyline/domain/verdict';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { agreeable, startStage, type Stage } from '../testing/test-harness.ts';

let stage: Stage;
const asked: unknown[] = [];
let refusal: VerdictError | null = null;
beforeAll(async () => {
  const answer = (what: string) => async (input: object) => {
    asked.push([what, input]);
    if (refusal !== null) throw refusal;
    return { legId: 'leg_1' };
  };
  stage = await startStage(() => ({ ...agreeable, mute: answer('mute'), sendDigits: answer('digits') }));
});
afterAll(() => stage.stop());

async function rung(): Promise<{ room: string; participantId: string; legId: string }> {
  const { body } = await stage.ask('POST', '/v1/rooms', { body: { name: 'Room' } });
  const { body: added } = await stage.ask('POST', `/v1/rooms/${body.room.id}/participants`, {
    body: { phone: '+442079460018', name: 'Charles', role: 'host' },
  });
  return { room: body.room.id, ...added };
}

it('shows one person, and gives them another name', async () => {
  const { room, participantId, legId } = await rung();
  const shown = await stage.ask('GET', `/v1/participants/${participantId}`);
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
  expect((await stage.ask('PATCH', `/v1/participants/${participantId}`, { body: { name: 'Charlie' } })).body).toEqual({
    ...shown.body,
    name: 'Charlie',
  });
  expect((await stage.ask('GET', `/v1/rooms/${room}/participants`)).body.participants[1]).toEqual({
    ...shown.body,
    name: 'Charlie',
  });
});

it('sends somebody out who is not even dialled yet, and one who has no connection', async () => {
  const { room, participantId, legId } = await rung();
  const { status, body } = await stage.ask('DELETE', `/v1/participants/${participantId}`);
  expect([status, body]).toEqual([202, { legIds: [legId] }]);
  expect((await stage.ask('GET', `/v1/participants/${participantId}`)).body).toMatchObject({
    state: 'ended',
    reason: 'cancelled-before-dial',
  });
  expect((await stage.ask('GET', `/v1/rooms/${room}`)).body).toMatchObject({
    session: { state: 'open' },
    legs: [{ hangUp: { reason: 'removed' } }],
  });
  expect((await stage.ask('DELETE', `/v1/participants/${participantId}`)).body).toEqual({ legIds: [] });
});

it('has the provider mute and press keys, and tells what it says', async () => {
  const { participantId } = await rung();
  expect((await stage.ask('POST', `/v1/participants/${participantId}/mute`, { body: { muted: true } })).body).toEqual({
    legId: 'leg_1',
  });
  expect(
    (await stage.ask('POST', `/v1/participants/${participantId}/dtmf`, { body: { digits: '1p2#' } })).body,
  ).toEqual({ legId: 'leg_1' });
  expect(asked).toEqual([
    ['mute', { tenantId: 'ten_ours', participantId, muted: true }],
    ['digits', { tenantId: 'ten_ours', participantId, digits: '1p2#' }],
  ]);
  for (const reason of ['participant-not-connected', 'not-supported']) {
    refusal = new VerdictError('client', reason, 'No.');
    const { status, body } = await stage.ask('POST', `/v1/participants/${participantId}/mute`, {
      body: { muted: false },
    });
    expect([status, body.reason]).toEqual([409, reason]);
  }
  for (const digits of ['', '1'.repeat(65), '12 3', 'A', '１'])
    expect((await stage.ask('POST', `/v1/participants/${participantId}/dtmf`, { body: { digits } })).body.reason).toBe(
      'invalid-body',
    );
  refusal = null;
});

it('knows nobody of another tenant’s', async () => {
  const { participantId } = await rung();
  for (const [method, path, body] of [
    ['GET', '', undefined],
    ['PATCH', '', { name: 'X' }],
    ['DELETE', '', undefined],
  ] as const) {
    const { status, body: problem } = await stage.ask(method, `/v1/participants/${participantId}${path}`, {
      key: stage.keys.theirs,
      body,
    });
    expect([status, problem.reason]).toEqual([404, 'participant-not-found']);
  }
  expect((await stage.ask('GET', `/v1/participants/${participantId}`)).body).toMatchObject({
    name: 'Charles',
    state: 'requested',
  });
});
