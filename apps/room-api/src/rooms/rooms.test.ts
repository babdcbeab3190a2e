import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { acceptingProvider, startTestHarness, type TestHarness } from '../testing/test-harness.ts';

let harness: TestHarness;
beforeAll(async () => {
  // The provider's answer is fixed: these tests cover the HTTP API of room-api only.
  harness = await startTestHarness(() => ({
    ...acceptingProvider,
    observeRoom: async () => [{ legId: 'leg_1', kind: 'bridge', state: 'joined', mediaUp: true, voiceUp: null }],
  }));
});
afterAll(() => harness.stop());

const create = async (name = 'Room', key = harness.keys.ours) =>
  (await harness.request('POST', '/v1/rooms', { key, body: { name } })).body;

describe('GET /v1/rooms/:id', () => {
  it('returns the room, its PIN, its session, and each leg with its hang-up ledger', async () => {
    const made = await create();
    const { body: added } = await harness.request('POST', `/v1/rooms/${made.room.id}/participants`, {
      body: { phone: '+442079460018' },
    });
    const { body } = await harness.request('GET', `/v1/rooms/${made.room.id}`);
    expect(body).toMatchObject({
      room: made.room,
      pin: made.pin,
      pinSpaced: made.pinSpaced,
      tapToCall: made.tapToCall,
      number: made.number,
      numbers: made.numbers,
    });
    expect(body.session).toMatchObject({
      id: made.session.id,
      state: 'open',
      dueReason: 'never-used',
      endReason: null,
    });
    expect(body.legs).toEqual([
      expect.objectContaining({
        id: added.legId,
        kind: 'outbound',
        state: 'requested',
        participantId: added.participantId,
        number: '+442*******18',
        hangUp: { requestedAt: null, reason: null, lastAttemptAt: null, attemptCount: 0, confirmedAt: null },
      }),
    ]);
  });

  it('returns under /live the legs that the provider reports', async () => {
    const made = await create();
    expect((await harness.request('GET', `/v1/rooms/${made.room.id}/live`)).body).toEqual({
      legs: [{ legId: 'leg_1', kind: 'bridge', state: 'joined', mediaUp: true, voiceUp: null }],
    });
  });
});

it('GET /v1/rooms/:id returns no PINs to a key without the scope rooms:write', async () => {
  const made = await create();
  const shownTo = async (scopes: string[]) => {
    const { body: reader } = await harness.request('POST', '/v1/keys', { body: { label: 'Reader', scopes } });
    return (await harness.request('GET', `/v1/rooms/${made.room.id}`, { key: reader.key })).body;
  };
  const reader = await shownTo(['rooms:read', 'calls:write', 'events:read', 'keys:write']);
  expect(reader).toMatchObject({
    room: { id: made.room.id },
    number: made.number,
    pin: null,
    pinSpaced: null,
    hostPin: null,
    hostPinSpaced: null,
    tapToCall: null,
  });
  for (const secret of [made.pin, made.hostPin]) expect(JSON.stringify(reader)).not.toContain(secret);
  expect(await shownTo(['rooms:read', 'rooms:write'])).toMatchObject({
    pin: made.pin,
    hostPin: made.hostPin,
    tapToCall: made.tapToCall,
  });
});

