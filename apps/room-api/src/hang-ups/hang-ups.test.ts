import { storeObservation } from '@partyline/store/legs/observations';
import { finishHangUpAttempt, recordHangUpAttempt } from '@partyline/store/hang-ups/hang-ups';
import { EVERY_TENANT, inTransaction } from '@partyline/store/database/store';
import { makeLeg } from '@partyline/store/testing/fixtures';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { acceptingProvider, startTestHarness, type TestHarness } from '../testing/test-harness.ts';

let harness: TestHarness;
beforeAll(async () => {
  harness = await startTestHarness(() => acceptingProvider);
});
afterAll(() => harness.stop());

interface SessionIds {
  readonly tenantId: string;
  readonly roomId: string;
  readonly sessionId: string;
}
async function createRoom(tenant: 'ours' | 'theirs' = 'ours'): Promise<SessionIds> {
  const { body } = await harness.request('POST', '/v1/rooms', { key: harness.keys[tenant], body: { name: 'Room' } });
  return { tenantId: `ten_${tenant}`, roomId: body.room.id, sessionId: body.session.id };
}

const atMinute = (minute: number): Date => new Date(Date.UTC(2026, 4, 4, 9, minute));

/** Creates a leg whose hang-up was requested at this minute, with two attempts. Returns its id. */
async function createHangUp(
  room: SessionIds,
  minute: number,
  { confirmed = true, kind = 'inbound' }: { confirmed?: boolean; kind?: 'inbound' | 'bridge' } = {},
): Promise<string> {
  const legId = await makeLeg(harness.store, room, {
    kind,
    state: confirmed ? 'ended' : 'ending',
    hangup_requested_at: atMinute(minute),
    hangup_reason: 'ended-by-tenant',
    confirmed_at: confirmed ? atMinute(minute + 1) : null,
    hangup_attempts: 2,
  });
  await inTransaction(harness.store, EVERY_TENANT, async (tx) => {
    for (const no of [1, 2]) await recordHangUpAttempt(tx, room.tenantId, { legId, no, at: atMinute(minute) });
    await finishHangUpAttempt(tx, room.tenantId, {
      legId,
      no: 1,
      at: atMinute(minute),
      outcome: 'rejected',
      reason: 'upstream-429',
    });
    if (!confirmed) return;
    const verdict = { outcome: 'success', reason: 'completed' } as const;
    if (kind === 'bridge')
      await storeObservation(tx, room.tenantId, {
        legId,
        handle: 'media',
        phase: 'over',
        source: 'callback',
        verdict: verdict,
        at: atMinute(minute),
      });
    // An observation of a handle that is not closed confirms nothing.
    await storeObservation(tx, room.tenantId, {
      legId,
      handle: 'voice',
      phase: 'answered',
      source: 'callback',
      at: null,
    });
    await storeObservation(tx, room.tenantId, {
      legId,
      handle: 'voice',
      phase: 'over',
      source: 'look-up',
      verdict: verdict,
      at: null,
    });
  });
  return legId;
}

describe('ledger entry', () => {
  it('lists every attempt and the confirming observations', async () => {
    const room = await createRoom();
    const legId = await createHangUp(room, 5, { kind: 'bridge' });
    const { body } = await harness.request('GET', `/v1/sessions/${room.sessionId}/hang-ups`);
    const voice = {
      handle: 'voice',
      source: 'look-up',
      outcome: 'success',
      reason: 'completed',
      at: expect.any(String),
      providerAt: null,
    };
    expect(body.hangUps).toEqual([
      {
        legId,
        kind: 'bridge',
        roomId: room.roomId,
        sessionId: room.sessionId,
        requestedAt: '2026-05-04T09:05:00.000Z',
        reason: 'ended-by-tenant',
        confirmedAt: '2026-05-04T09:06:00.000Z',
        attemptCount: 2,
        attempts: [
          { no: 1, at: '2026-05-04T09:05:00.000Z', outcome: 'rejected', reason: 'upstream-429' },
          { no: 2, at: '2026-05-04T09:05:00.000Z', outcome: null, reason: null },
        ],
        confirmedBy: voice,
        observations: [
          {
            handle: 'media',
            source: 'callback',
            outcome: 'success',
            reason: 'completed',
            at: expect.any(String),
            providerAt: '2026-05-04T09:05:00.000Z',
          },
          voice,
        ],
      },
    ]);
  });

  it('has no observation before it is confirmed', async () => {
    const room = await createRoom();
    const legId = await createHangUp(room, 0, { confirmed: false });
    expect((await harness.request('GET', `/v1/sessions/${room.sessionId}/hang-ups`)).body.hangUps).toMatchObject([
      { legId, confirmedAt: null, confirmedBy: null, observations: [] },
    ]);
  });

  it('lists the last twenty attempts, and the number of all attempts', async () => {
    const room = await createRoom();
    const legId = await makeLeg(harness.store, room, {
      kind: 'inbound',
      state: 'ending',
      hangup_requested_at: atMinute(0),
      hangup_reason: 'ended-by-tenant',
      hangup_attempts: 25,
    });
    const other = await createHangUp(room, 1);
    await inTransaction(harness.store, EVERY_TENANT, async (tx) => {
      for (let no = 1; no <= 25; no += 1) await recordHangUpAttempt(tx, room.tenantId, { legId, no, at: atMinute(no) });
    });
    const { body } = await harness.request('GET', `/v1/sessions/${room.sessionId}/hang-ups`);
    const listed = body.hangUps.map((line: { legId: string; attemptCount: number; attempts: { no: number }[] }) => [
      line.legId,
      line.attemptCount,
      line.attempts.map(({ no }) => no),
    ]);
    expect(listed).toEqual([
      [other, 2, [1, 2]],
      [legId, 25, Array.from({ length: 20 }, (_, i) => i + 6)],
    ]);
  });

  it('exists only for a leg with a requested hang-up', async () => {
    const room = await createRoom();
    await makeLeg(harness.store, room, { kind: 'inbound', state: 'joined' });
    expect((await harness.request('GET', `/v1/sessions/${room.sessionId}/hang-ups`)).body).toEqual({
      hangUps: [],
      complete: true,
    });
  });
});

