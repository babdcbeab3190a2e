import { createHmac, randomBytes } from 'node:crypto';
import { verifyWebhook, type WebhookHeaders } from '@partyline/sdk/webhook';
import { seededRandomInt } from '@partyline/testing/seeded';
import { Webhook } from 'standardwebhooks';
import type { CapturedDelivery } from '../capture-deliveries.ts';
import type { Group, Tally } from '../group.ts';

export interface Verifier {
  readonly seed: number;
  /** Gets deliveries of the running services and the secret that verifies them. */
  readonly capture: () => Promise<{ readonly secret: string; readonly deliveries: readonly CapturedDelivery[] }>;
  /**
   * Verifies a delivery as tenants do. A test replaces it with a verifier that accepts everything.
   */
  readonly verify?: (secret: string | readonly string[], headers: WebhookHeaders, body: string) => unknown;
}

const HEADER_NAMES = ['webhook-id', 'webhook-timestamp', 'webhook-signature'] as const;

/**
 * Forged deliveries for the SDK's verifier, and Partyline's signatures compared with the Standard
 * Webhooks text.
 */
export const eventSignatures: Group<Verifier> = {
  name: 'event signatures',
  summary:
    'deliveries with changed bodies, ids, times, signatures, secrets and versions; ids with dots; rotation; ' +
    'also for real deliveries',
  minInputs: 400,
  run: async ({ seed, capture, verify = verifyWebhook }, tally) => {
    const random = seededRandomInt(seed);
    const key = randomBytes(32);
    const secret = `whsec_${key.toString('base64')}`;
    const acceptanceFault = (
      headers: WebhookHeaders,
      body: string,
      by: string | readonly string[] = secret,
    ): string | null => {
      try {
        verify(by, headers, body);
        return 'was accepted';
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

    // The standard without its library: v1, and the HMAC of id, time and body, joined by dots.
    for (const id of ['evt_1', 'evt_with.dots.1', 'msg_p5jXN8AQM9LWM0D4loKWxJek', 'evt_\u00FC']) {
      const by = createHmac('sha256', key).update(`${id}.${now}.${body}`).digest('base64');
      tally.record(
        `the signature under ${id}`,
        signed(id)['webhook-signature'] === `v1,${by}` && acceptanceFault(signed(id), body) === 'was accepted'
          ? null
          : 'differs from the standard',
      );
    }
    tally.record(
      'the test vector of the standard',
      new Webhook('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw').sign(
        'msg_p5jXN8AQM9LWM0D4loKWxJek',
        new Date(1_614_265_330_000),
        '{"test": 2432232314}',
      ) === 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
        ? null
        : 'differs',
    );
    const next = `whsec_${randomBytes(32).toString('base64')}`;
    const withNext = signed('evt_3q2_4', now, next)['webhook-signature'];
    tally.record(
      'a rotation',
      [secret, next].every(
        (one) =>
          acceptanceFault(
            {
              ...signed(),
              'webhook-signature': `${withNext} ${signed()['webhook-signature']}`,
            },
            body,
            one,
          ) === 'was accepted',
      )
        ? null
        : 'rejected one of the two secrets',
    );

    for (const name of HEADER_NAMES) {
      tally.record(
        `no ${name}`,
        acceptanceFault(Object.fromEntries(Object.entries(signed()).filter(([each]) => each !== name)), body),
      );
      for (const odd of ['', ' ', 'null', '0', 'v1,', 'v1', ','])
        tally.record(`${name} ${JSON.stringify(odd)}`, acceptanceFault({ ...signed(), [name]: odd }, body));
    }
    for (let n = 0; n < 40; n++) {
      const at = random(body.length);
      tally.record(
        `byte ${at} of the body changed`,
        acceptanceFault(signed(), `${body.slice(0, at)}${body[at] === 'x' ? 'y' : 'x'}${body.slice(at + 1)}`),
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
      tally.record('another body', acceptanceFault(signed(), changed));
    for (const offset of [-86_400, -3_600, -400, -302, 302, 400, 3_600, 86_400])
      tally.record(`signed ${offset} s from now`, acceptanceFault(signed('evt_3q2_4', now + offset), body));
    tally.record(
      'another time than the signed one',
      acceptanceFault({ ...signed(), 'webhook-timestamp': String(now + 1) }, body),
    );
    tally.record(
      'a dot moved from the id to the body',
      acceptanceFault({ ...signed('a.b'), 'webhook-id': 'a' }, `b.${body}`),
    );
    for (const version of ['v2', 'v1a', 'v0', 'V1', 'none', ''])
      tally.record(
        `version ${version}`,
        acceptanceFault(
          { ...signed(), 'webhook-signature': signed()['webhook-signature']!.replace('v1', version) },
          body,
        ),
      );
    for (let n = 0; n < 20; n++)
      tally.record(
        'another secret',
        acceptanceFault(signed('evt_3q2_4', now, `whsec_${randomBytes(32).toString('base64')}`), body),
      );
    for (let n = 0; n < 10; n++)
      tally.record(
        'a made-up signature',
        acceptanceFault({ ...signed(), 'webhook-signature': `v1,${randomBytes(32).toString('base64')}` }, body),
      );
    await attackDeliveries(capture, acceptanceFault, random, tally);
  },
};

type AcceptanceFault = (headers: WebhookHeaders, body: string, by?: string | readonly string[]) => string | null;

/** Changes real deliveries as an attacker between the services and a tenant could. */
async function attackDeliveries(
  capture: Verifier['capture'],
  acceptanceFault: AcceptanceFault,
  random: (below: number) => number,
  tally: Tally,
): Promise<void> {
  const { secret, deliveries } = await capture();
  tally.record(
    'captured deliveries',
    deliveries.length >= 5 ? null : `are ${deliveries.length}, but at least 5 are needed`,
  );
  for (const [at, { headers, body }] of deliveries.entries()) {
    const id = headers['webhook-id'] ?? '';
    const { headers: otherHeaders = {}, body: otherBody = '' } = deliveries[(at + 1) % deliveries.length] ?? {};
    const expectRejected = (what: string, changed: Readonly<Record<string, string>>, text = body, by = secret): void =>
      tally.record(`${what} of ${id}`, acceptanceFault({ ...headers, ...changed }, text, by));
    tally.record(
      `${id} unchanged`,
      acceptanceFault(headers, body, secret) === 'was accepted' && (JSON.parse(body) as { id?: string }).id === id
        ? null
        : 'was rejected or has the wrong body',
    );
    expectRejected('another secret', {}, body, `whsec_${randomBytes(32).toString('base64')}`);
    expectRejected('the body of another', {}, otherBody);
    for (const name of HEADER_NAMES) {
      if (otherHeaders[name] !== headers[name])
        expectRejected(`the ${name} of another`, { [name]: otherHeaders[name] ?? '' });
      tally.record(
        `no ${name} of ${id}`,
        acceptanceFault(Object.fromEntries(Object.entries(headers).filter(([each]) => each !== name)), body, secret),
      );
    }
    for (const later of [-600, -1, 1, 600])
      expectRejected(`${later} s`, { 'webhook-timestamp': String(Number(headers['webhook-timestamp']) + later) });
    for (let n = 0; n < 12; n++) {
      const offset = random(body.length);
      expectRejected(
        `byte ${offset}`,
        {},
        `${body.slice(0, offset)}${body[offset] === '0' ? '1' : '0'}${body.slice(offset + 1)}`,
      );
    }
    for (const text of [
      `${body} `,
      JSON.stringify(JSON.parse(body), null, 1),
      `${body.slice(0, -1)},"id":"evt_x_1"}`,
      `[${body}]`,
      body.replace('"data"', '"Data"'),
    ])
      expectRejected('another body', {}, text);
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
      expectRejected('the signature', { 'webhook-signature': changed });
  }
}
