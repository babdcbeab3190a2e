import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NUMBER, PIN, startStage, type Forgery, type Stage } from './testing/test-harness.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage.stop());

type Ncco = { action: string; text?: string; name?: string; eventUrl?: string[] }[];

const call = () => ({
  from: '442079460011',
  to: NUMBER.slice(1),
  uuid: randomUUID(),
  conversation_uuid: `CON-${randomUUID()}`,
});
const actions = (ncco: unknown): string => (ncco as Ncco).map(({ action }) => action).join(' ');
/** Where the answer to a prompt goes, as a path. */
const replyTo = (ncco: unknown): string =>
  new URL((ncco as Ncco).find(({ action }) => action === 'input')?.eventUrl?.[0] ?? '').pathname;

async function answered(): Promise<{ uuid: string; path: string }> {
  const body = call();
  const { body: ncco } = await stage.send('/v1/voice/answer', body);
  return { uuid: body.uuid, path: replyTo(ncco) };
}

const keyed = (uuid: string, dtmf: unknown, more: object = {}) => ({
  uuid,
  conversation_uuid: 'CON-1',
  dtmf,
  timestamp: new Date().toISOString(),
  ...more,
});

describe('what is not the carrier’s is refused, and changes nothing', () => {
  const now = Math.floor(Date.now() / 1000);
  const forgeries: Record<string, Forgery> = {
    'no token': { authorization: null },
    'no bearer token': { authorization: 'Basic abc' },
    'a token that is none': { authorization: 'Bearer a.b.c' },
    'another secret': { secret: 'x'.repeat(43) },
    'algorithm none': { header: { alg: 'none' } },
    'an asymmetric algorithm': { header: { alg: 'RS256' } },
    'signed 301 s ago': { claims: { iat: now - 330 } },
    'signed 301 s ahead': { claims: { iat: now + 330 } },
    'another payload hash': { claims: { payload_hash: '0'.repeat(64) } },
    'no payload hash': { claims: { payload_hash: undefined } },
    'a body that was changed on the way': { sentBody: '{"uuid":"other"}' },
    'another application': { claims: { application_id: randomUUID() } },
    'no application': { claims: { application_id: undefined } },
    'another account': { claims: { api_key: 'somebody' } },
    'another issuer': { claims: { iss: 'Somebody' } },
    'no token id': { claims: { jti: undefined } },
  };

  test.each(Object.entries(forgeries))('%s', async (_what, forgery) => {
    const { uuid, path } = await answered();
    const before = await stage.state();
    for (const [address, body] of [
      ['/v1/voice/answer', call()],
      [path, keyed(uuid, { digits: PIN, timed_out: false })],
      ['/v1/voice/events', { uuid, status: 'completed', timestamp: new Date().toISOString() }],
    ] as const) {
      const reply = await stage.send(address, body, forgery);
      expect(reply).toMatchObject({
        status: 401,
        body: { reason: 'webhook-refused', fix: expect.any(String) as string },
      });
    }
    expect(await stage.state()).toBe(before);
  });

  test('a token that was used before', async () => {
    const { uuid, path } = await answered();
    const webhooks = [
      [path, keyed(uuid, { digits: '111222333', timed_out: false })],
      ['/v1/voice/answer', call()],
      ['/v1/voice/events', { uuid, status: 'answered', timestamp: new Date().toISOString() }],
    ] as const;
    for (const [address, body] of webhooks) {
      const { status, authorization } = await stage.send(address, body);
      expect(status).toBe(200);
      const before = await stage.state();
      expect(await stage.send(address, body, { authorization })).toMatchObject({
        status: 401,
        body: { reason: 'webhook-replayed' },
      });
      expect(await stage.state()).toBe(before);
    }
  });

  test('a video callback that is unsigned, or signed for voice', async () => {
    const body = {
      sessionId: 's',
      projectId: 'p',
      event: 'connectionCreated',
      timestamp: Date.now(),
      connection: { id: 'c', createdAt: 0, data: '{"participant":"part_x"}' },
    };
    const before = await stage.state();
    expect((await stage.sendVideo(body, { authorization: null })).status).toBe(401);
    expect((await stage.sendVideo(body, { secret: 'y'.repeat(43) })).status).toBe(401);
    expect(await stage.state()).toBe(before);
  });

  test('GET, whose query no signature covers, with the setting to change', async () => {
    const reply = await fetch(`${stage.url}/v1/voice/answer?uuid=x&to=${NUMBER.slice(1)}`);
    expect(reply.status).toBe(405);
    expect(await reply.json()).toMatchObject({
      reason: 'method-not-allowed',
      fix: expect.stringContaining('POST') as string,
    });
  });
});

