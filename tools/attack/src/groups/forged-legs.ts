import { randomUUID } from 'node:crypto';
import { countUnconfirmed } from '@partyline/store/reconciliation/due-work';
import pMap from 'p-map';
import type { Group, Tally } from '../group.ts';
import type { Target } from '../target.ts';
import { createWebhookSender, type WebhookSender } from '../webhook-sender.ts';

/**
 * More calls, or connections, than an account may have that are possibly forged
 * (`max_unseen_calls`).
 */
const FORGED_LEGS = 260;
const MAX_POSSIBLY_FORGED = 200;
/** Concurrent webhooks; together they can exceed the limit by as many calls. */
const MAX_CONCURRENT = 8;
/** The price of a forged call, in the currency of the account. */
const PRICE = 1_690;
/** The attacker's numbers, at its own account. */
const NUMBER = '442079463901';
const ROOM_NUMBER = '442079463902';
/** The places of the attacker's room. */
const MAX_PARTICIPANTS = 2;

/**
 * A tenant has the secrets of its own account and can report calls that do not exist. They may
 * cost it its own account, and nothing of the platform's.
 */
export const forgedLegs: Group = {
  name: 'calls that do not exist',
  summary:
    "signed by a tenant's own account: many calls and browser connections without an end, also while the tenant is " +
    'suspended, and ends with a high price',
  minInputs: 750,
  async run(target, tally) {
    const { owner, attacker } = target;
    const accountId = attacker.ids['accountId']!;
    for (const number of [NUMBER, ROOM_NUMBER])
      await owner.pool.query(
        `INSERT INTO dial_in_number (e164, dedicated_to, account_id, guarded)
         VALUES ($1, $2, $3, false)
         ON CONFLICT DO NOTHING`,
        [`+${number}`, attacker.tenantId, accountId],
      );
    const before = await countUnconfirmed(owner);
    const own = createWebhookSender('', { provider: attacker.providerAccount }, target.send);
    const send = async (path: string, body: object) => {
      const text = JSON.stringify(body);
      return target.webhookSender.post({
        path: `/v1/accounts/${accountId}${path}`,
        body: text,
        authorization: `Bearer ${path.startsWith('/video') ? own.videoToken(text) : own.token(text)}`,
      });
    };
    const calls = Array.from({ length: FORGED_LEGS }, () => randomUUID());
    const opened = await reportCalls(target, tally, calls, send);
    // Their time for a PIN is over, so that their hang-ups are requested.
    await owner.pool.query(`UPDATE leg SET deadline_at = now() WHERE account_id = $1 AND state <> 'ended'`, [
      accountId,
    ]);
    await endCalls(target, tally, { calls, opened }, send);
    await reportConnections(target, tally, send);
    tally.record(
      'all of them together',
      (await countUnconfirmed(owner)).platform.legs > before.platform.legs
        ? 'raised the unconfirmed legs of the platform'
        : null,
    );
    await owner.pool.query('DELETE FROM dial_in_number WHERE e164 = $1', [`+${NUMBER}`]);
  },
};

type SendOwn = (path: string, body: object) => ReturnType<WebhookSender['post']>;

/**
 * Returns the calls that were asked for a PIN; each must have a leg of the tenant, and no other
 * call.
 */
async function reportCalls(
  { owner, attacker }: Target,
  tally: Tally,
  calls: readonly string[],
  send: SendOwn,
): Promise<ReadonlySet<string>> {
  const { rows: before } = await owner.pool.query<{ n: number }>(
    `SELECT count(*)::int AS n FROM leg WHERE account_id = $1 AND (state <> 'ended' OR voice_missing_lists > 0)`,
    [attacker.ids['accountId']],
  );
  const asked = new Set<string>();
  await pMap(
    calls,
    async (uuid) => {
      const reply = await send('/voice/answer', {
        uuid,
        conversation_uuid: `CON-${uuid}`,
        from: '442079460099',
        to: NUMBER,
      });
      if (reply.body.includes('"action":"input"')) asked.add(uuid);
      const { rows } = await owner.pool.query<{ tenant_id: string | null }>(
        'SELECT tenant_id FROM leg WHERE voice_call_id = $1',
        [uuid],
      );
      tally.record(
        'a call without an end',
        reply.status !== 200
          ? `answered ${reply.status}`
          : rows.some(({ tenant_id }) => tenant_id !== attacker.tenantId)
            ? "created a leg that is not the tenant's own"
            : rows.length !== (asked.has(uuid) ? 1 : 0)
              ? `created ${rows.length} legs`
              : asked.size > MAX_POSSIBLY_FORGED + MAX_CONCURRENT
                ? `was the ${asked.size}th call that was asked for a PIN`
                : null,
      );
    },
    { concurrency: MAX_CONCURRENT },
  );
  tally.measure('calls that were asked for a PIN', asked.size);
  tally.record(
    'the calls below the limit',
    asked.size >= MAX_POSSIBLY_FORGED - before[0]!.n ? null : `were rejected after ${asked.size}`,
  );
  return asked;
}

