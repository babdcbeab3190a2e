import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { acceptingProvider, startTestHarness, type TestHarness } from '../testing/test-harness.ts';

let harness: TestHarness;
beforeAll(async () => {
  harness = await startTestHarness(() => acceptingProvider);
});
afterAll(() => harness.stop());

const create = async (settings: object = {}, key = harness.keys.ours) =>
  (await harness.request('POST', '/v1/rooms', { key, body: { name: 'Room', ...settings } })).body;
const inHours = (hours: number): string => new Date(Date.now() + hours * 3_600_000).toISOString();
const patch = (id: string, body: object, headers: Record<string, string> = {}) =>
  harness.request('PATCH', `/v1/rooms/${id}`, { body, headers });

describe('a scheduled room', () => {
  it('has PINs but no session before startsAt, and rejects tokens and participants', async () => {
    const { room, ...made } = await create({ startsAt: inHours(1), endsAt: inHours(2) });
    expect(made).toMatchObject({
      session: null,
      client: null,
      participantId: null,
      pin: expect.stringMatching(/^\d{9}$/),
      hostPin: expect.stringMatching(/^\d{9}$/),
    });
    expect(made.pin).not.toBe(made.hostPin);
    const { status, body } = await harness.request('POST', `/v1/rooms/${room.id}/tokens`, { body: { name: 'Early' } });
    expect([status, body.reason, body.detail]).toEqual([409, 'room-not-open', `This room opens at ${room.startsAt}.`]);
    expect(
      (await harness.request('POST', `/v1/rooms/${room.id}/participants`, { body: { phone: '+442079460018' } })).body
        .reason,
    ).toBe('room-not-open');
    expect((await harness.request('GET', `/v1/rooms/${room.id}`)).body).toMatchObject({
      session: null,
      legs: [],
      pin: made.pin,
      hostPin: made.hostPin,
    });
  });

  it('opens when startsAt is cleared, and its session ends at endsAt', async () => {
    const { room } = await create({ startsAt: inHours(1), endsAt: inHours(2) });
    expect((await patch(room.id, { startsAt: null })).status).toBe(200);
    const { status, body } = await harness.request('POST', `/v1/rooms/${room.id}/tokens`, {
      body: { name: 'Ada', role: 'host' },
    });
    expect(status).toBe(201);
    expect(body.client.expiresAt).toBe(room.endsAt);
    expect((await harness.request('GET', `/v1/sessions/${body.sessionId}`)).body).toMatchObject({
      roomId: room.id,
      state: 'open',
      dueReason: 'never-used',
    });
    await patch(room.id, { endsAt: inHours(0.5) });
    expect((await harness.request('GET', `/v1/sessions/${body.sessionId}`)).body).toMatchObject({
      dueReason: 'schedule-ended',
    });
  });

  it('rejects a token after endsAt', async () => {
    const { room } = await create();
    await harness.store.pool.query(`UPDATE room SET ends_at = now() - interval '1 minute' WHERE id = $1`, [room.id]);
    expect((await harness.request('POST', `/v1/rooms/${room.id}/tokens`, { body: { name: 'Late' } })).body.reason).toBe(
      'room-not-open',
    );
  });

  it.each([
    ['startsAt is after endsAt', { startsAt: 2, endsAt: 1 }, '/endsAt'],
    ['endsAt is in the past', { endsAt: -1 }, '/endsAt'],
    ['expiresAt is in the past', { expiresAt: -1 }, '/expiresAt'],
  ])('rejects a room whose %s, and stores nothing', async (_, hours, pointer) => {
    const before = await harness.countRows();
    const { status, body } = await harness.request('POST', '/v1/rooms', {
      body: { name: 'X', ...Object.fromEntries(Object.entries(hours).map(([field, at]) => [field, inHours(at)])) },
    });
    expect([status, body.reason, body.errors[0].pointer]).toEqual([422, 'invalid-schedule', pointer]);
    expect(await harness.countRows()).toEqual(before);
  });
});

