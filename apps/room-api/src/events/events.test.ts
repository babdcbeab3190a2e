import { Event } from '@partyline/contracts/events/events';
import { appendEvents } from '@partyline/store/events/append-events';
import { lockSession } from '@partyline/store/sessions/session-lock';
import { inTransaction } from '@partyline/store/database/store';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { acceptingProvider, startTestHarness, type TestHarness } from '../testing/test-harness.ts';

let harness: TestHarness;
let testSession: { tenantId: string; roomId: string; sessionId: string };
const openStreams: AbortController[] = [];
beforeAll(async () => {
  harness = await startTestHarness(() => acceptingProvider);
});
afterAll(() => harness.stop());
beforeEach(async () => {
  await harness.store.pool.query('DELETE FROM outbox');
  testSession = await createTestRoom('Room');
});
afterEach(() => {
  for (const each of openStreams.splice(0)) each.abort();
});

/** Creates a room without its event, because these tests count the events of sessions. */
async function createTestRoom(name: string, key = harness.keys.ours): Promise<typeof testSession> {
  const { body } = await harness.request('POST', '/v1/rooms', { key, body: { name } });
  await harness.store.pool.query('DELETE FROM outbox WHERE room_id = $1', [body.room.id]);
  return { tenantId: 'ten_ours', roomId: body.room.id, sessionId: body.session.id };
}

/** Emits events of a session. `beforeCommit` runs before the commit. */
const emitTestEvents = (
  types: readonly string[],
  { tenantId, roomId, sessionId } = testSession,
  beforeCommit: () => Promise<unknown> = async () => undefined,
): Promise<void> =>
  inTransaction(harness.store, tenantId, async (tx) => {
    const { session } = (await lockSession(tx, tenantId, sessionId))!;
    await appendEvents(
      tx,
      tenantId,
      { roomId, sessionId, firstSeq: session.last_seq + 1 },
      types.map((type) => ({ type, data: {} })),
    );
    await tx.query('UPDATE session SET last_seq = last_seq + $2 WHERE id = $1', [sessionId, types.length]);
    await beforeCommit();
  });

