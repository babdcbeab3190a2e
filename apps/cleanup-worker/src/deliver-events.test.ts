import {
  deliverEvents,
  openSender,
  RETRY_DELAYS_MS,
  type PostEvent,
} from '@partyline/conference/endpoints/deliver-events';
import { openEndpointSecrets, formatSecret } from '@partyline/conference/endpoints/endpoint-secrets';
import { appendEvents } from '@partyline/store/events/append-events';
import { rotateSecret, updateEndpoint } from '@partyline/store/endpoints/endpoints';
import { eventId } from '@partyline/store/events/outbox';
import { inTransaction, openStore, type Store } from '@partyline/store/database/store';
import { makeEndpoint, makeNumbers, makeRoom, type TestRoom } from '@partyline/store/testing/fixtures';
import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { Webhook } from 'standardwebhooks';
import { systemClock } from '@partyline/runtime/system';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { postEvent } from './post-event.ts';
import { openReceiver, type Answer, type Received, type Receiver } from './testing/receiver.ts';

let database: TestDatabase;
/** Two replicas, each with its own connections. */
let replicas: readonly [Store, Store];
let store: Store;
let receiver: Receiver;
let received: Received[];
const counted: string[] = [];
const report = {
  count: (name: string, labels = {}) => void counted.push([name, ...Object.values(labels)].join(' ')),
  observe: () => undefined,
  warn: () => undefined,
};

beforeAll(async () => {
  database = await createTestDatabase();
  const open = () => openStore({ owner: true, url: database.url, max: 6, onError: () => undefined });
  replicas = [open(), open()];
  [store] = replicas;
  await makeNumbers(store);
  receiver = await openReceiver();
  received = receiver.received;
});
beforeEach(async () => {
  received.length = 0;
  counted.length = 0;
  receiver.answer = () => 204;
  await store.prisma.delivery.deleteMany();
  await store.prisma.outbox.deleteMany();
  await store.prisma.endpoint.deleteMany();
});
afterEach(() => receiver.closeAllConnections());
afterAll(async () => {
  receiver.close();
  await Promise.all(replicas.map((each) => each.close()));
  await database.drop();
});

const secrets = openEndpointSecrets([Buffer.alloc(32, 9)]);
const SECRET = formatSecret(Buffer.alloc(32, 1).toString('base64url'));

/** The timeout is so long that no answer exceeds it on a busy machine. */
const post = postEvent({ timeoutMs: 600_000, addresses: { allowPrivate: true, ports: [] } });
/** The short timeout is for receivers that never answer. */
const postWithShortTimeout = postEvent({ timeoutMs: 5_000, addresses: { allowPrivate: true, ports: [] } });
const never = new AbortController().signal;
const deps = (from: Store, send: PostEvent) => ({
  store: from,
  report,
  post: send,
  clock: systemClock,
  endpointSecrets: secrets,
});
const deliver = (from = store, send: PostEvent = post, signal = never): Promise<number> =>
  deliverEvents(deps(from, send), signal);

async function endpoint(tenantId: string, path = '', of: { types?: string[] } = {}): Promise<string> {
  const id = await makeEndpoint(store, tenantId, { url: receiver.url + path, ...of });
  await store.prisma.endpoint.update({ where: { id }, data: { secret: new Uint8Array(secrets.encrypt(SECRET, id)) } });
  return id;
}
/**
 * Records events of a room, which is created unless given; its tenant gets an endpoint if it has
 * none.
 */
async function recordEvents(events: number, room?: TestRoom): Promise<TestRoom> {
  const made = room ?? (await makeRoom(store));
  if ((await store.prisma.endpoint.count({ where: { tenant_id: made.tenantId } })) === 0) await endpoint(made.tenantId);
  const firstSeq = 1 + (await store.prisma.outbox.count({ where: { session_id: made.sessionId } }));
  const list = Array.from({ length: events }, (_, i) => ({ type: 'leg.joined', data: { legId: `leg_${i}` } }));
  await inTransaction(store, made.tenantId, (tx) =>
    appendEvents(tx, made.tenantId, { roomId: made.roomId, sessionId: made.sessionId, firstSeq }, list),
  );
  return made;
}
function receivedAt(index: number): Received {
  const event = received[index];
  if (event === undefined) throw new Error(`The receiver got only ${received.length} events.`);
  return event;
}
const endpointOf = ({ tenantId }: TestRoom) =>
  store.prisma.endpoint.findFirstOrThrow({ where: { tenant_id: tenantId } });
