import { PLATFORM_SIP } from '@partyline/domain/platform-account';
import { listSessionEvents } from '../events/outbox.ts';
import {
  listSessions,
  findMediaSessionOfLeg,
  findSessionOfLeg,
  findNewestSession,
  isSessionRunning,
} from '../sessions/sessions.ts';
import { randomBytes } from 'node:crypto';
import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { authenticate } from '../keys/authenticate.ts';
import { findLegOfCall, findOwnerOfMediaSession } from '../sessions/find-owner.ts';
import { findNumber } from '../numbers/numbers.ts';
import { closeRoom, listRooms, lockRoom, readRoom } from '../rooms/rooms.ts';
import { seed } from './seed.ts';
import { lockSession } from '../sessions/session-lock.ts';
import { inTransaction, openStore, type Store } from '../database/store.ts';
import { freshId, makeLeg, makeNumbers, makeRoom, NUMBER, setColumns, type TestRoom } from '../testing/fixtures.ts';

let database: TestDatabase;
let store: Store;
let mine: TestRoom;
let theirs: TestRoom;
let myLeg: string;

beforeAll(async () => {
  database = await createTestDatabase();
  store = openStore({ owner: true, url: database.url, onError: () => undefined });
  await makeNumbers(store);
  [mine, theirs] = [await makeRoom(store), await makeRoom(store)];
  myLeg = await makeLeg(store, mine, { kind: 'inbound', state: 'joined', voice_call_id: 'call_mine' });
  await setColumns(store, 'session', mine.sessionId, { media_session_id: 'media_mine' });
  await store.prisma.outbox.create({
    data: {
      tenant_id: mine.tenantId,
      room_id: mine.roomId,
      session_id: mine.sessionId,
      seq: 1,
      type: 'session.live',
      data: {},
    },
  });
});
afterAll(async () => {
  await store.close();
  await database.drop();
});

describe('functions with a tenant and an id', () => {
  const cases: { what: string; call: (tenantId: string) => Promise<unknown>; nothing: unknown }[] = [
    {
      what: 'lockRoom',
      call: (tenantId) => inTransaction(store, tenantId, (tx) => lockRoom(tx, tenantId, mine.roomId)),
      nothing: null,
    },
    {
      what: 'findNewestSession',
      call: (tenantId) => inTransaction(store, tenantId, (tx) => findNewestSession(tx, tenantId, mine.roomId)),
      nothing: null,
    },
    { what: 'readRoom', call: (tenantId) => readRoom(store, tenantId, mine.roomId, 10), nothing: null },
    {
      what: 'listSessionEvents',
      call: (tenantId) => listSessionEvents(store, tenantId, mine.sessionId, 10),
      nothing: null,
    },
    {
      what: 'lockSession',
      call: (tenantId) => inTransaction(store, tenantId, (tx) => lockSession(tx, tenantId, mine.sessionId)),
      nothing: null,
    },
    {
      what: 'isSessionRunning',
      call: (tenantId) => inTransaction(store, tenantId, (tx) => isSessionRunning(tx, tenantId, mine.sessionId)),
      nothing: false,
    },
    { what: 'findSessionOfLeg', call: (tenantId) => findSessionOfLeg(store, tenantId, myLeg), nothing: null },
  ];

  test.each(cases)('$what returns a row to its tenant only', async ({ call, nothing }) => {
    expect(await call(mine.tenantId)).not.toEqual(nothing);
    expect(await call(theirs.tenantId)).toEqual(nothing);
    expect(await call('')).toEqual(nothing);
  });

  it('closeRoom does not close a room of another tenant', async () => {
    await inTransaction(store, theirs.tenantId, (tx) =>
      closeRoom(tx, theirs.tenantId, mine.roomId, 'ended-by-tenant', 60),
    );
    expect(await store.prisma.room.findUniqueOrThrow({ where: { id: mine.roomId } })).toMatchObject({
      state: 'active',
      ended_at: null,
    });
    expect(await store.prisma.pin.count({ where: { room_id: mine.roomId, quarantined_until: null } })).toBe(1);
  });

  it('listRooms returns the rooms of the tenant page by page, newest first', async () => {
    const tenantId = freshId('ten');
    const rooms: string[] = [];
    for (let i = 0; i < 5; i++) rooms.unshift((await makeRoom(store, { tenant_id: tenantId })).roomId);
    // With equal times the id decides, and no page loses or repeats a room.
    await store.prisma.room.updateMany({
      where: { tenant_id: tenantId },
      data: { created_at: new Date('2026-01-01') },
    });
    const first = (await listRooms(store, tenantId, { limit: 3 }))!;
    const second = (await listRooms(store, tenantId, { limit: 3, after: first.at(-1)?.id ?? '' }))!;
    expect([...first, ...second].map((room) => room.id).toSorted()).toEqual(rooms.toSorted());
    expect(second).toHaveLength(2);
  });

  it('listRooms and listSessions reject a cursor of another tenant', async () => {
    expect(await listRooms(store, theirs.tenantId, { limit: 10, after: mine.roomId })).toBeNull();
    expect(await listSessions(store, theirs.tenantId, { limit: 10, after: mine.sessionId })).toBeNull();
  });
});

