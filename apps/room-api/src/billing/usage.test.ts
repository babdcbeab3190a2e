import { storeCdr, type NewCdr } from '@partyline/store/billing/cdrs';
import { EVERY_TENANT, inTransaction } from '@partyline/store/database/store';
import { makeLeg } from '@partyline/store/testing/fixtures';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { acceptingProvider, startTestHarness, type TestHarness } from '../testing/test-harness.ts';

let harness: TestHarness;
beforeAll(async () => {
  harness = await startTestHarness(() => acceptingProvider);
});
afterAll(() => harness.stop());

interface ChargeOf extends Partial<NewCdr> {
  direction: 'inbound' | 'outbound' | 'webrtc';
}
const DAY = '2026-05-04';
const at = (time: string, day = DAY): Date => new Date(`${day}T${time}Z`);
interface SessionIds {
  readonly tenantId: string;
  readonly roomId: string;
  readonly sessionId: string;
}
async function createRoom(whose: 'ours' | 'theirs' = 'ours'): Promise<SessionIds> {
  const { body } = await harness.request('POST', '/v1/rooms', { key: harness.keys[whose], body: { name: 'Room' } });
  return { tenantId: `ten_${whose}`, roomId: body.room.id, sessionId: body.session.id };
}
/** Creates a leg with a charge. Returns the id of the leg. */
async function createCharge(room: SessionIds, cdr: ChargeOf): Promise<string> {
  const legId = await makeLeg(harness.store, room, { kind: cdr.direction, state: 'ended', remote: '+442079460018' });
  const handle = cdr.direction === 'webrtc' ? 'media' : 'voice';
  await inTransaction(harness.store, EVERY_TENANT, (tx) =>
    storeCdr(tx, room.tenantId, {
      legId,
      handle,
      roomId: room.roomId,
      sessionId: room.sessionId,
      number: cdr.direction === 'webrtc' ? null : '+12025550100',
      remote: '+442079460018',
      startedAt: at('09:00:00'),
      endedAt: at('09:01:00'),
      seconds: 60,
      rateMicro: null,
      priceMicro: null,
      currency: 'EUR',
      source: 'callback',
      priceLookupInS: null,
      ...cdr,
    }),
  );
  return legId;
}

const PERIOD = 'from=2026-05-01T00:00:00Z&to=2026-06-01T00:00:00Z';