const seqs = ({ sessionId }: TestRoom): number[] =>
  received.filter((each) => each.sessionId === sessionId).map((each) => each.seq);
const undelivered = () => store.prisma.delivery.count({ where: { state: 'pending' } });
/** Simulates the passing of time: moves the rows' retry and lease times into the past. */
const advance = async (seconds: number): Promise<void> => {
  await store.pool.query(
    `UPDATE delivery
     SET next_try_at = next_try_at - make_interval(secs => $1),
         lease_until = lease_until - make_interval(secs => $1)`,
    [seconds],
  );
  await store.pool.query(
    `UPDATE endpoint
     SET probe_at = probe_at - make_interval(secs => $1),
         failing_since = failing_since - make_interval(secs => $1)`,
    [seconds],
  );
};
const databaseNow = async (): Promise<number> =>
  (await store.pool.query<{ at: Date }>('SELECT clock_timestamp() AS at')).rows[0]?.at.getTime() ?? NaN;
const nextTry = async (): Promise<number> =>
  (
    await store.prisma.delivery.findFirstOrThrow({
      where: { next_try_at: { not: null } },
      orderBy: { next_try_at: 'asc' },
    })
  ).next_try_at?.getTime() ?? NaN;

describe('deliverEvents', () => {
  it('sends an event as the API shows it, with its own id', async () => {
    const room = await recordEvents(1);
    expect(await deliver()).toBe(1);
    const [row] = await store.prisma.outbox.findMany();
    const id = eventId({ room_id: room.roomId, session_id: room.sessionId, endpoint_id: null, seq: 1 });
    expect(received).toMatchObject([
      { path: '/events', id, headers: { 'content-type': 'application/json', 'webhook-id': id } },
    ]);
    expect(received[0]?.body).toEqual({
      id,
      type: 'leg.joined',
      roomId: room.roomId,
      sessionId: room.sessionId,
      seq: 1,
      at: row?.created_at.toISOString(),
      data: { legId: 'leg_0', externalId: null },
    });
    const [line] = await store.prisma.delivery.findMany({ include: { log: true } });
    expect(line).toMatchObject({
      state: 'delivered',
      done_at: expect.any(Date),
      attempts: 1,
      next_try_at: null,
      lease_until: null,
      log: [{ no: 1, status: 204, error: null }],
    });
    expect(line?.log[0]?.duration_ms).toBeGreaterThanOrEqual(0);
    expect(counted).toEqual(['events_delivered']);
  });

  it('signs for the Standard Webhooks library, with both secrets during a rotation', async () => {
    const room = await recordEvents(1);
    await deliver();
    const verify = (secret: string, { text, headers }: Received) =>
      new Webhook(secret).verify(text, headers as Record<string, string>);
    expect(verify(SECRET, receivedAt(0))).toEqual(receivedAt(0).body);
    const next = formatSecret(Buffer.alloc(32, 2).toString('base64url'));
    expect(() => verify(next, receivedAt(0))).toThrow(/signature/);
    expect(() => verify(SECRET, { ...receivedAt(0), text: `${receivedAt(0).text} ` })).toThrow(/signature/);
    const { id } = await endpointOf(room);
    await rotateSecret(store, room.tenantId, id, secrets.encrypt(next, id), 3_600);
    await recordEvents(1, room);
    await deliver();
    for (const secret of [SECRET, next]) expect(verify(secret, receivedAt(1))).toEqual(receivedAt(1).body);
    await store.prisma.endpoint.updateMany({ data: { old_secret_until: new Date(0) } });
    await recordEvents(1, room);
    await deliver();
    expect(verify(next, receivedAt(2))).toEqual(receivedAt(2).body);
    expect(() => verify(SECRET, receivedAt(2))).toThrow(/signature/);
  });

  it.each([200, 201, 204, 299])('counts the answer %d as delivered', async (status) => {
    await recordEvents(1);
    receiver.answer = () => status;
    expect([await deliver(), await undelivered()]).toEqual([1, 0]);
  });

  it.each<[string, Answer, string]>([
    ['500', 500, 'status-5xx'],
    ['404', 404, 'status-4xx'],
    ['304', 304, 'status-3xx'],
    ['a redirect', { location: '/elsewhere' }, 'status-3xx'],
    ['no answer', 'hang', 'no-answer'],
    ['a closed connection', 'reset', 'no-answer'],
  ])('retries after %s, with the same id', async (_what, reply, why) => {
    await recordEvents(2);
    receiver.answer = () => reply;
    expect(await deliver(store, reply === 'hang' ? postWithShortTimeout : post)).toBe(0);
    // One request to the endpoint's own URL, and no later event of the session.
    expect(received.map((each) => [each.path, each.seq])).toEqual([['/events', 1]]);
    expect(counted).toEqual([`event_delivery_failed ${why}`]);
    // The retry is moved into the future, so that it cannot become due during the test.
    await advance(-60);
    expect(await deliver()).toBe(0);
    expect(received).toHaveLength(1);
    receiver.answer = () => 204;
    await advance(66);
    expect(await deliver()).toBe(2);
    expect(received.map((each) => each.seq)).toEqual([1, 1, 2]);
    expect(received[1]?.id).toBe(received[0]?.id);
    expect(received[1]?.body).toEqual(received[0]?.body);
  });

  it('retries an unreachable endpoint for three days by the schedule, then fails the delivery', async () => {
    const room = await recordEvents(2);
    const { id } = await endpointOf(room);
    await updateEndpoint(store, room.tenantId, id, { url: 'http://127.0.0.1:1/' });
    for (const waitMs of RETRY_DELAYS_MS) {
      // Compared with the database's clock, so that a slow machine does not fail the test.
      const before = await databaseNow();
      await deliver();
      const after = await databaseNow();
      const next = await nextTry();
      expect(next).toBeGreaterThanOrEqual(before + waitMs - 1);
      expect(next).toBeLessThanOrEqual(after + waitMs + 1);
      await advance(waitMs / 1_000 + 1);
    }
    expect(RETRY_DELAYS_MS.reduce((sum, each) => sum + each) / 3_600_000).toBeCloseTo(75.6, 0);
    // The tenth attempt is the last one; then the session's next event is due.
    await deliver();
    expect(await store.prisma.delivery.findMany({ orderBy: { seq: 'asc' } })).toMatchObject([
      { state: 'failed', attempts: 10, next_try_at: null },
      { state: 'pending', attempts: 0 },
    ]);
    expect(await store.prisma.delivery_attempt.findMany({ where: { no: 10 } })).toMatchObject([
      { status: null, error: 'refused' },
    ]);
    await updateEndpoint(store, room.tenantId, id, { url: receiver.url });
    expect([await deliver(), seqs(room)]).toEqual([1, [2]]);
  });

  it('disables the endpoint after the answer 410', async () => {
    const room = await recordEvents(2);
    receiver.answer = () => 410;
    expect([await deliver(), await deliver(), received.length]).toEqual([0, 0, 1]);
    expect(await endpointOf(room)).toMatchObject({ enabled: false, disabled_reason: 'gone' });
    expect(counted).toEqual(['event_delivery_failed status-4xx', 'endpoint_disabled gone']);
    expect(await store.prisma.outbox.findFirst({ where: { type: 'endpoint.disabled' } })).toMatchObject({
      tenant_id: room.tenantId,
      data: { reason: 'gone' },
    });
  });
});