describe('what a caller keys', () => {
  test.each([
    ['the PIN', { digits: PIN, timed_out: false }, {}],
    ['the PIN with the hash key', { digits: `${PIN}#`, timed_out: false }, {}],
    ['the PIN in the legacy form', PIN, { timed_out: false }],
  ])('%s lets the caller in', async (_what, dtmf, more) => {
    const { uuid, path } = await answered();
    const { status, body } = await stage.send(path, keyed(uuid, dtmf, more));
    expect(status).toBe(200);
    expect(actions(body)).toBe('talk conversation');
    expect((body as Ncco)[1]?.name).toMatch(/^conv_/);
  });

  test.each([
    ['nothing', { digits: '', timed_out: true }, {}],
    ['nothing in the legacy form', '', { timed_out: true }],
    ['no dtmf at all', undefined, {}],
    ['null', null, {}],
    ['an asterisk', { digits: '*', timed_out: false }, {}],
    ['asterisks among digits', { digits: `*${PIN}`, timed_out: false }, {}],
    ['twenty digits', { digits: '12345678901234567890', timed_out: false }, {}],
    ['a thousand digits', { digits: '1'.repeat(1000), timed_out: false }, {}],
    ['letters', { digits: 'alpha', timed_out: false }, {}],
    ['a number instead of a text', { digits: Number(PIN), timed_out: false }, {}],
    ['a list', [PIN], {}],
  ])('%s is a try that failed, and another prompt', async (_what, dtmf, more) => {
    const { uuid, path } = await answered();
    const { status, body } = await stage.send(path, keyed(uuid, dtmf, more));
    expect(status).toBe(200);
    expect(actions(body)).toBe('talk input');
    expect(replyTo(body)).toBe(path.replace(/1$/, '2'));
  });

  test('three failed tries end in a good-bye, and no prompt', async () => {
    const { uuid, path } = await answered();
    let next = path;
    for (let tryNo = 1; tryNo <= 2; tryNo++)
      next = replyTo((await stage.send(next, keyed(uuid, { digits: '111222333', timed_out: false }))).body);
    const { body } = await stage.send(next, keyed(uuid, { digits: '111222333', timed_out: false }));
    expect(actions(body)).toBe('talk');
    expect((body as Ncco)[0]?.text).toContain('Good bye');
  });

  test('a repeated webhook gets the same answer, and counts once', async () => {
    const body = call();
    const first = await stage.send('/v1/voice/answer', body);
    const second = await stage.send('/v1/voice/answer', body);
    expect(second.body).toEqual(first.body);
    const path = replyTo(first.body);
    const wrong = keyed(body.uuid, { digits: '111222333', timed_out: false });
    const [one, two, three] = [
      await stage.send(path, wrong),
      await stage.send(path, wrong),
      await stage.send(path, wrong),
    ];
    expect([two.body, three.body]).toEqual([one.body, one.body]);
    const right = keyed(body.uuid, { digits: PIN, timed_out: false });
    const in1 = await stage.send(replyTo(one.body), right);
    expect(actions(in1.body)).toBe('talk conversation');
    expect((await stage.send(replyTo(one.body), right)).body).toEqual(in1.body);
  });

  test('somebody else’s call cannot answer a caller’s prompt', async () => {
    const { path } = await answered();
    const before = await stage.state();
    const { status, body } = await stage.send(path, keyed(randomUUID(), { digits: PIN, timed_out: false }));
    expect(status).toBe(200);
    expect(actions(body)).not.toContain('conversation');
    expect(await stage.state()).toBe(before);
  });
});