describe('look-ups by a provider id', () => {
  it('find the owner of a video session', async () => {
    expect(await findOwnerOfMediaSession(store, null, 'media_mine')).toEqual({
      tenant_id: mine.tenantId,
      session_id: mine.sessionId,
    });
    expect(await findOwnerOfMediaSession(store, null, 'media_none')).toBeNull();
    const mediaSessionOf = (tenantId: string, legId: string): Promise<string | null> =>
      inTransaction(store, tenantId, (tx) => findMediaSessionOfLeg(tx, tenantId, legId));
    expect(await mediaSessionOf(mine.tenantId, myLeg)).toBe('media_mine');
    expect(await mediaSessionOf(theirs.tenantId, myLeg)).toBeNull();
    expect(await mediaSessionOf(mine.tenantId, 'leg_none')).toBeNull();
  });

  it('find the leg of a call by its id first, and by the leg id only while that leg has no call', async () => {
    const waiting = await makeLeg(store, mine, { kind: 'outbound', state: 'dialling' });
    const idOf = async (by: { callId: string; legId?: string }): Promise<string | undefined> =>
      (await findLegOfCall(store, null, by))?.id;
    expect(await idOf({ callId: 'call_mine' })).toBe(myLeg);
    expect(await idOf({ callId: 'call_mine', legId: waiting })).toBe(myLeg);
    expect(await idOf({ callId: 'call_new', legId: waiting })).toBe(waiting);
    expect(await idOf({ callId: 'call_new', legId: myLeg })).toBeUndefined();
    expect(await idOf({ callId: 'call_new' })).toBeUndefined();
  });
});