describe('a failing endpoint', () => {
  it('is disabled after five days without a success, not after a number of failures', async () => {
    const room = await recordEvents(1);
    receiver.answer = () => 503;
    for (let i = 0; i < 9; i++) {
      await deliver();
      await advance(13 * 3_600);
      await store.pool.query('UPDATE delivery SET next_try_at = least(next_try_at, now()), tries = 1');
    }
    expect(await endpointOf(room)).toMatchObject({ enabled: true, failures: 9 });
    await deliver();
    await advance(13 * 3_600);
    await store.pool.query('UPDATE delivery SET next_try_at = least(next_try_at, now()), tries = 1');
    await deliver();
    expect(await endpointOf(room)).toMatchObject({ enabled: false, disabled_reason: 'failing' });
  });

  it('that never answers delays no other endpoint of any tenant', async () => {
    const room = await makeRoom(store);
    await endpoint(room.tenantId, '?hangs');
    await endpoint(room.tenantId, '?fine');
    receiver.answer = ({ path }) => (path.endsWith('hangs') ? 'hang' : 204);
    await recordEvents(3, room);
    const otherTenant = await recordEvents(3);
    const stop = new AbortController();
    const sender = openSender(deps(store, post), { maxConcurrent: 64, signal: stop.signal });
    await sender.sendDue();
    // All other deliveries arrive while the first one is still pending.
    await expect.poll(() => received.length).toBe(7);
    expect([received.filter(({ path }) => path.endsWith('fine')).map(({ seq }) => seq), seqs(otherTenant)]).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ]);
    expect(sender.delivered).toBeLessThanOrEqual(6);
    stop.abort();
    receiver.closeAllConnections();
    await sender.idle();
  });
});

