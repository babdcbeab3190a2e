import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import pMap from 'p-map';
import type { Group, Tally } from '../group.ts';
import { newKey, keyIdOf, type Target } from '../target.ts';

const SLOW_CONNECTIONS = 100;
const BYTE_INTERVAL_MS = 200;
/** Well above the time limits of the attacked services (main.ts). */
const MAX_OPEN_MS = 12_000;
const ADDRESSES = 40;
const LOG_WAIT_MS = 5_000;
const HOUR_MS = 3_600_000;

/**
 * The patient attacker's number has ten PINs of six digits, so that few guesses use up its limits.
 */
const GUESSED_NUMBER = '+442079460177';
const LIVE_PINS = 10;
const GUESS_ODDS = LIVE_PINS / (10 * 9 ** 5);
/** docs/fraud.md: the odds that one of the wrong PINs of 30 days was right. */
const MONTH_ODDS = 0.005;
const DAYS = 30;
const ROUNDS_PER_DAY = 4;

type Needs = Pick<Target, 'apiUrl' | 'attacker' | 'stack' | 'owner' | 'victim' | 'webhookSender'>;

/**
 * The edges of the services: counting of addresses, slow clients, headers, paths, log lines, keys.
 */
export const edges: Group<Needs> = {
  name: 'edges',
  summary:
    'many addresses of one network, one byte at a time, replies that may be stored, management paths, unlogged ' +
    'refusals, keys that outlive their maker, guesses of a month',
  minInputs: 3 * SLOW_CONNECTIONS,
  async run(target, tally) {
    await sendRefusals(target, tally);
    await countAddresses(target, tally);
    await readHeaders(target, tally);
    await createLongerKeys(target, tally);
    await guessPatiently(target, tally);
    await sendSlowly(target, tally);
  },
};

/** Each address of an IPv6 /64 must use up the same limit. room-api trusts this host as a proxy. */
async function countAddresses({ apiUrl }: Needs, tally: Tally): Promise<void> {
  const prefix = `2001:db8:${randomBytes(2).toString('hex')}:1`;
  const remaining = async (n: number): Promise<number> => {
    const { headers } = await fetch(`${apiUrl}/v1/rooms`, { headers: { 'x-forwarded-for': `${prefix}::${n}` } });
    return Number(/r=(\d+)/.exec(headers.get('ratelimit') ?? '')?.[1]);
  };
  let before = await remaining(0);
  for (let n = 1; n <= ADDRESSES; n++) {
    const now = await remaining(n);
    tally.record(`address ${n} of a /64`, now < before ? null : `has a limit of its own: ${now} after ${before}`);
    before = now;
  }
}

async function readHeaders({ apiUrl, attacker, stack }: Needs, tally: Tally): Promise<void> {
  const { roomId = '' } = attacker.ids;
  const paths = ['/v1/rooms', `/v1/rooms/${roomId}`, `/v1/rooms/${roomId}/pins`, '/v1/keys', '/v1/rooms/none', '/none'];
  for (const path of paths)
    for (const authorization of [`Bearer ${attacker.key}`, '']) {
      const { headers } = await fetch(apiUrl + path, { headers: { authorization } });
      const given = [headers.get('cache-control'), headers.get('x-content-type-options')];
      tally.record(
        `GET ${path} ${authorization === '' ? 'without' : 'with'} a key`,
        given[0] === 'no-store' && given[1] === 'nosniff' ? null : `may be stored or sniffed: ${given.join(', ')}`,
      );
    }
  for (const service of ['room-api', 'voice-webhooks'] as const)
    for (const path of ['/metrics', '/healthz', '/readyz', '/metrics/', '//metrics', '/METRICS', '/v1/../metrics']) {
      const { status } = await fetch(stack.urls[service] + path);
      tally.record(`${path} of ${service}`, status === 404 ? null : `answered ${status}`);
    }
}

