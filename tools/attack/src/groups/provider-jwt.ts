import { createHmac, generateKeyPairSync, randomUUID, sign as signWithKey } from 'node:crypto';
import { base64url, signHs256, type Webhook, type Wrong } from '../carrier.ts';
import { inParallel, type Group } from '../group.ts';
import { notRefused } from '../http.ts';
import { difference, stateOf } from '../state.ts';
import type { Target } from '../target.ts';

interface Forgery {
  readonly what: string;
  readonly webhook: Webhook;
}

const DAY_S = 86_400;
const REFUSED = [400, 401, 413, 422];

/** Webhooks that the carrier did not sign, or not so, or not now, or not once. */
export const providerJwt: Group = {
  name: 'webhook signatures',
  says: 'none, another algorithm, another key, bits flipped, stale, another body, application or account, replayed, doubled, too large',
  least: 400,
  async run(target, tally) {
    const { carrier, owner, victim } = target;
    const replays = await usedTokens(target);
    const before = await stateOf(owner, victim.tenantId);
    await inParallel([...forgeries(target), ...replays], 16, async ({ what, webhook }) => {
      tally.judge(`${webhook.path} with ${what}`, notRefused(await carrier.post(webhook), REFUSED));
    });
    for (const path of [
      '/v1/voice/answer',
      '/v1/voice/events',
      `/v1/voice/events/${victim.ids['legId']}`,
      '/v1/video/events',
    ]) {
      const answer = await target.send({
        method: 'GET',
        url: `${target.stack.urls['voice-webhooks']}${path}?uuid=${randomUUID()}&status=completed`,
        headers: { authorization: `Bearer ${carrier.token('')}` },
      });
      tally.judge(`${path} by GET`, notRefused(answer, [404, 405]));
    }
    tally.judge('all of them together', difference(before, await stateOf(owner, victim.tenantId)));
  },
};

/** What would do harm if it were believed: the victim's call is over, its session destroyed, its caller somebody else's. */
function targetsOf({ victim, stack }: Target): { path: string; body: string; video: boolean }[] {
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
  const { carrier } = target;
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  for (const { path, body, video } of targetsOf(target)) {
    const token = (wrong?: Wrong): string => (video ? carrier.videoToken(body, wrong) : carrier.token(body, wrong));
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
      yield forged(`the header ${odd.slice(0, 12)}…`, odd);
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
      yield bearer(`algorithm ${JSON.stringify(alg)}, signed all the same`, token({ header: { alg } }));
    }
    yield bearer(
      'RS256 by the application’s public key as a secret',
      resigned({ alg: 'RS256', typ: 'JWT' }, (signed) => signHs256(signed, target.stack.credentials.vendor.publicKey)),
    );
    yield bearer(
      'RS256 by somebody’s key',
      resigned({ alg: 'RS256', typ: 'JWT' }, (signed) =>
        signWithKey('sha256', Buffer.from(signed), rsa.privateKey).toString('base64url'),
      ),
    );
    yield bearer(
      'HS384',
      resigned({ alg: 'HS384', typ: 'JWT' }, (signed) =>
        createHmac('sha384', carrier.secret).update(signed).digest('base64url'),
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
      carrier.secret.slice(0, -1),
      `${carrier.secret} `,
      carrier.secret.toUpperCase(),
      target.stack.credentials.vendor.accountSecret,
      target.stack.credentials.vendor.projectSecret,
      target.stack.credentials.pinKey,
    ])
      yield bearer('another secret', token({ secret }));
    yield bearer('the other product’s secret', video ? carrier.token(body) : carrier.videoToken(body));
    // What is signed ahead of time comes into the window while it waits to be sent: on a busy machine that takes seconds.
    for (const offset of [-DAY_S, -3_600, -330, -302, 330, 360, 3_600, DAY_S, -now, 1e12])
      yield bearer(`signed ${offset} s from now`, token({ claims: { iat: Math.floor(Date.now() / 1000) + offset } }));
    for (const iat of [undefined, null, 'now', String(now), [now], {}, NaN, -1, now * 1000])
      yield bearer(`iat ${JSON.stringify(iat)}`, token({ claims: { iat } }));
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
      yield bearer('a body that was changed', token(), sent);
    if (!video) {
      for (const application_id of [
        undefined,
        null,
        randomUUID(),
        carrier.applicationId.toUpperCase(),
        [carrier.applicationId],
      ])
        yield bearer('another application', token({ claims: { application_id } }));
      for (const api_key of [null, 'somebody', `${target.stack.credentials.vendor.accountKey}0`])
        yield bearer('another account', token({ claims: { api_key } }));
    }
    const good = token();
    for (const length of [1, 10, good.length - 43, good.length - 20, good.length - 1])
      yield bearer(`the first ${length} characters`, good.slice(0, length));
    yield bearer('no signature', good.slice(0, good.lastIndexOf('.') + 1));
    yield bearer('four parts', `${good}.${signature}`);
    yield bearer('a large body', token(), JSON.stringify({ uuid: randomUUID(), pad: 'x'.repeat(2 << 20) }));
    yield bearer('a large token', `${'A'.repeat(5_000)}.${claims}.${signature}`);
    for (let bit = 0; bit < 60; bit++) yield bearer('one bit flipped', flipped(token(), bit));
  }
}

/** The token with one bit of its decoded bytes changed, somewhere else each time. */
function flipped(token: string, at: number): string {
  const parts = token.split('.').map((part) => Buffer.from(part, 'base64url'));
  const part = parts[at % 3]!;
  const where = (at * 7919) % (part.length * 8);
  part.writeUInt8(part.readUInt8(where >> 3) ^ (1 << (where & 7)), where >> 3);
  return parts.map((bytes) => bytes.toString('base64url')).join('.');
}

/** Fifty honest webhooks about one call, taken once; each again with the very same token. */
async function usedTokens({ carrier, stack }: Target): Promise<Forgery[]> {
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
      authorization: `Bearer ${carrier.token(body)}`,
    };
    const { status } = await carrier.post(webhook);
    if (status !== 200) throw new Error(`An honest webhook was answered ${status}.`);
    used.push({ what: 'a token that was used', webhook });
  }
  return used;
}
