import { insertLeg } from '../legs/legs.ts';
import { consumeToken } from '../callers/webhook-tokens.ts';
import { PLATFORM_SIP } from '@partyline/domain/platform-account';
import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findLegOfCall, findOwnerOfMediaSession } from '../sessions/find-owner.ts';
import { lockSession } from '../sessions/session-lock.ts';
import { EVERY_TENANT, inTransaction, openStore, type Store } from '../database/store.ts';
import {
  freshId,
  freshIds,
  freshToken,
  lookupOf,
  makeAccount,
  makeLeg,
  makeNumbers,
  makeRoom,
  NUMBER,
  readLeg,
  readSession,
  setColumns,
} from '../testing/fixtures.ts';
import {
  admitCaller,
  answerCaller,
  answerOwnLeg,
  type Admission,
  type AnsweredCaller,
} from '../callers/voice-webhooks.ts';

let database: TestDatabase;
let store: Store;
let sipNumbers = 0;
beforeAll(async () => {
  database = await createTestDatabase();
  store = openStore({ owner: true, url: database.url, onError: () => undefined });
  await makeNumbers(store);
});
afterAll(async () => {
  await store.close();
  await database.drop();
});

/** An account with a number; those of the platform have a shared number. */
interface AccountWithNumber {
  readonly accountId: string | null;
  readonly number: string;
  readonly tenantId?: string;
}
const platformAccount = async (): Promise<AccountWithNumber> => ({ accountId: null, number: NUMBER });
const platformSipAccount = async (): Promise<AccountWithNumber> => {
  const number = `+4930299${String((sipNumbers += 1)).padStart(4, '0')}`;
  await store.prisma.dial_in_number.create({ data: { e164: number, guarded: false, account_id: PLATFORM_SIP } });
  return { accountId: PLATFORM_SIP, number };
};
const makeOwnAccount = (): Promise<AccountWithNumber> => makeAccount(store);

const answerCall = (signer: string | null, number: string, callId = freshId('call')): Promise<AnsweredCaller> =>
  answerCaller(store, freshToken(signer), { legId: freshId('leg'), callId, number, remote: null }, freshIds());
const keyPin = (signer: string | null, legId: string, callId: string, pin: string): Promise<Admission> =>
  admitCaller(store, freshToken(signer), { legId, callId, tryNo: 1, lookups: [lookupOf(pin)] }, freshIds());
const makeRoomAt = ({ number, tenantId }: AccountWithNumber, more: Parameters<typeof makeRoom>[1] = {}) =>
  makeRoom(store, { number, ...(tenantId === undefined ? {} : { tenant_id: tenantId }), ...more });
const countLegs = (): Promise<number> => store.prisma.leg.count();

/** Answers a call to the account's number, up to the PIN prompt. */
async function makeCaller({ accountId, number }: AccountWithNumber): Promise<{ legId: string; callId: string }> {
  const callId = freshId('call');
  const { outcome, leg_id } = await answerCall(accountId, number, callId);
  expect(outcome).toBe('ask');
  return { legId: leg_id!, callId };
}

