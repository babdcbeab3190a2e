import { storeCdr, type NewCdr } from '@partyline/store/billing/cdrs';
import { EVERY_TENANT, inTransaction } from '@partyline/store/database/store';
import { makeLeg } from '@partyline/store/testing/fixtures';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { agreeable, startStage, type Stage } from '../testing/test-harness.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage(() => agreeable);
});
afterAll(() => stage.stop());

const DAY = '2026-05-04';
const at = (time: string, day = DAY): Date => new Date(`${day}T${time}Z`);
interface Place {
  readonly tenantId: string;
  readonly roomId: string;
  readonly sessionId: string;
}
async function place(whose: 'ours' | 'theirs' = 'ours'): Promise<Place> {
  const { body } = await stage.ask('POST', '/v1/rooms', { key: stage.keys[whose], body: { name: 'Room' } });
  return { tenantId: `ten_${whose}`, roomId: body.room.id, sessionId: body.session.id };
}
/** A connection that was charged. */
async function charge(
  where: Place,
  cdr: Partial<NewCdr> & { direction: 'inbound' | 'outbound' | 'webrtc' },
): Promise<string> {
  const legId = await makeLeg(stage.store, where, { kind: cdr.direction, state: 'ended', remote: '+442079460018' });
  const handle = cdr.direction === 'webrtc' ? 'media' : 'voice';
  await inTransaction(stage.store, EVERY_TENANT, (tx) =>
    storeCdr(tx, where.tenantId, {
      legId,
      handle,
      roomId: where.roomId,
      sessionId: where.sessionId,
      number: cdr.direction === 'webrtc' ? null : '+12025550100',
      remote: '+442079460018',
      startedAt: at('09:00:00'),
      endedAt: at('09:01:00'),
      seconds: 60,
      rateMicro: null,
      priceMicro: null,
      currency: 'EUR',
      source: 'callback',
      askInS: null,
      ...cdr,
    }),
  );
  return legId;
}

const THE_DAYS = 'from=2026-05-01T00:00:00Z&to=2026-06-01T00:00:00Z';

describe('usage', () => {
  let a: Place;
  let b: Place;
  beforeAll(async () => {
    [a, b] = [await place('theirs'), await place('theirs')];
    await charge(a, { direction: 'inbound', seconds: 90, priceMicro: 12_750n, rateMicro: 8_500n });
    await charge(a, { direction: 'inbound', seconds: 30, priceMicro: 4_250n, endedAt: at('23:59:59.999') });
    await charge(a, { direction: 'outbound', seconds: 61 });
    await charge(a, { direction: 'webrtc', seconds: 120, endedAt: at('00:00:00', '2026-05-05') });
    await charge(b, { direction: 'inbound', seconds: 10, priceMicro: 9_007_199_254_740_993n, currency: 'USD' });
    await charge(b, { direction: 'inbound', endedAt: at('00:00:00', '2026-06-01') });
    await charge(await place('ours'), { direction: 'inbound', seconds: 5_000 });
  });
  const ask = (query: string, key = stage.keys.theirs) => stage.ask('GET', `/v1/usage?${query}`, { key });

  it('is summed up by day, in UTC, a currency at a time, what has a price apart from what is only estimated', async () => {
    const { body } = await ask(`group=day&${THE_DAYS}`);
    expect(body).toEqual({
      from: '2026-05-01T00:00:00.000Z',
      to: '2026-06-01T00:00:00.000Z',
      rows: [
        // The outbound call to Britain has no price: 61 seconds at 0.04 a minute.
        { day: '2026-05-04', currency: 'EUR', records: 3, seconds: 181, priceMicro: '17000', estimateMicro: '40666' },
        {
          day: '2026-05-04',
          currency: 'USD',
          records: 1,
          seconds: 10,
          priceMicro: '9007199254740993',
          estimateMicro: '0',
        },
        { day: '2026-05-05', currency: 'EUR', records: 1, seconds: 120, priceMicro: '0', estimateMicro: '10000' },
      ],
    });
  });

  it('is summed up by room, number and direction, and by some of them together', async () => {
    expect((await ask(`group=room&${THE_DAYS}`)).body.rows).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ roomId: a.roomId, records: 4 }),
        expect.objectContaining({ roomId: b.roomId, records: 1 }),
      ]),
    );
    expect((await ask(`group=number&${THE_DAYS}`)).body.rows).toMatchObject([
      { number: '+12025550100', currency: 'EUR', records: 3 },
      { number: '+12025550100', currency: 'USD', records: 1 },
      { number: null, records: 1 },
    ]);
    expect((await ask(`group=direction,day&${THE_DAYS}`)).body.rows).toMatchObject([
      { day: '2026-05-04', direction: 'inbound', currency: 'EUR', seconds: 120 },
      { day: '2026-05-04', direction: 'inbound', currency: 'USD' },
      { day: '2026-05-04', direction: 'outbound', seconds: 61 },
      { day: '2026-05-05', direction: 'webrtc' },
    ]);
  });

  it('is a table where that is asked for', async () => {
    const reply = await fetch(`${stage.url}/v1/usage?group=direction&${THE_DAYS}`, {
      headers: { authorization: `Bearer ${stage.keys.theirs}`, accept: 'text/csv' },
    });
    expect([reply.status, reply.headers.get('content-type')]).toEqual([200, 'text/csv; charset=utf-8']);
    expect(await reply.text()).toBe(
      'direction,currency,records,seconds,priceMicro,estimateMicro\ninbound,EUR,2,120,17000,0\ninbound,USD,1,10,9007199254740993,0\noutbound,EUR,1,61,0,40666\nwebrtc,EUR,1,120,0,10000\n',
    );
  });

  it('is this month’s, by day, when nothing is said; and nobody else’s', async () => {
    expect((await ask('')).body.rows).toEqual([]);
    const { body } = await ask(THE_DAYS, stage.keys.ours);
    expect(body.rows).toMatchObject([{ seconds: 5_000 }]);
  });

  it.each([
    ['group=week', '/group', 'must name day, room, number or direction, or some of them with commas between'],
    ['from=yesterday', '/from', expect.any(String)],
    [
      'from=2026-05-02T00:00:00Z&to=2026-05-01T00:00:00Z',
      '/from',
      'The time between from and to must be 0 to 366 days.',
    ],
    ['from=2020-05-02T00:00:00Z', '/from', 'The time between from and to must be 0 to 366 days.'],
    ['by=day', '/by', 'is not a known field'],
  ])('refuses %s', async (query, pointer, detail) => {
    const { status, body } = await ask(query);
    expect([status, body.reason, body.errors]).toEqual([422, 'invalid-query', [{ pointer, detail }]]);
  });
});

