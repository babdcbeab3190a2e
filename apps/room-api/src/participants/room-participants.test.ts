import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { acceptingProvider, startTestHarness, type TestHarness } from '../testing/test-harness.ts';

let harness: TestHarness;
let room: string;
let session: string;
beforeAll(async () => {
  harness = await startTestHarness(() => acceptingProvider);
  const { body } = await harness.request('POST', '/v1/rooms', { body: { name: 'Room', hostName: 'Ada' } });
  room = `/v1/rooms/${body.room.id}`;
  session = body.session.id;
});
afterAll(() => harness.stop());

describe('token for a browser', () => {
  it('is issued for the running session, and is valid until its deadline', async () => {
    const { status, body } = await harness.request('POST', `${room}/tokens`, { body: { name: 'Grace' } });
    const { body: shown } = await harness.request('GET', room);
    expect(status).toBe(201);
    expect(body).toMatchObject({
      sessionId: session,
      client: { mediaSessionId: `ms_${session}`, token: `token-of-${body.participantId}` },
    });
    expect(Date.parse(body.client.expiresAt) - Date.parse(shown.session.createdAt)).toBe(14_400_000);
  });

  it('opens a new session if the last one has ended', async () => {
    const { body: made } = await harness.request('POST', '/v1/rooms', { body: { name: 'Again' } });
    await harness.store.pool.query(`UPDATE session SET state = 'ended', ended_at = now() WHERE id = $1`, [
      made.session.id,
    ]);
    const { body } = await harness.request('POST', `/v1/rooms/${made.room.id}/tokens`, { body: { name: 'Grace' } });
    expect(body.sessionId).not.toBe(made.session.id);
    const roster = await harness.request('GET', `/v1/rooms/${made.room.id}/participants`);
    expect(roster.body.participants.map((person: { name: string }) => person.name)).toEqual(['Grace']);
  });
});

describe('dial-out', () => {
  it('is accepted immediately, and the roster shows it with a masked number', async () => {
    const { status, body } = await harness.request('POST', `${room}/participants`, {
      body: { phone: '+442079460018', name: 'Charles' },
    });
    expect([status, body.sessionId]).toEqual([202, session]);
    await harness.request('POST', `${room}/participants`, { body: { phone: '+12025550177' } });
    const { body: roster } = await harness.request('GET', `${room}/participants`);
    expect(roster.participants).toMatchObject([
      { name: 'Ada', kind: 'browser', state: 'invited', number: null, legId: null },
      { name: 'Grace', kind: 'browser', state: 'invited' },
      {
        id: body.participantId,
        name: 'Charles',
        kind: 'dialled',
        state: 'requested',
        number: '+442*******18',
        legId: body.legId,
      },
      { name: '+120******77', kind: 'dialled', state: 'requested', number: '+120******77' },
    ]);
    expect(JSON.stringify(roster)).not.toContain('2079460018');
    const { rows } = await harness.store.pool.query('SELECT remote, state FROM leg WHERE id = $1', [body.legId]);
    expect(rows).toEqual([{ remote: '+442079460018', state: 'requested' }]);
  });

  it.each([
    '442079460018',
    '+44 20 7946 0018',
    '00442079460018',
    '+0442079460018',
    '+44',
    '+4420794600181234567',
    'sip:ada@example.com',
    '',
    '+442079460018\n',
    '+442079460018;ext=1',
  ])('rejects %j and creates nothing', async (phone) => {
    const before = await harness.countRows();
    const { status, body } = await harness.request('POST', `${room}/participants`, { body: { phone, name: 'Ada' } });
    expect([status, body.reason]).toEqual([422, 'not-e164']);
    expect(body.errors).toEqual([{ pointer: '/phone', detail: 'The phone number is not in E.164 form.' }]);
    expect(body.fix).toContain('+442079460018');
    expect(await harness.countRows()).toEqual(before);
  });
});

describe('roster', () => {
  it('shows the live leg of a browser that reconnected', async () => {
    const { body: made } = await harness.request('POST', '/v1/rooms', { body: { name: 'Back' } });
    for (const [id, state, ended] of [
      ['leg_a', 'ended', 'now()'],
      ['leg_b', 'joined', 'NULL'],
      ['leg_c', 'ended', 'now()'],
    ]) {
      await harness.store.pool.query(
        `INSERT INTO leg (id, tenant_id, session_id, participant_id, kind, state, deadline_at, joined_at, ended_at)
         VALUES ($1, 'ten_ours', $2, $3, 'webrtc', $4, now(), now(), ${ended})`,
        [id, made.session.id, made.participantId, state],
      );
    }
    const { body } = await harness.request('GET', `/v1/rooms/${made.room.id}/participants`);
    expect(body.participants).toMatchObject([
      { legId: 'leg_b', state: 'joined', joinedAt: expect.any(String), leftAt: null },
    ]);
  });

  it('lists every participant once in pages, also one that is older than the session', async () => {
    const { body: made } = await harness.request('POST', '/v1/rooms', { body: { name: 'Pages' } });
    const roster = `/v1/rooms/${made.room.id}/participants`;
    await harness.store.pool.query(`UPDATE participant SET created_at = now() - interval '1 day' WHERE id = $1`, [
      made.participantId,
    ]);
    await harness.store.pool.query(
      `INSERT INTO leg (id, tenant_id, session_id, participant_id, kind, state, deadline_at)
       VALUES ('leg_early', 'ten_ours', $1, $2, 'webrtc', 'joined', now())`,
      [made.session.id, made.participantId],
    );
    // Participants of the same time are ordered by id.
    await harness.store.pool.query(
      `INSERT INTO participant (id, tenant_id, room_id, kind, name, created_at)
       SELECT 'part_page_' || n, 'ten_ours', $1, 'dialled', 'Dialled', now()
       FROM generate_series(1, 44) AS n`,
      [made.room.id],
    );
    await harness.store.pool.query(
      `INSERT INTO participant (id, tenant_id, room_id, kind, name, created_at)
       VALUES ('part_earlier', 'ten_ours', $1, 'dialled', 'Earlier session', now() - interval '2 days')`,
      [made.room.id],
    );
    const ids: string[] = [];
    for (let after = ''; ;) {
      const { body } = await harness.request('GET', `${roster}?limit=10${after}`);
      ids.push(...body.participants.map(({ id }: { id: string }) => id));
      if (body.next === null) break;
      after = `&after=${body.next}`;
    }
    expect([ids.length, new Set(ids).size, ids[0], ids.includes('part_earlier')]).toEqual([
      45,
      45,
      made.participantId,
      false,
    ]);
    const { body: elsewhere } = await harness.request('POST', '/v1/rooms', { body: { name: 'Elsewhere' } });
    const wrong = await harness.request('GET', `${roster}?after=${elsewhere.participantId}`);
    expect([wrong.status, wrong.body.errors]).toEqual([
      422,
      [{ pointer: '/after', detail: 'This page does not exist.' }],
    ]);
  });
});
