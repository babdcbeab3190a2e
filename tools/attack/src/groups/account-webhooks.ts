import { randomUUID } from 'node:crypto';
import { openCarrier } from '../carrier.ts';
import { inParallel, type Group } from '../group.ts';
import { difference, stateOf } from '../state.ts';
import type { Target } from '../target.ts';

interface Input {
  readonly what: string;
  /** At an account's own address, or at the platform's: `/v1/accounts/acct_…` or `/v1`. */
  readonly area: string;
  readonly path: string;
  readonly body: string;
  /** Who signs, and how much of it is honest. */
  readonly token: string;
}

/** An empty plan, or one that only says good-bye: nobody is asked for a PIN, seated or let in. */
const letsIn = (reply: string): string | null =>
  /"action":"(conversation|input|record|stream|connect)"/.test(reply) ? `was given ${reply.slice(0, 80)}` : null;

/**
 * A tenant has the secrets of its own account, and so signs whatever it likes as that account's vendor. None of it may reach what is another account's: a leg, a
 * number, a session, a caller's PIN, a token id.
 */
export const accountWebhooks: Group = {
  name: 'webhooks across accounts',
  says: 'signed by one tenant’s own account: another account’s and the platform’s legs, numbers, sessions, PINs and token ids, at every account’s address',
  least: 200,
  async run(target, tally) {
    const { owner, victim } = target;
    const before = await stateOf(owner, victim.tenantId);
    const others = await nobodys(target);
    await inParallel(inputs(target), 8, async ({ what, area, path, body, token }) => {
      const sent = await target.carrier.post({ path: area + path, body, authorization: `Bearer ${token}` });
      // At its own address the attacker's signature holds: then nothing may come of it.
      tally.judge(
        `${area.slice(0, 20)}${path.replace(/leg_.*/, 'leg')} with ${what}`,
        sent.status >= 500 ? `answered ${sent.status}` : sent.status < 300 ? letsIn(sent.body) : null,
      );
    });
    await sharedTokenIds(target, tally);
    tally.judge('all of them together', difference(before, await stateOf(owner, victim.tenantId)));
    tally.judge(
      'callers whom no tenant has, all together',
      (await nobodys(target)) === others ? null : 'made callers of numbers that are not the account’s',
    );
  },
};

/** Callers who are not admitted at numbers that the attacker's account has not. */
async function nobodys({ owner }: Target): Promise<number> {
  const { rows } = await owner.pool.query<{ n: number }>(
    `SELECT count(*)::int AS n FROM leg l WHERE l.account_id IS NOT NULL AND l.account_id IS DISTINCT FROM (SELECT d.account_id FROM dial_in_number d WHERE d.e164 = l.number)`,
  );
  return rows[0]!.n;
}

