import { storeObservation } from '@partyline/store/legs/observations';
import { closeAttempt, noteAttempt } from '@partyline/store/hang-ups/hang-ups';
import { EVERY_TENANT, inTransaction } from '@partyline/store/database/store';
import { makeLeg } from '@partyline/store/testing/fixtures';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { agreeable, startStage, type Stage } from '../testing/test-harness.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage(() => agreeable);
});
afterAll(() => stage.stop());

interface Place {
  readonly tenantId: string;
  readonly roomId: string;
  readonly sessionId: string;
}
async function place(whose: 'ours' | 'theirs' = 'ours'): Promise<Place> {
  const { body } = await stage.ask('POST', '/v1/rooms', { key: stage.keys[whose], body: { name: 'Room' } });
  return { tenantId: `ten_${whose}`, roomId: body.room.id, sessionId: body.session.id };
}

const AT = (minute: number): Date => new Date(Date.UTC(2026, 4, 4, 9, minute));

/** A leg owed its hang-up in that minute; asked twice, and confirmed if so wanted. */
async function owe(
  where: Place,
  minute: number,
  { confirmed = true, kind = 'inbound' }: { confirmed?: boolean; kind?: 'inbound' | 'bridge' } = {},
): Promise<string> {
  const legId = await makeLeg(stage.store, where, {
    kind,
    state: confirmed ? 'ended' : 'ending',
    hangup_requested_at: AT(minute),
    hangup_reason: 'ended-by-tenant',
    confirmed_at: confirmed ? AT(minute + 1) : null,
    asks: 2,
  });
  await inTransaction(stage.store, EVERY_TENANT, async (tx) => {
    for (const no of [1, 2]) await noteAttempt(tx, where.tenantId, { legId, no, at: AT(minute) });
    await closeAttempt(tx, where.tenantId, { legId, no: 1, at: AT(minute), outcome: 'rejected', reason: 'vendor-429' });
    if (!confirmed) return;
    const how = { outcome: 'success', reason: 'completed' } as const;
    if (kind === 'bridge')
      await storeObservation(tx, where.tenantId, {
        legId,
        handle: 'media',
        phase: 'over',
        source: 'callback',
        verdict: how,
        at: AT(minute),
      });
    // What says something else than that it is over proves nothing.
    await storeObservation(tx, where.tenantId, {
      legId,
      handle: 'voice',
      phase: 'answered',
      source: 'callback',
      at: null,
    });
    await storeObservation(tx, where.tenantId, {
      legId,
      handle: 'voice',
      phase: 'over',
      source: 'look-up',
      verdict: how,
      at: null,
    });
  });
  return legId;
}