describe('usage', () => {
  let a: SessionIds;
  let b: SessionIds;
  beforeAll(async () => {
    [a, b] = [await createRoom('theirs'), await createRoom('theirs')];
    await createCharge(a, { direction: 'inbound', seconds: 90, priceMicro: '12750.4', rateMicro: '8500' });
    await createCharge(a, { direction: 'inbound', seconds: 30, priceMicro: '4250.4', endedAt: at('23:59:59.999') });
    await createCharge(a, { direction: 'outbound', seconds: 61 });
    await createCharge(a, { direction: 'webrtc', seconds: 120, endedAt: at('00:00:00', '2026-05-05') });
    await createCharge(b, { direction: 'inbound', seconds: 10, priceMicro: '9007199254740993', currency: 'USD' });
    await createCharge(b, { direction: 'inbound', endedAt: at('00:00:00', '2026-06-01') });
    await createCharge(await createRoom('ours'), { direction: 'inbound', seconds: 5_000 });
  });
  const getUsage = (query: string, key = harness.keys.theirs) => harness.request('GET', `/v1/usage?${query}`, { key });

  it('is summed by UTC day and currency, with prices separate from estimates', async () => {
    const { body } = await getUsage(`group=day&${PERIOD}`);
    expect(body).toEqual({
      from: '2026-05-01T00:00:00.000Z',
      to: '2026-06-01T00:00:00.000Z',
      rows: [
        // The outbound call has only an estimate: 61 seconds at 0.04 per minute.
        {
          day: '2026-05-04',
          currency: 'EUR',
          records: 3,
          seconds: 181,
          price: '0.0170008',
          priceMicro: '17001',
          estimateMicro: '40666',
        },
        {
          day: '2026-05-04',
          currency: 'USD',
          records: 1,
          seconds: 10,
          price: '9007199254.740993',
          priceMicro: '9007199254740993',
          estimateMicro: '0',
        },
        {
          day: '2026-05-05',
          currency: 'EUR',
          records: 1,
          seconds: 120,
          price: '0',
          priceMicro: '0',
          estimateMicro: '10000',
        },
      ],
    });
  });

  it('is summed by room, number, direction and combinations of them', async () => {
    expect((await getUsage(`group=room&${PERIOD}`)).body.rows).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ roomId: a.roomId, records: 4 }),
        expect.objectContaining({ roomId: b.roomId, records: 1 }),
      ]),
    );
    expect((await getUsage(`group=number&${PERIOD}`)).body.rows).toMatchObject([
      { number: '+12025550100', currency: 'EUR', records: 3 },
      { number: '+12025550100', currency: 'USD', records: 1 },
      { number: null, records: 1 },
    ]);
    expect((await getUsage(`group=direction,day&${PERIOD}`)).body.rows).toMatchObject([
      { day: '2026-05-04', direction: 'inbound', currency: 'EUR', seconds: 120 },
      { day: '2026-05-04', direction: 'inbound', currency: 'USD' },
      { day: '2026-05-04', direction: 'outbound', seconds: 61 },
      { day: '2026-05-05', direction: 'webrtc' },
    ]);
  });

  it('is returned as CSV for Accept: text/csv', async () => {
    const reply = await fetch(`${harness.url}/v1/usage?group=direction&${PERIOD}`, {
      headers: { authorization: `Bearer ${harness.keys.theirs}`, accept: 'text/csv' },
    });
    expect([reply.status, reply.headers.get('content-type')]).toEqual([200, 'text/csv; charset=utf-8']);
    expect(await reply.text()).toBe(
      [
        'direction,currency,records,seconds,price,priceMicro,estimateMicro',
        'inbound,EUR,2,120,0.0170008,17001,0',
        'inbound,USD,1,10,9007199254.740993,9007199254740993,0',
        'outbound,EUR,1,61,0,0,40666',
        'webrtc,EUR,1,120,0,0,10000',
        '',
      ].join('\n'),
    );
  });

  it('covers the current month by default, and only the tenant of the key', async () => {
    expect((await getUsage('')).body.rows).toEqual([]);
    const { body } = await getUsage(PERIOD, harness.keys.ours);
    expect(body.rows).toMatchObject([{ seconds: 5_000 }]);
  });

  it.each([
    ['group=week', '/group', 'must be one or more of day, room, number and direction, separated by commas'],
    ['from=yesterday', '/from', expect.any(String)],
    [
      'from=2026-05-02T00:00:00Z&to=2026-05-01T00:00:00Z',
      '/from',
      'The period from `from` to `to` must be 0 to 366 days.',
    ],
    ['from=2020-05-02T00:00:00Z', '/from', 'The period from `from` to `to` must be 0 to 366 days.'],
    ['by=day', '/by', 'is not a known field'],
  ])('rejects %s', async (query, pointer, detail) => {
    const { status, body } = await getUsage(query);
    expect([status, body.reason, body.errors]).toEqual([422, 'invalid-query', [{ pointer, detail }]]);
  });
});