describe('authenticate', () => {
  const key = (id: string, secret = randomBytes(32).toString('base64url')): string => `pl_test_${id}_${secret}`;
  /** In the past. */
  const THEN = new Date('2026-06-01T00:00:00Z');

  it('returns the tenant of a seeded key, which a second seed does not change', async () => {
    const apiKey = key('seeded');
    const wanted = {
      tenantId: 'ten_seeded',
      tenantName: 'Seeded',
      apiKey,
      numbers: [{ e164: NUMBER, language: 'fr-FR' }],
    };
    await seed(store, wanted);
    await seed(store, { ...wanted, tenantName: 'Other', apiKey: key('seeded'), numbers: [{ e164: NUMBER }] });
    expect(await authenticate(store, apiKey, 'test')).toMatchObject({
      tenantId: 'ten_seeded',
      keyId: 'seeded',
      scopes: ['admin'],
      env: 'test',
      suspended: false,
    });
    expect(await findNumber(store, 'ten_seeded', { number: NUMBER })).toMatchObject({ language: 'fr-FR' });
    expect(await findNumber(store, 'ten_seeded', { number: '+15550100' })).toBeNull();
    await expect(seed(store, { ...wanted, apiKey: 'pl_test_short_secret' })).rejects.toThrow('API key must look like');
  });

  it("seeds numbers of the platform's SIP trunk, and moves no number there", async () => {
    const wanted = { tenantId: 'ten_seeded', tenantName: 'Seeded', apiKey: key('seeded') };
    const [atTrunk, atFirst] = ['+12025550155', '+12025550156'];
    const addAtTrunk = (e164: string) => seed(store, { ...wanted, numbers: [{ e164, accountId: PLATFORM_SIP }] });
    await seed(store, { ...wanted, numbers: [{ e164: atFirst }] });
    await addAtTrunk(atTrunk);
    await addAtTrunk(atTrunk);
    await seed(store, { ...wanted, numbers: [{ e164: atTrunk, language: 'fr-FR' }] });
    await expect(addAtTrunk(atFirst)).rejects.toThrow('--provider-account platform-sip');
    expect(await findNumber(store, 'ten_seeded', { number: atTrunk })).toMatchObject({
      account_id: PLATFORM_SIP,
      language: 'fr-FR',
    });
    expect(await findNumber(store, 'ten_seeded', { number: atFirst })).toMatchObject({ account_id: null });
  });

  test.each([
    { what: 'with another secret', spoil: {}, shown: () => key('spoilt'), rejected: 'unknown-key' },
    { what: 'revoked', spoil: { revoked_at: THEN }, shown: (good: string) => good, rejected: 'unknown-key' },
    { what: 'expired', spoil: { expires_at: THEN }, shown: (good: string) => good, rejected: 'expired-key' },
    {
      what: 'with another id',
      spoil: {},
      shown: (good: string) => good.replace('spoilt', 'unknown'),
      rejected: 'unknown-key',
    },
    {
      what: 'without its last character',
      spoil: {},
      shown: (good: string) => good.slice(0, -1),
      rejected: 'unknown-key',
    },
    {
      what: 'of another environment',
      spoil: {},
      shown: (good: string) => good.replace('pl_test_', 'pl_live_'),
      rejected: 'unknown-key',
    },
    { what: 'with an extra character', spoil: {}, shown: (good: string) => `${good}A`, rejected: 'unknown-key' },
    { what: 'that is empty', spoil: {}, shown: () => '', rejected: 'unknown-key' },
    { what: 'with a new line', spoil: {}, shown: (good: string) => `${good}\n`, rejected: 'unknown-key' },
  ])('rejects a key $what', async ({ spoil, shown, rejected }) => {
    const good = key('spoilt');
    await store.prisma.api_key.deleteMany({ where: { id: 'spoilt' } });
    await seed(store, { tenantId: 'ten_spoilt', tenantName: 'Spoilt', apiKey: good, numbers: [] });
    expect(await authenticate(store, good, 'test')).toMatchObject({ keyId: 'spoilt' });
    await store.prisma.api_key.update({ where: { id: 'spoilt' }, data: spoil });
    expect(await authenticate(store, shown(good), 'test')).toEqual({ rejected });
  });

  it('runs the same single statement for every rejected key', async () => {
    const good = key('costs');
    await seed(store, { tenantId: 'ten_costs', tenantName: 'Costs', apiKey: good, numbers: [] });
    const statements: string[] = [];
    const counting: Store = {
      ...store,
      query: (scope, query) => (statements.push(String(query.name)), store.query(scope, query)),
    };
    const cost = async (shown: string): Promise<string[]> => {
      statements.length = 0;
      expect(await authenticate(counting, shown, 'test')).toHaveProperty('rejected');
      return [...statements];
    };
    const wrong = [
      key('unknown'),
      good.slice(0, -43) + key('x').slice(-43),
      good.slice(0, -1) + (good.endsWith('A') ? 'B' : 'A'),
      good.replace('pl_test_', 'pl_live_'),
      'letmein',
      '',
      `${good}A`,
    ];
    for (const shown of wrong) expect([shown.length, await cost(shown)]).toEqual([shown.length, ['find-api-key']]);
    await store.prisma.api_key.update({ where: { id: 'costs' }, data: { expires_at: THEN } });
    expect(await cost(good)).toEqual(['find-api-key']);
    await store.prisma.api_key.update({ where: { id: 'costs' }, data: { revoked_at: THEN } });
    expect(await cost(good)).toEqual(['find-api-key']);
  });
});