/** Each refusal must leave one line with the key's id, and none with its secret. */
async function sendRefusals({ apiUrl, stack }: Needs, tally: Tally): Promise<void> {
  const readLog = (): string =>
    readdirSync(stack.logFolder)
      .map((name) => readFileSync(join(stack.logFolder, name), 'utf8'))
      .join('\n');
  const keys = Array.from({ length: 5 }, newKey);
  for (const [n, key] of keys.entries())
    await fetch(`${apiUrl}/v1/rooms`, {
      headers: { authorization: `Bearer ${key}`, 'x-forwarded-for': `198.51.100.${n + 1}` },
    });
  const isLogged = (key: string, log: string): boolean =>
    log.split('\n').some((line) => line.includes('a request was rejected') && line.includes(keyIdOf(key)));
  const until = performance.now() + LOG_WAIT_MS;
  let log = readLog();
  while (!keys.every((key) => isLogged(key, log)) && performance.now() < until) {
    await new Promise((resume) => setTimeout(resume, 50));
    log = readLog();
  }
  for (const key of keys) {
    const isRevealed = log.includes(key.slice(-43));
    tally.record(
      'a rejected key',
      isRevealed ? 'is in the log' : isLogged(key, log) ? null : 'left no line in the log',
    );
  }
}

/** No key may create, or get by a rotation, a key that is valid for longer. */
async function createLongerKeys({ apiUrl, attacker }: Needs, tally: Tally): Promise<void> {
  interface KeyReply {
    readonly status: number;
    readonly key: string;
    readonly id: string;
    readonly expiresAt: string | null;
  }
  const post = async (path: string, key: string, body: object): Promise<KeyReply> => {
    const reply = await fetch(apiUrl + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const { apiKey, key: made } = (await reply.json()) as { apiKey?: { id: string; expiresAt: string }; key?: string };
    return { status: reply.status, key: made ?? '', id: apiKey?.id ?? '', expiresAt: apiKey?.expiresAt ?? null };
  };
  const expiresAt = new Date(Date.now() + HOUR_MS);
  const scopes = ['keys:write', 'rooms:read'];
  const endless = await post('/v1/keys', attacker.key, { label: 'endless', scopes: ['rooms:read'] });
  const short = await post('/v1/keys', attacker.key, { label: 'short', scopes, expiresAt: expiresAt.toISOString() });
  const isLonger = ({ status, expiresAt: given }: KeyReply): boolean =>
    status < 300 && (given === null || new Date(given) > expiresAt);
  for (const wanted of [undefined, null, expiresAt.getTime() + 1, expiresAt.getTime() + HOUR_MS, Date.UTC(2099)]) {
    const reply = await post('/v1/keys', short.key, {
      label: 'child',
      scopes: ['rooms:read'],
      ...(wanted !== undefined && { expiresAt: wanted === null ? null : new Date(wanted).toISOString() }),
    });
    tally.record(`a child key with the expiry ${wanted}`, isLonger(reply) ? 'is valid for longer' : null);
  }
  for (const id of [endless.id, keyIdOf(attacker.key)]) {
    const reply = await post(`/v1/keys/${id}/rotate`, short.key, { overlapSeconds: 3_600 });
    tally.record(
      'the rotation of a key that never expires',
      isLonger(reply) ? 'gave a key that is valid for longer' : null,
    );
  }
}

/**
 * Guesses PINs for 30 days, as many as the number accepts, from caller ids of strangers and of
 * known callers. Instead of waiting, the rows of the number become older.
 */
async function guessPatiently({ owner, victim, webhookSender }: Needs, tally: Tally): Promise<void> {
  const query = (text: string, ...values: unknown[]): Promise<unknown> => owner.pool.query(text, values);
  await query(`INSERT INTO dial_in_number (e164, language) VALUES ($1, 'en-GB')`, GUESSED_NUMBER);
  await query(
    `INSERT INTO pin (id, tenant_id, room_id, number, lookup, ciphertext, digits)
     SELECT 'pin_guessed_' || n, $2, $3, $1, sha256(n::text::bytea), '', 6
     FROM generate_series(1, $4::int) AS n`,
    GUESSED_NUMBER,
    victim.tenantId,
    victim.ids['roomId'],
    LIVE_PINS,
  );
  await query(
    `INSERT INTO leg (id, kind, state, number, remote, last_outcome, created_at, deadline_at, ended_at)
     SELECT 'leg_known_' || n, 'inbound', 'ended', $1, '+44207946' || (8000 + n), 'admitted',
       now() - interval '1 day', now(), now()
     FROM generate_series(0, 99) AS n`,
    GUESSED_NUMBER,
  );
  let guesses = 0;
  /** Makes one call and guesses until it is ended. Returns whether it was asked for a PIN. */
  const guess = async (from: string): Promise<boolean> => {
    const uuid = randomUUID();
    const to = GUESSED_NUMBER.slice(1);
    const pathOf = ({ body }: { body: string }): string | undefined =>
      /\/v1\/voice\/digits\/[\w-]+\/\d/.exec(body)?.[0];
    const first = pathOf(
      await webhookSender.sendSigned('/v1/voice/answer', { from, to, uuid, conversation_uuid: `CON-${uuid}` }),
    );
    for (let path = first; path !== undefined;) {
      const digits = String(randomInt(100_000, 1_000_000));
      path = pathOf(await webhookSender.sendSigned(path, { uuid, dtmf: { digits, timed_out: false } }));
      guesses += 1;
      const isBeyond = guesses * GUESS_ODDS > MONTH_ODDS;
      tally.record(`guess ${guesses} within ${DAYS} days`, isBeyond ? 'is beyond the limit of docs/fraud.md' : null);
    }
    const timestamp = new Date().toISOString();
    await webhookSender.sendSigned('/v1/voice/events', { uuid, status: 'completed', timestamp });
    return first !== undefined;
  };
  try {
    for (let round = 0; round < DAYS * ROUNDS_PER_DAY; round++) {
      const known = `44207946${8_000 + (round % 100)}`;
      await guess(known);
      while (await guess(`4477${String(randomInt(100_000_000)).padStart(8, '0')}`));
      await query(
        `UPDATE leg
         SET created_at = created_at - $2::interval, last_wrong_pin_at = last_wrong_pin_at - $2::interval
         WHERE number = $1 AND pin_guess_odds > 0`,
        GUESSED_NUMBER,
        `${24 / ROUNDS_PER_DAY} hours`,
      );
      await query(
        'UPDATE dial_in_number SET slow_until = slow_until - $2::interval WHERE e164 = $1',
        GUESSED_NUMBER,
        `${24 / ROUNDS_PER_DAY} hours`,
      );
      if (round % ROUNDS_PER_DAY !== ROUNDS_PER_DAY - 1) continue;
      // In two steps, so that no two days are equal meanwhile.
      for (const days of [-10_000, 9_999])
        await query('UPDATE pin_guess_day SET day = day + $2::int WHERE number = $1', GUESSED_NUMBER, days);
    }
    tally.measure('odds of a month of guesses', guesses * GUESS_ODDS);
    tally.record('a month of guesses', guesses > DAYS ? null : `only ${guesses} were accepted: nothing was tested`);
  } finally {
    await query('DELETE FROM pin WHERE number = $1', GUESSED_NUMBER);
    await query('DELETE FROM dial_in_number WHERE e164 = $1', GUESSED_NUMBER);
  }
}

/** Sends requests one byte at a time. Each must be closed. */
async function sendSlowly({ stack }: Needs, tally: Tally): Promise<void> {
  const kinds = {
    'a slow body': (path: string) => [
      `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 60000\r\n\r\n`,
      '{',
    ],
    'a slow body above the size limit': (path: string) => [
      `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 900000\r\n\r\n`,
      '{',
    ],
    'slow headers': (path: string) => [`POST ${path} HTTP/1.1\r\nx-slow: `, 'x'],
    'no request at all': () => ['', ''],
  };
  const slow = (['room-api', 'voice-webhooks'] as const).flatMap((service) =>
    Object.entries(kinds).flatMap(([what, make]) =>
      Array.from({ length: SLOW_CONNECTIONS / 2 }, () => ({ service, what, make })),
    ),
  );
  await pMap(
    slow,
    async ({ service, what, make }) => {
      const [first = '', rest = ''] = make(service === 'room-api' ? '/v1/rooms' : '/v1/voice/events');
      const isOpen = await drip(Number(new URL(stack.urls[service]).port), first, rest);
      tally.record(`${what} to ${service}`, isOpen ? `was still open after ${MAX_OPEN_MS / 1000} s` : null);
    },
    { concurrency: slow.length },
  );
}

/** Sends `first`, then a byte at a time. Returns whether the connection outlived `MAX_OPEN_MS`. */
function drip(port: number, first: string, byte: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(first));
    const writing = setInterval(() => byte !== '' && socket.writable && socket.write(byte), BYTE_INTERVAL_MS);
    const settle = (isOpen: boolean): void => {
      clearInterval(writing);
      clearTimeout(giveUp);
      socket.destroy();
      resolve(isOpen);
    };
    const giveUp = setTimeout(() => settle(true), MAX_OPEN_MS);
    socket.on('error', () => undefined).on('close', () => settle(false));
    socket.resume();
  });
}
