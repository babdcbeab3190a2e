import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { acceptingProvider, startTestHarness, type TestHarness } from '../testing/test-harness.ts';

const OURS = '+13125550100';
const THEIRS = '+14155550100';
let harness: TestHarness;
beforeAll(async () => {
  harness = await startTestHarness(() => acceptingProvider);
  for (const [number, tenantId] of [
    [OURS, 'ten_ours'],
    [THEIRS, 'ten_theirs'],
  ]) {
    await harness.request('POST', '/v1/operator/numbers', {
      body: { number, country: 'US', tollFree: true, tenantId },
    });
  }
});
afterAll(() => harness.stop());

const create = (settings: object, key = harness.keys.ours) =>
  harness.request('POST', '/v1/rooms', { key, body: { name: 'Room', ...settings } });
const listed = async (query = '', key = harness.keys.ours): Promise<string[]> =>
  (await harness.request('GET', `/v1/numbers${query}`, { key })).body.numbers.map(
    ({ number }: { number: string }) => number,
  );

describe('numbers of a tenant', () => {
  it('are its dedicated numbers and the shared numbers', async () => {
    expect((await harness.request('GET', '/v1/numbers')).body.numbers).toEqual([
      { number: OURS, kind: 'dedicated', country: 'US', language: 'en-US', tollFree: true, providerAccountId: null },
      {
        number: '+12025550100',
        kind: 'shared',
        country: 'US',
        language: 'en-US',
        tollFree: false,
        providerAccountId: null,
      },
      {
        number: '+4930555010',
        kind: 'shared',
        country: 'DE',
        language: 'de-DE',
        tollFree: false,
        providerAccountId: null,
      },
    ]);
    expect(await listed('', harness.keys.theirs)).not.toContain(OURS);
  });

  it('can be filtered by country, language, kind and toll-free', async () => {
    expect(await listed('?country=US')).toEqual([OURS, '+12025550100']);
    expect(await listed('?tollFree=false')).toEqual(['+12025550100', '+4930555010']);
    expect(await listed('?language=de')).toEqual(['+4930555010']);
    expect(await listed('?kind=shared&language=en')).toEqual(['+12025550100']);
    expect((await harness.request('GET', '/v1/numbers?country=us')).body.errors[0].pointer).toBe('/country');
  });
});

describe('number of a room', () => {
  it('has the requested properties', async () => {
    const number = async (wanted: object): Promise<string> => (await create(wanted)).body.number;
    expect(await number({})).toBe('+12025550100');
    expect(await number({ numberWanted: { kind: 'dedicated' } })).toBe(OURS);
    expect(await number({ numberWanted: { language: 'de' } })).toBe('+4930555010');
    expect(await number({ numberWanted: { country: 'US', tollFree: true } })).toBe(OURS);
    expect(await number({ number: OURS })).toBe(OURS);
  });

  it("cannot be another tenant's number, which is unknown to the tenant", async () => {
    const theirs = await create({ number: THEIRS });
    const unknown = await create({ number: '+442079460018' });
    expect([theirs.status, theirs.body.reason]).toEqual([422, 'unknown-number']);
    expect({ ...theirs.body, requestId: '' }).toEqual({ ...unknown.body, requestId: '' });
    expect((await create({ numberWanted: { country: 'FR' } })).body.reason).toBe('unknown-number');
  });

  it('can be a dedicated number without a PIN, which then serves no other room', async () => {
    const number = '+13125550101';
    await harness.request('POST', '/v1/operator/numbers', { body: { number, tenantId: 'ten_ours' } });
    expect((await create({ pinless: true })).body.reason).toBe('number-not-dedicated');
    const { body: first } = await create({ pinless: true, number });
    expect(first.room).toMatchObject({ number, pinless: true });
    expect([(await create({ number })).body.reason, (await create({ number, pinless: true })).body.reason]).toEqual([
      'number-in-use',
      'number-in-use',
    ]);
    await harness.request('PATCH', `/v1/rooms/${first.room.id}`, { body: { pinless: false } });
    const { body: second } = await create({ number });
    expect(
      (await harness.request('PATCH', `/v1/rooms/${first.room.id}`, { body: { pinless: true } })).body.reason,
    ).toBe('number-in-use');
    await harness.request('POST', `/v1/rooms/${second.room.id}/end`);
    expect((await harness.request('PATCH', `/v1/rooms/${first.room.id}`, { body: { pinless: true } })).status).toBe(
      200,
    );
    const { body: shared } = await create({ number: '+12025550100' });
    expect(
      (await harness.request('PATCH', `/v1/rooms/${shared.room.id}`, { body: { pinless: true } })).body.reason,
    ).toBe('number-not-dedicated');
  });
});