describe('GET /v1/rooms', () => {
  it('returns only the rooms of the tenant, newest first, in pages', async () => {
    const made: string[] = [];
    for (let i = 0; i < 5; i++) made.unshift((await create(`Room ${i}`, harness.keys.theirs)).room.id);
    await create();
    const listed: string[] = [];
    let after = '';
    let pages = 0;
    do {
      const { body } = await harness.request('GET', `/v1/rooms?limit=2${after}`, { key: harness.keys.theirs });
      listed.push(...body.rooms.map((room: { id: string }) => room.id));
      after = body.next === null ? '' : `&after=${body.next}`;
      pages += 1;
    } while (after !== '');
    expect([pages, listed]).toEqual([3, made]);
  });

  it('returns next: null with a full last page', async () => {
    const { body } = await harness.request('GET', '/v1/rooms?limit=5', { key: harness.keys.theirs });
    expect([body.rooms.length, body.next]).toEqual([5, null]);
  });

  it('returns every room when the cursor stops matching the filter between two pages', async () => {
    const made: string[] = [];
    for (let i = 0; i < 5; i++) made.unshift((await create(`Goes ${i}`, harness.keys.theirs)).room.id);
    const listed: string[] = [];
    for (let after: string | null = ''; after !== null;) {
      const { body } = await harness.request('GET', `/v1/rooms?name=Goes&state=active&limit=2${after}`, {
        key: harness.keys.theirs,
      });
      for (const { id } of body.rooms as { id: string }[]) {
        listed.push(id);
        await harness.request('POST', `/v1/rooms/${id}/end`, { key: harness.keys.theirs });
      }
      after = body.next === null ? null : `&after=${body.next}`;
    }
    expect(listed).toEqual(made);
  });

  it.each([
    ['?limit=0', '/limit', 'must be at least 1'],
    ['?limit=101', '/limit', 'must be at most 100'],
    ['?limit=1.5', '/limit', 'must be a whole number'],
    ['?limit=many', '/limit', 'must be a whole number'],
    ['?limit=1&limit=2', '/limit', 'must be a whole number'],
    ['?after=%00', '/after', 'must be the `next` of the previous page'],
    ['?after=room_unknown', '/after', 'This page does not exist.'],
    ['?page=2', '/page', 'is not a known field'],
  ])('rejects the query %s', async (query, pointer, detail) => {
    const { status, body } = await harness.request('GET', `/v1/rooms${query}`);
    expect([status, body.reason, body.errors]).toEqual([422, 'invalid-query', [{ pointer, detail }]]);
  });

  it("rejects another tenant's room as the cursor", async () => {
    const made = await create();
    expect((await harness.request('GET', `/v1/rooms?after=${made.room.id}`, { key: harness.keys.theirs })).status).toBe(
      422,
    );
  });
});

describe('POST /v1/rooms/:id/end', () => {
  it('ends the session, releases the PIN and records the events', async () => {
    const made = await create();
    await harness.request('POST', `/v1/rooms/${made.room.id}/participants`, { body: { phone: '+442079460018' } });
    const { status, body } = await harness.request('POST', `/v1/rooms/${made.room.id}/end`);
    // The only phone was never dialled, so no hang-up needs a confirmation from the provider.
    expect([status, body]).toEqual([202, { state: 'ended', decided: true, sessionId: made.session.id }]);
    const endedRoom = (await harness.request('GET', `/v1/rooms/${made.room.id}`)).body;
    expect(endedRoom).toMatchObject({
      room: { state: 'ended' },
      session: { state: 'ended', endReason: 'ended-by-tenant' },
      pin: null,
      pinSpaced: null,
      tapToCall: null,
    });
    expect(endedRoom.legs).toMatchObject([
      { state: 'ended', reason: 'cancelled-before-dial', hangUp: { reason: 'ended-by-tenant', attemptCount: 0 } },
    ]);
    const { events } = (await harness.request('GET', `/v1/sessions/${made.session.id}/events`)).body;
    expect(events.map((event: { seq: number; type: string }) => [event.seq, event.type])).toEqual([
      [1, 'leg.requested'],
      [2, 'leg.ended'],
      [3, 'session.ending'],
      [4, 'session.ended'],
    ]);
  });

  it('leaves the session in state ending while a hang-up is unconfirmed', async () => {
    const made = await create();
    const { body: added } = await harness.request('POST', `/v1/rooms/${made.room.id}/participants`, {
      body: { phone: '+442079460018' },
    });
    await harness.store.pool.query(
      `UPDATE leg SET state = 'ringing', dialled_at = now(), voice_call_id = $1 WHERE id = $1`,
      [added.legId],
    );
    expect((await harness.request('POST', `/v1/rooms/${made.room.id}/end`)).body).toEqual({
      state: 'ending',
      decided: true,
      sessionId: made.session.id,
    });
    const { body } = await harness.request('GET', `/v1/rooms/${made.room.id}`);
    expect(body.session).toMatchObject({ state: 'ending', endedAt: null });
    expect(body.legs[0]).toMatchObject({
      state: 'ending',
      hangUp: { requestedAt: expect.any(String), reason: 'ended-by-tenant', confirmedAt: null },
    });
  });

  it('causes later token and participant requests to be rejected with room-ended', async () => {
    const made = await create();
    await harness.request('POST', `/v1/rooms/${made.room.id}/end`);
    const before = await harness.countRows();
    for (const [path, body] of [
      ['tokens', { name: 'Late' }],
      ['participants', { phone: '+442079460018' }],
    ] as const) {
      const { status, body: problem } = await harness.request('POST', `/v1/rooms/${made.room.id}/${path}`, { body });
      expect([path, status, problem.reason, problem.fix]).toEqual([
        path,
        409,
        'room-ended',
        'Create a new room with POST /v1/rooms.',
      ]);
    }
    expect(await harness.countRows()).toEqual(before);
  });
});
