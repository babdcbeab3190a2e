import { Event } from '@partyline/contracts/events/events';
import { appendEvents } from '@partyline/store/events/append-events';
import { lockSession } from '@partyline/store/sessions/session-lock';
import { inTransaction } from '@partyline/store/database/store';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { agreeable, startStage, type Stage } from '../testing/test-harness.ts';

let stage: Stage;
let place: { tenantId: string; roomId: string; sessionId: string };
const open: AbortController[] = [];
beforeAll(async () => {
  stage = await startStage(() => agreeable);
});
afterAll(() => stage.stop());
beforeEach(async () => {
  await stage.store.pool.query('DELETE FROM outbox');
  const { body } = await stage.ask('POST', '/v1/rooms', { body: { name: 'Room' } });
  place = { tenantId: 'ten_ours', roomId: body.room.id, sessionId: body.session.id };
});
afterEach(() => {
  for (const each of open.splice(0)) each.abort();
});

const tell = (
  types: readonly string[],
  { tenantId, roomId, sessionId } = place,
  until: () => Promise<unknown> = async () => undefined,
): Promise<void> =>
  inTransaction(stage.store, tenantId, async (tx) => {
    const { session } = (await lockSession(tx, tenantId, sessionId))!;
    await appendEvents(
      tx,
      tenantId,
      { roomId, sessionId, firstSeq: session.last_seq + 1 },
      types.map((type) => ({ type, data: {} })),
    );
    await tx.query('UPDATE session SET last_seq = last_seq + $2 WHERE id = $1', [sessionId, types.length]);
    await until();
  });

