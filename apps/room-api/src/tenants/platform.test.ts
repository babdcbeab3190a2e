import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { acceptingProvider, startTestHarness, type TestHarness } from '../testing/test-harness.ts';

let harness: TestHarness;
beforeAll(async () => {
  harness = await startTestHarness(() => acceptingProvider);
});
afterAll(() => harness.stop());

const LIMITS = '/v1/operator/limits';
const RATES = '/v1/operator/rates';
interface Rate {
  what: string;
  prefix: string;
  currency: string;
  microPerMinute: string | null;
}
const rate = (what: string, prefix: string, microPerMinute: string | null, currency = 'EUR'): Rate => ({
  what,
  prefix,
  currency,
  microPerMinute,
});
const setRates = (...rates: Partial<Rate>[]) => harness.request('PATCH', RATES, { body: { rates } });
const listed = async (query = ''): Promise<Rate[]> =>
  (await harness.request('GET', `${RATES}?limit=100${query}`)).body.rates;
/** The rate per minute that the database applies. */
const readRate = async (what: string, number: string, currency = 'EUR'): Promise<string | undefined> =>
  (
    await harness.store.pool.query<{ micro: string }>('SELECT rate_per_minute($1, $2, $3, $4) AS micro', [
      what,
      'voice',
      number,
      currency,
    ])
  ).rows[0]?.micro;

describe('platform limits', () => {
  it('are shown and changed by field, and apply immediately to tenants without their own limit', async () => {
    const defaults = { maxLiveRooms: 1_000, maxLiveLegs: 500, maxDialOutsPerMinute: 60, maxRequestsPerMinute: 600 };
    expect((await harness.request('GET', LIMITS)).body).toEqual(defaults);
    await harness.request('PATCH', '/v1/operator/tenants/ten_theirs', { body: { limits: { maxLiveRooms: 5 } } });
    expect((await harness.request('PATCH', LIMITS, { body: { maxLiveRooms: 0 } })).body).toEqual({
      ...defaults,
      maxLiveRooms: 0,
    });
    expect((await harness.request('GET', LIMITS)).body).toEqual({ ...defaults, maxLiveRooms: 0 });
    expect((await harness.request('POST', '/v1/rooms', { body: { name: 'Room' } })).body.reason).toBe(
      'limit-live-rooms',
    );
    expect(
      (await harness.request('POST', '/v1/rooms', { key: harness.keys.theirs, body: { name: 'Room' } })).status,
    ).toBe(201);
    expect((await harness.request('PATCH', LIMITS, { body: { maxLiveRooms: 1_000, maxLiveLegs: 500 } })).body).toEqual(
      defaults,
    );
  });

  it.each([
    [{}, ''],
    [{ maxLiveRooms: null }, '/maxLiveRooms'],
    [{ maxLiveLegs: -1 }, '/maxLiveLegs'],
    [{ maxRequestsPerMinute: 1_000_001 }, '/maxRequestsPerMinute'],
    [{ maxDialOutsPerMinute: '60' }, '/maxDialOutsPerMinute'],
    [{ maxRooms: 5 }, '/maxRooms'],
  ])('reject %j', async (body, pointer) => {
    const reply = await harness.request('PATCH', LIMITS, { body });
    expect([reply.status, reply.body.errors[0].pointer]).toEqual([422, pointer]);
  });
});