describe('call records', () => {
  it('are listed a page at a time, those that ended last first, of a room, a session or a leg; with no full number of anybody', async () => {
    const where = await place();
    const legs: string[] = [];
    for (const minute of [1, 2, 2, 3])
      legs.unshift(await charge(where, { direction: 'outbound', endedAt: at(`10:0${minute}:00`), priceMicro: 7n }));
    const seen: string[] = [];
    let next: string | null = '';
    while (next !== null) {
      const { body } = await stage.ask(
        'GET',
        `/v1/cdrs?roomId=${where.roomId}&limit=3${next === '' ? '' : `&after=${next}`}`,
      );
      seen.push(...body.cdrs.map((cdr: { legId: string }) => cdr.legId));
      next = body.next;
    }
    expect([seen.at(0), seen.at(-1), seen.toSorted()]).toEqual([legs.at(0), legs.at(-1), legs.toSorted()]);
    const { body } = await stage.ask('GET', `/v1/cdrs?legId=${legs[0]}`);
    expect(body.cdrs).toEqual([
      {
        id: `${legs[0]?.replace('leg', 'cdr')}_voice`,
        legId: legs[0],
        side: 'voice',
        direction: 'outbound',
        roomId: where.roomId,
        sessionId: where.sessionId,
        number: '+12025550100',
        remote: '+442*******18',
        startedAt: '2026-05-04T09:00:00.000Z',
        endedAt: '2026-05-04T10:03:00.000Z',
        seconds: 60,
        rateMicro: null,
        priceMicro: '7',
        estimateMicro: '40000',
        currency: 'EUR',
      },
    ]);
    expect((await stage.ask('GET', `/v1/cdrs?sessionId=${where.sessionId}&limit=100`)).body.cdrs).toHaveLength(4);
  });

  it('are nobody else’s', async () => {
    const theirs = await place('theirs');
    const legId = await charge(theirs, { direction: 'inbound' });
    expect((await stage.ask('GET', `/v1/cdrs?legId=${legId}`)).body.cdrs).toEqual([]);
    expect((await stage.ask('GET', `/v1/cdrs?after=${legId.replace('leg', 'cdr')}_voice`)).body.errors).toEqual([
      { pointer: '/after', detail: 'There is no such page.' },
    ]);
  });
});