describe('PATCH /v1/rooms/:id', () => {
  it('changes only the given fields, and applies them to the running session at once', async () => {
    const { room, session } = await create({ metadata: { team: 'sales' }, externalId: 'one' });
    const { status, body, headers } = await patch(room.id, {
      name: 'Renamed',
      neverUsedSeconds: 60,
      hostLeftSeconds: 30,
      waitForHost: true,
      expireAfterDays: 7,
    });
    expect([status, headers.get('etag')]).toEqual([200, '"2"']);
    expect(body).toEqual({
      ...room,
      name: 'Renamed',
      neverUsedSeconds: 60,
      hostLeftSeconds: 30,
      waitForHost: true,
      expireAfterDays: 7,
      version: 2,
    });
    const now = (await harness.request('GET', `/v1/sessions/${session.id}`)).body;
    expect(Date.parse(now.dueAt) - Date.parse(now.createdAt)).toBe(60_000);
  });

  it('keeps the version of a room that does not change, and records no change', async () => {
    const metadata = { a: '1', b: '2' };
    const { body } = await harness.request('POST', '/v1/rooms', {
      body: { name: 'Same', metadata, endsAt: '2099-01-01T00:00:00Z' },
    });
    const { id } = body.room;
    const same = { name: 'Same', metadata: { b: '2', a: '1' }, endsAt: '2099-01-01T01:00:00+01:00' };
    for (const change of [{}, same])
      expect(await patch(id, change)).toMatchObject({ status: 200, body: { version: 1, metadata } });
    const { body: list } = await harness.request('GET', `/v1/events?roomId=${id}&types=room.updated`);
    expect(list.events).toEqual([]);
    const { body: audit } = await harness.request('GET', '/v1/audit?operation=updateRoom&limit=2');
    expect(audit.entries.map((entry: { changes: unknown }) => entry.changes)).toEqual([null, null]);
  });

  it('returns 412 when If-Match is not the current version', async () => {
    const { room } = await create();
    const read = await harness.request('GET', `/v1/rooms/${room.id}`);
    expect(read.headers.get('etag')).toBe('"1"');
    expect((await patch(room.id, { name: 'First' }, { 'if-match': read.headers.get('etag')! })).status).toBe(200);
    const { status, body } = await patch(room.id, { name: 'Second' }, { 'if-match': read.headers.get('etag')! });
    expect([status, body.reason]).toEqual([412, 'version-mismatch']);
    expect((await patch(room.id, { name: 'Fourth' }, { 'if-match': '*' })).body).toMatchObject({
      name: 'Fourth',
      version: 3,
    });
  });

  it.each([
    ['2', '"2"'],
    ["'2'", '"2"'],
    ['W/"1"', '"1"'],
    ['"1-gzip"', '"1"'],
    ['nonsense', '"2"'],
    ['"1", "2"', '"1"'],
  ])('returns 422 with the right form for If-Match: %s', async (match, form) => {
    const { room } = await create();
    const { status, body } = await patch(room.id, { name: 'Renamed' }, { 'if-match': match });
    expect([status, body.reason, body.detail]).toEqual([
      422,
      'invalid-if-match',
      'If-Match must be the version of the room in double quotes, as in the ETag of a reply.',
    ]);
    expect(body.fix).toContain(`If-Match: ${form}.`);
    expect((await harness.request('GET', `/v1/rooms/${room.id}`)).body.room).toMatchObject({
      name: 'Room',
      version: 1,
    });
  });

  it('accepts one of ten concurrent updates with the same If-Match', async () => {
    const { room } = await create();
    const changed = await Promise.all(
      Array.from({ length: 10 }, (_, n) => patch(room.id, { name: `Room ${n}` }, { 'if-match': '"1"' })),
    );
    expect(changed.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
      200,
      ...Array.from({ length: 9 }, () => 412),
    ]);
  });

  it('ends a session that is older than the new maxDurationSeconds', async () => {
    const { room, session } = await create({ endsAt: inHours(1) });
    await harness.store.pool.query(`UPDATE session SET created_at = created_at - interval '10 minutes' WHERE id = $1`, [
      session.id,
    ]);
    await patch(room.id, { maxDurationSeconds: 300 });
    expect((await harness.request('GET', `/v1/sessions/${session.id}`)).body).toMatchObject({
      state: 'ended',
      endReason: 'max-duration',
    });
  });

  it('rejects an endsAt before startsAt, an ended room and an unknown room', async () => {
    const { room } = await create({ startsAt: inHours(2) });
    expect((await patch(room.id, { endsAt: inHours(1) })).body.reason).toBe('invalid-schedule');
    await harness.request('POST', `/v1/rooms/${room.id}/end`);
    expect((await patch(room.id, { name: 'Late' })).body.reason).toBe('room-ended');
    expect((await patch('room_AAAAAAAAAAAAAAAAAAAAAA', { name: 'X' })).body.reason).toBe('room-not-found');
  });

  it.each([
    ['/metadata', { metadata: { big: 'x'.repeat(2_048) } }],
    ['/metadata/n', { metadata: { n: 1 } }],
    ['/externalId', { externalId: 'two words' }],
    ['/expireAfterDays', { expireAfterDays: 0 }],
    ['/startsAt', { startsAt: 'tomorrow' }],
    ['/waitForHost', { waitForHost: 'yes' }],
    ['/number', { number: '+12025550100' }],
  ])('rejects a body that is invalid at %s', async (pointer, changes) => {
    const { room } = await create();
    const { status, body } = await patch(room.id, changes);
    expect([status, body.reason, body.errors.map((each: { pointer: string }) => each.pointer)]).toEqual([
      422,
      'invalid-body',
      [pointer],
    ]);
  });
});