describe('operator', () => {
  it('creates, lists, changes and deletes numbers', async () => {
    const number = '+442079460001';
    const made = await harness.request('POST', '/v1/operator/numbers', {
      body: { number, language: 'en-GB', country: 'GB' },
    });
    expect([made.status, made.body]).toEqual([
      201,
      {
        number,
        kind: 'shared',
        country: 'GB',
        language: 'en-GB',
        tollFree: false,
        tenantId: null,
        guarded: true,
        maxUnadmitted: 10,
        maxPerCallerId: 5,
        slowUntil: null,
        providerAccountId: null,
        trunkHost: null,
      },
    ]);
    expect((await harness.request('POST', '/v1/operator/numbers', { body: { number } })).body.reason).toBe(
      'number-exists',
    );
    expect(
      (await harness.request('PATCH', '/v1/operator/numbers/%2B442079460001', { body: { tenantId: 'ten_theirs' } }))
        .body,
    ).toMatchObject({ kind: 'dedicated', tenantId: 'ten_theirs', language: 'en-GB' });
    expect(
      (await harness.request('GET', '/v1/operator/numbers?tenantId=ten_theirs')).body.numbers.map(
        (each: { number: string }) => each.number,
      ),
    ).toEqual([THEIRS, number]);
    expect((await harness.request('DELETE', '/v1/operator/numbers/442079460001')).body).toEqual({ number });
    expect((await harness.request('DELETE', '/v1/operator/numbers/442079460001')).body.reason).toBe('number-not-found');
  });

  it('sets the caller guard of a number, and sees its slow mode', async () => {
    const number = '+442079460003';
    expect(
      (await harness.request('POST', '/v1/operator/numbers', { body: { number, guarded: false, maxUnadmitted: 3 } }))
        .body,
    ).toMatchObject({ guarded: false, maxUnadmitted: 3 });
    expect(
      (await harness.request('PATCH', '/v1/operator/numbers/442079460003', { body: { guarded: true } })).body,
    ).toMatchObject({ guarded: true, maxUnadmitted: 3 });
    expect(
      (await harness.request('PATCH', '/v1/operator/numbers/442079460003', { body: { maxUnadmitted: 50 } })).body,
    ).toMatchObject({ guarded: true, maxUnadmitted: 50 });
    expect(
      (await harness.request('PATCH', '/v1/operator/numbers/442079460003', { body: { maxPerCallerId: 20 } })).body,
    ).toMatchObject({ maxUnadmitted: 50, maxPerCallerId: 20 });
    await harness.store.pool.query(`UPDATE dial_in_number SET slow_until = '2099-01-01T00:00:00Z' WHERE e164 = $1`, [
      number,
    ]);
    expect(
      (await harness.request('PATCH', '/v1/operator/numbers/442079460003', { body: { language: 'en-GB' } })).body,
    ).toMatchObject({ slowUntil: '2099-01-01T00:00:00.000Z' });
    expect(
      (await harness.request('GET', '/v1/numbers')).body.numbers.find(
        (each: { number: string }) => each.number === number,
      ),
    ).toEqual({ number, kind: 'shared', country: 'GB', language: 'en-GB', tollFree: false, providerAccountId: null });
    for (const maxUnadmitted of [0, 10_001, 1.5, '10', null]) {
      const reply = await harness.request('PATCH', '/v1/operator/numbers/442079460003', { body: { maxUnadmitted } });
      expect([reply.status, reply.body.errors[0].pointer]).toEqual([422, '/maxUnadmitted']);
    }
    expect(
      (await harness.request('PATCH', '/v1/operator/numbers/442079460003', { body: { maxPerCallerId: 0 } })).status,
    ).toBe(422);
    await harness.request('DELETE', '/v1/operator/numbers/442079460003');
  });

  it("puts a number at the platform's SIP trunk, which is an account of the platform for tenants", async () => {
    const [shared, own] = ['+442079460004', '+442079460005'];
    const add = (body: object) => harness.request('POST', '/v1/operator/numbers', { body });
    expect((await add({ number: shared, providerAccountId: 'platform-sip' })).body).toMatchObject({
      kind: 'shared',
      providerAccountId: 'platform-sip',
      trunkHost: null,
    });
    expect((await add({ number: own, tenantId: 'ten_theirs' })).body.providerAccountId).toBeNull();
    const change = (number: string, body: object) =>
      harness.request('PATCH', `/v1/operator/numbers/${number.slice(1)}`, { body });
    expect((await change(own, { providerAccountId: 'platform-sip' })).body).toMatchObject({
      tenantId: 'ten_theirs',
      providerAccountId: 'platform-sip',
    });
    const seen = (await harness.request('GET', '/v1/numbers', { key: harness.keys.theirs })).body.numbers;
    for (const number of [shared, own])
      expect(seen).toContainEqual(expect.objectContaining({ number, providerAccountId: null }));
    const { body: made } = await create({ number: shared });
    const session = await harness.store.prisma.session.findFirstOrThrow({ where: { room_id: made.room.id } });
    expect(session.account_id).toBe('platform-sip');
    expect((await change(shared, { providerAccountId: null })).body.reason).toBe('number-has-rooms');
    const reply = await change(own, { providerAccountId: 'platform' });
    expect([reply.status, reply.body.errors[0].pointer]).toEqual([422, '/providerAccountId']);
    await harness.request('POST', `/v1/rooms/${made.room.id}/end`);
    for (const number of [shared, own]) await harness.request('DELETE', `/v1/operator/numbers/${number.slice(1)}`);
  });

  it('lists all numbers in pages', async () => {
    const numbers: string[] = [];
    for (let next: string | null = ''; next !== null;) {
      const { body }: { body: { numbers: { number: string }[]; next: string | null } } = await harness.request(
        'GET',
        `/v1/operator/numbers?limit=2${next === '' ? '' : `&after=${encodeURIComponent(next)}`}`,
      );
      numbers.push(...body.numbers.map(({ number }) => number));
      next = body.next;
    }
    expect(numbers).toEqual([...numbers].toSorted());
    expect(numbers).toEqual(expect.arrayContaining([OURS, THEIRS, '+12025550100', '+4930555010']));
  });

  it('cannot reassign or delete a number with rooms, or assign one to an unknown tenant', async () => {
    await create({ number: OURS });
    expect(
      (await harness.request('PATCH', `/v1/operator/numbers/${OURS.slice(1)}`, { body: { tenantId: null } })).body
        .reason,
    ).toBe('number-has-rooms');
    expect((await harness.request('DELETE', `/v1/operator/numbers/${OURS.slice(1)}`)).body.reason).toBe(
      'number-has-rooms',
    );
    expect(
      (await harness.request('PATCH', `/v1/operator/numbers/${OURS.slice(1)}`, { body: { language: 'es-US' } })).body
        .language,
    ).toBe('es-US');
    expect(
      (
        await harness.request('POST', '/v1/operator/numbers', {
          body: { number: '+442079460002', tenantId: 'ten_unknown' },
        })
      ).body.reason,
    ).toBe('tenant-not-found');
    expect(
      (await harness.request('PATCH', `/v1/operator/numbers/${OURS.slice(1)}`, { body: { tenantId: 'ten_unknown' } }))
        .body.reason,
    ).toBe('tenant-not-found');
  });
});

