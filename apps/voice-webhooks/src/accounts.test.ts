import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  NUMBER,
  PIN,
  startTestHarness,
  type Forgery,
  type TenantAccount,
  type TestHarness,
} from './testing/test-harness.ts';

let harness: TestHarness;
beforeAll(async () => {
  harness = await startTestHarness();
});
afterAll(() => harness.stop());

type Ncco = { action: string; text?: string; name?: string; eventUrl?: string[] }[];

/** The webhook URLs, the number and the signature of one provider account. */
interface AccountAccess {
  readonly base: string;
  readonly number: string;
  readonly signed: Forgery;
}
const PLATFORM: AccountAccess = { base: '/v1', number: NUMBER, signed: {} };
const accessTo = ({ accountId, number, signer }: TenantAccount): AccountAccess => ({
  base: `/v1/accounts/${accountId}`,
  number,
  signed: { signer },
});
const createAccountAccess = async (): Promise<AccountAccess> => accessTo(await harness.createTenantAccount());

const answerBody = (number: string, uuid: string = randomUUID()) => ({
  from: '442079460011',
  to: number.slice(1),
  uuid,
  conversation_uuid: `CON-${uuid}`,
});
const actions = (ncco: unknown): string => (ncco as Ncco).map(({ action }) => action).join(' ');
const digitsBody = (uuid: string, digits = PIN) => ({
  uuid,
  conversation_uuid: 'CON-1',
  dtmf: { digits, timed_out: false },
  timestamp: new Date().toISOString(),
});
const statusBody = (uuid: string, what = 'completed') => ({ uuid, status: what, timestamp: new Date().toISOString() });

/** A call that is prompted for a PIN; `path` is the path of the digits webhook. */
async function dialIn({ base, number, signed }: AccountAccess): Promise<{ uuid: string; path: string; legId: string }> {
  const body = answerBody(number);
  const reply = await harness.send(`${base}/voice/answer`, body, signed);
  expect([reply.status, actions(reply.body)]).toEqual([200, 'talk input']);
  const path = new URL((reply.body as Ncco).find(({ action }) => action === 'input')?.eventUrl?.[0] ?? '').pathname;
  return { uuid: body.uuid, path, legId: path.split('/').at(-2) ?? '' };
}
/** A caller who is admitted with the PIN. */
async function dialInAndJoin(access: AccountAccess): Promise<{ uuid: string; legId: string; eventsPath: string }> {
  const { uuid, path, legId } = await dialIn(access);
  const { body } = await harness.send(path, digitsBody(uuid), access.signed);
  expect(actions(body)).toBe('talk conversation');
  return { uuid, legId, eventsPath: new URL((body as Ncco)[1]?.eventUrl?.[0] ?? '').pathname };
}
const legOf = (uuid: string) => harness.store.prisma.leg.findUnique({ where: { voice_call_id: uuid } });

describe('the webhooks of a tenant account', () => {
  it('are served at their own URLs, for callers and for events', async () => {
    const own = await harness.createTenantAccount();
    const { uuid, legId, eventsPath } = await dialInAndJoin(accessTo(own));
    expect(eventsPath).toBe(`/v1/accounts/${own.accountId}/voice/events/${legId}`);
    expect(await legOf(uuid)).toMatchObject({
      id: legId,
      state: 'answered',
      account_id: own.accountId,
      tenant_id: own.tenantId,
    });
    expect((await harness.send(eventsPath, statusBody(uuid), accessTo(own).signed)).body).toEqual({
      result: 'applied',
    });
    expect((await legOf(uuid))?.state).toBe('ended');
  });

  it('are verified with the secrets of that account only', async () => {
    const [own, other] = [await createAccountAccess(), await createAccountAccess()];
    const before = await harness.dumpState();
    for (const [{ base, number }, { signed }] of [
      [own, PLATFORM],
      [own, other],
      [PLATFORM, own],
    ] as const) {
      expect(await harness.send(`${base}/voice/answer`, answerBody(number), signed)).toMatchObject({
        status: 401,
        body: { reason: 'webhook-rejected' },
      });
      expect(await harness.send(`${base}/voice/events`, statusBody(randomUUID()), signed)).toMatchObject({
        status: 401,
        body: { reason: 'webhook-rejected' },
      });
      expect(await harness.sendVideo({}, signed, `${base}/video/events`)).toMatchObject({
        status: 401,
        body: { reason: 'webhook-rejected' },
      });
    }
    expect(await harness.dumpState()).toBe(before);
  });

  it('get the error of a wrong signature when the account is unknown or deleted', async () => {
    const own = await harness.createTenantAccount();
    const access = accessTo(own);
    const wrong = await harness.send(`${access.base}/voice/answer`, answerBody(own.number), {
      ...access.signed,
      secret: 'x'.repeat(43),
    });
    await harness.store.pool.query('UPDATE dial_in_number SET account_id = NULL WHERE account_id = $1', [
      own.accountId,
    ]);
    await harness.store.pool.query('UPDATE provider_account SET deleted_at = now(), ciphertext = NULL WHERE id = $1', [
      own.accountId,
    ]);
    const { requestId: _one, ...refusal } = wrong.body as Record<string, unknown>;
    for (const base of [access.base, '/v1/accounts/acct_unknown']) {
      const reply = await harness.send(`${base}/voice/answer`, answerBody(own.number), access.signed);
      const { requestId: _other, ...same } = reply.body as Record<string, unknown>;
      expect([reply.status, same]).toEqual([401, refusal]);
      expect((await harness.sendVideo({}, access.signed, `${base}/video/events`)).status).toBe(401);
    }
    expect((await harness.send('/v1/accounts/..%2F/voice/answer', answerBody(own.number), access.signed)).status).toBe(
      404,
    );
  });

  it('reject GET', async () => {
    const { base } = await createAccountAccess();
    for (const path of ['voice/answer', 'voice/events'])
      expect((await fetch(`${harness.url}${base}/${path}`)).status).toBe(405);
  });
});

