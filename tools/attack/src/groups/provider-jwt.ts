import { createHmac, generateKeyPairSync, randomUUID, sign as signWithKey } from 'node:crypto';
import pMap from 'p-map';
import { base64url, signHs256, type Webhook, type TokenOverrides } from '../webhook-sender.ts';
import { type Group } from '../group.ts';
import { rejectionFault } from '../http.ts';
import { describeChanges, snapshotTenant } from '../tenant-snapshot.ts';
import type { Target } from '../target.ts';

interface Forgery {
  readonly what: string;
  readonly webhook: Webhook;
}

const DAY_SECONDS = 86_400;
const REJECTED_STATUSES = [400, 401, 413, 422];

/** Webhooks with a missing, wrong, stale or used signature. */
export const providerJwt: Group = {
  name: 'webhook signatures',
  summary:
    'none, another algorithm, another key, bits flipped, stale, expired, not yet valid, another audience, body, application or account, replayed, ' +
    'duplicate, too large',
  minInputs: 400,
  async run(target, tally) {
    const { webhookSender, owner, victim } = target;
    const replays = await createReplays(target);
    const before = await snapshotTenant(owner, victim.tenantId);
    await pMap(
      [...forgeries(target), ...replays],
      async ({ what, webhook }) => {
        tally.record(
          `${webhook.path} with ${what}`,
          rejectionFault(await webhookSender.post(webhook), REJECTED_STATUSES),
        );
      },
      { concurrency: 16 },
    );
    for (const path of [
      '/v1/voice/answer',
      '/v1/voice/events',
      `/v1/voice/events/${victim.ids['legId']}`,
      '/v1/video/events',
    ]) {
      const answer = await target.send({
        method: 'GET',
        url: `${target.stack.urls['voice-webhooks']}${path}?uuid=${randomUUID()}&status=completed`,
        headers: { authorization: `Bearer ${webhookSender.token('')}` },
      });
      tally.record(`${path} by GET`, rejectionFault(answer, [404, 405]));
    }
    tally.record('all of them together', describeChanges(before, await snapshotTenant(owner, victim.tenantId)));
  },
};

/**
 * Webhooks that would do harm if accepted: they end the victim's call or session, or use its PIN.
 */
function harmfulWebhooks({ victim, stack }: Target): { path: string; body: string; video: boolean }[] {
  const number = stack.numbers[0]!.e164.slice(1);
  const { legId = '' } = victim.ids;
  const { mediaSessionId } = victim.client;
  return [
    {
      path: `/v1/voice/events/${legId}`,
      body: JSON.stringify({ uuid: randomUUID(), status: 'completed', timestamp: new Date().toISOString() }),
      video: false,
    },
    {
      path: '/v1/voice/answer',
      body: JSON.stringify({
        from: '442079460099',
        to: number,
        uuid: randomUUID(),
        conversation_uuid: `CON-${randomUUID()}`,
      }),
      video: false,
    },
    {
      path: `/v1/voice/digits/${legId}/1`,
      body: JSON.stringify({ uuid: randomUUID(), dtmf: { digits: victim.pin, timed_out: false } }),
      video: false,
    },
    {
      path: '/v1/video/events',
      body: JSON.stringify({ sessionId: mediaSessionId, event: 'sessionDestroyed', timestamp: Date.now() }),
      video: true,
    },
  ];
}

