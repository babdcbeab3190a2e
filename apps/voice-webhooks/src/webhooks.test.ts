import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NUMBER, PIN, startTestHarness, type Forgery, type TestHarness } from './testing/test-harness.ts';

let harness: TestHarness;
beforeAll(async () => {
  harness = await startTestHarness();
});
afterAll(() => harness.stop());

type Ncco = { action: string; text?: string; name?: string; eventUrl?: string[] }[];

const answerBody = () => ({
  from: '442079460011',
  to: NUMBER.slice(1),
  uuid: randomUUID(),
  conversation_uuid: `CON-${randomUUID()}`,
});
const actions = (ncco: unknown): string => (ncco as Ncco).map(({ action }) => action).join(' ');
/** The path of the digits webhook of a prompt. */
const replyTo = (ncco: unknown): string =>
  new URL((ncco as Ncco).find(({ action }) => action === 'input')?.eventUrl?.[0] ?? '').pathname;

async function answerCall(): Promise<{ uuid: string; path: string }> {
  const body = answerBody();
  const { body: ncco } = await harness.send('/v1/voice/answer', body);
  return { uuid: body.uuid, path: replyTo(ncco) };
}

const digitsBody = (uuid: string, dtmf: unknown, more: object = {}) => ({
  uuid,
  conversation_uuid: 'CON-1',
  dtmf,
  timestamp: new Date().toISOString(),
  ...more,
});

describe('a forged webhook is rejected and changes nothing', () => {
  const now = Math.floor(Date.now() / 1000);
  const forgeries: Record<string, Forgery> = {
    'no token': { authorization: null },
    'no bearer token': { authorization: 'Basic abc' },
    'a malformed token': { authorization: 'Bearer a.b.c' },
    'another secret': { secret: 'x'.repeat(43) },
    'algorithm none': { header: { alg: 'none' } },
    'an asymmetric algorithm': { header: { alg: 'RS256' } },
    'signed 330 s ago': { claims: { iat: now - 330 } },
    'signed 330 s ahead': { claims: { iat: now + 330 } },
    'another payload hash': { claims: { payload_hash: '0'.repeat(64) } },
    'no payload hash': { claims: { payload_hash: undefined } },
    'a changed body': { sentBody: '{"uuid":"other"}' },
    'another application': { claims: { application_id: randomUUID() } },
    'no application': { claims: { application_id: undefined } },
    'another account': { claims: { api_key: 'another' } },
    'another issuer': { claims: { iss: 'Another' } },
    'no token id': { claims: { jti: undefined } },
  };

  test.each(Object.entries(forgeries))('with %s', async (_what, forgery) => {
    const { uuid, path } = await answerCall();
    const before = await harness.dumpState();
    for (const [address, body] of [
      ['/v1/voice/answer', answerBody()],
      [path, digitsBody(uuid, { digits: PIN, timed_out: false })],
      ['/v1/voice/events', { uuid, status: 'completed', timestamp: new Date().toISOString() }],
    ] as const) {
      const reply = await harness.send(address, body, forgery);
      expect(reply).toMatchObject({
        status: 401,
        body: { reason: 'webhook-rejected', fix: expect.any(String) as string },
      });
    }
    expect(await harness.dumpState()).toBe(before);
  });

  test('with a token that was used before', async () => {
    const { uuid, path } = await answerCall();
    const webhooks = [
      [path, digitsBody(uuid, { digits: '111222333', timed_out: false })],
      ['/v1/voice/answer', answerBody()],
      ['/v1/voice/events', { uuid, status: 'answered', timestamp: new Date().toISOString() }],
    ] as const;
    for (const [address, body] of webhooks) {
      const { status, authorization } = await harness.send(address, body);
      expect(status).toBe(200);
      const before = await harness.dumpState();
      expect(await harness.send(address, body, { authorization })).toMatchObject({
        status: 401,
        body: { reason: 'webhook-replayed' },
      });
      expect(await harness.dumpState()).toBe(before);
    }
  });

  test('as a video callback, unsigned or signed with a wrong secret', async () => {
    const body = {
      sessionId: 's',
      projectId: 'p',
      event: 'connectionCreated',
      timestamp: Date.now(),
      connection: { id: 'c', createdAt: 0, data: '{"participant":"part_x"}' },
    };
    const before = await harness.dumpState();
    expect((await harness.sendVideo(body, { authorization: null })).status).toBe(401);
    expect((await harness.sendVideo(body, { secret: 'y'.repeat(43) })).status).toBe(401);
    expect(await harness.dumpState()).toBe(before);
  });

  test('as a GET, whose query the signature does not cover; the error names the setting to change', async () => {
    const reply = await fetch(`${harness.url}/v1/voice/answer?uuid=x&to=${NUMBER.slice(1)}`);
    expect(reply.status).toBe(405);
    expect(await reply.json()).toMatchObject({
      reason: 'method-not-allowed',
      fix: expect.stringContaining('POST') as string,
    });
  });
});

