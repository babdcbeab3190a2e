import { createServer, type IncomingMessage, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { deliverEvents, type PostEvent } from '@partyline/conference/deliver-events';
import { appendEvents } from '@partyline/store/events';
import { eventId, setEventsUrl } from '@partyline/store/outbox';
import { inTransaction, openStore, type Store } from '@partyline/store/store';
import { makeNumbers, makeRoom, type MadeRoom } from '@partyline/store/testing/fixtures';
import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { postEvent } from './post-event.ts';

/** What a tenant's receiver was sent, in the order in which it came. */
interface Received {
  readonly path: string;
  readonly id: string;
  readonly sessionId: string;
  readonly seq: number;
  readonly body: Record<string, unknown>;
  readonly headers: IncomingMessage['headers'];
}
/** What it answers: a status, a place to go to, nothing at all (`hang`), or it breaks off (`reset`). */
type Answer = number | { location: string } | 'hang' | 'reset';

let database: TestDatabase;
/** Two replicas, each with connections of its own. */
let replicas: readonly [Store, Store];
let store: Store;
let receiver: Server;
let url: string;
const received: Received[] = [];
let answer: (event: Received) => Answer = () => 204;
const counted: string[] = [];
const report = { count: (name: string, labels = {}) => void counted.push([name, ...Object.values(labels)].join(' ')), observe: () => undefined, warn: () => undefined };

beforeAll(async () => {
  database = await createTestDatabase();
  const open = () => openStore({ owner: true, url: database.url, max: 6, onError: () => undefined });
  replicas = [open(), open()];
  [store] = replicas;
  await makeNumbers(store);
  receiver = createServer((request, response) => {
    void (async () => {
      const text = Buffer.concat((await request.toArray()) as Buffer[]).toString();
      const body = JSON.parse(text) as Record<string, unknown>;
      const event = { path: request.url ?? '', id: String(request.headers['webhook-id']), sessionId: String(body.sessionId), seq: Number(body.seq), body, headers: request.headers };
      received.push(event);
      const reply = answer(event);
      if (reply === 'reset') request.socket.destroy();
      else if (typeof reply === 'number') response.writeHead(reply).end('thank you');
      else if (reply !== 'hang') response.writeHead(307, reply).end();
    })();
  });
  receiver.listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/events`;
});
beforeEach(async () => {
  received.length = 0;
  counted.length = 0;
  answer = () => 204;
  await store.prisma.outbox.deleteMany();
});
afterEach(() => receiver.closeAllConnections());
afterAll(async () => {
  receiver.close();
  receiver.closeAllConnections();
  await Promise.all(replicas.map((each) => each.close()));
  await database.drop();
});

/** Short for those who never answer, long for a busy machine. */
const post = postEvent({ timeoutMs: 2_000 });
const never = new AbortController().signal;
const deliver = (from = store, send: PostEvent = post, signal = never): Promise<number> => deliverEvents({ store: from, report, post: send }, signal);

async function tell(events: number, room?: MadeRoom): Promise<MadeRoom> {
  const made = room ?? (await makeRoom(store));
  await setEventsUrl(store, made.tenantId, url);
  const firstSeq = 1 + (await store.prisma.outbox.count({ where: { session_id: made.sessionId } }));
  const list = Array.from({ length: events }, (_, i) => ({ type: 'leg.joined', data: { legId: `leg_${i}` } }));
  await inTransaction(store, made.tenantId, (tx) => appendEvents(tx, made.tenantId, { roomId: made.roomId, sessionId: made.sessionId, firstSeq }, list));
  return made;
}
const seqs = ({ sessionId }: MadeRoom): number[] => received.filter((each) => each.sessionId === sessionId).map((each) => each.seq);
const undelivered = () => store.prisma.outbox.count({ where: { delivered_at: null } });
/** The time until the next try, or until a lease is over, goes by: the rows are moved back instead. */
const letPass = (seconds: number) => store.pool.query('UPDATE outbox SET next_try_at = next_try_at - make_interval(secs => $1), lease_until = lease_until - make_interval(secs => $1)', [seconds]);
const waitS = async (): Promise<number> => {
  const { rows } = await store.pool.query<{ s: number }>('SELECT ceil(extract(epoch FROM min(next_try_at) - clock_timestamp()))::int AS s FROM outbox WHERE next_try_at IS NOT NULL');
  return rows.map((row) => row.s)[0] ?? NaN;
};

describe('an event', () => {
  it('is sent as the API shows it, under its own id', async () => {
    const room = await tell(1);
    expect(await deliver()).toBe(1);
    const [row] = await store.prisma.outbox.findMany();
    const id = eventId(room.sessionId, 1);
    expect(received).toMatchObject([{ path: '/events', id, headers: { 'content-type': 'application/json', 'webhook-id': id } }]);
    expect(received[0]?.body).toEqual({ id, type: 'leg.joined', roomId: room.roomId, sessionId: room.sessionId, seq: 1, at: row?.created_at.toISOString(), data: { legId: 'leg_0' } });
    expect(row).toMatchObject({ delivered_at: expect.any(Date), attempts: 1, next_try_at: null, lease_until: null });
    expect(counted).toEqual(['events_delivered']);
  });

  it.each([200, 201, 204, 299])('that is answered %d is delivered', async (status) => {
    await tell(1);
    answer = () => status;
    expect([await deliver(), await undelivered()]).toEqual([1, 0]);
  });

  it.each<[string, Answer, string]>([
    ['500', 500, 'status-5xx'],
    ['410', 410, 'status-4xx'],
    ['304', 304, 'status-3xx'],
    ['a redirect', { location: '/elsewhere' }, 'status-3xx'],
    ['nothing', 'hang', 'no-answer'],
    ['a broken connection', 'reset', 'no-answer'],
  ])('that is answered %s is sent again, under the same id', async (_what, reply, why) => {
    await tell(2);
    answer = () => reply;
    expect(await deliver()).toBe(0);
    // Sent once: to nowhere else, and nothing after it.
    expect(received.map((each) => [each.path, each.seq])).toEqual([['/events', 1]]);
    expect(counted).toEqual([`event_delivery_failed ${why}`]);
    expect(await deliver()).toBe(0);
    expect(received).toHaveLength(1);
    answer = () => 204;
    await letPass(6);
    expect(await deliver()).toBe(2);
    expect(received.map((each) => each.seq)).toEqual([1, 1, 2]);
    expect(received[1]?.id).toBe(received[0]?.id);
    expect(received[1]?.body).toEqual(received[0]?.body);
  });

  it('is sent to an address where nobody listens again and again: 5 s, doubling to an hour', async () => {
    const room = await tell(1);
    await setEventsUrl(store, room.tenantId, 'http://127.0.0.1:1/');
    const waits: number[] = [];
    for (let i = 0; i < 13; i++) {
      await deliver();
      waits.push(await waitS());
      await letPass(3_601);
    }
    expect(waits).toEqual([5, 10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 3_600, 3_600, 3_600]);
    await setEventsUrl(store, room.tenantId, url);
    expect([await deliver(), seqs(room)]).toEqual([1, [1]]);
  });
});

describe('a session’s events', () => {
  it('come in order and each once, from two replicas of four senders each', async () => {
    const rooms: MadeRoom[] = [];
    for (let i = 0; i < 6; i++) rooms.push(await tell(10));
    const delivered = await Promise.all([...replicas, ...replicas, ...replicas, ...replicas].map((each) => deliver(each)));
    // Whoever found nothing at a moment when every session was in hand has gone home; the next round takes what is left.
    delivered.push(await deliver());
    expect(delivered.reduce((sum, each) => sum + each)).toBe(60);
    for (const room of rooms) expect(seqs(room)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(await undelivered()).toBe(0);
  });

  it('do not wait for those of a session whose receiver fails or is slow', async () => {
    const [failing, slow, fine] = [await tell(3), await tell(3), await tell(3)];
    answer = ({ sessionId }) => (sessionId === failing.sessionId ? 503 : sessionId === slow.sessionId ? 'hang' : 204);
    await Promise.all([deliver(), deliver(replicas[1])]);
    expect([seqs(failing), seqs(slow), seqs(fine)]).toEqual([[1], [1], [1, 2, 3]]);
    answer = () => 204;
    await letPass(6);
    await deliver();
    expect([seqs(failing), seqs(slow), seqs(fine)]).toEqual([[1, 1, 2, 3], [1, 1, 2, 3], [1, 2, 3]]);
  });

  it('survive senders that die after the receiver took one and before it was noted: twice at most, in order, none lost', async () => {
    const room = await tell(3);
    for (const seq of [1, 2, 3]) {
      // The request goes out for real, and nothing that comes after it ever happens.
      const died = new Promise<void>((resolve) => {
        void deliver(store, async (request) => {
          await post(request);
          resolve();
          return new Promise<never>(() => undefined);
        });
      });
      await died;
      // Nobody takes it, nor the next, while its sender may be alive.
      expect(await deliver(replicas[1])).toBe(0);
      await letPass(31);
      const stop = new AbortController();
      expect(await deliver(replicas[1], async (request) => (stop.abort(), post(request)), stop.signal)).toBe(1);
      expect(seqs(room).slice(-2)).toEqual([seq, seq]);
    }
    expect(seqs(room)).toEqual([1, 1, 2, 2, 3, 3]);
    expect(new Set(received.map((each) => each.id)).size).toBe(3);
    expect(await undelivered()).toBe(0);
  });

  it('survive senders that die before the request', async () => {
    const room = await tell(2);
    const died = new Promise<void>((resolve) => {
      void deliver(store, () => {
        resolve();
        return new Promise<never>(() => undefined);
      });
    });
    await died;
    await letPass(31);
    expect([await deliver(replicas[1]), seqs(room)]).toEqual([2, [1, 2]]);
  });
});

it('stops between two events when told to', async () => {
  const room = await tell(3);
  const stop = new AbortController();
  answer = ({ seq }) => {
    if (seq === 2) stop.abort();
    return 204;
  };
  expect([await deliver(store, post, stop.signal), seqs(room), await undelivered()]).toEqual([2, [1, 2], 1]);
});
