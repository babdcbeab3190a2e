import { randomUUID } from 'node:crypto';
import { openPinVault } from '@partyline/conference/pins/pin-vault';
import { getPrompt } from '@partyline/domain/prompts';
import { PIN_HEAD_LENGTH, PIN_MAX_LENGTH } from '@partyline/domain/pin';
import { inTransaction } from '@partyline/store/database/store';
import { claimPin } from '@partyline/store/pins/pins';
import pMap from 'p-map';
import { type Group, type Tally } from '../group.ts';
import type { Target } from '../target.ts';
import { createWebhookSender } from '../webhook-sender.ts';

/** Callers whose caller id the attacker forges at its own number. */
const FORGED_CALLERS = 40;
/** What carriers send instead of a caller id. */
const UNIDENTIFIED = [
  'anonymous',
  'Anonymous',
  'Restricted',
  'unavailable',
  'unknown',
  'private',
  '266696687',
  '+266696687',
  'sip:alice@example.com',
  '02079460018',
  '00442079460018',
  '',
] as const;
/** The slowest entry: twelve digits at 3.9 seconds each, after the prompt. */
const SLOW_ENTRY_SECONDS = 8 + 12 * 3.9;

/** Sends the webhooks of calls to one number, signed by one account. */
interface CallSender {
  readonly send: (path: string, body: object) => Promise<{ status: number; body: string }>;
  readonly base: string;
  readonly number: string;
}

interface Asked {
  readonly uuid: string;
  /** The path of the digits webhook; null when the caller is not asked for a PIN. */
  readonly path: string | null;
  readonly reply: string;
}

/**
 * Innocent callers, and what others do to them: forged calls at an attacker's own number, silence,
 * slow keys, caller ids that are none, colleagues behind one telephone system, and PINs that begin
 * with their own. An innocent caller who is rejected or slowed without a cause counts as accepted
 * input.
 */
export const callers: Group = {
  name: 'innocent callers',
  summary: 'forged caller ids, silence, slow keys, withheld caller ids, shared telephones, PINs that begin alike',
  minInputs: 100,
  async run(target, tally) {
    const platform: CallSender = {
      send: (path, body) => target.webhookSender.sendSigned(path, body),
      base: '/v1',
      number: target.stack.numbers[0]!.e164.slice(1),
    };
    await forgeWrongPins(target, platform, tally);
    await keyNothing(platform, tally);
    await keySlowly(target, platform, tally);
    await callUnidentified(platform, tally);
    await shareTelephone(platform, tally);
    await claimBeginnings(target, tally);
    for (const { tapToCall } of await readRooms(target))
      tally.record(`the link ${tapToCall.slice(0, 18)}`, /^tel:\+\d+,,\d+$/.test(tapToCall) ? null : 'is not dialled');
  },
};

async function call({ send, base, number }: CallSender, from: string): Promise<Asked> {
  const uuid = randomUUID();
  const { body } = await send(`${base}/voice/answer`, {
    from,
    to: number,
    uuid,
    conversation_uuid: `CON-${uuid}`,
  });
  return { uuid, path: digitsPathOf(body), reply: body };
}
async function key({ send }: CallSender, at: Asked, digits: string): Promise<Asked> {
  if (at.path === null) return at;
  const { body } = await send(at.path, { uuid: at.uuid, dtmf: { digits, timed_out: digits === '' } });
  return { uuid: at.uuid, path: digitsPathOf(body), reply: body };
}
const hangUp = ({ send, base }: CallSender, { uuid }: Asked): Promise<unknown> =>
  send(`${base}/voice/events`, { uuid, status: 'completed', timestamp: new Date().toISOString() });
async function keyWrongPins(sender: CallSender, from: string): Promise<void> {
  let at = await call(sender, from);
  for (let n = 0; n < 3; n++) at = await key(sender, at, '135790864');
  await hangUp(sender, at);
}