describe('externalId of a room', () => {
  it('is unique among the active rooms of one tenant', async () => {
    const { room } = await create({ externalId: 'booking-1' });
    const before = await harness.countRows();
    const again = await harness.request('POST', '/v1/rooms', { body: { name: 'Other', externalId: 'booking-1' } });
    expect([again.status, again.body.reason]).toEqual([409, 'external-id-taken']);
    expect(await harness.countRows()).toEqual(before);
    expect((await create({ externalId: 'booking-1' }, harness.keys.theirs)).room.externalId).toBe('booking-1');
    const other = await create();
    expect((await patch(other.room.id, { externalId: 'booking-1' })).body.reason).toBe('external-id-taken');
    await harness.request('POST', `/v1/rooms/${room.id}/end`);
    expect((await create({ externalId: 'booking-1' })).room.externalId).toBe('booking-1');
  });

  it('creates one room from twenty concurrent requests with the same externalId', async () => {
    const made = await Promise.all(
      Array.from({ length: 20 }, () =>
        harness.request('POST', '/v1/rooms', { body: { name: 'Twin', externalId: 'twins' } }),
      ),
    );
    expect(made.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
      201,
      ...Array.from({ length: 19 }, () => 409),
    ]);
  });
});

describe('DELETE /v1/rooms/:id', () => {
  it('ends the room and removes it from the list; a later GET or DELETE still succeeds', async () => {
    const { room, session } = await create({ name: 'Gone' });
    const { status, body } = await harness.request('DELETE', `/v1/rooms/${room.id}`);
    expect([status, body]).toEqual([202, { state: 'ended', decided: true, sessionId: session.id }]);
    expect((await harness.request('GET', '/v1/rooms?name=Gone')).body.rooms).toEqual([]);
    expect((await harness.request('GET', `/v1/rooms/${room.id}`)).body.room.state).toBe('ended');
    expect((await harness.request('DELETE', `/v1/rooms/${room.id}`)).body).toEqual({
      state: 'ended',
      decided: false,
      sessionId: session.id,
    });
    expect((await harness.request('DELETE', '/v1/rooms/room_AAAAAAAAAAAAAAAAAAAAAA')).body.reason).toBe(
      'room-not-found',
    );
  });
});

describe('GET /v1/rooms and GET /v1/sessions', () => {
  it('filters rooms by state, name, externalId and creation time', async () => {
    const names = async (query: string): Promise<string[]> =>
      (await harness.request('GET', `/v1/rooms?${query}`)).body.rooms.map((room: { name: string }) => room.name);
    const [a, b, c] = [
      await create({ name: 'Filter 100%' }),
      await create({ name: 'Filter 100x', externalId: 'filtered' }),
      await create({ name: 'filter low' }),
    ];
    await harness.request('POST', `/v1/rooms/${a.room.id}/end`);
    expect(await names('name=Filter')).toEqual(['filter low', 'Filter 100x', 'Filter 100%']);
    expect(await names('name=FILTER%20100')).toEqual(['Filter 100x', 'Filter 100%']);
    expect(await names('name=Filter%20100%25')).toEqual(['Filter 100%']);
    expect(await names('name=Filter&state=active')).toEqual(['filter low', 'Filter 100x']);
    expect(await names('externalId=filtered')).toEqual(['Filter 100x']);
    expect(await names(`createdAfter=${b.room.createdAt}&createdBefore=${c.room.createdAt}`)).toEqual(['Filter 100x']);
    expect(await names(`createdAfter=${inHours(1)}`)).toEqual([]);
    expect((await harness.request('GET', '/v1/rooms?createdAfter=yesterday')).body.errors[0].pointer).toBe(
      '/createdAfter',
    );
  });

  it('filters sessions by room and state, and returns them in pages', async () => {
    const { room, session } = await create();
    await harness.store.pool.query(`UPDATE session SET state = 'ended', ended_at = now() WHERE id = $1`, [session.id]);
    const { body: token } = await harness.request('POST', `/v1/rooms/${room.id}/tokens`, { body: { name: 'Grace' } });
    const ids = async (query: string): Promise<string[]> =>
      (await harness.request('GET', `/v1/sessions?roomId=${room.id}${query}`)).body.sessions.map(
        ({ id }: { id: string }) => id,
      );
    expect(await ids('')).toEqual([token.sessionId, session.id]);
    expect(await ids('&state=ended')).toEqual([session.id]);
    expect(await ids(`&limit=1&after=${token.sessionId}`)).toEqual([session.id]);
    // The cursor may be a session that does not match the filter.
    expect(await ids(`&state=ended&limit=1&after=${token.sessionId}`)).toEqual([session.id]);
    expect((await harness.request('GET', '/v1/sessions?limit=1')).body.next).toBe(token.sessionId);
    expect(
      (await harness.request('GET', '/v1/sessions', { key: harness.keys.theirs })).body.sessions.map(
        (each: { roomId: string }) => each.roomId,
      ),
    ).not.toContain(room.id);
    expect(
      (await harness.request('GET', `/v1/sessions?after=${session.id}`, { key: harness.keys.theirs })).body.reason,
    ).toBe('invalid-query');
  });
});