/** Each opened call must have one record of the tenant with the price, and no other call. */
async function endCalls(
  { owner, attacker }: Target,
  tally: Tally,
  { calls, opened }: { calls: readonly string[]; opened: ReadonlySet<string> },
  send: SendOwn,
): Promise<void> {
  await pMap(
    calls,
    async (uuid) => {
      const reply = await send('/voice/events', {
        uuid,
        status: 'completed',
        price: PRICE.toFixed(2),
        rate: PRICE.toFixed(2),
        duration: '60',
        timestamp: new Date().toISOString(),
      });
      const { rows } = await owner.pool.query<{ tenant_id: string | null; price_micro: string | null }>(
        'SELECT c.tenant_id, c.price_micro FROM leg l JOIN cdr c ON c.leg_id = l.id WHERE l.voice_call_id = $1',
        [uuid],
      );
      tally.record(
        'an end with a high price',
        reply.status !== 200
          ? `answered ${reply.status}`
          : rows.some(({ tenant_id }) => tenant_id !== attacker.tenantId)
            ? 'is charged to another owner'
            : rows.length !== (opened.has(uuid) ? 1 : 0)
              ? `has ${rows.length} records`
              : rows.some(({ price_micro }) => Number(price_micro) !== PRICE * 1_000_000)
                ? 'is recorded with another price'
                : null,
      );
    },
    { concurrency: MAX_CONCURRENT },
  );
}

async function reportConnections(target: Target, tally: Tally, send: SendOwn): Promise<void> {
  const { owner, attacker } = target;
  const { roomId, mediaSessionId } = await openRoom(target);
  const report = (id: string) =>
    send('/video/events', {
      sessionId: mediaSessionId,
      event: 'connectionCreated',
      timestamp: Date.now(),
      connection: { id, createdAt: Date.now(), data: JSON.stringify({ participant: null }) },
    });
  const countLegs = async (ids: readonly string[]): Promise<number> =>
    (
      await owner.pool.query<{ n: number }>('SELECT count(*)::int AS n FROM leg WHERE media_connection_id = ANY($1)', [
        ids,
      ])
    ).rows[0]!.n;
  const early = Array.from({ length: MAX_CONCURRENT }, () => randomUUID());
  await owner.pool.query('UPDATE tenant SET suspended_at = now() WHERE id = $1', [attacker.tenantId]);
  try {
    await pMap(
      early,
      async (id) => {
        const { status } = await report(id);
        tally.record('a connection of a suspended tenant', status === 200 ? null : `answered ${status}`);
      },
      { concurrency: MAX_CONCURRENT },
    );
  } finally {
    await owner.pool.query('UPDATE tenant SET suspended_at = NULL WHERE id = $1', [attacker.tenantId]);
  }
  tally.record('connections of a suspended tenant', (await countLegs(early)) === 0 ? null : 'opened legs');

  const connections = Array.from({ length: FORGED_LEGS }, () => randomUUID());
  let opened = 0;
  await pMap(
    connections,
    async (id) => {
      const reply = await report(id);
      if (reply.body.includes('"applied"')) opened += 1;
      tally.record(
        'a connection without an end',
        reply.status !== 200
          ? `answered ${reply.status}`
          : opened > MAX_POSSIBLY_FORGED + MAX_PARTICIPANTS
            ? `was the ${opened}th connection that opened a leg`
            : null,
      );
    },
    { concurrency: MAX_CONCURRENT },
  );
  const legs = await countLegs(connections);
  tally.measure('connections that opened a leg', legs);
  tally.record('the connections below the limit', legs === opened && legs > 0 ? null : `opened ${legs} legs`);

  // The sweep would close them during a later group, which compares the rows of the attacker.
  await owner.pool.query(`UPDATE leg SET state = 'ended', ended_at = now() WHERE media_connection_id = ANY($1)`, [
    connections,
  ]);
  await target.send({
    method: 'POST',
    url: `${target.apiUrl}/v1/rooms/${roomId}/end`,
    headers: { authorization: `Bearer ${attacker.key}` },
  });
}

/** Opens a room of the attacker at its own account. */
async function openRoom({ apiUrl, send, attacker }: Target): Promise<{ roomId: string; mediaSessionId: string }> {
  const reply = await send({
    method: 'POST',
    url: `${apiUrl}/v1/rooms`,
    headers: { authorization: `Bearer ${attacker.key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'Forged', number: `+${ROOM_NUMBER}`, maxParticipants: MAX_PARTICIPANTS }),
  });
  const { room, client } = JSON.parse(reply.body) as { room: { id: string }; client: { mediaSessionId: string } };
  return { roomId: room.id, mediaSessionId: client.mediaSessionId };
}