describe.each([
  { signer: 'a tenant', of: makeOwnAccount, account: 'the platform', at: platformAccount },
  { signer: 'a tenant', of: makeOwnAccount, account: 'another tenant', at: makeOwnAccount },
  { signer: 'the platform', of: platformAccount, account: 'a tenant', at: makeOwnAccount },
  { signer: 'a tenant', of: makeOwnAccount, account: "the platform's SIP trunk", at: platformSipAccount },
  { signer: 'the platform', of: platformAccount, account: "the platform's SIP trunk", at: platformSipAccount },
  { signer: "the platform's SIP trunk", of: platformSipAccount, account: 'the platform', at: platformAccount },
  { signer: "the platform's SIP trunk", of: platformSipAccount, account: 'a tenant', at: makeOwnAccount },
])('a webhook signed by $signer for the account of $account', ({ of, at }) => {
  it('creates no leg on its number', async () => {
    const [signer, owner] = [await of(), await at()];
    const before = await countLegs();
    expect(await answerCall(signer.accountId, owner.number)).toMatchObject({ outcome: 'unknown-number', leg_id: null });
    expect(await countLegs()).toBe(before);
  });

  it('admits no caller to its pinless room', async () => {
    const [signer, owner] = [await of(), await at()];
    if (owner.tenantId === undefined) return;
    const room = await makeRoomAt(owner, { pinless: true });
    expect((await answerCall(signer.accountId, owner.number)).outcome).toBe('unknown-number');
    expect((await readSession(store, room.sessionId)).had_phone).toBe(false);
    expect((await answerCall(owner.accountId, owner.number)).outcome).toBe('admitted');
  });

  it('neither admits its caller nor counts a wrong PIN', async () => {
    const [signer, owner] = [await of(), await at()];
    const { pin, conversation } = await makeRoomAt(owner);
    const { legId, callId } = await makeCaller(owner);
    const before = await readLeg(store, legId);
    for (const keyed of [pin, '000000000'])
      expect((await keyPin(signer.accountId, legId, callId, keyed)).outcome).toBe('unknown-call');
    expect(await readLeg(store, legId)).toEqual(before);
    expect(await keyPin(owner.accountId, legId, callId, pin)).toMatchObject({ outcome: 'admitted', conversation });
  });

  it('gets no data of a call of that account by naming a number of the signer', async () => {
    const [signer, owner] = [await of(), await at()];
    await makeRoomAt(signer, signer.tenantId === undefined ? {} : { pinless: true });
    const { legId, callId } = await makeCaller(owner);
    const before = await readLeg(store, legId);
    expect(await answerCall(signer.accountId, signer.number, callId)).toMatchObject({
      outcome: 'unknown-number',
      leg_id: null,
      session_id: null,
      conversation: null,
    });
    expect(await readLeg(store, legId)).toEqual(before);
  });

  it.each(['bridge', 'outbound'] as const)('answers no %s leg of it', async (kind) => {
    const [signer, owner] = [await of(), await at()];
    const room = await makeRoomAt(owner);
    const token_hash = Buffer.from(freshId('hash'));
    const legId = await makeLeg(store, room, { kind, state: 'dialling', account_id: owner.accountId, token_hash });
    const by = kind === 'bridge' ? { tokenHash: token_hash } : { legId };
    const before = await readLeg(store, legId);
    expect(await answerOwnLeg(store, freshToken(signer.accountId), by, freshId('call'))).toMatchObject({
      outcome: 'unknown-leg',
      leg_id: null,
      conversation: null,
    });
    expect(await readLeg(store, legId)).toEqual(before);
    expect((await answerOwnLeg(store, freshToken(owner.accountId), by, freshId('call'))).outcome).toBe('join');
  });

  it('finds none of its legs and video sessions', async () => {
    const [signer, owner] = [await of(), await at()];
    const room = await makeRoomAt(owner);
    const { legId, callId } = await makeCaller(owner);
    const unnamed = await makeLeg(store, room, { kind: 'outbound', state: 'dialling', account_id: owner.accountId });
    const media = freshId('media');
    await setColumns(store, 'session', room.sessionId, { media_session_id: media });
    const named = async (accountId: string | null) =>
      [
        await findLegOfCall(store, accountId, { callId, legId }),
        await findLegOfCall(store, accountId, { callId: freshId('call'), legId: unnamed }),
        await findOwnerOfMediaSession(store, accountId, media),
      ].map((each) => each !== null);
    expect(await named(signer.accountId)).toEqual([false, false, false]);
    expect(await named(owner.accountId)).toEqual([true, true, true]);
  });

  it('consumes no token of it', async () => {
    const [signer, owner] = [await of(), await at()];
    const token = (accountId: string | null) => ({ ...freshToken(accountId), jti: 'one-and-the-same' });
    const use = (accountId: string | null) =>
      inTransaction(store, EVERY_TENANT, (tx) => consumeToken(tx, token(accountId)));
    await store.prisma.webhook_jti.deleteMany();
    expect([
      await use(signer.accountId),
      await use(signer.accountId),
      await use(owner.accountId),
      await use(owner.accountId),
    ]).toEqual([true, false, true, false]);
  });
});