describe('the country of a new number', () => {
  const add = (body: object) => harness.request('POST', '/v1/operator/numbers', { body });

  it.each([
    ['+13105550160', 'US', false],
    ['+16135550161', 'CA', false],
    ['+18885550162', 'US', true],
    ['+442079460163', 'GB', false],
    ['+33800111264', 'FR', true],
    ['+15550100165', null, false],
  ])('and whether it is toll-free are inferred: %s', async (number, country, tollFree) => {
    expect((await add({ number })).body).toMatchObject({ number, country, tollFree });
  });

  it('is taken from the request if it has the calling code of the number, or is null', async () => {
    expect((await add({ number: '+18885550166', country: 'CA', tollFree: false })).body).toMatchObject({
      country: 'CA',
      tollFree: false,
    });
    expect((await add({ number: '+18885550167', country: null })).body.country).toBeNull();
  });

  it('is rejected if it is another country, unknown, or an older code, and then nothing is stored', async () => {
    const number = '+442079460168';
    for (const [country, detail] of [
      ['DE', /\+44.*DE has \+49/],
      ['ZZ', /code of a country/],
      ['UK', /did you mean GB\?/],
    ] as const) {
      const { status, body } = await add({ number, country });
      expect([status, body.errors]).toEqual([422, [{ pointer: '/country', detail: expect.stringMatching(detail) }]]);
    }
    expect((await add({ number, language: 'xx-YY' })).body.errors[0].pointer).toBe('/language');
    expect((await add({ number, country: 'GB', language: 'EN-gb' })).body).toMatchObject({ language: 'en-GB' });
    const { status, body } = await harness.request('PATCH', `/v1/operator/numbers/${number.slice(1)}`, {
      body: { country: 'US' },
    });
    expect([status, body.errors[0].pointer]).toEqual([422, '/country']);
  });
});

it('rejects a tenant whose countries are not countries, and suggests the right ones', async () => {
  const { status, body } = await harness.request('POST', '/v1/operator/tenants', {
    body: { name: 'Acme', homeCountry: 'UK', allowedCountries: ['DE', 'ZZ'] },
  });
  expect([status, body.errors]).toEqual([
    422,
    [
      { pointer: '/homeCountry', detail: expect.stringContaining('did you mean GB?') },
      { pointer: '/allowedCountries/1', detail: expect.stringContaining('ISO 3166-1') },
    ],
  ]);
});