describe('/v1/sessions/:id', () => {
  it('ends the session but not its room, and a repeated end returns the current state', async () => {
    const { room, session } = await create();
    await harness.request('POST', `/v1/rooms/${room.id}/participants`, { body: { phone: '+442079460018' } });
    expect((await harness.request('GET', `/v1/sessions/${session.id}/legs`)).body.legs).toMatchObject([
      { kind: 'outbound', state: 'requested' },
    ]);
    expect((await harness.request('POST', `/v1/sessions/${session.id}/end`)).body).toEqual({
      state: 'ended',
      decided: true,
    });
    expect((await harness.request('POST', `/v1/sessions/${session.id}/end`)).body).toEqual({
      state: 'ended',
      decided: false,
    });
    expect((await harness.request('GET', `/v1/rooms/${room.id}`)).body).toMatchObject({
      room: { state: 'active' },
      session: { state: 'ended', endReason: 'ended-by-tenant' },
    });
  });

  it('returns the first 5000 legs, hang-ups and events, and complete: false when there are more', async () => {
    const { session } = await create();
    const insertRows = (rows: number) =>
      harness.store.pool.query(
        `WITH made AS (
           INSERT INTO leg (id, tenant_id, session_id, kind, state, deadline_at, hangup_requested_at, hangup_reason)
           SELECT 'leg_' || $1::text || '_' || n, 'ten_ours', $1::text, 'webrtc', 'ended', now(), now(), 'room-full'
           FROM generate_series(1, $2::int) AS n
           RETURNING 1
         )
         INSERT INTO outbox (tenant_id, session_id, room_id, seq, type, data)
         SELECT 'ten_ours',
                s.id,
                s.room_id,
                (SELECT COALESCE(max(seq), 0) FROM outbox WHERE session_id = $1::text) + n,
                'leg.ended',
                '{}'
         FROM session s, generate_series(1, $2::int) AS n
         WHERE s.id = $1::text`,
        [session.id, rows],
      );
    const countReturned = async () =>
      Promise.all(
        (['legs', 'hang-ups', 'events'] as const).map(async (what) => {
          const { body } = await harness.request('GET', `/v1/sessions/${session.id}/${what}`);
          return [body[what === 'hang-ups' ? 'hangUps' : what].length, body.complete] as const;
        }),
      );
    await insertRows(5_000);
    expect(await countReturned()).toEqual([
      [5_000, true],
      [5_000, true],
      [5_000, true],
    ]);
    await harness.store.pool.query(`UPDATE leg SET id = id || '_' WHERE session_id = $1`, [session.id]);
    await insertRows(1);
    expect(await countReturned()).toEqual([
      [5_000, false],
      [5_000, false],
      [5_000, false],
    ]);
  });

  it.each([
    ['GET', ''],
    ['GET', '/legs'],
    ['POST', '/end'],
  ])("returns 404 for another tenant's session: %s /v1/sessions/:id%s", async (method, path) => {
    const { session } = await create();
    const { status, body } = await harness.request(method, `/v1/sessions/${session.id}${path}`, {
      key: harness.keys.theirs,
    });
    expect([status, body.reason]).toEqual([404, 'session-not-found']);
    expect((await harness.request('GET', `/v1/sessions/${session.id}`)).body.state).toBe('open');
  });
});