describe('call records', () => {
  it('are listed in pages by room, session or leg, latest end first, with masked numbers', async () => {
    const room = await createRoom();
    const legs: string[] = [];
    for (const minute of [1, 2, 2, 3])
      legs.unshift(
        await createCharge(room, { direction: 'outbound', endedAt: at(`10:0${minute}:00`), priceMicro: '7.25' }),
      );
    const listed: string[] = [];
    let next: string | null = '';
    while (next !== null) {
      const { body } = await harness.request(
        'GET',
        `/v1/cdrs?roomId=${room.roomId}&limit=3${next === '' ? '' : `&after=${next}`}`,
      );
      listed.push(...body.cdrs.map((cdr: { legId: string }) => cdr.legId));
      next = body.next;
    }
    expect([listed.at(0), listed.at(-1), listed.toSorted()]).toEqual([legs.at(0), legs.at(-1), legs.toSorted()]);
    const { body } = await harness.request('GET', `/v1/cdrs?legId=${legs[0]}`);
    expect(body.cdrs).toEqual([
      {
        id: `${legs[0]?.replace('leg', 'cdr')}_voice`,
        legId: legs[0],
        side: 'voice',
        direction: 'outbound',
        roomId: room.roomId,
        sessionId: room.sessionId,
        number: '+12025550100',
        remote: '+442*******18',
        startedAt: '2026-05-04T09:00:00.000Z',
        endedAt: '2026-05-04T10:03:00.000Z',
        seconds: 60,
        rate: null,
        rateMicro: null,
        price: '0.00000725',
        priceMicro: '7',
        estimateMicro: '40000',
        currency: 'EUR',
      },
    ]);
    const csv = await fetch(`${harness.url}/v1/cdrs?roomId=${room.roomId}&limit=1`, {
      headers: { authorization: `Bearer ${harness.keys.ours}`, accept: 'text/csv' },
    });
    expect([csv.status, csv.headers.get('content-type')]).toEqual([200, 'text/csv; charset=utf-8']);
    const text = await csv.text();
    const [header, ...records] = text.trimEnd().split('\n');
    expect(header?.split(',')).toEqual(Object.keys(body.cdrs[0]));
    expect(records).toHaveLength(4);
    expect(text).toContain(",+12025550100,'+442*******18,");
    expect((await harness.request('GET', `/v1/cdrs?sessionId=${room.sessionId}&limit=100`)).body.cdrs).toHaveLength(4);
  });

  it('are not visible to another tenant', async () => {
    const theirs = await createRoom('theirs');
    const legId = await createCharge(theirs, { direction: 'inbound' });
    expect((await harness.request('GET', `/v1/cdrs?legId=${legId}`)).body.cdrs).toEqual([]);
    expect((await harness.request('GET', `/v1/cdrs?after=${legId.replace('leg', 'cdr')}_voice`)).body.errors).toEqual([
      { pointer: '/after', detail: 'This page does not exist.' },
    ]);
  });
});

