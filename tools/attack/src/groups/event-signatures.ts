import { createHmac, randomBytes } from 'node:crypto';
import { verifyWebhook, type WebhookHeaders } from '@partyline/sdk/webhook';
import { seededRandomInt } from '@partyline/testing/seeded';
import { Webhook } from 'standardwebhooks';
import type { Captured } from '../capture-deliveries.ts';
import type { Group, Tally } from '../group.ts';

export interface Verifier {
  readonly seed: number;
  /** What a tenant was really sent, and the secret that it checks it with. */
  readonly capture: () => Promise<{ readonly secret: string; readonly deliveries: readonly Captured[] }>;
  /** What tenants check events with; a test gives one that takes all. */
  readonly verify?: (secret: string | readonly string[], headers: WebhookHeaders, body: string) => unknown;
}

const NAMES = ['webhook-id', 'webhook-timestamp', 'webhook-signature'] as const;

/** Events that are not as Partyline signed them, by the verifier that tenants are given, and the signature held to the standard's own words. */
export const eventSignatures: Group<Verifier> = {
  name: 'event signatures',
  says: 'what tenants check: changed bodies, ids, times and signatures, other secrets and versions; ids with dots, rotation; and the same of events that were really sent',
  least: 400,
  run: async ({ seed, capture, verify = verifyWebhook }, tally) => {
    const random = seededRandomInt(seed);
    const key = randomBytes(32);
    const secret = `whsec_${key.toString('base64')}`;
    const takes = (headers: WebhookHeaders, body: string, by: string | readonly string[] = secret): string | null => {
      try {
        verify(by, headers, body);
        return 'was taken';
      } catch {
        return null;
      }
    };
    const now = Math.floor(Date.now() / 1000);
    const body = JSON.stringify({ id: 'evt_1', type: 'leg.ended', data: { legId: 'leg_1' } });
    const signed = (id = 'evt_3q2_4', at = now, by = secret, over = body): Record<string, string> => ({
      'webhook-id': id,
      'webhook-timestamp': String(at),
      'webhook-signature': new Webhook(by).sign(id, new Date(at * 1000), over),
    });

    // The standard's words, without its library: v1, and the HMAC of id, time and body with dots between.
    for (const id of ['evt_1', 'evt_with.dots.1', 'msg_p5jXN8AQM9LWM0D4loKWxJek', 'evt_ü']) {
      const by = createHmac('sha256', key).update(`${id}.${now}.${body}`).digest('base64');
      tally.judge(
        `the signature under ${id}`,
        signed(id)['webhook-signature'] === `v1,${by}` && takes(signed(id), body) === 'was taken'
          ? null
          : 'is not the standard’s',
      );
    }
    tally.judge(
      'the vector of the standard',
      new Webhook('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw').sign(
        'msg_p5jXN8AQM9LWM0D4loKWxJek',
        new Date(1_614_265_330_000),
        '{"test": 2432232314}',
      ) === 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
        ? null
        : 'is another',
    );
    const next = `whsec_${randomBytes(32).toString('base64')}`;
    tally.judge(
      'a rotation',
      [secret, next].every(
        (one) =>
          takes(
            {
              ...signed(),
              'webhook-signature': `${signed('evt_3q2_4', now, next)['webhook-signature']} ${signed()['webhook-signature']}`,
            },
            body,
            one,
          ) === 'was taken',
      )
        ? null
        : 'refused one of the two',
    );

    for (const name of NAMES) {
      tally.judge(
        `no ${name}`,
        takes(Object.fromEntries(Object.entries(signed()).filter(([each]) => each !== name)), body),
      );
      for (const odd of ['', ' ', 'null', '0', 'v1,', 'v1', ','])
        tally.judge(`${name} ${JSON.stringify(odd)}`, takes({ ...signed(), [name]: odd }, body));
    }
    for (let n = 0; n < 40; n++) {
      const at = random(body.length);
      tally.judge(
        `byte ${at} of the body changed`,
        takes(signed(), `${body.slice(0, at)}${body[at] === 'x' ? 'y' : 'x'}${body.slice(at + 1)}`),
      );
    }
    for (const changed of [
      `${body} `,
      `\uFEFF${body}`,
      JSON.stringify(JSON.parse(body), null, 1),
      '',
      '{}',
      body.toUpperCase(),
      body.replace('"data"', '"data" '),
    ])
      tally.judge('another body', takes(signed(), changed));
    for (const offset of [-86_400, -3_600, -400, -302, 302, 400, 3_600, 86_400])
      tally.judge(`signed ${offset} s from now`, takes(signed('evt_3q2_4', now + offset), body));
    tally.judge('another time than was signed', takes({ ...signed(), 'webhook-timestamp': String(now + 1) }, body));
    tally.judge(
      'id and body that share a dot another way',
      takes({ ...signed('a.b'), 'webhook-id': 'a' }, `b.${body}`),
    );
    for (const version of ['v2', 'v1a', 'v0', 'V1', 'none', ''])
      tally.judge(
        `version ${version}`,
        takes({ ...signed(), 'webhook-signature': signed()['webhook-signature']!.replace('v1', version) }, body),
      );
    for (let n = 0; n < 20; n++)
      tally.judge(
        'another secret',
        takes(signed('evt_3q2_4', now, `whsec_${randomBytes(32).toString('base64')}`), body),
      );
    for (let n = 0; n < 10; n++)
      tally.judge(
        'a made-up signature',
        takes({ ...signed(), 'webhook-signature': `v1,${randomBytes(32).toString('base64')}` }, body),
      );
    await tamper(capture, takes, random, tally);
  },
};