const isSlow = ({ reply }: Asked): boolean => reply.includes(JSON.stringify(getPrompt('en-US', 'welcome-slowly')));
/** The fault of the answer to a caller who has done nothing wrong. */
const faultOf = (asked: Asked): string | null =>
  asked.path === null ? `was rejected: ${asked.reply.slice(0, 80)}` : isSlow(asked) ? 'was asked slowly' : null;

/** Forged calls at the attacker's own number, also while it is suspended. */
async function forgeWrongPins(target: Target, platform: CallSender, tally: Tally): Promise<void> {
  const { attacker, owner } = target;
  const number = '+12025550177';
  const own = createWebhookSender('', { provider: attacker.providerAccount }, target.send);
  const forger: CallSender = {
    base: `/v1/accounts/${attacker.ids['accountId']}`,
    number: number.slice(1),
    send: async (path, body) => {
      const raw = JSON.stringify(body);
      return target.webhookSender.post({ path, body: raw, authorization: `Bearer ${own.token(raw)}` });
    },
  };
  const victims = Array.from({ length: FORGED_CALLERS }, (_, n) => `44207946${String(1_000 + n)}`);
  const countLegs = async (): Promise<number> =>
    (await owner.pool.query<{ n: number }>('SELECT count(*)::int AS n FROM leg WHERE number = $1', [number])).rows[0]!
      .n;
  await owner.pool.query(
    `INSERT INTO dial_in_number (e164, language, dedicated_to, account_id, max_unadmitted)
     SELECT $1, 'en-US', a.tenant_id, a.id, 500
     FROM provider_account a
     WHERE a.id = $2`,
    [number, attacker.ids['accountId']],
  );
  try {
    await pMap(victims, (from) => keyWrongPins(forger, from), { concurrency: 8 });
    await owner.pool.query('UPDATE tenant SET suspended_at = now() WHERE id = $1', [attacker.tenantId]);
    const before = await countLegs();
    const { rows } = await owner.pool.query<{ n: number }>(
      'SELECT count(DISTINCT remote)::int AS n FROM leg WHERE number = $1 AND last_wrong_pin_at IS NOT NULL',
      [number],
    );
    tally.record(
      'wrong PINs of forged calls',
      rows[0]!.n === FORGED_CALLERS ? null : `were stored of ${rows[0]!.n} callers`,
    );
    await pMap(victims, (from) => keyWrongPins(forger, from), { concurrency: 8 });
    const created = (await countLegs()) - before;
    tally.record(
      'forged calls of a suspended tenant',
      before === 0 ? 'had no leg before the suspension' : created === 0 ? null : `created ${created} legs`,
    );
  } finally {
    await owner.pool.query('UPDATE tenant SET suspended_at = NULL WHERE id = $1', [attacker.tenantId]);
  }
  await pMap(
    victims,
    async (from) => {
      const asked = await call(platform, from);
      tally.record("a caller whose caller id a tenant's account has forged", faultOf(asked));
      await hangUp(platform, asked);
    },
    { concurrency: 8 },
  );
  await owner.pool.query(`UPDATE leg SET state = 'ended' WHERE number = $1`, [number]);
  await owner.pool.query('DELETE FROM dial_in_number WHERE e164 = $1', [number]);
}

async function keyNothing(platform: CallSender, tally: Tally): Promise<void> {
  const from = '442079462001';
  for (let n = 0; n < 5; n++) {
    const first = await call(platform, from);
    tally.record('a caller who keyed nothing in the call before', faultOf(first));
    let at = first;
    for (let prompt = 1; prompt <= 2; prompt++) {
      at = await key(platform, at, '');
      tally.record(
        'a prompt without digits',
        at.path === null
          ? 'ended the call'
          : at.reply.includes('PIN is not valid')
            ? 'was taken for a wrong PIN'
            : null,
      );
    }
    await hangUp(platform, at);
  }
}