describe('the events of a session', () => {
  it('arrive in order and once each, from two replicas with four senders each', async () => {
    const rooms: TestRoom[] = [];
    for (let i = 0; i < 6; i++) rooms.push(await recordEvents(10));
    const delivered = await Promise.all(
      [...replicas, ...replicas, ...replicas, ...replicas].map((each) => deliver(each)),
    );
    // A sender stops when every session is leased by another one; one more round delivers the rest.
    delivered.push(await deliver());
    expect(delivered.reduce((sum, each) => sum + each)).toBe(60);
    for (const room of rooms) expect(seqs(room)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(await undelivered()).toBe(0);
  });

  it('do not wait for another session whose receiver fails or is slow', async () => {
    const [failing, slow, fine] = [await recordEvents(3), await recordEvents(3), await recordEvents(3)];
    receiver.answer = ({ sessionId }) =>
      sessionId === failing.sessionId ? 503 : sessionId === slow.sessionId ? 'hang' : 204;
    // Without repetitions: on a busy machine a retry may already be due.
    const distinctSeqs = (): number[][] => [failing, slow, fine].map((room) => [...new Set(seqs(room))]);
    const stop = new AbortController();
    const senders = replicas.map((each) => openSender(deps(each, post), { maxConcurrent: 64, signal: stop.signal }));
    await expect
      .poll(async () => (await Promise.all(senders.map((sender) => sender.sendDue())), distinctSeqs()))
      .toEqual([[1], [1], [1, 2, 3]]);
    stop.abort();
    receiver.answer = () => 204;
    receiver.closeAllConnections();
    await Promise.all(senders.map((sender) => sender.idle()));
    await advance(6);
    await deliver();
    expect(distinctSeqs()).toEqual([
      [1, 2, 3],
      [1, 2, 3],
      [1, 2, 3],
    ]);
    expect(await undelivered()).toBe(0);
  });

  it('arrive in order, at most twice each, when a sender dies before it records the answer', async () => {
    const room = await recordEvents(3);
    for (const seq of [1, 2, 3]) {
      // Sends the request and never returns, like a process that dies.
      const died = new Promise<void>((resolve) => {
        void deliver(store, async (request) => {
          await post(request);
          resolve();
          return new Promise<never>(() => undefined);
        });
      });
      await died;
      // No other sender delivers it, nor the next event, before the lease expires.
      expect(await deliver(replicas[1])).toBe(0);
      await advance(31);
      const stop = new AbortController();
      expect(await deliver(replicas[1], async (request) => (stop.abort(), post(request)), stop.signal)).toBe(1);
      expect(seqs(room).slice(-2)).toEqual([seq, seq]);
    }
    expect(seqs(room)).toEqual([1, 1, 2, 2, 3, 3]);
    expect(new Set(received.map((each) => each.id)).size).toBe(3);
    expect(await undelivered()).toBe(0);
  });

  it('arrive when a sender dies before its request', async () => {
    const room = await recordEvents(2);
    const died = new Promise<void>((resolve) => {
      void deliver(store, () => {
        resolve();
        return new Promise<never>(() => undefined);
      });
    });
    await died;
    await advance(31);
    expect([await deliver(replicas[1]), seqs(room)]).toEqual([2, [1, 2]]);
  });
});

it('deliverEvents stops between two events when its signal aborts', async () => {
  const room = await recordEvents(3);
  const stop = new AbortController();
  receiver.answer = ({ seq }) => {
    if (seq === 2) stop.abort();
    return 204;
  };
  expect([await deliver(store, post, stop.signal), seqs(room), await undelivered()]).toEqual([2, [1, 2], 1]);
});