type Takes = (headers: WebhookHeaders, body: string, by?: string | readonly string[]) => string | null;

/** Events on their way from the running services to a tenant, as somebody in between may change them. */
async function tamper(
  capture: Verifier['capture'],
  takes: Takes,
  random: (below: number) => number,
  tally: Tally,
): Promise<void> {
  const { secret, deliveries } = await capture();
  tally.judge(
    'events that were sent',
    deliveries.length >= 5 ? null : `were ${deliveries.length}, which proves little`,
  );
  for (const [at, { headers, body }] of deliveries.entries()) {
    const id = headers['webhook-id'] ?? '';
    const { headers: anothers = {}, body: anotherBody = '' } = deliveries[(at + 1) % deliveries.length] ?? {};
    const refuses = (what: string, changed: Readonly<Record<string, string>>, text = body, by = secret): void =>
      tally.judge(`${what} of ${id}`, takes({ ...headers, ...changed }, text, by));
    tally.judge(
      `${id} as it came`,
      takes(headers, body, secret) === 'was taken' && (JSON.parse(body) as { id?: string }).id === id
        ? null
        : 'was refused, or is another’s body',
    );
    refuses('another secret', {}, body, `whsec_${randomBytes(32).toString('base64')}`);
    refuses('the body of another', {}, anotherBody);
    for (const name of NAMES) {
      if (anothers[name] !== headers[name]) refuses(`the ${name} of another`, { [name]: anothers[name] ?? '' });
      tally.judge(
        `no ${name} of ${id}`,
        takes(Object.fromEntries(Object.entries(headers).filter(([each]) => each !== name)), body, secret),
      );
    }
    for (const later of [-600, -1, 1, 600])
      refuses(`${later} s`, { 'webhook-timestamp': String(Number(headers['webhook-timestamp']) + later) });
    for (let n = 0; n < 12; n++) {
      const place = random(body.length);
      refuses(`byte ${place}`, {}, `${body.slice(0, place)}${body[place] === '0' ? '1' : '0'}${body.slice(place + 1)}`);
    }
    for (const text of [
      `${body} `,
      JSON.stringify(JSON.parse(body), null, 1),
      `${body.slice(0, -1)},"id":"evt_x_1"}`,
      `[${body}]`,
      body.replace('"data"', '"Data"'),
    ])
      refuses('another body', {}, text);
    const signature = headers['webhook-signature'] ?? '';
    const [version = '', mac = ''] = signature.split(',');
    const flipped = Buffer.from(mac, 'base64');
    flipped.writeUInt8(flipped.readUInt8(0) ^ 1, 0);
    for (const changed of [
      `${version},${flipped.toString('base64')}`,
      signature.slice(0, -8),
      mac,
      `v2,${mac}`,
      `${version},${mac}${mac}`,
      `${version},`,
    ])
      refuses('the signature', { 'webhook-signature': changed });
  }
}