describe('a line of the ledger', () => {
  it('tells every attempt and what confirmed it', async () => {
    const where = await place();
    const legId = await owe(where, 5, { kind: 'bridge' });
    const { body } = await stage.ask('GET', `/v1/sessions/${where.sessionId}/hang-ups`);
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
        roomId: where.roomId,
        sessionId: where.sessionId,
        owedAt: '2026-05-04T09:05:00.000Z',
        reason: 'ended-by-tenant',
        confirmedAt: '2026-05-04T09:06:00.000Z',
        asks: 2,
        attempts: [
          { no: 1, at: '2026-05-04T09:05:00.000Z', outcome: 'rejected', reason: 'vendor-429' },
          { no: 2, at: '2026-05-04T09:05:00.000Z', outcome: null, reason: null },
        ],
        confirmedBy: voice,
        closings: [
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

  it('has no proof before it is confirmed', async () => {
    const where = await place();
    const legId = await owe(where, 0, { confirmed: false });
    expect((await stage.ask('GET', `/v1/sessions/${where.sessionId}/hang-ups`)).body.hangUps).toMatchObject([
      { legId, confirmedAt: null, confirmedBy: null, closings: [] },
    ]);
  });

  it('tells the last twenty attempts, and how many there were', async () => {
    const where = await place();
    const legId = await makeLeg(stage.store, where, {
      kind: 'inbound',
      state: 'ending',
      hangup_requested_at: AT(0),
      hangup_reason: 'ended-by-tenant',
      asks: 25,
    });
    const other = await owe(where, 1);
    await inTransaction(stage.store, EVERY_TENANT, async (tx) => {
      for (let no = 1; no <= 25; no += 1) await noteAttempt(tx, where.tenantId, { legId, no, at: AT(no) });
    });
    const { body } = await stage.ask('GET', `/v1/sessions/${where.sessionId}/hang-ups`);
    const seen = body.hangUps.map((line: { legId: string; asks: number; attempts: { no: number }[] }) => [
      line.legId,
      line.asks,
      line.attempts.map(({ no }) => no),
    ]);
    expect(seen).toEqual([
      [other, 2, [1, 2]],
      [legId, 25, Array.from({ length: 20 }, (_, i) => i + 6)],
    ]);
  });

  it('is there only for what was owed', async () => {
    const where = await place();
    await makeLeg(stage.store, where, { kind: 'inbound', state: 'joined' });
    expect((await stage.ask('GET', `/v1/sessions/${where.sessionId}/hang-ups`)).body).toEqual({
      hangUps: [],
      complete: true,
    });
  });
});

describe('the ledger', () => {
  let confirmed: string[];
  let unconfirmed: string[];
  beforeAll(async () => {
    // Two sessions' legs in turn, two of them owed at the same moment, in a tenant who has no others.
    const [even, odd] = [await place('theirs'), await place('theirs')];
    const made: string[] = [];
    for (const minute of [10, 11, 12, 12, 13, 14, 15])
      made.push(await owe(minute % 2 === 0 ? even : odd, minute, { confirmed: minute % 3 !== 0 }));
    const [m10, m11, m12a, m12b, m13, m14, m15] = made as [string, string, string, string, string, string, string];
    confirmed = [m14, m13, m11, m10];
    unconfirmed = [m15, ...[m12a, m12b].toSorted().toReversed()];
  });

  it.each(['all', 'confirmed', 'unconfirmed'] as const)(
    'gives a tenant’s own lines by state, those owed last first, a page at a time: %s',
    async (state) => {
      const wanted =
        state === 'confirmed'
          ? confirmed
          : state === 'unconfirmed'
            ? unconfirmed
            : [unconfirmed[0], confirmed[0], confirmed[1], unconfirmed[1], unconfirmed[2], confirmed[2], confirmed[3]];
      const seen: string[] = [];
      let next: string | null = '';
      while (next !== null) {
        const { body } = await stage.ask(
          'GET',
          `/v1/hang-ups?state=${state}&limit=2${next === '' ? '' : `&after=${next}`}`,
          { key: stage.keys.theirs },
        );
        expect(body.hangUps.length).toBeGreaterThan(0);
        seen.push(...body.hangUps.map((line: { legId: string }) => line.legId));
        next = body.next;
      }
      expect(seen).toEqual(wanted);
    },
  );

  it('gives all of twenty or fewer without being asked how', async () => {
    const { body } = await stage.ask('GET', '/v1/hang-ups', { key: stage.keys.theirs });
    expect([body.hangUps.length, body.next]).toEqual([7, null]);
  });

  it('is nobody else’s', async () => {
    const { body } = await stage.ask('GET', '/v1/hang-ups?limit=100');
    const ours = new Set(body.hangUps.map((line: { legId: string }) => line.legId));
    expect([...confirmed, ...unconfirmed].filter((id) => ours.has(id))).toEqual([]);
    const where = await place('theirs');
    const asked = await stage.ask('GET', `/v1/sessions/${where.sessionId}/hang-ups`);
    expect([asked.status, asked.body.reason]).toEqual([404, 'session-not-found']);
    expect((await stage.ask('GET', `/v1/hang-ups?after=${confirmed[0]}`)).status).toBe(422);
  });

  it.each([
    ['?state=open', '/state', 'must be unconfirmed, confirmed or all'],
    ['?limit=0', '/limit', 'must be at least 1'],
    ['?limit=101', '/limit', 'must be at most 100'],
    ['?after=room_1', '/after', 'must be the `next` of the page before'],
    ['?after=leg_unknown', '/after', 'There is no such page.'],
    ['?kind=bridge', '/kind', 'is not a known field'],
  ])('refuses %s', async (query, pointer, detail) => {
    const { status, body } = await stage.ask('GET', `/v1/hang-ups${query}`);
    expect([status, body.reason, body.errors]).toEqual([422, 'invalid-query', [{ pointer, detail }]]);
  });
});