describe('a digits webhook', () => {
  test.each([
    ['the PIN', { digits: PIN, timed_out: false }, {}],
    ['the PIN with the hash key', { digits: `${PIN}#`, timed_out: false }, {}],
    ['the PIN in the legacy form', PIN, { timed_out: false }],
  ])('with %s admits the caller', async (_what, dtmf, more) => {
    const { uuid, path } = await answerCall();
    const { status, body } = await harness.send(path, digitsBody(uuid, dtmf, more));
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
  ])('with %s counts as a failed attempt and prompts again', async (_what, dtmf, more) => {
    const { uuid, path } = await answerCall();
    const { status, body } = await harness.send(path, digitsBody(uuid, dtmf, more));
    expect(status).toBe(200);
    expect(actions(body)).toBe('talk input');
    expect(replyTo(body)).toBe(path.replace(/1$/, '2'));
  });

  test('ends the call after three failed attempts', async () => {
    const { uuid, path } = await answerCall();
    let next = path;
    for (let tryNo = 1; tryNo <= 2; tryNo++)
      next = replyTo((await harness.send(next, digitsBody(uuid, { digits: '111222333', timed_out: false }))).body);
    const { body } = await harness.send(next, digitsBody(uuid, { digits: '111222333', timed_out: false }));
    expect(actions(body)).toBe('talk');
    expect((body as Ncco)[0]?.text).toContain('Goodbye');
  });

  test('gets the same answer when repeated, and counts once', async () => {
    const body = answerBody();
    const first = await harness.send('/v1/voice/answer', body);
    const second = await harness.send('/v1/voice/answer', body);
    expect(second.body).toEqual(first.body);
    const path = replyTo(first.body);
    const wrong = digitsBody(body.uuid, { digits: '111222333', timed_out: false });
    const [one, two, three] = [
      await harness.send(path, wrong),
      await harness.send(path, wrong),
      await harness.send(path, wrong),
    ];
    expect([two.body, three.body]).toEqual([one.body, one.body]);
    const right = digitsBody(body.uuid, { digits: PIN, timed_out: false });
    const admitted = await harness.send(replyTo(one.body), right);
    expect(actions(admitted.body)).toBe('talk conversation');
    expect((await harness.send(replyTo(one.body), right)).body).toEqual(admitted.body);
  });

  test('with another call id does not answer the prompt', async () => {
    const { path } = await answerCall();
    const before = await harness.dumpState();
    const { status, body } = await harness.send(path, digitsBody(randomUUID(), { digits: PIN, timed_out: false }));
    expect(status).toBe(200);
    expect(actions(body)).not.toContain('conversation');
    expect(await harness.dumpState()).toBe(before);
  });
});

