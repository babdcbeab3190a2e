import { randomInt, randomUUID } from 'node:crypto';
import { Writable } from 'node:stream';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { NUMBER, PIN, startTestHarness, type Forgery, type TestHarness } from './testing/test-harness.ts';

/** Digits, phone numbers, tokens and secrets that must never be logged. Each value is used once. */
const canaries = new Set<string>([PIN]);
const addCanary = (text: string): string => {
  canaries.add(text);
  return text;
};
const phone = (): string => addCanary(`4479460${String(randomInt(100_000)).padStart(5, '0')}`);
const pin = (): string => addCanary(String(randomInt(100_000_000, 999_999_999)));

let lines = '';
const log = new Writable({
  write(chunk: Buffer, _encoding, done) {
    lines += chunk.toString();
    done();
  },
});
let harness: TestHarness;
beforeAll(async () => {
  harness = await startTestHarness({ logTo: log });
  for (const secret of harness.secrets) addCanary(secret);
});
afterAll(() => harness.stop());

/** Sends a webhook and adds the parts of its token to the canaries. */
async function send(path: string, body: unknown, forgery?: Forgery): Promise<{ status: number; body: unknown }> {
  const sent = path.startsWith('/v1/video')
    ? { ...(await harness.sendVideo(body, forgery)), authorization: null }
    : await harness.send(path, body, forgery);
  if (sent.authorization !== null)
    for (const part of sent.authorization.split(/[ .]/).slice(2)) if (part.length > 8) addCanary(part);
  return sent;
}
const loggedCanaries = (): string[] => [...canaries].filter((canary) => lines.includes(canary));
const replyTo = (ncco: unknown): string =>
  new URL(
    (ncco as { action: string; eventUrl?: string[] }[]).find(({ action }) => action === 'input')?.eventUrl?.[0] ?? '',
  ).pathname;
const answerBody = () => ({
  from: phone(),
  to: NUMBER.slice(1),
  uuid: randomUUID(),
  conversation_uuid: `CON-${randomUUID()}`,
});

const FORGERIES: readonly (Forgery | undefined)[] = [
  undefined,
  { authorization: null },
  { secret: 'x'.repeat(43) },
  { header: { alg: 'none' } },
  { claims: { payload_hash: '0'.repeat(64) } },
  { claims: { jti: undefined } },
];

async function sendEveryWebhook(): Promise<void> {
  for (const forgery of FORGERIES) {
    const answer = answerBody();
    await send('/v1/voice/answer', answer, forgery);
    await send('/v1/voice/answer', { ...answer, from: `+${phone()}`, to: phone(), [phone()]: pin() }, forgery);
    await send(
      '/v1/voice/answer',
      { ...answer, uuid: pin(), from: { deep: phone() }, 'SipHeader_X-Partyline-Leg': pin(), endpoint_type: 'sip' },
      forgery,
    );
    await send(`/v1/voice/answer/${phone()}`, answer, forgery);
    await send(
      `/v1/voice/events/${pin()}`,
      { uuid: answer.uuid, status: phone(), from: phone(), to: phone(), timestamp: pin() },
      forgery,
    );
    await send(
      '/v1/voice/events',
      {
        uuid: answer.uuid,
        status: 'completed',
        from: phone(),
        to: phone(),
        timestamp: new Date().toISOString(),
        sip_code: pin(),
        detail: phone(),
        reason: phone(),
      },
      forgery,
    );
    await send('/v1/voice/events', `{"uuid":"${pin()}","to":"${phone()}"`, forgery);
    await send(
      '/v1/video/events',
      {
        sessionId: pin(),
        projectId: phone(),
        event: 'connectionCreated',
        timestamp: Date.now(),
        connection: { id: phone(), createdAt: 0, data: `{"participant":"${pin()}"}` },
      },
      forgery,
    );
    await send('/v1/voice/digits/leg_x/1', { uuid: pin(), dtmf: { digits: pin(), timed_out: false } }, forgery);
    await send(`/v1/voice/digits/${phone()}/x`, { uuid: randomUUID(), dtmf: pin() }, forgery);
  }
  // A caller is admitted after two wrong PINs; the webhook is repeated, then replayed with a used
  // token.
  const body = answerBody();
  const { body: prompt } = await send('/v1/voice/answer', body);
  let path = replyTo(prompt);
  const keyed = (digits: unknown) => ({
    uuid: body.uuid,
    conversation_uuid: 'CON-1',
    dtmf: { digits, timed_out: false },
    timestamp: new Date().toISOString(),
  });
  for (let tryNo = 1; tryNo <= 2; tryNo++) path = replyTo((await send(path, keyed(pin()))).body);
  const used = await harness.send(path, keyed(PIN));
  await send(path, keyed(PIN));
  await send(path, keyed(PIN), { authorization: used.authorization });
  for (const status of ['ringing', 'answered', 'completed'])
    await send('/v1/voice/events', {
      uuid: body.uuid,
      status,
      from: body.from,
      to: body.to,
      timestamp: new Date().toISOString(),
    });
  await fetch(`${harness.url}/v1/voice/answer?from=${phone()}&to=${phone()}`);
  await fetch(`${harness.url}/${phone()}/%zz/${pin()}`);
}

it('a forged webhook leaves one line with the failed check and the address', async () => {
  const before = lines.length;
  await send('/v1/voice/answer', answerBody(), { secret: 'x'.repeat(43) });
  const refusals = lines
    .slice(before)
    .split('\n')
    .filter((line) => line.includes('a request was rejected'));
  expect(refusals.map((line) => JSON.parse(line) as object)).toEqual([
    expect.objectContaining({
      reason: 'webhook-rejected',
      detail: 'The webhook was rejected: wrong-signature.',
      address: '127.0.0.1',
      route: 'POST /v1/voice/answer',
    }),
  ]);
});

it('no genuine or forged webhook puts its data into the log', async () => {
  await sendEveryWebhook();
  expect(canaries.size).toBeGreaterThan(150);
  expect(lines).toContain('"level":20');
  expect(loggedCanaries()).toEqual([]);
});

it('a database error puts no webhook data into the log', async () => {
  const before = lines.length;
  await harness.store.pool.query(
    `ALTER TABLE leg ADD CONSTRAINT broken CHECK (false) NOT VALID;
     ALTER TABLE webhook_jti ADD CONSTRAINT broken CHECK (length(jti) < 3) NOT VALID`,
  );
  try {
    for (let i = 0; i < 3; i++) await send('/v1/voice/answer', answerBody());
    await send('/v1/voice/digits/leg_x/1', { uuid: randomUUID(), dtmf: { digits: pin(), timed_out: false } });
    await send('/v1/voice/events', {
      uuid: randomUUID(),
      status: 'completed',
      to: phone(),
      timestamp: new Date().toISOString(),
    });
  } finally {
    await harness.store.pool.query(
      'ALTER TABLE leg DROP CONSTRAINT broken; ALTER TABLE webhook_jti DROP CONSTRAINT broken',
    );
  }
  expect(lines.slice(before)).toContain('a request failed');
  expect(loggedCanaries()).toEqual([]);
});
