import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { acceptingProvider, startTestHarness, type Reply, type TestHarness } from '../testing/test-harness.ts';

let harness: TestHarness;
beforeAll(async () => {
  harness = await startTestHarness(() => acceptingProvider);
});
afterAll(() => harness.stop());
afterEach(() =>
  setLimits(
    'max_live_rooms = NULL, max_live_legs = NULL, max_dial_outs_per_minute = NULL, max_requests_per_minute = NULL',
  ),
);

const setLimits = (limits: string) => harness.store.pool.query(`UPDATE tenant SET ${limits} WHERE id = 'ten_ours'`);
const create = () => harness.request('POST', '/v1/rooms', { body: { name: 'Room' } });
const end = (room: string) => harness.request('POST', `/v1/rooms/${room}/end`);
const countStatuses = (replies: readonly Reply[]): Record<string, number> => {
  const counted: Record<string, number> = {};
  for (const { status, body } of replies)
    counted[`${status} ${body.reason ?? 'done'}`] = (counted[`${status} ${body.reason ?? 'done'}`] ?? 0) + 1;
  return counted;
};

describe('live rooms', () => {
  it('accepts exactly 10 of 200 concurrent rooms at a limit of 10, and one more after an end', async () => {
    await setLimits('max_live_rooms = 10');
    const replies = await Promise.all(Array.from({ length: 200 }, create));
    expect(countStatuses(replies)).toEqual({ '201 done': 10, '429 limit-live-rooms': 190 });
    const rejected = replies.find(({ status }) => status === 429);
    expect(rejected?.body).toMatchObject({ limit: 10, used: 10, fix: expect.stringContaining('/end') });
    const made = replies.filter(({ status }) => status === 201).map(({ body }) => String(body.room.id));
    expect((await harness.request('GET', '/v1/limits')).body.liveRooms).toEqual({ limit: 10, used: 10 });
    await end(made[0] ?? 'none');
    expect(countStatuses(await Promise.all([create(), create(), create()]))).toEqual({
      '201 done': 1,
      '429 limit-live-rooms': 2,
    });
    for (const room of made) await end(room);
  });
});

describe('live legs and dial-outs', () => {
  // Spread over rooms and numbers, so that no other limit applies.
  const dialOut = (rooms: readonly string[], i: number) =>
    harness.request('POST', `/v1/rooms/${rooms[i % rooms.length]}/participants`, {
      // +12025550100 is a dial-in number.
      body: { phone: `+120255501${String(i + 1).padStart(2, '0')}` },
    });
  const fourRooms = async (): Promise<string[]> =>
    Promise.all(Array.from({ length: 4 }, async () => String((await create()).body.room.id)));

  it('accepts exactly 10 of 40 concurrent calls at a limit of 10 legs, and a token after a leg ended', async () => {
    const rooms = await fourRooms();
    await setLimits('max_live_legs = 10');
    const replies = await Promise.all(Array.from({ length: 40 }, (_, i) => dialOut(rooms, i)));
    expect(countStatuses(replies)).toEqual({ '202 done': 10, '429 limit-live-legs': 30 });
    expect(replies.find(({ status }) => status === 429)?.body).toMatchObject({
      limit: 10,
      used: 10,
      fix: expect.any(String),
    });
    const token = () => harness.request('POST', `/v1/rooms/${rooms[0]}/tokens`, { body: { name: 'Grace' } });
    expect((await token()).body).toMatchObject({ reason: 'limit-live-legs', limit: 10, used: 10 });
    await harness.store.pool.query(`UPDATE leg SET state = 'ended' WHERE id = $1`, [
      replies.find(({ status }) => status === 202)?.body.legId,
    ]);
    expect((await token()).status).toBe(201);
    await harness.store.pool.query(`UPDATE leg SET state = 'ended', created_at = created_at - interval '1 hour'`);
  });

  it('rejects a new room at the leg limit, because it includes a token, and accepts one that opens later', async () => {
    await setLimits('max_live_legs = 0');
    const before = await harness.countRows();
    expect((await create()).body).toMatchObject({ reason: 'limit-live-legs', status: 429, limit: 0, used: 0 });
    expect(await harness.countRows()).toEqual(before);
    expect(
      (
        await harness.request('POST', '/v1/rooms', {
          body: { name: 'Later', startsAt: new Date(Date.now() + 3_600_000).toISOString() },
        })
      ).body,
    ).toMatchObject({ client: null, session: null });
  });

  it('accepts exactly 10 of 40 concurrent calls at 10 dial-outs per minute, and more after the minute', async () => {
    const rooms = await fourRooms();
    await setLimits('max_dial_outs_per_minute = 10');
    const replies = await Promise.all(Array.from({ length: 40 }, (_, i) => dialOut(rooms, i)));
    expect(countStatuses(replies)).toEqual({ '202 done': 10, '429 limit-dial-outs': 30 });
    const rejected = replies.find(({ status }) => status === 429);
    expect([rejected?.headers.get('retry-after'), rejected?.body.limit, rejected?.body.used]).toEqual(['60', 10, 10]);
    await harness.store.pool.query(`UPDATE leg SET state = 'ended', created_at = created_at - interval '61 seconds'`);
    expect((await dialOut(rooms, 1)).status).toBe(202);
    await harness.store.pool.query(`UPDATE leg SET state = 'ended', created_at = created_at - interval '1 hour'`);
  });
});

it('GET /v1/limits shows limits and usage, without the usage of another tenant', async () => {
  const before = (await harness.request('GET', '/v1/limits')).body;
  await harness.request('POST', '/v1/rooms', { body: { name: 'Theirs' }, key: harness.keys.theirs });
  await create();
  const { status, body } = await harness.request('GET', '/v1/limits');
  expect(status).toBe(200);
  expect(body.liveRooms).toEqual({ limit: 1_000, used: before.liveRooms.used + 1 });
  expect([body.liveLegs.limit, body.dialOutsPerMinute.limit, body.requestsPerMinute.limit]).toEqual([500, 60, 600]);
  expect(body.requestsPerMinute.used).toBe(before.requestsPerMinute.used + 2);
});