async function keySlowly({ owner }: Target, platform: CallSender, tally: Tally): Promise<void> {
  for (let n = 0; n < 5; n++) {
    const asked = await call(platform, `44207946${3_000 + n}`);
    const { rows } = await owner.pool.query<{ s: number }>(
      `SELECT extract(epoch FROM deadline_at - created_at)::float8 AS s FROM leg WHERE voice_call_id = $1`,
      [asked.uuid],
    );
    tally.record(
      'twelve digits at 3.9 seconds each',
      (rows[0]?.s ?? 0) > SLOW_ENTRY_SECONDS ? null : `are cut off after ${rows[0]?.s} s`,
    );
    await hangUp(platform, asked);
  }
}

/** Three callers at once, after another such caller has keyed only wrong PINs. */
async function callUnidentified(platform: CallSender, tally: Tally): Promise<void> {
  for (const from of UNIDENTIFIED) {
    await keyWrongPins(platform, from);
    const asked = await Promise.all([1, 2, 3].map(() => call(platform, from)));
    for (const each of asked) tally.record(`a caller with the caller id ${JSON.stringify(from)}`, faultOf(each));
    await Promise.all(asked.map((each) => hangUp(platform, each)));
  }
}

/** Four colleagues at once behind one telephone system, of whom one has keyed wrong PINs before. */
async function shareTelephone(platform: CallSender, tally: Tally): Promise<void> {
  const from = '442079464001';
  const asked = await Promise.all([1, 2, 3, 4].map(() => call(platform, from)));
  for (const each of asked) tally.record('a colleague behind the same telephone system', faultOf(each));
  await Promise.all(asked.map((each) => hangUp(platform, each)));
  await keyWrongPins(platform, from);
  const next = await call(platform, from);
  // Slowed, but not rejected.
  tally.record('a colleague after wrong PINs of another', next.path === null ? 'was rejected' : null);
  await hangUp(platform, next);
}

/** Beginnings of the victim's PIN, and PINs that begin with it, on the same number. */
async function claimBeginnings({ service, stack, victim, attacker }: Target, tally: Tally): Promise<void> {
  const vault = openPinVault([Buffer.from(stack.credentials.pinKey, 'base64')]);
  const { pin } = victim;
  const digit = pin.endsWith('4') ? '7' : '4';
  const shorter = Array.from({ length: pin.length - PIN_HEAD_LENGTH }, (_, n) => pin.slice(0, PIN_HEAD_LENGTH + n));
  const longer = Array.from({ length: PIN_MAX_LENGTH - pin.length }, (_, n) => pin + digit.repeat(n + 1));
  for (const chosen of [...shorter, ...longer]) {
    const undone = new Error('undone');
    let isClaimed = false;
    await inTransaction(service, attacker.tenantId, async (tx) => {
      isClaimed = await claimPin(tx, attacker.tenantId, {
        id: `pin_begins_${chosen.length}`,
        roomId: attacker.ids['roomId']!,
        number: stack.numbers[0]!.e164,
        lookups: vault.lookups(chosen),
        heads: vault.lookups(chosen.slice(0, PIN_HEAD_LENGTH)),
        ciphertext: Buffer.from('none'),
        digits: chosen.length,
      });
      throw undone;
    }).catch((error: unknown) => {
      if (error !== undone) throw error;
    });
    tally.record(
      `a PIN of ${chosen.length} digits that begins as another of ${pin.length}`,
      isClaimed ? 'was allocated' : null,
    );
  }
}

async function readRooms({ apiUrl, send, victim }: Target): Promise<{ tapToCall: string }[]> {
  const { body } = await send({
    method: 'GET',
    url: `${apiUrl}/v1/rooms/${victim.ids['roomId']}`,
    headers: { authorization: `Bearer ${victim.key}` },
  });
  const { tapToCall = '' } = JSON.parse(body) as { tapToCall?: string };
  return [{ tapToCall }];
}

/** The path of the digits webhook in the instructions; null without a prompt. */
function digitsPathOf(ncco: string): string | null {
  const [, url] = /"eventUrl":\["([^"]*\/voice\/digits\/[^"]*)"\]/.exec(ncco) ?? [];
  return url === undefined ? null : new URL(url).pathname;
}