describe('an answer webhook', () => {
  test.each(['SipHeader_X-OpenTok-SessionId', 'SipHeader_X-Partyline-Leg'])(
    'with a forged %s header joins no conversation',
    async (header) => {
      // The session in the header exists and has a participant.
      const { uuid, path } = await answerCall();
      await harness.send(path, digitsBody(uuid, { digits: PIN, timed_out: false }));
      await harness.store.pool.query(`UPDATE session SET media_session_id = 'the-real-session'`);
      const { status, body } = await harness.send('/v1/voice/answer', {
        ...answerBody(),
        endpoint_type: 'sip',
        [header]: 'the-real-session',
      });
      expect(status).toBe(200);
      expect(actions(body)).not.toContain('conversation');
    },
  );

  test('for an unknown number gets a spoken message', async () => {
    const { body } = await harness.send('/v1/voice/answer', { ...answerBody(), to: '19995550199' });
    expect(actions(body)).toBe('talk');
  });

  test('without a call id gets 400', async () => {
    expect((await harness.send('/v1/voice/answer', { to: NUMBER.slice(1) })).status).toBe(400);
  });

  test('whose body is not a JSON object causes no server error', async () => {
    expect((await harness.send('/v1/voice/answer', 'not json')).status).toBe(422);
    for (const body of [null, [], 7, 'text'])
      expect((await harness.send('/v1/voice/answer', body)).status).toBeLessThan(500);
    for (const body of [null, [], 7]) expect((await harness.send('/v1/voice/events', body)).status).toBeLessThan(500);
    for (const body of [null, [], 7]) expect((await harness.sendVideo(body)).status).toBeLessThan(500);
  });
});

// The provider retries after a 503. After a 500 it drops the call.
test('a database timeout is answered with 503', async () => {
  const slow = await startTestHarness({ statementTimeoutMs: 1_000 });
  try {
    const holding = await slow.store.pool.connect();
    await holding.query(
      `SET idle_in_transaction_session_timeout = 0;
       BEGIN;
       LOCK TABLE webhook_jti IN ACCESS EXCLUSIVE MODE`,
    );
    const reply = await slow.send('/v1/voice/answer', answerBody());
    holding.release(true);
    expect(reply).toMatchObject({ status: 503, body: { reason: 'temporarily-unavailable' } });
  } finally {
    await slow.stop();
  }
});

describe('the fallback answer URL', () => {
  test.each(['/v1/voice/fallback', '/v1/accounts/acct_unknown/voice/fallback'])(
    'speaks an apology and ends the call, unverified: %s',
    async (path) => {
      const reply = await harness.send(path, answerBody(), { authorization: null });
      expect(reply).toMatchObject({ status: 200, body: [{ action: 'talk', language: 'en-US' }] });
      expect((reply.body as Ncco)[0]?.text).toMatch(/^The conference cannot be reached/);
    },
  );
});

describe('an event webhook', () => {
  test.each([
    ['an unknown status', { uuid: randomUUID(), status: 'pondering' }],
    ['an unknown call', { uuid: randomUUID(), status: 'completed', timestamp: new Date().toISOString() }],
    ['a recording', { recording_url: 'https://x', recording_uuid: 'r', conversation_uuid: 'CON-1' }],
    [
      'a syntax error in the call instructions',
      { reason: 'Syntax error in NCCO. Invalid value type or action.', conversation_uuid: 'CON-1' },
    ],
  ])('about %s is ignored and counted', async (_what, event) => {
    const counted = async () =>
      (await harness.metrics.registry.getSingleMetric('partyline_webhook_ignored_total')!.get()).values.reduce(
        (sum, { value }) => sum + value,
        0,
      );
    const [before, countBefore] = [await harness.dumpState(), await counted()];
    expect(await harness.send('/v1/voice/events', event)).toMatchObject({ status: 200, body: { result: 'ignored' } });
    expect(await harness.dumpState()).toBe(before);
    expect(await counted()).toBe(countBefore + 1);
  });

  test('that arrives after the end of the call changes nothing', async () => {
    const { uuid } = await answerCall();
    const event = (status: string) =>
      harness.send('/v1/voice/events', { uuid, status, timestamp: new Date().toISOString() });
    await event('completed');
    const ended = await harness.store.prisma.leg.findUniqueOrThrow({ where: { voice_call_id: uuid } });
    expect(ended.state).toBe('ended');
    for (const status of ['answered', 'ringing', 'started', 'completed', 'failed']) await event(status);
    const after = await harness.store.prisma.leg.findUniqueOrThrow({ where: { voice_call_id: uuid } });
    expect({ ...after, version: 0 }).toEqual({ ...ended, version: 0 });
  });
});
