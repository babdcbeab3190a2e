import { EVENT_TYPES } from '@partyline/contracts/events/events';
import { claimDeliveries, markDelivered } from '@partyline/store/endpoints/deliveries';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { acceptingProvider, startTestHarness, type TestHarness } from '../testing/test-harness.ts';

let harness: TestHarness;
beforeAll(async () => {
  harness = await startTestHarness(() => acceptingProvider);
});
beforeEach(async () => {
  await harness.store.pool.query('DELETE FROM delivery');
  await harness.store.pool.query('DELETE FROM outbox');
  await harness.store.pool.query('DELETE FROM endpoint');
});
afterAll(() => harness.stop());

const URL = 'https://example.com/events';
/** Before every event of these tests. */
const ONE_MINUTE_AGO = new Date(Date.now() - 60_000).toISOString();
const THIRTY_ONE_DAYS_AGO = new Date(Date.now() - 31 * 86_400_000).toISOString();
const createTestEndpoint = async (of: object = {}, key = harness.keys.ours) =>
  (await harness.request('POST', '/v1/endpoints', { key, body: { url: URL, ...of } })).body;
/** Emits four events: those of a room that is created and ended, and of its session. */
async function emitEvents(): Promise<void> {
  const { body } = await harness.request('POST', '/v1/rooms', { body: { name: 'Room' } });
  await harness.request('POST', `/v1/rooms/${body.room.id}/end`);
}
const deliverAll = async (): Promise<number> => {
  const claimed = await claimDeliveries(harness.store, {
    leaseMs: 1_000,
    maxPerEndpoint: 100,
    maxPerTenant: 100,
    circuitOpensAt: 5,
    limit: 100,
  });
  for (const each of claimed)
    await markDelivered(harness.store, each.tenant_id, each, { status: 204, durationMs: 3, error: null });
  return claimed.length === 0 ? 0 : claimed.length + (await deliverAll());
};