function* forgeries(target: Target): Generator<Forgery> {
  const { webhookSender } = target;
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  for (const { path, body, video } of harmfulWebhooks(target)) {
    const token = (overrides?: TokenOverrides): string =>
      video ? webhookSender.videoToken(body, overrides) : webhookSender.token(body, overrides);
    const forged = (what: string, authorization: Webhook['authorization'], sent = body): Forgery => ({
      what,
      webhook: { path, body: sent, authorization },
    });
    const bearer = (what: string, given: string, sent = body): Forgery => forged(what, `Bearer ${given}`, sent);
    const now = Math.floor(Date.now() / 1000);
    const [, claims = '', signature = ''] = token().split('.');
    const resigned = (header: object, by: (signed: string) => string): string => {
      const signed = `${base64url(header)}.${claims}`;
      return `${signed}.${by(signed)}`;
    };

    yield forged('no token', null);
    for (const odd of [
      '',
      'Bearer',
      'Bearer ',
      'Bearer null',
      'Bearer a.b.c',
      `Basic ${token()}`,
      `bearer:${token()}`,
      token(),
      `Bearer ${token()} ${token()}`,
      `Bearer ${token({ secret: 'x' })}, Bearer ${token()}`,
    ])
      yield forged(`the header ${odd.slice(0, 12)}...`, odd);
    for (const alg of [
      'none',
      'None',
      'NONE',
      'nOnE',
      '',
      null,
      'hs256',
      'HS384',
      'HS512',
      'ES256',
      'PS256',
      'EdDSA',
      'HS256 ',
      ['HS256'],
      0,
    ]) {
      yield bearer(`algorithm ${JSON.stringify(alg)}, unsigned`, `${base64url({ alg, typ: 'JWT' })}.${claims}.`);
      yield bearer(`algorithm ${JSON.stringify(alg)}, signed`, token({ header: { alg } }));
    }
    yield bearer(
      "RS256 with the application's public key as HMAC secret",
      resigned({ alg: 'RS256', typ: 'JWT' }, (signed) =>
        signHs256(signed, target.stack.credentials.provider.publicKey),
      ),
    );
    yield bearer(
      'RS256 with an unknown key',
      resigned({ alg: 'RS256', typ: 'JWT' }, (signed) =>
        signWithKey('sha256', Buffer.from(signed), rsa.privateKey).toString('base64url'),
      ),
    );
    yield bearer(
      'HS384',
      resigned({ alg: 'HS384', typ: 'JWT' }, (signed) =>
        createHmac('sha384', webhookSender.secret).update(signed).digest('base64url'),
      ),
    );
    for (const header of [
      { jwk: { kty: 'oct', k: base64url('x') } },
      { jku: 'https://evil.example/keys' },
      { x5u: 'https://evil.example/cert' },
      { kid: '../../../dev/null' },
    ])
      yield bearer(`a key of its own in ${Object.keys(header)[0]}`, token({ header, secret: 'x' }));
    yield bearer('crit', token({ header: { crit: ['exp'] } }));
    for (const secret of [
      '',
      'x',
      'secret',
      'x'.repeat(43),
      webhookSender.secret.slice(0, -1),
      `${webhookSender.secret} `,
      webhookSender.secret.toUpperCase(),
      target.stack.credentials.provider.accountSecret,
      target.stack.credentials.provider.projectSecret,
      target.stack.credentials.pinKey,
    ])
      yield bearer('another secret', token({ secret }));
    yield bearer('the secret of the other product', video ? webhookSender.token(body) : webhookSender.videoToken(body));
    // On a busy machine a token waits seconds before it is sent, so an iat just past the window
    // would become valid.
    for (const offset of [-DAY_SECONDS, -3_600, -330, -302, 330, 360, 3_600, DAY_SECONDS, -now, 1e12])
      yield bearer(`signed ${offset} s from now`, token({ claims: { iat: Math.floor(Date.now() / 1000) + offset } }));
    for (const iat of [undefined, null, 'now', String(now), [now], {}, NaN, -1, now * 1000])
      yield bearer(`iat ${JSON.stringify(iat)}`, token({ claims: { iat } }));
    for (const registered of [
      { exp: 1 },
      { exp: now - 120 },
      { exp: String(now + 900) },
      { exp: null },
      { nbf: now + 120 },
      { nbf: now + DAY_SECONDS },
      { nbf: String(now) },
      { aud: 'https://elsewhere.example' },
      { aud: [] },
      { aud: [randomUUID()] },
      { aud: { [webhookSender.applicationId]: true } },
      { sub: 7 },
    ])
      yield bearer(`registered claims ${JSON.stringify(registered)}`, token({ claims: registered }));
    yield bearer('another type of token', token({ header: { typ: 'at+jwt' } }));
    for (const jti of [undefined, null, '', 7, [], {}, 'j'.repeat(300)])
      yield bearer(`jti ${JSON.stringify(jti)?.slice(0, 12)}`, token({ claims: { jti } }));
    for (const iss of [undefined, 'vonage', 'Vonage ', 'Nexmo', null])
      yield bearer(`issuer ${JSON.stringify(iss)}`, token({ claims: { iss } }));
    for (const payload_hash of [
      undefined,
      null,
      '',
      '0'.repeat(64),
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    ])
      yield bearer('another payload hash', token({ claims: { payload_hash } }));
    for (const sent of [
      `${body} `,
      body.replace('{', '{ '),
      body.replace('}', ',"uuid":"x"}'),
      '{}',
      '',
      body.slice(0, -1),
    ])
      yield bearer('a changed body', token(), sent);
    if (!video) {
      for (const application_id of [
        undefined,
        null,
        randomUUID(),
        webhookSender.applicationId.toUpperCase(),
        [webhookSender.applicationId],
      ])
        yield bearer('another application', token({ claims: { application_id } }));
      for (const api_key of [null, 'another', `${target.stack.credentials.provider.accountKey}0`])
        yield bearer('another account', token({ claims: { api_key } }));
    }
    const validToken = token();
    for (const length of [1, 10, validToken.length - 43, validToken.length - 20, validToken.length - 1])
      yield bearer(`the first ${length} characters`, validToken.slice(0, length));
    yield bearer('no signature', validToken.slice(0, validToken.lastIndexOf('.') + 1));
    yield bearer('four parts', `${validToken}.${signature}`);
    yield bearer('a large body', token(), JSON.stringify({ uuid: randomUUID(), pad: 'x'.repeat(2 << 20) }));
    yield bearer('a large token', `${'A'.repeat(5_000)}.${claims}.${signature}`);
    for (let bit = 0; bit < 60; bit++) yield bearer('one bit flipped', flipBit(token(), bit));
  }
}

/** Flips one bit of the token's decoded bytes, at a position derived from `at`. */
function flipBit(token: string, at: number): string {
  const parts = token.split('.').map((part) => Buffer.from(part, 'base64url'));
  const part = parts[at % 3]!;
  const where = (at * 7919) % (part.length * 8);
  part.writeUInt8(part.readUInt8(where >> 3) ^ (1 << (where & 7)), where >> 3);
  return parts.map((bytes) => bytes.toString('base64url')).join('.');
}

/** Sends 50 valid webhooks of one call. Returns them for a replay with the same tokens. */
async function createReplays({ webhookSender, stack }: Target): Promise<Forgery[]> {
  const uuid = randomUUID();
  const used: Forgery[] = [];
  for (let n = 0; n < 50; n++) {
    const answer = n === 0;
    const body = JSON.stringify(
      answer
        ? { from: '442079460098', to: stack.numbers[0]!.e164.slice(1), uuid, conversation_uuid: `CON-${uuid}` }
        : { uuid, status: n === 49 ? 'completed' : 'ringing', timestamp: new Date().toISOString() },
    );
    const webhook: Webhook = {
      path: answer ? '/v1/voice/answer' : '/v1/voice/events',
      body,
      authorization: `Bearer ${webhookSender.token(body)}`,
    };
    const { status } = await webhookSender.post(webhook);
    if (status !== 200) throw new Error(`A valid webhook was answered with ${status}.`);
    used.push({ what: 'a used token', webhook });
  }
  return used;
}