describe('what is left to spend', () => {
  it('is nothing to speak of where nothing is limited', async () => {
    expect((await stage.ask('GET', '/v1/spend')).body).toEqual({ limits: [] });
  });

  it('is nothing, and so no room is made with a token for one more browser; one that opens later is', async () => {
    await stage.store.pool.query(`UPDATE tenant SET max_spend_micro_per_month = 4999 WHERE id = 'ten_ours'`);
    const before = await stage.counts();
    expect((await stage.ask('POST', '/v1/rooms', { body: { name: 'Room' } })).body).toMatchObject({
      status: 402,
      reason: 'spend-limit',
    });
    expect(await stage.counts()).toEqual(before);
    expect(
      (
        await stage.ask('POST', '/v1/rooms', {
          body: { name: 'Later', startsAt: new Date(Date.now() + 3_600_000).toISOString() },
        })
      ).status,
    ).toBe(201);
    await stage.store.pool.query(`UPDATE tenant SET max_spend_micro_per_month = NULL WHERE id = 'ten_ours'`);
  });

  it('of a room is set, read and taken away, and refuses what it does not hold', async () => {
    const where = await place();
    const set = await stage.ask('PUT', `/v1/rooms/${where.roomId}/spend-limit`, { body: { maxSpendMicro: '100000' } });
    expect(set.body).toEqual({
      limits: [{ scope: 'room-spend', used: '0', allowed: '100000', currency: 'EUR', state: 'under' }],
    });
    await charge(where, { direction: 'inbound', priceMicro: 70_000n });
    const ring = () =>
      stage.ask('POST', `/v1/rooms/${where.roomId}/participants`, { body: { phone: '+442079460018' } });
    const refused = await ring();
    expect([refused.status, refused.body.reason]).toEqual([402, 'spend-limit']);
    await stage.ask('PUT', `/v1/rooms/${where.roomId}/spend-limit`, { body: { maxSpendMicro: '110000' } });
    // 70,000 are spent, and the first minute to Britain is 40,000.
    expect((await ring()).status).toBe(202);
    expect((await stage.ask('GET', `/v1/spend?roomId=${where.roomId}`)).body.limits).toEqual([
      { scope: 'room-spend', used: '110000', allowed: '110000', currency: 'EUR', state: 'spent' },
    ]);
    const token = await stage.ask('POST', `/v1/rooms/${where.roomId}/tokens`, { body: { name: 'Ada' } });
    expect([token.status, token.body.reason]).toEqual([402, 'spend-limit']);
    expect(
      (await stage.ask('PUT', `/v1/rooms/${where.roomId}/spend-limit`, { body: { maxSpendMicro: null } })).body,
    ).toEqual({ limits: [] });
    expect((await ring()).status).toBe(202);
  });

  it.each([
    [{ maxSpendMicro: 5 }],
    [{ maxSpendMicro: '-1' }],
    [{ maxSpendMicro: '1.5' }],
    [{ maxSpendMicro: '1'.repeat(19) }],
    [{}],
  ])('refuses %j', async (body) => {
    const where = await place();
    const reply = await stage.ask('PUT', `/v1/rooms/${where.roomId}/spend-limit`, { body });
    expect([reply.status, reply.body.reason, reply.body.errors[0].pointer]).toEqual([
      422,
      'invalid-body',
      '/maxSpendMicro',
    ]);
  });

  it('of another tenant’s room is none of ours', async () => {
    const theirs = await place('theirs');
    expect(
      (await stage.ask('PUT', `/v1/rooms/${theirs.roomId}/spend-limit`, { body: { maxSpendMicro: '1' } })).body.reason,
    ).toBe('room-not-found');
    expect((await stage.ask('GET', `/v1/spend?roomId=${theirs.roomId}`)).body.reason).toBe('room-not-found');
  });
});

describe('whom a tenant may not ring', () => {
  it.each([
    ['+4930555010', 403, 'destination-not-allowed'],
    ['+881612345678', 403, 'destination-premium'],
    ['+15550100', 422, 'not-a-number'],
    ['+442079460018\r\nX: y', 422, 'not-e164'],
  ])('%j: %s %s', async (phone, status, reason) => {
    const where = await place();
    const reply = await stage.ask('POST', `/v1/rooms/${where.roomId}/participants`, { body: { phone } });
    expect([reply.status, reply.body.reason, reply.body.errors?.[0]?.pointer]).toEqual([status, reason, '/phone']);
  });

  it('more than a thief would: 429 fraud-limit', async () => {
    const where = await place();
    await stage.store.pool.query(
      `UPDATE tenant SET fraud_limits = '{"toOneNumber":{"warn":1,"critical":1}}' WHERE id = 'ten_ours'`,
    );
    try {
      const ring = () =>
        stage.ask('POST', `/v1/rooms/${where.roomId}/participants`, { body: { phone: '+442079460077' } });
      expect((await ring()).status).toBe(202);
      const refused = await ring();
      expect([refused.status, refused.body.reason]).toEqual([429, 'fraud-limit']);
      const { body } = await stage.ask('GET', `/v1/sessions/${where.sessionId}/events`);
      expect(body.events.filter(({ type }: { type: string }) => type === 'fraud.warning')).toMatchObject([
        { data: { meter: 'toOneNumber', measured: 1, threshold: 1 } },
      ]);
    } finally {
      await stage.store.pool.query(`UPDATE tenant SET fraud_limits = '{}' WHERE id = 'ten_ours'`);
    }
  });
});