function* inputs(target: Target): Generator<Input> {
  const { attacker, victim, stack } = target;
  const { legId = '' } = victim.ids;
  const number = stack.numbers[0]!.e164.slice(1);
  const { mediaSessionId } = victim.client;
  const own = openCarrier('', { vendor: attacker.vendor }, target.send);
  const areas = [
    `/v1/accounts/${attacker.ids['accountId']}`,
    `/v1/accounts/${victim.ids['accountId']}`,
    '/v1',
    '/v1/accounts/acct_AAAAAAAAAAAAAAAAAAAAAA',
  ];
  const at = new Date().toISOString();
  const call = (more: object) =>
    JSON.stringify({ uuid: randomUUID(), conversation_uuid: `CON-${randomUUID()}`, ...more });
  const voice: [string, string, () => string][] = [
    ['the end of another’s leg', `/voice/events/${legId}`, () => call({ status: 'completed', timestamp: at })],
    ['a failure of another’s leg', `/voice/events/${legId}`, () => call({ status: 'failed', timestamp: at })],
    ['another’s leg being answered', `/voice/events/${legId}`, () => call({ status: 'answered', timestamp: at })],
    [
      'the end of a call at the application’s address',
      '/voice/events',
      () => call({ status: 'completed', timestamp: at }),
    ],
    ['a call to the shared number', '/voice/answer', () => call({ from: '442079460099', to: number })],
    [
      'a call that claims another’s bridge',
      '/voice/answer',
      () => call({ from: '442079460099', to: number, 'SipHeader_X-Partyline-Leg': 'x'.repeat(43) }),
    ],
    ['another’s leg picking up', `/voice/answer/${legId}`, () => call({ from: number, to: '442079460099' })],
    [
      'another’s PIN, keyed',
      `/voice/digits/${legId}/1`,
      () => call({ dtmf: { digits: victim.pin, timed_out: false } }),
    ],
    [
      'another’s PIN, keyed at the second try',
      `/voice/digits/${legId}/2`,
      () => call({ dtmf: { digits: victim.pin, timed_out: false } }),
    ],
    ['guessed digits', `/voice/digits/${legId}/1`, () => call({ dtmf: { digits: '123456789', timed_out: false } })],
  ];
  const video: [string, () => string][] = [
    [
      'the end of another’s session',
      () => JSON.stringify({ sessionId: mediaSessionId, event: 'sessionDestroyed', timestamp: Date.now() }),
    ],
    [
      'somebody leaving another’s session',
      () =>
        JSON.stringify({
          sessionId: mediaSessionId,
          event: 'connectionDestroyed',
          reason: 'clientDisconnected',
          timestamp: Date.now(),
          connection: { id: randomUUID(), createdAt: Date.now(), data: '' },
        }),
    ],
    [
      'somebody coming into another’s session',
      () =>
        JSON.stringify({
          sessionId: mediaSessionId,
          event: 'connectionCreated',
          timestamp: Date.now(),
          connection: {
            id: randomUUID(),
            createdAt: Date.now(),
            data: JSON.stringify({ participant: victim.ids['participantId'] }),
          },
        }),
    ],
    [
      'another’s SIP call',
      () =>
        JSON.stringify({
          sessionId: mediaSessionId,
          event: 'callDestroyed',
          timestamp: Date.now(),
          call: { id: randomUUID(), connectionId: randomUUID(), createdAt: Date.now() },
        }),
    ],
  ];
  for (const area of areas) {
    for (let n = 0; n < 3; n++) {
      for (const [what, path, makeBody] of voice) {
        const body = makeBody();
        // As its own application says, and as if it were the platform's or the victim's.
        const claims =
          n === 0
            ? {}
            : n === 1
              ? { application_id: stack.credentials.vendor.applicationId, api_key: stack.credentials.vendor.accountKey }
              : { application_id: victim.vendor.applicationId, api_key: victim.vendor.accountKey };
        yield {
          what: `${what}${n === 0 ? '' : ', by a claimed application'}`,
          area,
          path,
          body,
          token: own.token(body, { claims }),
        };
      }
      for (const [what, makeBody] of video) {
        const body = makeBody();
        const claims =
          n === 0
            ? {}
            : { application_id: n === 1 ? stack.credentials.vendor.applicationId : victim.vendor.applicationId };
        yield { what, area, path: '/video/events', body, token: own.videoToken(body, { claims }) };
      }
    }
    // Its video's secret for voice, its voice's for video.
    const body = call({ status: 'completed', timestamp: at });
    for (const secret of [attacker.vendor.callbackSecret, victim.ids['accountId']!, attacker.vendor.accountSecret])
      yield {
        what: 'another secret of its own',
        area,
        path: `/voice/events/${legId}`,
        body,
        token: own.token(body, { secret }),
      };
  }
}

/** Token ids that an attacker's account used up are good for the platform's vendor all the same. */
async function sharedTokenIds(
  target: Target,
  tally: { judge(input: string, wrong: string | null): void },
): Promise<void> {
  const { attacker, carrier } = target;
  const own = openCarrier('', { vendor: attacker.vendor }, target.send);
  for (let n = 0; n < 20; n++) {
    const body = JSON.stringify({ uuid: randomUUID(), status: 'ringing', timestamp: new Date().toISOString() });
    const claims = { jti: randomUUID() };
    await carrier.post({
      path: `/v1/accounts/${attacker.ids['accountId']}/voice/events`,
      body,
      authorization: `Bearer ${own.token(body, { claims })}`,
    });
    const honest = await carrier.post({
      path: '/v1/voice/events',
      body,
      authorization: `Bearer ${carrier.token(body, { claims })}`,
    });
    tally.judge(
      'a token id that the platform’s vendor uses too',
      honest.status === 200 ? null : `kept the platform’s out: ${honest.status}`,
    );
  }
}