describe('the account of a room', () => {
  it.each([
    ["a tenant's", makeOwnAccount],
    ["the platform's SIP trunk", platformSipAccount],
  ])('is used for the next session and all its legs: %s', async (_whose, make) => {
    const owner = await make();
    const room = await makeRoomAt(owner);
    await setColumns(store, 'session', room.sessionId, { state: 'ended', ended_at: new Date() });
    const { legId, callId } = await makeCaller(owner);
    const admission = await keyPin(owner.accountId, legId, callId, room.pin);
    const sessionId = admission.outcome === 'admitted' ? admission.session_id : '';
    expect(await readSession(store, sessionId)).toMatchObject({
      account_id: owner.accountId,
      tenant_id: room.tenantId,
    });
    expect((await readLeg(store, legId)).account_id).toBe(owner.accountId);
    const outbound = await inTransaction(store, room.tenantId, async (tx) =>
      insertLeg(tx, room.tenantId, (await lockSession(tx, room.tenantId, sessionId))!.session, {
        id: freshId('leg'),
        kind: 'outbound',
        state: 'requested',
        deadline_at: new Date('2099-01-01'),
      }),
    );
    expect(outbound.account_id).toBe(owner.accountId);
  });

  it('rejects a caller whose call arrived at the previous account of the number', async () => {
    const owner = await makeOwnAccount();
    const { legId, callId } = await makeCaller(owner);
    await store.prisma.dial_in_number.update({ where: { e164: owner.number }, data: { account_id: null } });
    const room = await makeRoomAt(owner);
    expect((await readSession(store, room.sessionId)).account_id).toBeNull();
    expect((await keyPin(owner.accountId, legId, callId, room.pin)).outcome).toBe('wrong-pin');
  });

  it('cannot be the account of another tenant, by a constraint', async () => {
    const [owner, other] = [await makeOwnAccount(), await makeOwnAccount()];
    const room = await makeRoomAt(owner);
    await expect(
      makeLeg(store, room, { kind: 'outbound', state: 'requested', account_id: other.accountId }),
    ).rejects.toMatchObject({ code: '23503' });
    await expect(setColumns(store, 'session', room.sessionId, { account_id: other.accountId })).rejects.toMatchObject({
      code: '23503',
    });
    await expect(
      store.pool.query('UPDATE dial_in_number SET account_id = $2 WHERE e164 = $1', [owner.number, other.accountId]),
    ).rejects.toMatchObject({ code: '23503' });
    await expect(
      store.pool.query('UPDATE dial_in_number SET account_id = $2 WHERE e164 = $1', [NUMBER, other.accountId]),
    ).rejects.toMatchObject({ code: '23514' });
  });

  it("can be the platform's SIP trunk on a shared number and on that of a tenant", async () => {
    const [shared, owner] = [await platformSipAccount(), await makeOwnAccount()];
    const moved = await store.prisma.dial_in_number.update({
      where: { e164: owner.number },
      data: { account_id: PLATFORM_SIP },
    });
    expect([moved.tenant_account_id, moved.dedicated_to]).toEqual([null, owner.tenantId]);
    for (const number of [shared.number, owner.number]) {
      const { legId } = await makeCaller({ accountId: PLATFORM_SIP, number });
      expect(await readLeg(store, legId)).toMatchObject({ account_id: PLATFORM_SIP, tenant_id: null });
    }
  });
});

it('concurrent callers of several accounts get their own answers', async () => {
  const accounts = [await platformAccount(), await makeOwnAccount(), await makeOwnAccount()];
  const rooms = await Promise.all(accounts.map((account) => makeRoomAt(account)));
  // The first two requests run alone; the others are a batch.
  const calls = await Promise.all(
    Array.from({ length: 12 }, async (_, index) => {
      const account = accounts.at(index % 3)!;
      const callId = freshId('call');
      const { outcome, leg_id } = await answerCall(
        index < 9 ? account.accountId : accounts.at((index + 1) % 3)!.accountId,
        account.number,
        callId,
      );
      return { outcome, legId: leg_id ?? '', callId };
    }),
  );
  expect(calls.map(({ outcome }) => outcome)).toEqual([
    ...Array.from({ length: 9 }, () => 'ask'),
    ...Array.from({ length: 3 }, () => 'unknown-number'),
  ]);
  const admissions = await Promise.all(
    calls
      .slice(0, 9)
      .map(({ legId, callId }, index) =>
        keyPin(
          (index < 6 ? accounts.at(index % 3)! : accounts.at((index + 1) % 3)!).accountId,
          legId,
          callId,
          rooms.at(index % 3)!.pin,
        ),
      ),
  );
  expect(admissions.map((each) => (each.outcome === 'admitted' ? each.conversation : each.outcome))).toEqual([
    ...[0, 1, 2, 0, 1, 2].map((index) => rooms.at(index)!.conversation),
    'unknown-call',
    'unknown-call',
    'unknown-call',
  ]);
});
