import { randomUUID } from 'node:crypto';
import pMap from 'p-map';
import { createWebhookSender } from '../webhook-sender.ts';
import { type Group, type Tally } from '../group.ts';
import { describeChanges, snapshotTenant } from '../tenant-snapshot.ts';
import type { Target } from '../target.ts';

interface Input {
  readonly what: string;
  /** The base path of an account, `/v1/accounts/<id>`, or of the platform, `/v1`. */
  readonly area: string;
  readonly path: string;
  readonly body: string;
  /** The token, signed by the attacker's account. */
  readonly token: string;
}

/**
 * Returns the fault of a reply that prompts or admits the caller; null if it only plays a message.
 */
const admissionFault = (reply: string): string | null =>
  /"action":"(conversation|input|record|stream|connect)"/.test(reply)
    ? `was answered with ${reply.slice(0, 80)}`
    : null;

/**
 * A tenant has the secrets of its own account and can sign any webhook of it. None may affect a
 * leg, a number, a session, a caller's PIN or a token id of another account.
 */
export const accountWebhooks: Group = {
  name: 'webhooks across accounts',
  summary:
    "signed by a tenant's own account, about legs, numbers, sessions, PINs and token ids of other accounts, " +
    "at every account's URL",
  minInputs: 200,
  async run(target, tally) {
    const { owner, victim } = target;
    const before = await snapshotTenant(owner, victim.tenantId);
    const others = await countCallersAtOtherNumbers(target);
    await pMap(
      forgedWebhooks(target),
      async ({ what, area, path, body, token }) => {
        const sent = await target.webhookSender.post({ path: area + path, body, authorization: `Bearer ${token}` });
        // At the attacker's own URL the signature is valid, but the webhook must have no effect.
        tally.record(
          `${area.slice(0, 20)}${path.replace(/leg_.*/, 'leg')} with ${what}`,
          sent.status >= 500 ? `answered ${sent.status}` : sent.status < 300 ? admissionFault(sent.body) : null,
        );
      },
      { concurrency: 8 },
    );
    await attackTokenIds(target, tally);
    tally.record('all of them together', describeChanges(before, await snapshotTenant(owner, victim.tenantId)));
    tally.record(
      'callers at numbers of other accounts, after all inputs',
      (await countCallersAtOtherNumbers(target)) === others ? null : 'created callers at numbers of other accounts',
    );
  },
};

/** Counts the legs at a number of another account than the leg's own. */
async function countCallersAtOtherNumbers({ owner }: Target): Promise<number> {
  const { rows } = await owner.pool.query<{ n: number }>(
    `SELECT count(*)::int AS n
     FROM leg l
     WHERE l.account_id IS NOT NULL
       AND l.account_id IS DISTINCT FROM (SELECT d.account_id FROM dial_in_number d WHERE d.e164 = l.number)`,
  );
  return rows[0]!.n;
}

function* forgedWebhooks(target: Target): Generator<Input> {
  const { attacker, victim, stack } = target;
  const { legId = '' } = victim.ids;
  const number = stack.numbers[0]!.e164.slice(1);
  const { mediaSessionId } = victim.client;
  const own = createWebhookSender('', { provider: attacker.providerAccount }, target.send);
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
    ["the end of another account's leg", `/voice/events/${legId}`, () => call({ status: 'completed', timestamp: at })],
    ["a failure of another account's leg", `/voice/events/${legId}`, () => call({ status: 'failed', timestamp: at })],
    [
      "the answer of another account's leg",
      `/voice/events/${legId}`,
      () => call({ status: 'answered', timestamp: at }),
    ],
    ["the end of a call at the application's URL", '/voice/events', () => call({ status: 'completed', timestamp: at })],
    ['a call to the shared number', '/voice/answer', () => call({ from: '442079460099', to: number })],
    [
      "a call that claims another account's bridge",
      '/voice/answer',
      () => call({ from: '442079460099', to: number, 'SipHeader_X-Partyline-Leg': 'x'.repeat(43) }),
    ],
    [
      "the answer of another account's outbound call",
      `/voice/answer/${legId}`,
      () => call({ from: number, to: '442079460099' }),
    ],
    [
      "another tenant's PIN",
      `/voice/digits/${legId}/1`,
      () => call({ dtmf: { digits: victim.pin, timed_out: false } }),
    ],
    [
      "another tenant's PIN in the second attempt",
      `/voice/digits/${legId}/2`,
      () => call({ dtmf: { digits: victim.pin, timed_out: false } }),
    ],
    ['guessed digits', `/voice/digits/${legId}/1`, () => call({ dtmf: { digits: '123456789', timed_out: false } })],
  ];
  const video: [string, () => string][] = [
    [
      "the end of another account's session",
      () => JSON.stringify({ sessionId: mediaSessionId, event: 'sessionDestroyed', timestamp: Date.now() }),
    ],
    [
      "a participant leaving another account's session",
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
      "a participant joining another account's session",
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
      "another account's SIP call",
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
        // With its own application id, and with those of the platform and the victim.
        const claims =
          n === 0
            ? {}
            : n === 1
              ? {
                  application_id: stack.credentials.provider.applicationId,
                  api_key: stack.credentials.provider.accountKey,
                }
              : { application_id: victim.providerAccount.applicationId, api_key: victim.providerAccount.accountKey };
        yield {
          what: `${what}${n === 0 ? '' : ', with a forged application id'}`,
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
            : {
                application_id:
                  n === 1 ? stack.credentials.provider.applicationId : victim.providerAccount.applicationId,
              };
        yield { what, area, path: '/video/events', body, token: own.videoToken(body, { claims }) };
      }
    }
    // Other secrets of the attacker's account.
    const body = call({ status: 'completed', timestamp: at });
    for (const secret of [
      attacker.providerAccount.callbackSecret,
      victim.ids['accountId']!,
      attacker.providerAccount.accountSecret,
    ])
      yield {
        what: 'another secret of its own',
        area,
        path: `/voice/events/${legId}`,
        body,
        token: own.token(body, { secret }),
      };
  }
}

/** A token id that the attacker's account has used must stay valid for the platform's account. */
async function attackTokenIds(target: Target, tally: Tally): Promise<void> {
  const { attacker, webhookSender } = target;
  const own = createWebhookSender('', { provider: attacker.providerAccount }, target.send);
  for (let n = 0; n < 20; n++) {
    const body = JSON.stringify({ uuid: randomUUID(), status: 'ringing', timestamp: new Date().toISOString() });
    const claims = { jti: randomUUID() };
    await webhookSender.post({
      path: `/v1/accounts/${attacker.ids['accountId']}/voice/events`,
      body,
      authorization: `Bearer ${own.token(body, { claims })}`,
    });
    const reply = await webhookSender.post({
      path: '/v1/voice/events',
      body,
      authorization: `Bearer ${webhookSender.token(body, { claims })}`,
    });
    tally.record(
      'a token id that the platform account uses too',
      reply.status === 200 ? null : `blocked the platform's webhook: ${reply.status}`,
    );
  }
}