interface TestStream {
  readonly messages: EventSourceMessage[];
  readonly comments: string[];
  /** The id that a browser would send to resume. */
  readonly lastEventId: () => string | undefined;
  readonly ended: Promise<void>;
  close(): void;
}
/** Opens a stream and parses it as a browser does. */
async function openStream({
  query = '',
  last,
  at = harness,
  key = at.keys.ours,
}: { query?: string; last?: string | undefined; at?: TestHarness; key?: string } = {}): Promise<TestStream> {
  const disconnect = new AbortController();
  openStreams.push(disconnect);
  const reply = await fetch(`${at.url}/v1/events${query}`, {
    signal: disconnect.signal,
    headers: {
      accept: 'text/event-stream',
      authorization: `Bearer ${key}`,
      ...(last === undefined ? {} : { 'last-event-id': last }),
    },
  });
  expect([reply.status, reply.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
  const [messages, comments]: [EventSourceMessage[], string[]] = [[], []];
  let lastId: string | undefined;
  const parser = createParser({
    onId: (id) => (lastId = id),
    onEvent: (event) => void messages.push(event),
    onComment: (text) => void comments.push(text),
  });
  const decoder = new TextDecoder();
  const ended = (async () => {
    try {
      for await (const chunk of reply.body!) parser.feed(decoder.decode(chunk, { stream: true }));
    } catch {
      // The test closed the stream.
    }
  })();
  return { messages, comments, lastEventId: () => lastId, ended, close: () => disconnect.abort() };
}
const seqsOf = ({ messages }: TestStream): number[] =>
  messages.map(({ data }) => (JSON.parse(data) as { seq: number }).seq);
const readPage = async (
  query = '',
): Promise<{ events: { id: string; seq: number; type: string; sessionId: string }[]; next: string | null }> =>
  (await harness.request('GET', `/v1/events${query}`)).body;

describe('page of events', () => {
  it("contains the tenant's events, oldest first", async () => {
    await emitTestEvents(['session.live', 'leg.joined', 'leg.ended']);
    await createTestRoom('Theirs', harness.keys.theirs);
    const first = await readPage('?limit=2');
    expect(first.events.map(({ type }) => type)).toEqual(['session.live', 'leg.joined']);
    const second = await readPage(`?limit=2&after=${first.next}`);
    expect([second.events.map(({ seq, sessionId }) => [seq, sessionId]), second.next]).toEqual([
      [[3, testSession.sessionId]],
      null,
    ]);
    // Later events follow the same position.
    await emitTestEvents(['session.ending']);
    expect((await readPage(`?after=${second.events[0]?.id}`)).events.map(({ type }) => type)).toEqual([
      'session.ending',
    ]);
    expect((await harness.request('GET', '/v1/events', { key: harness.keys.theirs })).body).toEqual({
      events: [],
      next: null,
    });
  });

  it('contains the events of a room, which have no session, after their position too', async () => {
    const { body } = await harness.request('POST', '/v1/rooms', { body: { name: 'Weekly', externalId: 'booking-1' } });
    await harness.request('PATCH', `/v1/rooms/${body.room.id}`, { body: { name: 'Daily' } });
    const { events } = await readPage(`?roomId=${body.room.id}`);
    const of = { roomId: body.room.id, sessionId: null };
    expect(events).toMatchObject([
      { ...of, seq: 1, type: 'room.created', data: { name: 'Weekly', version: 1, externalId: 'booking-1' } },
      { ...of, seq: 2, type: 'room.updated', data: { name: 'Daily', version: 2, externalId: 'booking-1' } },
    ]);
    expect((await readPage(`?after=${events[0]?.id}`)).events).toEqual([events[1]]);
  });

  it('contains only the requested types', async () => {
    await emitTestEvents(['session.live', 'leg.joined', 'leg.ended']);
    expect((await readPage('?types=leg.ended,session.live')).events.map(({ type }) => type)).toEqual([
      'session.live',
      'leg.ended',
    ]);
  });

  it.each([
    ['?types=leg.flew', '/types/0', 'must be one of room.created, '],
    ['?after=evt_unknown_1', '/after', 'The event does not exist.'],
    ['?after=room_1', '/after', 'must be the id of an event'],
    ['?limit=0', '/limit', 'must be at least 1'],
    ['?since=1', '/since', ''],
  ])('rejects %s', async (query, pointer, detail) => {
    const { status, body } = await harness.request('GET', `/v1/events${query}`);
    expect([status, body.reason, body.errors[0]]).toEqual([
      422,
      'invalid-query',
      { pointer, detail: expect.stringContaining(detail) as string },
    ]);
  });

  it('starts with events of the last 30 days, and returns 410 for an older position', async () => {
    await emitTestEvents(['session.live', 'leg.joined', 'leg.answered', 'leg.ended']);
    const [purged, old, hidden, retained] = (await readPage()).events;
    await harness.store.pool.query('DELETE FROM outbox WHERE seq = 1');
    await harness.store.pool.query(`UPDATE outbox SET created_at = now() - interval '30 days 2 hours' WHERE seq = 2`);
    await harness.store.pool.query(`UPDATE outbox SET created_at = now() - interval '30 days 1 minute' WHERE seq = 3`);
    expect((await readPage()).events).toEqual([retained]);
    // A position stays valid for another hour, so that a client can page through the oldest events.
    expect((await readPage(`?after=${hidden?.id}`)).events).toEqual([retained]);
    for (const id of [purged?.id ?? '', old?.id ?? '']) {
      const paged = await harness.request('GET', `/v1/events?after=${id}`);
      const resumed = await harness.request('GET', '/v1/events', {
        headers: { accept: 'text/event-stream', 'last-event-id': id },
      });
      expect([paged, resumed].map(({ status, body }) => [status, body.reason, body.errors[0].pointer])).toEqual([
        [410, 'event-expired', '/after'],
        [410, 'event-expired', '/Last-Event-ID'],
      ]);
      expect((await harness.request('GET', `/v1/events?after=${id}`, { key: harness.keys.theirs })).status).toBe(422);
    }
    const { body } = await harness.request('GET', `/v1/sessions/${testSession.sessionId}/timeline`);
    expect([body.items.filter(({ source }: { source: string }) => source === 'event').length, body.eventsGone]).toEqual(
      [3, 1],
    );
  });

  it('ends before an uncommitted event', async () => {
    await emitTestEvents(['session.live']);
    expect((await readPage()).events).toHaveLength(1);
    const slow = await createTestRoom('Slow');
    await emitTestEvents(['leg.joined'], slow, async () => {
      await emitTestEvents(['leg.joined']);
      const shown = await readPage();
      expect(shown.events.map(({ sessionId, seq }) => [sessionId, seq])).toEqual([[testSession.sessionId, 1]]);
    });
    const all = await readPage();
    expect(all.events.map(({ sessionId }) => sessionId)).toEqual([
      testSession.sessionId,
      slow.sessionId,
      testSession.sessionId,
    ]);
  });
});

describe('stream of events', () => {
  it.each([
    ['has events', 1],
    ['has no events', 0],
  ])('resumes where a stream without events started, for a tenant that %s', async (_, before) => {
    await harness.store.pool.query('DELETE FROM outbox');
    if (before > 0) await emitTestEvents(['session.live']);
    const first = await openStream();
    await expect.poll(first.lastEventId).toBeDefined();
    first.close();
    await first.ended;
    await emitTestEvents(['leg.joined', 'leg.ended']);
    const next = await openStream({ last: first.lastEventId() });
    await expect.poll(() => seqsOf(next)).toEqual([before + 1, before + 2]);
  });

  it('sends new events of its tenant only, equal to those in a page', async () => {
    await emitTestEvents(['session.live']);
    const [ours, theirs] = [await openStream(), await openStream({ key: harness.keys.theirs })];
    await emitTestEvents(['leg.joined', 'leg.ended']);
    await expect.poll(() => seqsOf(ours)).toEqual([2, 3]);
    const event = JSON.parse(ours.messages[0]?.data ?? '') as unknown;
    expect(Event.parse(event)).toEqual(event);
    expect(ours.messages[0]).toMatchObject({ id: (event as { id: string }).id, event: 'leg.joined' });
    expect((await readPage()).events[1]).toEqual(event);
    await expect.poll(() => theirs.comments.length).toBeGreaterThan(0);
    expect(theirs.messages).toEqual([]);
  });

  it('resumes after the last received event, without gaps or duplicates', async () => {
    const types = Array.from({ length: 250 }, () => 'leg.joined');
    await emitTestEvents(types);
    const first = await openStream({ last: (await readPage('?limit=1')).events[0]?.id });
    await expect.poll(() => seqsOf(first).length).toBe(249);
    first.close();
    await emitTestEvents(['leg.ended']);
    const second = await openStream({ last: first.messages[99]?.id });
    await emitTestEvents(['leg.ended']);
    await expect.poll(() => seqsOf(second).length).toBe(151);
    expect(seqsOf(second)).toEqual(Array.from({ length: 151 }, (_, i) => 102 + i));
  });

  it('starts with the oldest event for Last-Event-ID: start', async () => {
    await harness.store.pool.query('DELETE FROM outbox');
    await emitTestEvents(['session.live', 'leg.joined']);
    const all = await openStream({ last: 'start' });
    await expect.poll(() => seqsOf(all)).toEqual([1, 2]);
  });

  it('sends only the requested types', async () => {
    const one = await openStream({ query: '?types=session.ended,session.live' });
    await emitTestEvents(['session.live', 'leg.joined', 'session.ended']);
    await expect.poll(() => seqsOf(one)).toEqual([1, 3]);
  });

  it('waits for an event that commits after one with a larger id, and sends both', async () => {
    const slow = await createTestRoom('Slow');
    const one = await openStream();
    await emitTestEvents(['session.live'], slow, async () => {
      // This transaction starts later, gets a larger event id, and commits first.
      await emitTestEvents(['leg.joined']);
      expect(await harness.store.pool.query('SELECT count(*)::int AS n FROM outbox').then(({ rows }) => rows)).toEqual([
        { n: 1 },
      ]);
      // Long enough for many polls.
      await expect.poll(() => one.comments.length).toBeGreaterThan(1);
      expect(one.messages).toEqual([]);
    });
    await expect.poll(() => one.messages.map(({ event }) => event)).toEqual(['session.live', 'leg.joined']);
  });

  it('sends every event once, in the order of its session, during concurrent writes', async () => {
    const sessions = [testSession];
    for (let i = 0; i < 4; i++) sessions.push(await createTestRoom('More'));
    const one = await openStream();
    await Promise.all(
      sessions.map(async (each) => {
        for (let i = 0; i < 20; i++) await emitTestEvents(['leg.joined', 'leg.ended'], each);
      }),
    );
    await expect.poll(() => one.messages.length).toBe(200);
    const events = one.messages.map(({ data }) => JSON.parse(data) as { sessionId: string; seq: number });
    for (const each of sessions)
      expect(events.filter(({ sessionId }) => sessionId === each.sessionId).map(({ seq }) => seq)).toEqual(
        Array.from({ length: 40 }, (_, i) => i + 1),
      );
    expect((await readPage('?limit=100')).events.map(({ id }) => id)).toEqual(
      one.messages.slice(0, 100).map(({ id }) => id),
    );
  });

  it('is limited to ten per tenant, and releases its slot when it is closed', async () => {
    // Slots that no other test uses, reserved for longer than this test takes.
    const own = await startTestHarness(() => acceptingProvider, { heartbeatMs: 20_000 });
    const streams = [];
    for (let i = 0; i < 10; i++) streams.push(await openStream({ at: own }));
    const openRawStream = () =>
      fetch(`${own.url}/v1/events`, {
        headers: { accept: 'text/event-stream', authorization: `Bearer ${own.keys.ours}` },
      });
    const rejected = await openRawStream();
    expect([rejected.status, rejected.headers.get('content-type'), await rejected.json()]).toEqual([
      429,
      expect.stringContaining('application/problem+json'),
      expect.objectContaining({ reason: 'too-many-streams' }),
    ]);
    (await openStream({ at: own, key: own.keys.theirs })).close();
    streams[3]?.close();
    await expect
      .poll(async () => {
        const reply = await openRawStream();
        await reply.body?.cancel();
        return reply.status;
      })
      .toBe(200);
    await own.stop();
  });

  it.each<[string, (keyId: string) => Promise<unknown>, string]>([
    ['its key is revoked', (id) => harness.request('DELETE', `/v1/keys/${id}`), 'unknown-key'],
    [
      'its key expires',
      (id) =>
        harness.store.pool.query(`UPDATE api_key SET expires_at = now() - interval '1 second' WHERE id = $1`, [id]),
      'expired-key',
    ],
    [
      'its tenant is suspended',
      () => harness.request('POST', '/v1/operator/tenants/ten_ours/suspend'),
      'tenant-suspended',
    ],
  ])('ends when %s, and streams of other tenants continue', async (_, endAuthorization, reason) => {
    const { body } = await harness.request('POST', '/v1/keys', { body: { label: 'Key', scopes: ['events:read'] } });
    const [one, other] = [await openStream({ key: body.key }), await openStream({ key: harness.keys.theirs })];
    await endAuthorization(body.apiKey.id);
    await one.ended;
    expect((await harness.request('GET', '/v1/events', { key: body.key })).body.reason).toBe(reason);
    await harness.request('POST', '/v1/operator/tenants/ten_ours/resume');
    const { length } = other.comments;
    await expect.poll(() => other.comments.length).toBeGreaterThan(length);
  });

  it('rejects a Last-Event-ID that is unknown or of another tenant', async () => {
    await emitTestEvents(['session.live']);
    const [{ id }] = (await readPage()).events as unknown as [{ id: string }];
    for (const [last, key] of [
      ['evt_unknown_1', harness.keys.ours],
      [id, harness.keys.theirs],
      ["x'; --", harness.keys.ours],
    ] as const) {
      const reply = await harness.request('GET', '/v1/events', {
        key,
        headers: { accept: 'text/event-stream', 'last-event-id': last },
      });
      expect([reply.status, reply.body.errors]).toEqual([
        422,
        [{ pointer: '/Last-Event-ID', detail: 'The event does not exist.' }],
      ]);
    }
  });
});

it('ends streams immediately when the server stops', async () => {
  const own = await startTestHarness(() => acceptingProvider, { drainS: 30 });
  const reply = await fetch(`${own.url}/v1/events`, {
    headers: { accept: 'text/event-stream', authorization: `Bearer ${own.keys.ours}` },
  });
  const text = reply.text();
  await own.stop();
  // The stream ends without an error.
  expect(await text).toMatch(/^retry: 1000\nid: start\n\n/);
});

describe('timeline of a session', () => {
  it('lists items by time, and is not found for another tenant', async () => {
    await emitTestEvents(['session.live']);
    const { body: dialled } = await harness.request('POST', `/v1/rooms/${testSession.roomId}/participants`, {
      body: { phone: '+12025550142' },
    });
    await harness.request('POST', `/v1/rooms/${testSession.roomId}/end`);
    const { status, body } = await harness.request('GET', `/v1/sessions/${testSession.sessionId}/timeline`);
    expect([status, body.complete]).toEqual([200, true]);
    const items = body.items as { at: string; source: string; what: string; legId: string | null }[];
    expect(items.map(({ at }) => at)).toEqual(items.map(({ at }) => at).toSorted());
    expect(items).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ source: 'leg', what: 'created', legId: dialled.legId, detail: { kind: 'outbound' } }),
        expect.objectContaining({ source: 'event', what: 'leg.requested', legId: dialled.legId }),
        expect.objectContaining({
          source: 'event',
          what: 'session.ending',
          legId: null,
          detail: expect.objectContaining({ reason: 'ended-by-tenant' }),
        }),
      ]),
    );
    expect(
      (await harness.request('GET', `/v1/sessions/${testSession.sessionId}/timeline`, { key: harness.keys.theirs }))
        .body.reason,
    ).toBe('session-not-found');
  });

  it('lists every hang-up attempt and every observation', async () => {
    const legId = 'leg_timeline0000000000000';
    await harness.store.pool.query(
      `INSERT INTO leg (id, tenant_id, session_id, kind, state, deadline_at, created_at, answered_at,
                        hangup_requested_at, hangup_reason, confirmed_at, ended_at, outcome, reason)
       VALUES ($1, 'ten_ours', $2, 'inbound', 'ended', now(), '2026-01-01T00:00:00Z', '2026-01-01T00:00:02Z',
               '2026-01-01T00:01:00Z', 'ended-by-tenant', '2026-01-01T00:01:02Z', '2026-01-01T00:01:02Z',
               'success', 'completed')`,
      [legId, testSession.sessionId],
    );
    await harness.store.pool.query(
      `INSERT INTO hang_up_attempt (leg_id, no, tenant_id, at, outcome)
       VALUES ($1, 1, 'ten_ours', '2026-01-01T00:01:01Z', 'accepted')`,
      [legId],
    );
    await harness.store.pool.query(
      `INSERT INTO observation (tenant_id, leg_id, handle, phase, source, stored_at)
       VALUES (NULL, $1, 'voice', 'answered', 'callback', '2026-01-01T00:00:02Z'),
              ('ten_ours', $1, 'voice', 'over', 'look-up', '2026-01-01T00:01:02Z')`,
      [legId],
    );
    const { body } = await harness.request('GET', `/v1/sessions/${testSession.sessionId}/timeline`);
    const ofLeg = (body.items as { source: string; what: string; legId: string | null }[])
      .filter((item) => item.legId === legId)
      .map(({ source, what }) => `${source} ${what}`);
    expect(ofLeg).toEqual([
      'leg created',
      'leg answered',
      'observation answered',
      'leg hang-up-requested',
      'hang-up attempt',
      'leg hang-up-confirmed',
      'leg ended',
      'observation over',
    ]);
  });
});