describe('rates', () => {
  it('can be listed, set and removed, and apply immediately', async () => {
    expect(await listed('&what=outbound')).toEqual([
      rate('outbound', '', '200000'),
      rate('outbound', '+1', '15000'),
      rate('outbound', '+44', '40000'),
      rate('outbound', '+49', '40000'),
    ]);
    expect(await readRate('outbound', '+447700900001')).toBe('40000');
    const { body } = await setRates(rate('outbound', '+447', '120000'), rate('outbound', '+44', null), {
      what: 'webrtc',
      currency: 'USD',
      microPerMinute: '6000',
    });
    expect(body.rates).toEqual([rate('outbound', '+447', '120000'), rate('webrtc', '', '6000', 'USD')]);
    expect([
      await readRate('outbound', '+447700900001'),
      await readRate('outbound', '+442079460018'),
      await readRate('webrtc', '', 'USD'),
    ]).toEqual(['120000', '200000', '6000']);
    expect(await listed('&currency=USD')).toEqual([rate('webrtc', '', '6000', 'USD')]);
    // An existing rate is replaced. The removal of a rate that does not exist is accepted.
    expect(
      (
        await setRates(
          rate('outbound', '+447', null),
          rate('outbound', '+44', '40000'),
          rate('webrtc', '', null, 'USD'),
          rate('inbound', '+3906', null),
        )
      ).body.rates,
    ).toEqual([rate('outbound', '+44', '40000')]);
    expect(await listed('&currency=USD')).toEqual([]);
  });

  it('are listed in pages in one order', async () => {
    const many = Array.from({ length: 30 }, (_, n) => rate('inbound', `+4930${n}`, String(n)));
    expect((await setRates(...many)).body.rates).toHaveLength(30);
    const all = await listed();
    const listedRates: Rate[] = [];
    for (let next: string | null = ''; next !== null;) {
      const { body }: { body: { rates: Rate[]; next: string | null } } = await harness.request(
        'GET',
        `${RATES}?limit=7${next === '' ? '' : `&after=${next}`}`,
      );
      listedRates.push(...body.rates);
      next = body.next;
    }
    expect(listedRates).toEqual(all);
    const toSortKey = ({ what, currency, prefix }: Rate): string => `${what} ${currency} ${prefix}`;
    expect(all.map(toSortKey)).toEqual(all.map(toSortKey).toSorted());
    expect(all).toEqual(expect.arrayContaining(many));
    await setRates(...many.map((each) => ({ ...each, microPerMinute: null })));
  });

  it.each([
    [[], '/rates'],
    [[rate('landline', '', '1')], '/rates/0/what'],
    [[rate('outbound', '44', '1')], '/rates/0/prefix'],
    [[rate('outbound', '+0', '1')], '/rates/0/prefix'],
    [[rate('outbound', '+44%', '1')], '/rates/0/prefix'],
    [[rate('webrtc', '+44', '1')], '/rates/0/prefix'],
    [[rate('outbound', '', '1', 'eur')], '/rates/0/currency'],
    [[rate('outbound', '', '1', 'ZZZ')], '/rates/0/currency'],
    [[rate('outbound', '', '-1')], '/rates/0/microPerMinute'],
    [[rate('outbound', '', '1000000000000')], '/rates/0/microPerMinute'],
    [[{ ...rate('outbound', '', null), microPerMinute: 12_000 }], '/rates/0/microPerMinute'],
    [[{ what: 'outbound', currency: 'EUR' }], '/rates/0/microPerMinute'],
    [[rate('outbound', '+44', '1'), rate('inbound', '', '1'), rate('outbound', '+44', null)], '/rates/2'],
  ])('reject %j and change nothing', async (rates, pointer) => {
    const before = await listed();
    const reply = await harness.request('PATCH', RATES, { body: { rates } });
    expect([reply.status, reply.body.errors?.[0].pointer]).toEqual([422, pointer]);
    expect(await listed()).toEqual(before);
  });

  it('accept up to 500 changes in one request', async () => {
    const tooMany = await setRates(...Array.from({ length: 501 }, (_, n) => rate('outbound', `+4${n}`, '1')));
    expect([tooMany.status, tooMany.body.errors[0].pointer]).toEqual([422, '/rates']);
    const many = Array.from({ length: 500 }, (_, n) => rate('outbound', `+35812345678${n}`, '999999999999'));
    expect((await harness.request('PATCH', RATES, { body: { rates: many } })).body.rates).toHaveLength(500);
    await setRates(...many.map((each) => ({ ...each, microPerMinute: null })));
  });

  it('of concurrent requests are set atomically', async () => {
    const lists = Array.from({ length: 8 }, (_, n) =>
      Array.from({ length: 20 }, (__, at) => rate('outbound', `+88${10 + ((at * 7 + n) % 20)}`, String(n))),
    );
    const replies = await Promise.all(lists.map((rates) => setRates(...rates)));
    expect(replies.map(({ status }) => status)).toEqual(lists.map(() => 200));
    const set = (await listed('&what=outbound')).filter(({ prefix }) => prefix.startsWith('+88'));
    expect([set.length, new Set(set.map(({ microPerMinute }) => microPerMinute)).size]).toEqual([20, 1]);
    await setRates(...set.map((each) => ({ ...each, microPerMinute: null })));
  });

  it.each(['?what=landline', '?currency=ZZZ', '?after=rate_x', '?after=outbound.EUR.44x', '?limit=0'])(
    'reject %s',
    async (query) => {
      const reply = await harness.request('GET', RATES + query);
      expect([reply.status, reply.body.reason]).toEqual([422, 'invalid-query']);
    },
  );
});
