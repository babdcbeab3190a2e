import { randomUUID } from 'node:crypto';
import { seededRandomInt } from '@partyline/testing/seeded';
import type { Store } from '@partyline/store/database/store';
import type { Carrier, Webhook } from '../carrier.ts';
import { inParallel, type Group, type Tally } from '../group.ts';

const CALLS = 250;
/** Hostile webhooks of each call's history. */
const EACH = 8;

/** Calls whose events come again, late and out of order: over is over, and a token is taken once. */
export const histories: Group = {
  name: 'histories',
  says: 'callers’ events replayed with their tokens, repeated with new ones, and told again after the call was over',
  least: CALLS * EACH,
  async run({ carrier, owner, stack, seed }, tally) {
    const random = seededRandomInt(seed);
    const number = stack.numbers[0]!.e164.slice(1);
    const calls = Array.from({ length: CALLS }, (_, index) => ({
      index,
      draws: Array.from({ length: EACH }, () => random(1 << 20)),
    }));
    await inParallel(calls, 16, async ({ index, draws }) => {
      await oneCall(carrier, owner, { number, from: `4420794${String(70_000 + index).slice(-5)}` }, draws, tally);
    });
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

async function oneCall(
  carrier: Carrier,
  owner: Store,
  { number, from }: { number: string; from: string },
  draws: readonly number[],
  tally: Tally,
): Promise<void> {
  const uuid = randomUUID();
  const told: Webhook[] = [];
  const tell = async (path: string, given: object): Promise<void> => {
    const body = JSON.stringify({ uuid, conversation_uuid: `CON-${uuid}`, ...given });
    const webhook = { path, body, authorization: `Bearer ${carrier.token(body)}` };
    const { status } = await carrier.post(webhook);
    if (status !== 200) throw new Error(`An honest webhook was answered ${status}.`);
    told.push(webhook);
  };
  const event = (status: string): Promise<void> =>
    tell('/v1/voice/events', { status, timestamp: new Date().toISOString() });
  await tell('/v1/voice/answer', { from, to: number });
  await event('answered');
  await event('completed');

  const row = async (): Promise<string> => {
    const { rows } = await owner.pool.query<{ state: string; leg: string }>(
      `SELECT state, (to_jsonb(leg) - 'version')::text AS leg FROM leg WHERE voice_call_id = $1`,
      [uuid],
    );
    if (rows[0]?.state !== 'ended') throw new Error(`A call that was over is ${rows[0]?.state ?? 'not there'}.`);
    return rows[0].leg;
  };
  const over = await row();
  for (const draw of draws) {
    const again = told[draw % told.length]!;
    if (draw % 2 === 0) {
      const { status } = await carrier.post(again);
      tally.judge('a token used again', status === 401 ? null : `answered ${status}`);
      continue;
    }
    const status = STATUSES[draw % STATUSES.length]!;
    const body =
      draw % 4 === 1
        ? again.body
        : JSON.stringify({ uuid, status, timestamp: new Date(Date.now() - (draw % 600_000)).toISOString() });
    const path = draw % 4 === 1 ? again.path : '/v1/voice/events';
    const answer = await carrier.post({ path, body, authorization: `Bearer ${carrier.token(body)}` });
    const changed = (await row()) !== over;
    tally.judge(
      `${path} told again after the call was over`,
      answer.status >= 500 ? `answered ${answer.status}` : changed ? 'changed the call' : null,
    );
  }
}