describe('endpoint', () => {
  it('is created with a secret that is shown once and stored encrypted', async () => {
    const { endpoint, secret } = await createTestEndpoint({ types: ['leg.ended'], description: 'Billing' });
    expect(endpoint).toMatchObject({
      id: expect.stringMatching(/^ep_[\w-]{22}$/),
      url: URL,
      types: ['leg.ended'],
      description: 'Billing',
      enabled: true,
      disabledAt: null,
      failures: 0,
    });
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(() => new Webhook(secret)).not.toThrow();
    expect((await harness.request('GET', `/v1/endpoints/${endpoint.id}`)).body).toEqual(endpoint);
    expect((await harness.request('GET', '/v1/endpoints')).body).toEqual({ endpoints: [endpoint] });
    const { rows } = await harness.store.pool.query('SELECT e::text AS text, secret FROM endpoint e');
    expect(JSON.stringify(rows)).not.toContain(secret.slice(6, 40));
    expect(Buffer.from(rows[0].secret as Uint8Array).toString('latin1')).not.toContain(secret.slice(6, 40));
    const audit = await harness.store.pool.query('SELECT a::text AS text FROM audit_entry a');
    expect(JSON.stringify(audit.rows)).not.toContain(secret.slice(6, 40));
  });

  it('is limited to ten per tenant, also for concurrent requests', async () => {
    const replies = await Promise.all(
      Array.from({ length: 25 }, () => harness.request('POST', '/v1/endpoints', { body: { url: URL } })),
    );
    expect(replies.filter(({ status }) => status === 201)).toHaveLength(10);
    expect(
      new Set(replies.filter(({ status }) => status !== 201).map(({ status, body }) => `${status} ${body.reason}`)),
    ).toEqual(new Set(['409 too-many-endpoints']));
    expect(
      (await harness.request('POST', '/v1/endpoints', { key: harness.keys.theirs, body: { url: URL } })).status,
    ).toBe(201);
    const [{ id }] = (await harness.request('GET', '/v1/endpoints')).body.endpoints;
    await harness.request('DELETE', `/v1/endpoints/${id}`);
    expect((await harness.request('POST', '/v1/endpoints', { body: { url: URL } })).status).toBe(201);
  });

  it('can be changed in part, disabled and enabled', async () => {
    const { endpoint } = await createTestEndpoint({ types: ['leg.ended'] });
    const change = async (body: object) =>
      (await harness.request('PATCH', `/v1/endpoints/${endpoint.id}`, { body })).body;
    expect(await change({ description: 'New' })).toEqual({ ...endpoint, description: 'New' });
    expect(await change({ enabled: false })).toMatchObject({
      enabled: false,
      disabledReason: 'by-tenant',
      disabledAt: expect.any(String),
    });
    await emitEvents();
    expect(await deliverAll()).toBe(0);
    expect((await harness.request('POST', `/v1/endpoints/${endpoint.id}/ping`)).body.reason).toBe('endpoint-disabled');
    expect(
      (await harness.request('POST', `/v1/endpoints/${endpoint.id}/replay`, { body: { since: ONE_MINUTE_AGO } })).body
        .reason,
    ).toBe('endpoint-disabled');
    expect(await change({ enabled: true, types: [], url: 'https://example.org/new' })).toMatchObject({
      enabled: true,
      disabledReason: null,
      disabledAt: null,
      types: [],
      url: 'https://example.org/new',
    });
  });

  it('gets a new secret, and the old one stays valid for the overlap', async () => {
    const { endpoint, secret } = await createTestEndpoint();
    const rotate = async (body: object) =>
      (await harness.request('POST', `/v1/endpoints/${endpoint.id}/rotate-secret`, { body })).body;
    const next = await rotate({});
    expect(next.secret).not.toBe(secret);
    expect(Date.parse(next.endpoint.oldSecretUntil) - Date.now()).toBeGreaterThan(86_300_000);
    expect((await rotate({ overlapSeconds: 0 })).endpoint.oldSecretUntil).toBeNull();
    expect(
      (
        await harness.request('POST', `/v1/endpoints/${endpoint.id}/rotate-secret`, {
          body: { overlapSeconds: 604_801 },
        })
      ).status,
    ).toBe(422);
  });

  it('can be pinged, and its log shows the delivery', async () => {
    const { endpoint } = await createTestEndpoint({ types: ['leg.ended'] });
    const { status, body: ping } = await harness.request('POST', `/v1/endpoints/${endpoint.id}/ping`);
    expect(status).toBe(202);
    const log = async () => (await harness.request('GET', `/v1/endpoints/${endpoint.id}/deliveries`)).body.deliveries;
    expect(await log()).toMatchObject([
      {
        id: ping.deliveryId,
        eventId: ping.eventId,
        endpointId: endpoint.id,
        type: 'endpoint.ping',
        state: 'pending',
        attempts: [],
      },
    ]);
    await deliverAll();
    expect(await log()).toMatchObject([
      { state: 'delivered', nextTryAt: null, attempts: [{ no: 1, status: 204, durationMs: 3, error: null }] },
    ]);
    expect((await harness.request('GET', '/v1/events?types=endpoint.ping')).body.events).toMatchObject([
      { id: ping.eventId, roomId: null, sessionId: null, data: { endpointId: endpoint.id } },
    ]);
  });

  it('has a delivery log in pages, filtered by state', async () => {
    const { endpoint } = await createTestEndpoint();
    await emitEvents();
    await deliverAll();
    await emitEvents();
    const log = async (query: string) =>
      (await harness.request('GET', `/v1/endpoints/${endpoint.id}/deliveries${query}`)).body;
    const all = (await log('')).deliveries as { id: string; type: string }[];
    const types = ['session.ended', 'session.ending', 'room.ended', 'room.created'];
    expect(all.map(({ type }) => type)).toEqual([...types, ...types]);
    const first = await log('?limit=5');
    const second = await log(`?limit=5&after=${first.next}`);
    expect([...first.deliveries, ...second.deliveries, second.next]).toEqual([...all, null]);
    expect([
      (await log('?state=pending')).deliveries.length,
      (await log('?state=delivered')).deliveries.length,
      (await log('?state=failed')).deliveries.length,
    ]).toEqual([4, 4, 0]);
    const other = (await createTestEndpoint()).endpoint;
    for (const query of ['?after=dlv_unknown', '?state=lost'])
      expect((await harness.request('GET', `/v1/endpoints/${endpoint.id}/deliveries${query}`)).status).toBe(422);
    expect((await harness.request('GET', `/v1/endpoints/${other.id}/deliveries?after=${all[0]?.id}`)).status).toBe(422);
  });
});