describe('hang-up ledger', () => {
  let confirmed: string[];
  let unconfirmed: string[];
  beforeAll(async () => {
    // The legs of two sessions alternate. Two hang-ups were requested at the same time. The tenant
    // has no other legs.
    const [even, odd] = [await createRoom('theirs'), await createRoom('theirs')];
    const made: string[] = [];
    for (const minute of [10, 11, 12, 12, 13, 14, 15])
      made.push(await createHangUp(minute % 2 === 0 ? even : odd, minute, { confirmed: minute % 3 !== 0 }));
    const [m10, m11, m12a, m12b, m13, m14, m15] = made as [string, string, string, string, string, string, string];
    confirmed = [m14, m13, m11, m10];
    unconfirmed = [m15, ...[m12a, m12b].toSorted().toReversed()];
  });

  it.each(['all', 'confirmed', 'unconfirmed'] as const)(
    "lists the tenant's entries by state in pages, latest request first: %s",
    async (state) => {
      const wanted =
        state === 'confirmed'
          ? confirmed
          : state === 'unconfirmed'
            ? unconfirmed
            : [unconfirmed[0], confirmed[0], confirmed[1], unconfirmed[1], unconfirmed[2], confirmed[2], confirmed[3]];
      const listed: string[] = [];
      let next: string | null = '';
      while (next !== null) {
        const { body } = await harness.request(
          'GET',
          `/v1/hang-ups?state=${state}&limit=2${next === '' ? '' : `&after=${next}`}`,
          { key: harness.keys.theirs },
        );
        expect(body.hangUps.length).toBeGreaterThan(0);
        listed.push(...body.hangUps.map((line: { legId: string }) => line.legId));
        next = body.next;
      }
      expect(listed).toEqual(wanted);
    },
  );

  it('lists up to twenty entries of all states by default', async () => {
    const { body } = await harness.request('GET', '/v1/hang-ups', { key: harness.keys.theirs });
    expect([body.hangUps.length, body.next]).toEqual([7, null]);
  });

  it('is not visible to another tenant', async () => {
    const { body } = await harness.request('GET', '/v1/hang-ups?limit=100');
    const ours = new Set(body.hangUps.map((line: { legId: string }) => line.legId));
    expect([...confirmed, ...unconfirmed].filter((id) => ours.has(id))).toEqual([]);
    const room = await createRoom('theirs');
    const reply = await harness.request('GET', `/v1/sessions/${room.sessionId}/hang-ups`);
    expect([reply.status, reply.body.reason]).toEqual([404, 'session-not-found']);
    expect((await harness.request('GET', `/v1/hang-ups?after=${confirmed[0]}`)).status).toBe(422);
  });

  it.each([
    ['?state=open', '/state', 'must be unconfirmed, confirmed or all'],
    ['?limit=0', '/limit', 'must be at least 1'],
    ['?limit=101', '/limit', 'must be at most 100'],
    ['?after=room_1', '/after', 'must be the `next` of the previous page'],
    ['?after=leg_unknown', '/after', 'This page does not exist.'],
    ['?kind=bridge', '/kind', 'is not a known field'],
  ])('rejects %s', async (query, pointer, detail) => {
    const { status, body } = await harness.request('GET', `/v1/hang-ups${query}`);
    expect([status, body.reason, body.errors]).toEqual([422, 'invalid-query', [{ pointer, detail }]]);
  });
});
