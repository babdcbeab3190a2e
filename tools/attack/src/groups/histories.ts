import { randomUUID } from 'node:crypto';
import { seededRandomInt } from '@partyline/testing/seeded';
import type { Store } from '@partyline/store/database/store';
import pMap from 'p-map';
import type { WebhookSender, Webhook } from '../webhook-sender.ts';
import { type Group, type Tally } from '../group.ts';

const CALLS = 250;
/** Hostile webhooks per call. */
const WEBHOOKS_PER_CALL = 8;

/**
 * Duplicate, late and out-of-order events of ended calls. A call must stay ended, and a token is
 * valid once.
 */
export const histories: Group = {
  name: 'histories',
  summary: 'events of ended calls, replayed with their tokens, repeated with new tokens, and out of order',
  minInputs: CALLS * WEBHOOKS_PER_CALL,
  async run({ webhookSender, owner, stack, seed }, tally) {
    const random = seededRandomInt(seed);
    const number = stack.numbers[0]!.e164.slice(1);
    const calls = Array.from({ length: CALLS }, (_, index) => ({
      index,
      draws: Array.from({ length: WEBHOOKS_PER_CALL }, () => random(1 << 20)),
    }));
    await pMap(
      calls,
      async ({ index, draws }) => {
        await attackCall(
          webhookSender,
          owner,
          { number, from: `4420794${String(70_000 + index).slice(-5)}` },
          draws,
          tally,
        );
      },
      { concurrency: 16 },
    );
  },
};

const STATUSES = [
  'started',
  'ringing',
  'answered',
  'completed',
  'failed',
  'busy',
  'timeout',
  'cancelled',
  'rejected',
  'unanswered',
];

async function attackCall(
  webhookSender: WebhookSender,
  owner: Store,
  { number, from }: { number: string; from: string },
  draws: readonly number[],
  tally: Tally,
): Promise<void> {
  const uuid = randomUUID();
  const sent: Webhook[] = [];
  const sendSigned = async (path: string, given: object): Promise<void> => {
    const body = JSON.stringify({ uuid, conversation_uuid: `CON-${uuid}`, ...given });
    const webhook = { path, body, authorization: `Bearer ${webhookSender.token(body)}` };
    const { status } = await webhookSender.post(webhook);
    if (status !== 200) throw new Error(`A valid webhook was answered with ${status}.`);
    sent.push(webhook);
  };
  const event = (status: string): Promise<void> =>
    sendSigned('/v1/voice/events', { status, timestamp: new Date().toISOString() });
  await sendSigned('/v1/voice/answer', { from, to: number });
  await event('answered');
  await event('completed');

  const readEndedRow = async (): Promise<string> => {
    const { rows } = await owner.pool.query<{ state: string; leg: string }>(
      `SELECT state, (to_jsonb(leg) - 'version')::text AS leg FROM leg WHERE voice_call_id = $1`,
      [uuid],
    );
    if (rows[0]?.state !== 'ended') throw new Error(`An ended call is ${rows[0]?.state ?? 'missing'}.`);
    return rows[0].leg;
  };
  const endedRow = await readEndedRow();
  for (const draw of draws) {
    const repeated = sent[draw % sent.length]!;
    if (draw % 2 === 0) {
      const { status } = await webhookSender.post(repeated);
      tally.record('a used token', status === 401 ? null : `answered ${status}`);
      continue;
    }
    const status = STATUSES[draw % STATUSES.length]!;
    const body =
      draw % 4 === 1
        ? repeated.body
        : JSON.stringify({ uuid, status, timestamp: new Date(Date.now() - (draw % 600_000)).toISOString() });
    const path = draw % 4 === 1 ? repeated.path : '/v1/voice/events';
    const answer = await webhookSender.post({ path, body, authorization: `Bearer ${webhookSender.token(body)}` });
    const changed = (await readEndedRow()) !== endedRow;
    tally.record(
      `${path} repeated after the end of the call`,
      answer.status >= 500 ? `answered ${answer.status}` : changed ? 'changed the call' : null,
    );
  }
}