describe('replay', () => {
  it('sends one delivery again and keeps its attempts', async () => {
    const { endpoint } = await createTestEndpoint();
    await emitEvents();
    await deliverAll();
    const [first] = (await harness.request('GET', `/v1/endpoints/${endpoint.id}/deliveries`)).body.deliveries;
    const { status, body } = await harness.request('POST', `/v1/deliveries/${first.id}/replay`);
    expect([status, body]).toEqual([202, { ...first, state: 'pending', doneAt: null, nextTryAt: expect.any(String) }]);
    expect(await deliverAll()).toBe(1);
    expect(
      (await harness.request('GET', `/v1/endpoints/${endpoint.id}/deliveries?limit=1`)).body.deliveries[0].attempts.map(
        ({ no }: { no: number }) => no,
      ),
    ).toEqual([1, 2]);
  });

  it('sends events that the endpoint never received, of a period or by id', async () => {
    await emitEvents();
    const { endpoint } = await createTestEndpoint({ types: ['session.ended'] });
    const replay = async (body: object) => harness.request('POST', `/v1/endpoints/${endpoint.id}/replay`, { body });
    expect((await replay({ since: ONE_MINUTE_AGO })).body).toEqual({ replayed: 1, next: null });
    expect((await replay({ since: ONE_MINUTE_AGO, until: ONE_MINUTE_AGO })).body.replayed).toBe(0);
    const { events } = (await harness.request('GET', '/v1/events')).body;
    expect((await replay({ eventIds: events.map(({ id }: { id: string }) => id) })).body.replayed).toBe(4);
    expect(await deliverAll()).toBe(4);
    for (const [body, pointer] of [
      [{}, '/since'],
      [{ since: ONE_MINUTE_AGO, eventIds: [events[0].id] }, '/since'],
      [{ eventIds: [] }, '/eventIds'],
      [{ eventIds: ['evt_unknown_1'] }, '/eventIds/0'],
      [{ eventIds: ['x'] }, '/eventIds/0'],
      [{ since: 'now' }, '/since'],
    ] as const) {
      const reply = await replay(body);
      expect([reply.status, reply.body.reason, reply.body.errors[0].pointer]).toEqual([422, 'invalid-body', pointer]);
    }
  });
});

describe('replay of purged events', () => {
  it('returns 410 and sends nothing', async () => {
    const { endpoint } = await createTestEndpoint();
    await emitEvents();
    await deliverAll();
    const { events } = (await harness.request('GET', '/v1/events')).body;
    const [delivery] = (await harness.request('GET', `/v1/endpoints/${endpoint.id}/deliveries`)).body.deliveries;
    await harness.store.pool.query('DELETE FROM delivery');
    await harness.store.pool.query('DELETE FROM outbox WHERE seq = 1');
    const replay = async (body: object) =>
      (await harness.request('POST', `/v1/endpoints/${endpoint.id}/replay`, { body })).body;
    expect(await replay({ eventIds: [events[1].id, events[0].id] })).toMatchObject({
      status: 410,
      reason: 'event-expired',
      errors: [{ pointer: '/eventIds/1' }],
    });
    expect(await replay({ since: ONE_MINUTE_AGO, after: events[0].id })).toMatchObject({
      status: 410,
      reason: 'event-expired',
      errors: [{ pointer: '/after' }],
    });
    expect(await replay({ since: THIRTY_ONE_DAYS_AGO })).toMatchObject({
      status: 410,
      reason: 'event-expired',
      errors: [{ pointer: '/since' }],
    });
    expect((await harness.request('POST', `/v1/deliveries/${delivery.id}/replay`)).body.reason).toBe(
      'delivery-not-found',
    );
    expect(await deliverAll()).toBe(0);
    expect((await replay({ since: ONE_MINUTE_AGO })).replayed).toBe(2);
  });
});