describe('spend limits', () => {
  it('are empty if nothing is limited', async () => {
    expect((await harness.request('GET', '/v1/spend')).body).toEqual({ limits: [] });
  });

  it('reject a new room above the limit, because it includes a token, and accept one that opens later', async () => {
    await harness.store.pool.query(`UPDATE tenant SET max_spend_micro_per_month = 4999 WHERE id = 'ten_ours'`);
    const before = await harness.countRows();
    expect((await harness.request('POST', '/v1/rooms', { body: { name: 'Room' } })).body).toMatchObject({
      status: 402,
      reason: 'spend-limit',
    });
    expect(await harness.countRows()).toEqual(before);
    expect(
      (
        await harness.request('POST', '/v1/rooms', {
          body: { name: 'Later', startsAt: new Date(Date.now() + 3_600_000).toISOString() },
        })
      ).status,
    ).toBe(201);
    await harness.store.pool.query(`UPDATE tenant SET max_spend_micro_per_month = NULL WHERE id = 'ten_ours'`);
  });

  it('of a room can be set, read and removed, and reject calls and tokens above the limit', async () => {
    const room = await createRoom();
    const set = await harness.request('PUT', `/v1/rooms/${room.roomId}/spend-limit`, {
      body: { maxSpendMicro: '100000' },
    });
    expect(set.body).toEqual({
      limits: [{ scope: 'room-spend', used: '0', allowed: '100000', currency: 'EUR', state: 'under' }],
    });
    await createCharge(room, { direction: 'inbound', priceMicro: '70000' });
    const dialOut = () =>
      harness.request('POST', `/v1/rooms/${room.roomId}/participants`, { body: { phone: '+442079460018' } });
    const rejected = await dialOut();
    expect([rejected.status, rejected.body.reason]).toEqual([402, 'spend-limit']);
    await harness.request('PUT', `/v1/rooms/${room.roomId}/spend-limit`, { body: { maxSpendMicro: '110000' } });
    // 70,000 are spent, and the first minute of the call costs 40,000.
    expect((await dialOut()).status).toBe(202);
    expect((await harness.request('GET', `/v1/spend?roomId=${room.roomId}`)).body.limits).toEqual([
      { scope: 'room-spend', used: '110000', allowed: '110000', currency: 'EUR', state: 'spent' },
    ]);
    const token = await harness.request('POST', `/v1/rooms/${room.roomId}/tokens`, { body: { name: 'Ada' } });
    expect([token.status, token.body.reason]).toEqual([402, 'spend-limit']);
    expect(
      (await harness.request('PUT', `/v1/rooms/${room.roomId}/spend-limit`, { body: { maxSpendMicro: null } })).body,
    ).toEqual({ limits: [] });
    expect((await dialOut()).status).toBe(202);
  });

  it.each([
    [{ maxSpendMicro: 5 }],
    [{ maxSpendMicro: '-1' }],
    [{ maxSpendMicro: '1.5' }],
    [{ maxSpendMicro: '1'.repeat(19) }],
    [{}],
  ])('reject %j', async (body) => {
    const room = await createRoom();
    const reply = await harness.request('PUT', `/v1/rooms/${room.roomId}/spend-limit`, { body });
    expect([reply.status, reply.body.reason, reply.body.errors[0].pointer]).toEqual([
      422,
      'invalid-body',
      '/maxSpendMicro',
    ]);
  });

  it("of another tenant's room are not found", async () => {
    const theirs = await createRoom('theirs');
    expect(
      (await harness.request('PUT', `/v1/rooms/${theirs.roomId}/spend-limit`, { body: { maxSpendMicro: '1' } })).body
        .reason,
    ).toBe('room-not-found');
    expect((await harness.request('GET', `/v1/spend?roomId=${theirs.roomId}`)).body.reason).toBe('room-not-found');
  });
});

describe('destinations', () => {
  it.each([
    ['+4930555010', 403, 'destination-not-allowed'],
    ['+881612345678', 403, 'destination-premium'],
    ['+15550100', 422, 'not-a-number'],
    ['+442079460018\r\nX: y', 422, 'not-e164'],
  ])('rejects %j with %s %s', async (phone, status, reason) => {
    const room = await createRoom();
    const reply = await harness.request('POST', `/v1/rooms/${room.roomId}/participants`, { body: { phone } });
    expect([reply.status, reply.body.reason, reply.body.errors?.[0]?.pointer]).toEqual([status, reason, '/phone']);
  });

  it('rejects a call above a fraud limit with 429, after a warning event', async () => {
    const room = await createRoom();
    await harness.store.pool.query(
      `UPDATE tenant SET fraud_limits = '{"toOneNumber":{"warn":1,"critical":1}}' WHERE id = 'ten_ours'`,
    );
    try {
      const dialOut = () =>
        harness.request('POST', `/v1/rooms/${room.roomId}/participants`, { body: { phone: '+442079460077' } });
      expect((await dialOut()).status).toBe(202);
      const rejected = await dialOut();
      expect([rejected.status, rejected.body.reason]).toEqual([429, 'fraud-limit']);
      const { body } = await harness.request('GET', `/v1/sessions/${room.sessionId}/events`);
      expect(body.events.filter(({ type }: { type: string }) => type === 'fraud.warning')).toMatchObject([
        { data: { meter: 'toOneNumber', measured: 1, threshold: 1 } },
      ]);
    } finally {
      await harness.store.pool.query(`UPDATE tenant SET fraud_limits = '{}' WHERE id = 'ten_ours'`);
    }
  });
});
