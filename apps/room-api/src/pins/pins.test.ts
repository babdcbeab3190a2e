import { afterAll, beforeAll, expect, it } from 'vitest';
import { agreeable, startStage, type Stage } from '../testing/test-harness.ts';

let stage: Stage;
let room: string;
let made: { pin: string; hostPin: string };
beforeAll(async () => {
  stage = await startStage(() => agreeable);
  const { body } = await stage.ask('POST', '/v1/rooms', { body: { name: 'Room' } });
  [room, made] = [`/v1/rooms/${body.room.id}`, body];
});
afterAll(() => stage.stop());

const live = async (): Promise<number> =>
  Number(
    (
      await stage.store.pool.query('SELECT count(*) FROM pin WHERE quarantined_until IS NULL AND room_id = $1', [
        room.split('/').at(-1),
      ])
    ).rows[0].count,
  );

it('gives a person a PIN of their own, shown once, and takes it back', async () => {
  const { status, body } = await stage.ask('POST', `${room}/pins`, { body: { name: 'Grace', role: 'host' } });
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
      tapToCall: `tel:+12025550100,,${body.pin}#`,
    },
  ]);
  const list = await stage.ask('GET', `${room}/pins`);
  expect(list.body.pins).toEqual([
    { id: body.id, participantId: body.participantId, name: 'Grace', role: 'host', createdAt: expect.any(String) },
  ]);
  expect(JSON.stringify(list.body)).not.toContain(body.pin);
  expect((await stage.ask('GET', `/v1/participants/${body.participantId}`)).body).toMatchObject({
    name: 'Grace',
    role: 'host',
    kind: 'caller',
    state: 'invited',
  });
  expect((await stage.ask('GET', room)).body).toMatchObject({ pin: made.pin, hostPin: made.hostPin });
  expect((await stage.ask('DELETE', `${room}/pins/${body.id}`, { key: stage.keys.theirs })).body.reason).toBe(
    'pin-not-found',
  );
  expect((await stage.ask('DELETE', `${room}/pins/${body.id}`)).body).toEqual({ id: body.id });
  expect((await stage.ask('DELETE', `${room}/pins/${body.id}`)).body.reason).toBe('pin-not-found');
  expect((await stage.ask('GET', `${room}/pins`)).body.pins).toEqual([]);
});

it('draws the room’s PINs anew: the old ones are no PINs any more, those of people stay', async () => {
  const { body: own } = await stage.ask('POST', `${room}/pins`, { body: { name: 'Ada' } });
  const { status, body } = await stage.ask('POST', `${room}/pins/rotate`);
  expect(status).toBe(200);
  expect(new Set([body.pin, body.hostPin, made.pin, made.hostPin, own.pin]).size).toBe(5);
  expect((await stage.ask('GET', room)).body).toMatchObject({ pin: body.pin, hostPin: body.hostPin });
  expect([await live(), (await stage.ask('GET', `${room}/pins`)).body.pins.length]).toEqual([3, 1]);
});

it('refuses a room that has ended or is another’s, and more than it may have', async () => {
  const { body } = await stage.ask('POST', '/v1/rooms', { body: { name: 'Over' } });
  const other = `/v1/rooms/${body.room.id}`;
  await stage.store.pool.query(
    `INSERT INTO pin (id, tenant_id, room_id, number, lookup, sealed, participant_id) SELECT 'many_' || n, 'ten_ours', $1, '+1', n::text::bytea, '', 'part' FROM generate_series(1, 500) n`,
    [body.room.id],
  );
  expect((await stage.ask('POST', `${other}/pins`, { body: { name: 'X' } })).body.reason).toBe('too-many-pins');
  for (const [method, path, given] of [
    ['POST', 'pins', { name: 'X' }],
    ['GET', 'pins', undefined],
    ['POST', 'pins/rotate', undefined],
  ] as const) {
    expect((await stage.ask(method, `${other}/${path}`, { key: stage.keys.theirs, body: given })).body.reason).toBe(
      'room-not-found',
    );
  }
  await stage.ask('POST', `${other}/end`);
  expect((await stage.ask('POST', `${other}/pins`, { body: { name: 'X' } })).body.reason).toBe('room-ended');
  expect((await stage.ask('POST', `${other}/pins/rotate`)).body.reason).toBe('room-ended');
});