describe('endpoint of another tenant', () => {
  it('is not found, and neither are its deliveries', async () => {
    const { endpoint } = await createTestEndpoint();
    await emitEvents();
    const [delivery] = (await harness.request('GET', `/v1/endpoints/${endpoint.id}/deliveries`)).body.deliveries;
    const { events } = (await harness.request('GET', '/v1/events')).body;
    const before = (await harness.store.pool.query('SELECT * FROM endpoint')).rows;
    const at = `/v1/endpoints/${endpoint.id}`;
    for (const [method, path, body, reason] of [
      ['GET', at, undefined, 'endpoint-not-found'],
      ['PATCH', at, { enabled: false }, 'endpoint-not-found'],
      ['DELETE', at, undefined, 'endpoint-not-found'],
      ['POST', `${at}/rotate-secret`, {}, 'endpoint-not-found'],
      ['POST', `${at}/ping`, undefined, 'endpoint-not-found'],
      ['GET', `${at}/deliveries`, undefined, 'endpoint-not-found'],
      ['POST', `${at}/replay`, { eventIds: [events[0].id] }, 'endpoint-not-found'],
      ['POST', `/v1/deliveries/${delivery.id}/replay`, undefined, 'delivery-not-found'],
    ] as const) {
      const { status, body: problem } = await harness.request(method, path, { key: harness.keys.theirs, body });
      expect([method, path, status, problem.reason]).toEqual([method, path, 404, reason]);
    }
    expect((await harness.store.pool.query('SELECT * FROM endpoint')).rows).toEqual(before);
    const theirs = (await createTestEndpoint({}, harness.keys.theirs)).endpoint;
    expect(
      (
        await harness.request('POST', `/v1/endpoints/${theirs.id}/replay`, {
          key: harness.keys.theirs,
          body: { eventIds: [events[0].id] },
        })
      ).status,
    ).toBe(422);
    expect(
      (
        await harness.request('POST', `/v1/endpoints/${theirs.id}/replay`, {
          key: harness.keys.theirs,
          body: { since: ONE_MINUTE_AGO },
        })
      ).body.replayed,
    ).toBe(0);
  });
});

describe('validation of an endpoint', () => {
  it.each([
    [{ url: 'http://example.com/' }, 'url-rejected'],
    [{ url: 'https://127.0.0.1/' }, 'url-rejected'],
    [{ url: 'https://metadata.google.internal/' }, 'url-rejected'],
    [{ url: 'https://a:b@example.com/' }, 'url-rejected'],
    [{ url: 'https://example.com:22/' }, 'url-rejected'],
    [{ url: 'no' }, 'url-rejected'],
    [{ url: 7 }, 'invalid-body'],
    [{}, 'invalid-body'],
    [{ url: URL, types: ['leg.flew'] }, 'invalid-body'],
    [{ url: URL, types: ['leg.ended', 'leg.ended'] }, 'invalid-body'],
    [{ url: URL, description: 'x'.repeat(201) }, 'invalid-body'],
    [{ url: URL, secret: 'mine' }, 'invalid-body'],
  ])('rejects %j on creation and on change', async (body, reason) => {
    const made = await harness.request('POST', '/v1/endpoints', { body });
    expect([made.status, made.body.reason]).toEqual([422, reason]);
    expect(await harness.store.prisma.endpoint.count()).toBe(0);
    if (Object.keys(body).length === 0) return;
    const { endpoint } = await createTestEndpoint();
    const changed = await harness.request('PATCH', `/v1/endpoints/${endpoint.id}`, { body });
    expect([changed.status, changed.body.reason]).toEqual([422, reason]);
  });

  it('accepts every event type', async () => {
    expect((await createTestEndpoint({ types: EVENT_TYPES })).endpoint.types).toEqual(EVENT_TYPES);
  });
});