interface Listening {
  readonly messages: EventSourceMessage[];
  readonly comments: string[];
  /** What a browser would go on from. */
  readonly place: () => string | undefined;
  readonly over: Promise<void>;
  close(): void;
}
/** Follows events as a browser would; everything that came so far. */
async function follow({
  query = '',
  last,
  at = stage,
  key = at.keys.ours,
}: { query?: string; last?: string | undefined; at?: Stage; key?: string } = {}): Promise<Listening> {
  const gone = new AbortController();
  open.push(gone);
  const reply = await fetch(`${at.url}/v1/events${query}`, {
    signal: gone.signal,
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
  const over = (async () => {
    try {
      for await (const chunk of reply.body!) parser.feed(decoder.decode(chunk, { stream: true }));
    } catch {
      // Closed by us.
    }
  })();
  return { messages, comments, place: () => lastId, over, close: () => gone.abort() };
}
const seqs = ({ messages }: Listening): number[] =>
  messages.map(({ data }) => (JSON.parse(data) as { seq: number }).seq);
const page = async (
  query = '',
): Promise<{ events: { id: string; seq: number; type: string; sessionId: string }[]; next: string | null }> =>
  (await stage.ask('GET', `/v1/events${query}`)).body;

describe('a page of events', () => {
  it('has a tenant’s own, oldest first, page after page', async () => {
    await tell(['session.live', 'leg.joined', 'leg.ended']);
    await stage.ask('POST', '/v1/rooms', { key: stage.keys.theirs, body: { name: 'Theirs' } });
    const first = await page('?limit=2');
    expect(first.events.map(({ type }) => type)).toEqual(['session.live', 'leg.joined']);
    const second = await page(`?limit=2&after=${first.next}`);
    expect([second.events.map(({ seq, sessionId }) => [seq, sessionId]), second.next]).toEqual([
      [[3, place.sessionId]],
      null,
    ]);
    // Later the same place leads on.
    await tell(['session.ending']);
    expect((await page(`?after=${second.events[0]?.id}`)).events.map(({ type }) => type)).toEqual(['session.ending']);
    expect((await stage.ask('GET', '/v1/events', { key: stage.keys.theirs })).body).toEqual({ events: [], next: null });
  });

  it('has only the types that are asked for', async () => {
    await tell(['session.live', 'leg.joined', 'leg.ended']);
    expect((await page('?types=leg.ended,session.live')).events.map(({ type }) => type)).toEqual([
      'session.live',
      'leg.ended',
    ]);
  });

  it.each([
    ['?types=leg.flew', '/types/0'],
    ['?after=evt_nobodys_1', '/after'],
    ['?after=room_1', '/after'],
    ['?limit=0', '/limit'],
    ['?since=1', '/since'],
  ])('refuses %s', async (query, pointer) => {
    const { status, body } = await stage.ask('GET', `/v1/events${query}`);
    expect([status, body.reason, body.errors[0].pointer]).toEqual([422, 'invalid-query', pointer]);
  });

  it('begins with those of the last 30 days, and says so when it is asked for what comes after an older one', async () => {
    await tell(['session.live', 'leg.joined', 'leg.answered', 'leg.ended']);
    const [gone, old, hidden, kept] = (await page()).events;
    await stage.store.pool.query('DELETE FROM outbox WHERE seq = 1');
    await stage.store.pool.query(`UPDATE outbox SET created_at = now() - interval '30 days 2 hours' WHERE seq = 2`);
    await stage.store.pool.query(`UPDATE outbox SET created_at = now() - interval '30 days 1 minute' WHERE seq = 3`);
    expect((await page()).events).toEqual([kept]);
    // Whoever pages through the oldest has an hour for the next page.
    expect((await page(`?after=${hidden?.id}`)).events).toEqual([kept]);
    for (const id of [gone?.id ?? '', old?.id ?? '']) {
      const asked = await stage.ask('GET', `/v1/events?after=${id}`);
      const resumed = await stage.ask('GET', '/v1/events', {
        headers: { accept: 'text/event-stream', 'last-event-id': id },
      });
      expect([asked, resumed].map(({ status, body }) => [status, body.reason, body.errors[0].pointer])).toEqual([
        [410, 'event-expired', '/after'],
        [410, 'event-expired', '/Last-Event-ID'],
      ]);
      expect((await stage.ask('GET', `/v1/events?after=${id}`, { key: stage.keys.theirs })).status).toBe(422);
    }
    const { body } = await stage.ask('GET', `/v1/sessions/${place.sessionId}/timeline`);
    expect([body.items.filter(({ source }: { source: string }) => source === 'event').length, body.eventsGone]).toEqual(
      [3, 1],
    );
  });

  it('does not go past an event that is not committed yet', async () => {
    await tell(['session.live']);
    expect((await page()).events).toHaveLength(1);
    const { body } = await stage.ask('POST', '/v1/rooms', { body: { name: 'Slow' } });
    const slow = { tenantId: 'ten_ours', roomId: body.room.id, sessionId: body.session.id };
    await tell(['leg.joined'], slow, async () => {
      await tell(['leg.joined']);
      const seen = await page();
      expect(seen.events.map(({ sessionId, seq }) => [sessionId, seq])).toEqual([[place.sessionId, 1]]);
    });
    const all = await page();
    expect(all.events.map(({ sessionId }) => sessionId)).toEqual([place.sessionId, slow.sessionId, place.sessionId]);
  });
});

describe('a stream of events', () => {
  it.each([
    ['has had events', 1],
    ['never had any', 0],
  ])('that told nothing yet is gone on with where it began, by a tenant that %s', async (_, before) => {
    await stage.store.pool.query('DELETE FROM outbox');
    if (before > 0) await tell(['session.live']);
    const first = await follow();
    await expect.poll(first.place).toBeDefined();
    first.close();
    await first.over;
    await tell(['leg.joined', 'leg.ended']);
    const next = await follow({ last: first.place() });
    await expect.poll(() => seqs(next)).toEqual([before + 1, before + 2]);
  });

  it('tells what happens from now on, as it is told everywhere, to its tenant alone', async () => {
    await tell(['session.live']);
    const [ours, theirs] = [await follow(), await follow({ key: stage.keys.theirs })];
    await tell(['leg.joined', 'leg.ended']);
    await expect.poll(() => seqs(ours)).toEqual([2, 3]);
    const event = JSON.parse(ours.messages[0]?.data ?? '') as unknown;
    expect(Event.parse(event)).toEqual(event);
    expect(ours.messages[0]).toMatchObject({ id: (event as { id: string }).id, event: 'leg.joined' });
    expect((await page()).events[1]).toEqual(event);
    await expect.poll(() => theirs.comments.length).toBeGreaterThan(0);
    expect(theirs.messages).toEqual([]);
  });

  it('goes on after the last one that was heard, without a gap and without a repeat', async () => {
    const types = Array.from({ length: 250 }, () => 'leg.joined');
    await tell(types);
    const first = await follow({ last: (await page('?limit=1')).events[0]?.id });
    await expect.poll(() => seqs(first).length).toBe(249);
    first.close();
    await tell(['leg.ended']);
    const second = await follow({ last: first.messages[99]?.id });
    await tell(['leg.ended']);
    await expect.poll(() => seqs(second).length).toBe(151);
    expect(seqs(second)).toEqual(Array.from({ length: 151 }, (_, i) => 102 + i));
  });

  it('begins with the oldest that is kept when it is asked for the start', async () => {
    await stage.store.pool.query('DELETE FROM outbox');
    await tell(['session.live', 'leg.joined']);
    const all = await follow({ last: 'start' });
    await expect.poll(() => seqs(all)).toEqual([1, 2]);
  });

  it('tells only the types that are asked for', async () => {
    const one = await follow({ query: '?types=session.ended,session.live' });
    await tell(['session.live', 'leg.joined', 'session.ended']);
    await expect.poll(() => seqs(one)).toEqual([1, 3]);
  });

  it('waits for an event that is committed after one with a larger number, and loses neither', async () => {
    const { body } = await stage.ask('POST', '/v1/rooms', { body: { name: 'Slow' } });
    const slow = { tenantId: 'ten_ours', roomId: body.room.id, sessionId: body.session.id };
    const one = await follow();
    await tell(['session.live'], slow, async () => {
      // Begun later, numbered later, and over before.
      await tell(['leg.joined']);
      expect(await stage.store.pool.query('SELECT count(*)::int AS n FROM outbox').then(({ rows }) => rows)).toEqual([
        { n: 1 },
      ]);
      // Long enough for many looks.
      await expect.poll(() => one.comments.length).toBeGreaterThan(1);
      expect(one.messages).toEqual([]);
    });
    await expect.poll(() => one.messages.map(({ event }) => event)).toEqual(['session.live', 'leg.joined']);
  });

  it('loses and repeats nothing, and keeps each session’s order, while many write at once', async () => {
    const places = [place];
    for (let i = 0; i < 4; i++) {
      const { body } = await stage.ask('POST', '/v1/rooms', { body: { name: 'More' } });
      places.push({ tenantId: 'ten_ours', roomId: body.room.id, sessionId: body.session.id });
    }
    const one = await follow();
    await Promise.all(
      places.map(async (each) => {
        for (let i = 0; i < 20; i++) await tell(['leg.joined', 'leg.ended'], each);
      }),
    );
    await expect.poll(() => one.messages.length).toBe(200);
    const told = one.messages.map(({ data }) => JSON.parse(data) as { sessionId: string; seq: number });
    for (const each of places)
      expect(told.filter(({ sessionId }) => sessionId === each.sessionId).map(({ seq }) => seq)).toEqual(
        Array.from({ length: 40 }, (_, i) => i + 1),
      );
    expect((await page('?limit=100')).events.map(({ id }) => id)).toEqual(
      one.messages.slice(0, 100).map(({ id }) => id),
    );
  });

  it('is one of ten at most, and its place is free when it is closed', async () => {
    // Places that are held for longer than the test takes on any machine, and that no other test has had.
    const own = await startStage(() => agreeable, { heartbeatMs: 20_000 });
    const streams = [];
    for (let i = 0; i < 10; i++) streams.push(await follow({ at: own }));
    const ask = () =>
      fetch(`${own.url}/v1/events`, {
        headers: { accept: 'text/event-stream', authorization: `Bearer ${own.keys.ours}` },
      });
    const refused = await ask();
    expect([refused.status, refused.headers.get('content-type'), await refused.json()]).toEqual([
      429,
      expect.stringContaining('application/problem+json'),
      expect.objectContaining({ reason: 'too-many-streams' }),
    ]);
    (await follow({ at: own, key: own.keys.theirs })).close();
    streams[3]?.close();
    await expect
      .poll(async () => {
        const reply = await ask();
        await reply.body?.cancel();
        return reply.status;
      })
      .toBe(200);
    await own.stop();
  });

  it.each<[string, (keyId: string) => Promise<unknown>, string]>([
    ['its key is revoked', (id) => stage.ask('DELETE', `/v1/keys/${id}`), 'unknown-key'],
    [
      'its key expires',
      (id) => stage.store.pool.query(`UPDATE api_key SET expires_at = now() - interval '1 second' WHERE id = $1`, [id]),
      'expired-key',
    ],
    ['its tenant is suspended', () => stage.ask('POST', '/v1/operator/tenants/ten_ours/suspend'), 'tenant-suspended'],
  ])('ends when %s, and no other’s does', async (_, happens, reason) => {
    const { body } = await stage.ask('POST', '/v1/keys', { body: { label: 'Key', scopes: ['events:read'] } });
    const [one, other] = [await follow({ key: body.key }), await follow({ key: stage.keys.theirs })];
    await happens(body.apiKey.id);
    await one.over;
    expect((await stage.ask('GET', '/v1/events', { key: body.key })).body.reason).toBe(reason);
    await stage.ask('POST', '/v1/operator/tenants/ten_ours/resume');
    const { length } = other.comments;
    await expect.poll(() => other.comments.length).toBeGreaterThan(length);
  });

  it('refuses to go on after an event that is nobody’s or another’s', async () => {
    await tell(['session.live']);
    const [{ id }] = (await page()).events as unknown as [{ id: string }];
    for (const [last, key] of [
      ['evt_nobodys_1', stage.keys.ours],
      [id, stage.keys.theirs],
      ["x'; --", stage.keys.ours],
    ] as const) {
      const reply = await stage.ask('GET', '/v1/events', {
        key,
        headers: { accept: 'text/event-stream', 'last-event-id': last },
      });
      expect([reply.status, reply.body.errors]).toEqual([
        422,
        [{ pointer: '/Last-Event-ID', detail: 'There is no such event.' }],
      ]);
    }
  });
});

it('is closed at once when the server is stopped', async () => {
  const own = await startStage(() => agreeable, { drainS: 30 });
  const reply = await fetch(`${own.url}/v1/events`, {
    headers: { accept: 'text/event-stream', authorization: `Bearer ${own.keys.ours}` },
  });
  const text = reply.text();
  await own.stop();
  // Told to the end, not cut off.
  expect(await text).toMatch(/^retry: 1000\nid: start\n\n/);
});

describe('a session’s timeline', () => {
  it('tells everything in the order of time, and nobody else’s', async () => {
    await tell(['session.live']);
    const { body: rung } = await stage.ask('POST', `/v1/rooms/${place.roomId}/participants`, {
      body: { phone: '+12025550142' },
    });
    await stage.ask('POST', `/v1/rooms/${place.roomId}/end`);
    const { status, body } = await stage.ask('GET', `/v1/sessions/${place.sessionId}/timeline`);
    expect([status, body.complete]).toEqual([200, true]);
    const items = body.items as { at: string; source: string; what: string; legId: string | null }[];
    expect(items.map(({ at }) => at)).toEqual(items.map(({ at }) => at).toSorted());
    expect(items).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ source: 'leg', what: 'created', legId: rung.legId, detail: { kind: 'outbound' } }),
        expect.objectContaining({ source: 'event', what: 'leg.requested', legId: rung.legId }),
        expect.objectContaining({
          source: 'event',
          what: 'session.ending',
          legId: null,
          detail: expect.objectContaining({ reason: 'ended-by-tenant' }),
        }),
      ]),
    );
    expect(
      (await stage.ask('GET', `/v1/sessions/${place.sessionId}/timeline`, { key: stage.keys.theirs })).body.reason,
    ).toBe('session-not-found');
  });

  it('has each attempt to hang up and each observation', async () => {
    const legId = 'leg_timeline0000000000000';
    await stage.store.pool.query(
      `INSERT INTO leg (id, tenant_id, session_id, kind, state, deadline_at, created_at, answered_at, hangup_requested_at, hangup_reason, confirmed_at, ended_at, outcome, reason)
      VALUES ($1, 'ten_ours', $2, 'inbound', 'ended', now(), '2026-01-01T00:00:00Z', '2026-01-01T00:00:02Z', '2026-01-01T00:01:00Z', 'ended-by-tenant', '2026-01-01T00:01:02Z', '2026-01-01T00:01:02Z', 'success', 'completed')`,
      [legId, place.sessionId],
    );
    await stage.store.pool.query(
      `INSERT INTO hang_up_attempt (leg_id, no, tenant_id, at, outcome) VALUES ($1, 1, 'ten_ours', '2026-01-01T00:01:01Z', 'accepted')`,
      [legId],
    );
    await stage.store.pool.query(
      `INSERT INTO observation (tenant_id, leg_id, handle, phase, source, stored_at) VALUES (NULL, $1, 'voice', 'answered', 'callback', '2026-01-01T00:00:02Z'), ('ten_ours', $1, 'voice', 'over', 'look-up', '2026-01-01T00:01:02Z')`,
      [legId],
    );
    const { body } = await stage.ask('GET', `/v1/sessions/${place.sessionId}/timeline`);
    const its = (body.items as { source: string; what: string; legId: string | null }[])
      .filter((item) => item.legId === legId)
      .map(({ source, what }) => `${source} ${what}`);
    expect(its).toEqual([
      'leg created',
      'leg answered',
      'observation answered',
      'leg hang-up-owed',
      'hang-up asked',
      'leg hang-up-confirmed',
      'leg ended',
      'observation over',
    ]);
  });
});
