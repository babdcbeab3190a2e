import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { NUMBER, PIN, startStage, type Forgery, type OwnAccount, type Stage } from './testing/test-harness.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage.stop());

type Ncco = { action: string; text?: string; name?: string; eventUrl?: string[] }[];

/** Where an account's vendor reaches us, what is at it, and how it signs. */
interface Place {
  readonly base: string;
  readonly number: string;
  readonly signed: Forgery;
}
const SHARED: Place = { base: '/v1', number: NUMBER, signed: {} };
const placeOf = ({ accountId, number, signer }: OwnAccount): Place => ({
  base: `/v1/accounts/${accountId}`,
  number,
  signed: { signer },
});
const bring = async (): Promise<Place> => placeOf(await stage.bringAccount());

const call = (number: string, uuid: string = randomUUID()) => ({
  from: '442079460011',
  to: number.slice(1),
  uuid,
  conversation_uuid: `CON-${uuid}`,
});
const actions = (ncco: unknown): string => (ncco as Ncco).map(({ action }) => action).join(' ');
const keyed = (uuid: string, digits = PIN) => ({
  uuid,
  conversation_uuid: 'CON-1',
  dtmf: { digits, timed_out: false },
  timestamp: new Date().toISOString(),
});
const status = (uuid: string, what = 'completed') => ({ uuid, status: what, timestamp: new Date().toISOString() });

/** Somebody who dialled and is asked for a PIN; `path` is where what they key goes. */
async function rings({ base, number, signed }: Place): Promise<{ uuid: string; path: string; legId: string }> {
  const body = call(number);
  const reply = await stage.send(`${base}/voice/answer`, body, signed);
  expect([reply.status, actions(reply.body)]).toEqual([200, 'talk input']);
  const path = new URL((reply.body as Ncco).find(({ action }) => action === 'input')?.eventUrl?.[0] ?? '').pathname;
  return { uuid: body.uuid, path, legId: path.split('/').at(-2) ?? '' };
}
/** … and is in. */
async function comesIn(place: Place): Promise<{ uuid: string; legId: string; eventsPath: string }> {
  const { uuid, path, legId } = await rings(place);
  const { body } = await stage.send(path, keyed(uuid), place.signed);
  expect(actions(body)).toBe('talk conversation');
  return { uuid, legId, eventsPath: new URL((body as Ncco)[1]?.eventUrl?.[0] ?? '').pathname };
}
const legOf = (uuid: string) => stage.store.prisma.leg.findUnique({ where: { voice_call_id: uuid } });

describe('a tenant’s own account', () => {
  it('has addresses of its own, at which its callers come in and its events are taken', async () => {
    const own = await stage.bringAccount();
    const { uuid, legId, eventsPath } = await comesIn(placeOf(own));
    expect(eventsPath).toBe(`/v1/accounts/${own.accountId}/voice/events/${legId}`);
    expect(await legOf(uuid)).toMatchObject({
      id: legId,
      state: 'answered',
      account_id: own.accountId,
      tenant_id: own.tenantId,
    });
    expect((await stage.send(eventsPath, status(uuid), placeOf(own).signed)).body).toEqual({ result: 'applied' });
    expect((await legOf(uuid))?.state).toBe('ended');
  });

  it('is verified by its own secrets alone, and the platform’s by the platform’s', async () => {
    const [own, other] = [await bring(), await bring()];
    const before = await stage.state();
    for (const [{ base, number }, { signed }] of [
      [own, SHARED],
      [own, other],
      [SHARED, own],
    ] as const) {
      expect(await stage.send(`${base}/voice/answer`, call(number), signed)).toMatchObject({
        status: 401,
        body: { reason: 'webhook-refused' },
      });
      expect(await stage.send(`${base}/voice/events`, status(randomUUID()), signed)).toMatchObject({
        status: 401,
        body: { reason: 'webhook-refused' },
      });
      expect(await stage.sendVideo({}, signed, `${base}/video/events`)).toMatchObject({
        status: 401,
        body: { reason: 'webhook-refused' },
      });
    }
    expect(await stage.state()).toBe(before);
  });

  it('that is not there, or is deleted, is refused in the very words of a wrong signature', async () => {
    const own = await stage.bringAccount();
    const place = placeOf(own);
    const wrong = await stage.send(`${place.base}/voice/answer`, call(own.number), {
      ...place.signed,
      secret: 'x'.repeat(43),
    });
    await stage.store.pool.query('UPDATE dial_in_number SET account_id = NULL WHERE account_id = $1', [own.accountId]);
    await stage.store.pool.query('UPDATE provider_account SET deleted_at = now(), sealed = NULL WHERE id = $1', [
      own.accountId,
    ]);
    const { requestId: _one, ...refusal } = wrong.body as Record<string, unknown>;
    for (const base of [place.base, '/v1/accounts/acct_nobody']) {
      const reply = await stage.send(`${base}/voice/answer`, call(own.number), place.signed);
      const { requestId: _other, ...same } = reply.body as Record<string, unknown>;
      expect([reply.status, same]).toEqual([401, refusal]);
      expect((await stage.sendVideo({}, place.signed, `${base}/video/events`)).status).toBe(401);
    }
    expect((await stage.send('/v1/accounts/..%2F/voice/answer', call(own.number), place.signed)).status).toBe(404);
  });

  it('has GET refused with the setting to change, as the platform’s', async () => {
    const { base } = await bring();
    for (const path of ['voice/answer', 'voice/events'])
      expect((await fetch(`${stage.url}${base}/${path}`)).status).toBe(405);
  });
});