describe('calls that are not what they say', () => {
  test.each(['SipHeader_X-OpenTok-SessionId', 'SipHeader_X-Partyline-Leg'])(
    'a forged %s joins nothing',
    async (header) => {
      // There is such a session, and somebody is in it.
      const { uuid, path } = await answered();
      await stage.send(path, keyed(uuid, { digits: PIN, timed_out: false }));
      await stage.store.pool.query(`UPDATE session SET media_session_id = 'the-real-session'`);
      const { status, body } = await stage.send('/v1/voice/answer', {
        ...call(),
        endpoint_type: 'sip',
        [header]: 'the-real-session',
      });
      expect(status).toBe(200);
      expect(actions(body)).not.toContain('conversation');
    },
  );

  test('a number that is not ours is told so', async () => {
    const { body } = await stage.send('/v1/voice/answer', { ...call(), to: '19995550199' });
    expect(actions(body)).toBe('talk');
  });

  test('an answer webhook without a call id is a clear 400', async () => {
    expect((await stage.send('/v1/voice/answer', { to: NUMBER.slice(1) })).status).toBe(400);
  });

  test('a body that is no JSON, or no object, does not crash', async () => {
    expect((await stage.send('/v1/voice/answer', 'not json')).status).toBe(422);
    for (const body of [null, [], 7, 'text'])
      expect((await stage.send('/v1/voice/answer', body)).status).toBeLessThan(500);
    for (const body of [null, [], 7]) expect((await stage.send('/v1/voice/events', body)).status).toBeLessThan(500);
    for (const body of [null, [], 7]) expect((await stage.sendVideo(body)).status).toBeLessThan(500);
  });
});

test('a Postgres that is slow is a 503, after which the carrier asks again; at a 500 it gives its caller up', async () => {
  const slow = await startStage({ patienceMs: 1_000 });
  try {
    const holding = await slow.store.pool.connect();
    await holding.query(
      'SET idle_in_transaction_session_timeout = 0; BEGIN; LOCK TABLE webhook_jti IN ACCESS EXCLUSIVE MODE',
    );
    const reply = await slow.send('/v1/voice/answer', call());
    holding.release(true);
    expect(reply).toMatchObject({ status: 503, body: { reason: 'temporarily-unavailable' } });
  } finally {
    await slow.stop();
  }
});

describe('events that say nothing to us', () => {
  test.each([
    ['a status that we do not know', { uuid: randomUUID(), status: 'pondering' }],
    ['a call that is none of ours', { uuid: randomUUID(), status: 'completed', timestamp: new Date().toISOString() }],
    ['a recording', { recording_url: 'https://x', recording_uuid: 'r', conversation_uuid: 'CON-1' }],
    [
      'a syntax error in our instructions',
      { reason: 'Syntax error in NCCO. Invalid value type or action.', conversation_uuid: 'CON-1' },
    ],
  ])('%s is ignored and counted', async (_what, event) => {
    const counted = async () =>
      (await stage.metrics.registry.getSingleMetric('partyline_webhook_ignored_total')!.get()).values.reduce(
        (sum, { value }) => sum + value,
        0,
      );
    const [before, countBefore] = [await stage.state(), await counted()];
    expect(await stage.send('/v1/voice/events', event)).toMatchObject({ status: 200, body: { result: 'ignored' } });
    expect(await stage.state()).toBe(before);
    expect(await counted()).toBe(countBefore + 1);
  });

  test('a late event after the end changes nothing', async () => {
    const { uuid } = await answered();
    const event = (status: string) =>
      stage.send('/v1/voice/events', { uuid, status, timestamp: new Date().toISOString() });
    await event('completed');
    const ended = await stage.store.prisma.leg.findUniqueOrThrow({ where: { voice_call_id: uuid } });
    expect(ended.state).toBe('ended');
    for (const status of ['answered', 'ringing', 'started', 'completed', 'failed']) await event(status);
    const after = await stage.store.prisma.leg.findUniqueOrThrow({ where: { voice_call_id: uuid } });
    expect({ ...after, version: 0 }).toEqual({ ...ended, version: 0 });
  });
});
