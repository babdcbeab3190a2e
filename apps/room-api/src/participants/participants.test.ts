import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { agreeable, startStage, type Stage } from '../testing/test-harness.ts';

let stage: Stage;
let room: string;
let session: string;
beforeAll(async () => {
  stage = await startStage(() => agreeable);
  const { body } = await stage.ask('POST', '/v1/rooms', { body: { name: 'Room', hostName: 'Ada' } });
  room = `/v1/rooms/${body.room.id}`;
  session = body.session.id;
});
afterAll(() => stage.stop());

describe('letting a browser in', () => {
  it('gives a token for the running session that is good until the session must end', async () => {
    const { status, body } = await stage.ask('POST', `${room}/tokens`, { body: { name: 'Grace' } });
    const { body: seen } = await stage.ask('GET', room);
    expect(status).toBe(201);
    expect(body).toMatchObject({
      sessionId: session,
      client: { mediaSessionId: `ms_${session}`, token: `token-of-${body.participantId}` },
    });
    expect(Date.parse(body.client.expiresAt) - Date.parse(seen.session.createdAt)).toBe(14_400_000);
  });

  it('opens the room’s next session when the last is over', async () => {
    const { body: made } = await stage.ask('POST', '/v1/rooms', { body: { name: 'Again' } });
    await stage.store.pool.query(`UPDATE session SET state = 'ended', ended_at = now() WHERE id = $1`, [
      made.session.id,
    ]);
    const { body } = await stage.ask('POST', `/v1/rooms/${made.room.id}/tokens`, { body: { name: 'Grace' } });
    expect(body.sessionId).not.toBe(made.session.id);
    const roster = await stage.ask('GET', `/v1/rooms/${made.room.id}/participants`);
    expect(roster.body.participants.map((person: { name: string }) => person.name)).toEqual(['Grace']);
  });
});

describe('ringing somebody', () => {
  it('is decided at once and seen on the roster, the number masked', async () => {
    const { status, body } = await stage.ask('POST', `${room}/participants`, {
      body: { phone: '+442079460018', name: 'Charles' },
    });
    expect([status, body.sessionId]).toEqual([202, session]);
    await stage.ask('POST', `${room}/participants`, { body: { phone: '+12025550177' } });
    const { body: roster } = await stage.ask('GET', `${room}/participants`);
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
    const { rows } = await stage.store.pool.query('SELECT remote, state FROM leg WHERE id = $1', [body.legId]);
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
  ])('refuses %j and makes nothing', async (phone) => {
    const before = await stage.counts();
    const { status, body } = await stage.ask('POST', `${room}/participants`, { body: { phone, name: 'Nobody' } });
    expect([status, body.reason]).toEqual([422, 'not-e164']);
    expect(body.errors).toEqual([{ pointer: '/phone', detail: 'The phone number is not in E.164 form.' }]);
    expect(body.fix).toContain('+442079460018');
    expect(await stage.counts()).toEqual(before);
  });
});

describe('the roster', () => {
  it('shows a browser that came back by the connection that is up', async () => {
    const { body: made } = await stage.ask('POST', '/v1/rooms', { body: { name: 'Back' } });
    for (const [id, state, ended] of [
      ['leg_a', 'ended', 'now()'],
      ['leg_b', 'joined', 'NULL'],
      ['leg_c', 'ended', 'now()'],
    ]) {
      await stage.store.pool.query(
        `INSERT INTO leg (id, tenant_id, session_id, participant_id, kind, state, deadline_at, joined_at, ended_at) VALUES ($1, 'ten_ours', $2, $3, 'webrtc', $4, now(), now(), ${ended})`,
        [id, made.session.id, made.participantId, state],
      );
    }
    const { body } = await stage.ask('GET', `/v1/rooms/${made.room.id}/participants`);
    expect(body.participants).toMatchObject([
      { legId: 'leg_b', state: 'joined', joinedAt: expect.any(String), leftAt: null },
    ]);
  });

  it('is given page after page, everybody once, whoever came before the session among them', async () => {
    const { body: made } = await stage.ask('POST', '/v1/rooms', { body: { name: 'Pages' } });
    const roster = `/v1/rooms/${made.room.id}/participants`;
    await stage.store.pool.query(`UPDATE participant SET created_at = now() - interval '1 day' WHERE id = $1`, [
      made.participantId,
    ]);
    await stage.store.pool.query(
      `INSERT INTO leg (id, tenant_id, session_id, participant_id, kind, state, deadline_at) VALUES ('leg_early', 'ten_ours', $1, $2, 'webrtc', 'joined', now())`,
      [made.session.id, made.participantId],
    );
    // Many of one instant: the id decides.
    await stage.store.pool.query(
      `INSERT INTO participant (id, tenant_id, room_id, kind, name, created_at) SELECT 'part_page_' || n, 'ten_ours', $1, 'dialled', 'Rung', now() FROM generate_series(1, 44) AS n`,
      [made.room.id],
    );
    await stage.store.pool.query(
      `INSERT INTO participant (id, tenant_id, room_id, kind, name, created_at) VALUES ('part_long_ago', 'ten_ours', $1, 'dialled', 'Of an earlier session', now() - interval '2 days')`,
      [made.room.id],
    );
    const seen: string[] = [];
    for (let after = ''; ;) {
      const { body } = await stage.ask('GET', `${roster}?limit=10${after}`);
      seen.push(...body.participants.map(({ id }: { id: string }) => id));
      if (body.next === null) break;
      after = `&after=${body.next}`;
    }
    expect([seen.length, new Set(seen).size, seen[0], seen.includes('part_long_ago')]).toEqual([
      45,
      45,
      made.participantId,
      false,
    ]);
    const { body: elsewhere } = await stage.ask('POST', '/v1/rooms', { body: { name: 'Elsewhere' } });
    const wrong = await stage.ask('GET', `${roster}?after=${elsewhere.participantId}`);
    expect([wrong.status, wrong.body.errors]).toEqual([422, [{ pointer: '/after', detail: 'There is no such page.' }]]);
  });
});
