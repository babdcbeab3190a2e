import { randomInt, randomUUID } from 'node:crypto';
import { Writable } from 'node:stream';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { NUMBER, PIN, startStage, type Forgery, type Stage } from './testing/test-harness.ts';

/** Nothing that callers key, no number, no token and no secret may come to stand in a log, whatever is sent and whatever goes wrong. Each is there once. */
const canaries = new Set<string>([PIN]);
const noted = (text: string): string => {
  canaries.add(text);
  return text;
};
const phone = (): string => noted(`4479460${String(randomInt(100_000)).padStart(5, '0')}`);
const pin = (): string => noted(String(randomInt(100_000_000, 999_999_999)));

let lines = '';
const log = new Writable({
  write(chunk: Buffer, _encoding, done) {
    lines += chunk.toString();
    done();
  },
});
let stage: Stage;
beforeAll(async () => {
  stage = await startStage({ logTo: log });
  for (const secret of stage.secrets) noted(secret);
});
afterAll(() => stage.stop());

/** The token that a webhook came with is a canary. */
async function send(path: string, body: unknown, forgery?: Forgery): Promise<{ status: number; body: unknown }> {
  const sent = path.startsWith('/v1/video')
    ? { ...(await stage.sendVideo(body, forgery)), authorization: null }
    : await stage.send(path, body, forgery);
  if (sent.authorization !== null)
    for (const part of sent.authorization.split(/[ .]/).slice(2)) if (part.length > 8) noted(part);
  return sent;
}
const seen = (): string[] => [...canaries].filter((canary) => lines.includes(canary));
const replyTo = (ncco: unknown): string =>
  new URL(
    (ncco as { action: string; eventUrl?: string[] }[]).find(({ action }) => action === 'input')?.eventUrl?.[0] ?? '',
  ).pathname;
const call = () => ({
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

async function everything(): Promise<void> {
  for (const forgery of FORGERIES) {
    const answer = call();
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
  // A caller who tries twice in vain and is then let in; the same webhook again; a token that was used before.
  const body = call();
  const { body: prompt } = await send('/v1/voice/answer', body);
  let path = replyTo(prompt);
  const keyed = (digits: unknown) => ({
    uuid: body.uuid,
    conversation_uuid: 'CON-1',
    dtmf: { digits, timed_out: false },
    timestamp: new Date().toISOString(),
  });
  for (let tryNo = 1; tryNo <= 2; tryNo++) path = replyTo((await send(path, keyed(pin()))).body);
  const used = await stage.send(path, keyed(PIN));
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
  await fetch(`${stage.url}/v1/voice/answer?from=${phone()}&to=${phone()}`);
  await fetch(`${stage.url}/${phone()}/%zz/${pin()}`);
}

it('whatever the carrier, or somebody who would be it, sends: no line of the log holds it', async () => {
  await everything();
  expect(canaries.size).toBeGreaterThan(150);
  expect(lines).toContain('"level":20');
  expect(seen()).toEqual([]);
});

it('nor when the database fails at it', async () => {
  const before = lines.length;
  await stage.store.pool.query(
    'ALTER TABLE leg ADD CONSTRAINT broken CHECK (false) NOT VALID; ALTER TABLE webhook_jti ADD CONSTRAINT broken CHECK (length(jti) < 3) NOT VALID',
  );
  try {
    for (let i = 0; i < 3; i++) await send('/v1/voice/answer', call());
    await send('/v1/voice/digits/leg_x/1', { uuid: randomUUID(), dtmf: { digits: pin(), timed_out: false } });
    await send('/v1/voice/events', {
      uuid: randomUUID(),
      status: 'completed',
      to: phone(),
      timestamp: new Date().toISOString(),
    });
  } finally {
    await stage.store.pool.query(
      'ALTER TABLE leg DROP CONSTRAINT broken; ALTER TABLE webhook_jti DROP CONSTRAINT broken',
    );
  }
  expect(lines.slice(before)).toContain('a request failed');
  expect(seen()).toEqual([]);
});
