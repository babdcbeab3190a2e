import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { agreeable, startStage, type Reply, type Stage } from '../testing/test-harness.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage(() => agreeable);
});
afterAll(() => stage.stop());
afterEach(() =>
  allow('max_live_rooms = NULL, max_live_legs = NULL, max_dial_outs_per_minute = NULL, max_requests_per_minute = NULL'),
);

const allow = (limits: string) => stage.store.pool.query(`UPDATE tenant SET ${limits} WHERE id = 'ten_ours'`);
const create = () => stage.ask('POST', '/v1/rooms', { body: { name: 'Room' } });
const end = (room: string) => stage.ask('POST', `/v1/rooms/${room}/end`);
const statuses = (replies: readonly Reply[]): Record<string, number> => {
  const counted: Record<string, number> = {};
  for (const { status, body } of replies)
    counted[`${status} ${body.reason ?? 'done'}`] = (counted[`${status} ${body.reason ?? 'done'}`] ?? 0) + 1;
  return counted;
};

describe('live rooms', () => {
  it('200 created at once at a limit of 10: exactly 10, and one more for each that ends', async () => {
    await allow('max_live_rooms = 10');
    const replies = await Promise.all(Array.from({ length: 200 }, create));
    expect(statuses(replies)).toEqual({ '201 done': 10, '429 limit-live-rooms': 190 });
    const refused = replies.find(({ status }) => status === 429);
    expect(refused?.body).toMatchObject({ limit: 10, used: 10, fix: expect.stringContaining('/end') });
    const made = replies.filter(({ status }) => status === 201).map(({ body }) => String(body.room.id));
    expect((await stage.ask('GET', '/v1/limits')).body.liveRooms).toEqual({ limit: 10, used: 10 });
    await end(made[0] ?? 'none');
    expect(statuses(await Promise.all([create(), create(), create()]))).toEqual({
      '201 done': 1,
      '429 limit-live-rooms': 2,
    });
    for (const room of made) await end(room);
  });
});

describe('people', () => {
  // Spread over rooms and numbers, so that nothing else refuses them.
  const ring = (rooms: readonly string[], i: number) =>
    stage.ask('POST', `/v1/rooms/${rooms[i % rooms.length]}/participants`, {
      body: { phone: `+120255501${String(i).padStart(2, '0')}` },
    });
  const fourRooms = async (): Promise<string[]> =>
    Promise.all(Array.from({ length: 4 }, async () => String((await create()).body.room.id)));

  it('40 rung at once, when 10 may be connected: exactly 10, and nobody is rung or let in until one is gone', async () => {
    const rooms = await fourRooms();
    await allow('max_live_legs = 10');
    const replies = await Promise.all(Array.from({ length: 40 }, (_, i) => ring(rooms, i)));
    expect(statuses(replies)).toEqual({ '202 done': 10, '429 limit-live-legs': 30 });
    expect(replies.find(({ status }) => status === 429)?.body).toMatchObject({
      limit: 10,
      used: 10,
      fix: expect.any(String),
    });
    const token = () => stage.ask('POST', `/v1/rooms/${rooms[0]}/tokens`, { body: { name: 'Grace' } });
    expect((await token()).body).toMatchObject({ reason: 'limit-live-legs', limit: 10, used: 10 });
    await stage.store.pool.query(`UPDATE leg SET state = 'ended' WHERE id = $1`, [
      replies.find(({ status }) => status === 202)?.body.legId,
    ]);
    expect((await token()).status).toBe(201);
    await stage.store.pool.query(`UPDATE leg SET state = 'ended', created_at = created_at - interval '1 hour'`);
  });

  it('a new room is a token, so none is made while as many are connected as may be; one that opens later is', async () => {
    await allow('max_live_legs = 0');
    const before = await stage.counts();
    expect((await create()).body).toMatchObject({ reason: 'limit-live-legs', status: 429, limit: 0, used: 0 });
    expect(await stage.counts()).toEqual(before);
    expect(
      (
        await stage.ask('POST', '/v1/rooms', {
          body: { name: 'Later', startsAt: new Date(Date.now() + 3_600_000).toISOString() },
        })
      ).body,
    ).toMatchObject({ client: null, session: null });
  });

  it('40 rung at once, when 10 may be rung in a minute: exactly 10, and more when the minute is over', async () => {
    const rooms = await fourRooms();
    await allow('max_dial_outs_per_minute = 10');
    const replies = await Promise.all(Array.from({ length: 40 }, (_, i) => ring(rooms, i)));
    expect(statuses(replies)).toEqual({ '202 done': 10, '429 limit-dial-outs': 30 });
    const refused = replies.find(({ status }) => status === 429);
    expect([refused?.headers.get('retry-after'), refused?.body.limit, refused?.body.used]).toEqual(['60', 10, 10]);
    await stage.store.pool.query(`UPDATE leg SET state = 'ended', created_at = created_at - interval '61 seconds'`);
    expect((await ring(rooms, 1)).status).toBe(202);
    await stage.store.pool.query(`UPDATE leg SET state = 'ended', created_at = created_at - interval '1 hour'`);
  });
});

it('GET /v1/limits shows what may be used and is; another tenant’s use is not in it', async () => {
  const before = (await stage.ask('GET', '/v1/limits')).body;
  await stage.ask('POST', '/v1/rooms', { body: { name: 'Theirs' }, key: stage.keys.theirs });
  await create();
  const { status, body } = await stage.ask('GET', '/v1/limits');
  expect(status).toBe(200);
  expect(body.liveRooms).toEqual({ limit: 1_000, used: before.liveRooms.used + 1 });
  expect([body.liveLegs.limit, body.dialOutsPerMinute.limit, body.requestsPerMinute.limit]).toEqual([500, 60, 600]);
  expect(body.requestsPerMinute.used).toBe(before.requestsPerMinute.used + 2);
});
