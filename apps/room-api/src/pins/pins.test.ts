import { afterAll, beforeAll, expect, it } from 'vitest';
import { acceptingProvider, startTestHarness, type TestHarness } from '../testing/test-harness.ts';

let harness: TestHarness;
let room: string;
let made: { pin: string; hostPin: string };
beforeAll(async () => {
  harness = await startTestHarness(() => acceptingProvider);
  const { body } = await harness.request('POST', '/v1/rooms', { body: { name: 'Room' } });
  [room, made] = [`/v1/rooms/${body.room.id}`, body];
});
afterAll(() => harness.stop());

const countLivePins = async (): Promise<number> =>
  Number(
    (
      await harness.store.pool.query('SELECT count(*) FROM pin WHERE quarantined_until IS NULL AND room_id = $1', [
        room.split('/').at(-1),
      ])
    ).rows[0].count,
  );

it('creates a personal PIN, shows it once, and removes it', async () => {
  const { status, body } = await harness.request('POST', `${room}/pins`, { body: { name: 'Grace', role: 'host' } });
  expect([status, body]).toEqual([
    201,
    {
      id: expect.stringMatching(/^pin_/),
      participantId: expect.stringMatching(/^part_/),
      name: 'Grace',
      role: 'host',
      pin: expect.stringMatching(/^\d{9}$/),
      pinSpaced: expect.any(String),
      number: '+12025550100',
      tapToCall: `tel:+12025550100,,${body.pin}`,
    },
  ]);
  const list = await harness.request('GET', `${room}/pins`);
  expect(list.body.pins).toEqual([
    { id: body.id, participantId: body.participantId, name: 'Grace', role: 'host', createdAt: expect.any(String) },
  ]);
  expect(JSON.stringify(list.body)).not.toContain(body.pin);
  expect((await harness.request('GET', `/v1/participants/${body.participantId}`)).body).toMatchObject({
    name: 'Grace',
    role: 'host',
    kind: 'caller',
    state: 'invited',
  });
  expect((await harness.request('GET', room)).body).toMatchObject({ pin: made.pin, hostPin: made.hostPin });
  expect((await harness.request('DELETE', `${room}/pins/${body.id}`, { key: harness.keys.theirs })).body.reason).toBe(
    'pin-not-found',
  );
  expect((await harness.request('DELETE', `${room}/pins/${body.id}`)).body).toEqual({ id: body.id });
  expect((await harness.request('DELETE', `${room}/pins/${body.id}`)).body.reason).toBe('pin-not-found');
  expect((await harness.request('GET', `${room}/pins`)).body.pins).toEqual([]);
});

it('rotates the PINs of a room, and keeps personal PINs', async () => {
  const { body: own } = await harness.request('POST', `${room}/pins`, { body: { name: 'Ada' } });
  const { status, body } = await harness.request('POST', `${room}/pins/rotate`);
  expect(status).toBe(200);
  expect(new Set([body.pin, body.hostPin, made.pin, made.hostPin, own.pin]).size).toBe(5);
  expect((await harness.request('GET', room)).body).toMatchObject({ pin: body.pin, hostPin: body.hostPin });
  expect([await countLivePins(), (await harness.request('GET', `${room}/pins`)).body.pins.length]).toEqual([3, 1]);
});

it('rejects an ended room, a room of another tenant, and more PINs than the quota', async () => {
  const { body } = await harness.request('POST', '/v1/rooms', { body: { name: 'Over' } });
  const other = `/v1/rooms/${body.room.id}`;
  await harness.store.pool.query(
    `INSERT INTO pin (id, tenant_id, room_id, number, lookup, ciphertext, participant_id)
     SELECT 'many_' || n, 'ten_ours', $1, '+1', n::text::bytea, '', 'part'
     FROM generate_series(1, 500) AS n`,
    [body.room.id],
  );
  expect((await harness.request('POST', `${other}/pins`, { body: { name: 'X' } })).body.reason).toBe('too-many-pins');
  for (const [method, path, given] of [
    ['POST', 'pins', { name: 'X' }],
    ['GET', 'pins', undefined],
    ['POST', 'pins/rotate', undefined],
  ] as const) {
    expect(
      (await harness.request(method, `${other}/${path}`, { key: harness.keys.theirs, body: given })).body.reason,
    ).toBe('room-not-found');
  }
  await harness.request('POST', `${other}/end`);
  expect((await harness.request('POST', `${other}/pins`, { body: { name: 'X' } })).body.reason).toBe('room-ended');
  expect((await harness.request('POST', `${other}/pins/rotate`)).body.reason).toBe('room-ended');
});