describe.each([
  { who: 'a tenant', whose: 'the platform’s account', of: bring, at: async () => SHARED },
  { who: 'a tenant', whose: 'another tenant’s account', of: bring, at: bring },
  { who: 'the platform’s carrier', whose: 'a tenant’s account', of: async () => SHARED, at: bring },
])('what $who signs properly, of what is at $whose', ({ of, at }) => {
  let signer: Place;
  let owner: Place;
  beforeEach(async () => {
    [signer, owner] = [await of(), await at()];
  });

  it('makes no leg on its number', async () => {
    const body = call(owner.number);
    expect(actions((await stage.send(`${signer.base}/voice/answer`, body, signer.signed)).body)).toBe('talk');
    expect(await legOf(body.uuid)).toBeNull();
  });

  it('keys no PIN for its caller, and counts no try', async () => {
    const { uuid, path, legId } = await rings(owner);
    const before = await stage.state();
    const there = `${signer.base}/voice/digits/${legId}/1`;
    for (const digits of [PIN, '111222333'])
      expect(actions((await stage.send(there, keyed(uuid, digits), signer.signed)).body)).toBe('wait');
    expect(await stage.state()).toBe(before);
    expect(actions((await stage.send(path, keyed(uuid), owner.signed)).body)).toBe('talk conversation');
  });

  it('neither ends nor moves its leg, named by its call or by its id in the address', async () => {
    const { uuid, legId } = await comesIn(owner);
    const before = await stage.state();
    for (const address of ['voice/events', `voice/events/${legId}`]) {
      for (const event of [
        status(uuid),
        status(uuid, 'failed'),
        { ...status(uuid, 'transfer'), type: 'transfer', conversation_uuid_from: 'a', conversation_uuid_to: 'b' },
        status(randomUUID()),
      ]) {
        expect(await stage.send(`${signer.base}/${address}`, event, signer.signed)).toMatchObject({
          status: 200,
          body: { result: 'ignored' },
        });
      }
    }
    expect(await stage.state()).toBe(before);
  });

  it('picks up nobody whom it rings', async () => {
    const { uuid } = await comesIn(owner);
    const { tenant_id, session_id } = (await legOf(uuid))!;
    const legId = `leg_rung_${randomUUID()}`;
    await stage.store.pool.query(
      `INSERT INTO leg (id, kind, state, tenant_id, session_id, account_id, deadline_at) SELECT $1, 'outbound', 'dialling', $2, $3, account_id, now() + interval '1 hour' FROM session WHERE id = $3`,
      [legId, tenant_id, session_id],
    );
    const before = await stage.state();
    expect(
      actions((await stage.send(`${signer.base}/voice/answer/${legId}`, call(owner.number), signer.signed)).body),
    ).toBe('wait');
    expect(await stage.state()).toBe(before);
    expect(
      actions((await stage.send(`${owner.base}/voice/answer/${legId}`, call(owner.number), owner.signed)).body),
    ).toBe('conversation');
  });

  it('touches no video session of it', async () => {
    const { uuid } = await comesIn(owner);
    const sessionId = (await legOf(uuid))?.session_id ?? '';
    const mediaSessionId = `media ${randomUUID()}`;
    await stage.store.pool.query('UPDATE session SET media_session_id = $2 WHERE id = $1', [sessionId, mediaSessionId]);
    const joined = {
      sessionId: mediaSessionId,
      applicationId: 'a',
      projectId: 'p',
      event: 'connectionCreated',
      timestamp: Date.now(),
      connection: { id: randomUUID(), createdAt: Date.now(), data: '{"participant":null}' },
    };
    const before = await stage.state();
    expect(await stage.sendVideo(joined, signer.signed, `${signer.base}/video/events`)).toMatchObject({
      status: 200,
      body: { result: 'ignored' },
    });
    expect(await stage.state()).toBe(before);
    expect((await stage.sendVideo(joined, owner.signed, `${owner.base}/video/events`)).body).toEqual({
      result: 'applied',
    });
  });

  it('uses up no token of it', async () => {
    const jti = randomUUID();
    expect(
      (await stage.send(`${signer.base}/voice/answer`, call(signer.number), { ...signer.signed, claims: { jti } }))
        .status,
    ).toBe(200);
    const { uuid, path } = await rings(owner);
    expect((await stage.send(path, keyed(uuid), { ...owner.signed, claims: { jti } })).status).toBe(200);
    expect(
      await stage.send(`${owner.base}/voice/answer`, call(owner.number), { ...owner.signed, claims: { jti } }),
    ).toMatchObject({ status: 401, body: { reason: 'webhook-replayed' } });
  });
});