describe.each([
  {
    signedBy: 'a tenant account',
    target: 'the platform account',
    of: createAccountAccess,
    at: async () => PLATFORM,
  },
  {
    signedBy: 'a tenant account',
    target: 'another tenant account',
    of: createAccountAccess,
    at: createAccountAccess,
  },
  {
    signedBy: 'the platform account',
    target: 'a tenant account',
    of: async () => PLATFORM,
    at: createAccountAccess,
  },
])('a webhook validly signed by $signedBy about $target', ({ of, at }) => {
  let signer: AccountAccess;
  let owner: AccountAccess;
  beforeEach(async () => {
    [signer, owner] = [await of(), await at()];
  });

  it('creates no leg on its number', async () => {
    const body = answerBody(owner.number);
    expect(actions((await harness.send(`${signer.base}/voice/answer`, body, signer.signed)).body)).toBe('talk');
    expect(await legOf(body.uuid)).toBeNull();
  });

  it('submits no PIN for its caller and counts no attempt', async () => {
    const { uuid, path, legId } = await dialIn(owner);
    const before = await harness.dumpState();
    const there = `${signer.base}/voice/digits/${legId}/1`;
    for (const digits of [PIN, '111222333'])
      expect(actions((await harness.send(there, digitsBody(uuid, digits), signer.signed)).body)).toBe('wait');
    expect(await harness.dumpState()).toBe(before);
    expect(actions((await harness.send(path, digitsBody(uuid), owner.signed)).body)).toBe('talk conversation');
  });

  it('does not change its leg, identified by call id or by the leg id in the URL', async () => {
    const { uuid, legId } = await dialInAndJoin(owner);
    const before = await harness.dumpState();
    for (const address of ['voice/events', `voice/events/${legId}`]) {
      for (const event of [
        statusBody(uuid),
        statusBody(uuid, 'failed'),
        { ...statusBody(uuid, 'transfer'), type: 'transfer', conversation_uuid_from: 'a', conversation_uuid_to: 'b' },
        statusBody(randomUUID()),
      ]) {
        expect(await harness.send(`${signer.base}/${address}`, event, signer.signed)).toMatchObject({
          status: 200,
          body: { result: 'ignored' },
        });
      }
    }
    expect(await harness.dumpState()).toBe(before);
  });

  it('does not answer its outbound call', async () => {
    const { uuid } = await dialInAndJoin(owner);
    const { tenant_id, session_id } = (await legOf(uuid))!;
    const legId = `leg_dialled_${randomUUID()}`;
    await harness.store.pool.query(
      `INSERT INTO leg (id, kind, state, tenant_id, session_id, account_id, deadline_at)
       SELECT $1, 'outbound', 'dialling', $2, $3, account_id, now() + interval '1 hour'
       FROM session
       WHERE id = $3`,
      [legId, tenant_id, session_id],
    );
    const before = await harness.dumpState();
    expect(
      actions(
        (await harness.send(`${signer.base}/voice/answer/${legId}`, answerBody(owner.number), signer.signed)).body,
      ),
    ).toBe('wait');
    expect(await harness.dumpState()).toBe(before);
    expect(
      actions((await harness.send(`${owner.base}/voice/answer/${legId}`, answerBody(owner.number), owner.signed)).body),
    ).toBe('conversation');
  });

  it('does not change its video session', async () => {
    const { uuid } = await dialInAndJoin(owner);
    const sessionId = (await legOf(uuid))?.session_id ?? '';
    const mediaSessionId = `media ${randomUUID()}`;
    await harness.store.pool.query('UPDATE session SET media_session_id = $2 WHERE id = $1', [
      sessionId,
      mediaSessionId,
    ]);
    const joined = {
      sessionId: mediaSessionId,
      applicationId: 'a',
      projectId: 'p',
      event: 'connectionCreated',
      timestamp: Date.now(),
      connection: { id: randomUUID(), createdAt: Date.now(), data: '{"participant":null}' },
    };
    const before = await harness.dumpState();
    expect(await harness.sendVideo(joined, signer.signed, `${signer.base}/video/events`)).toMatchObject({
      status: 200,
      body: { result: 'ignored' },
    });
    expect(await harness.dumpState()).toBe(before);
    expect((await harness.sendVideo(joined, owner.signed, `${owner.base}/video/events`)).body).toEqual({
      result: 'applied',
    });
  });

  it('does not mark its token as used', async () => {
    const jti = randomUUID();
    expect(
      (
        await harness.send(`${signer.base}/voice/answer`, answerBody(signer.number), {
          ...signer.signed,
          claims: { jti },
        })
      ).status,
    ).toBe(200);
    const { uuid, path } = await dialIn(owner);
    expect((await harness.send(path, digitsBody(uuid), { ...owner.signed, claims: { jti } })).status).toBe(200);
    expect(
      await harness.send(`${owner.base}/voice/answer`, answerBody(owner.number), { ...owner.signed, claims: { jti } }),
    ).toMatchObject({ status: 401, body: { reason: 'webhook-replayed' } });
  });
});
