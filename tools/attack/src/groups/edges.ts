import { randomBytes } from 'node:crypto';
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

type Needs = Pick<Target, 'apiUrl' | 'attacker' | 'stack'>;

/** The edges of the services: counting of addresses, slow clients, headers, paths, log lines, keys. */
export const edges: Group<Needs> = {
  name: 'edges',
  summary:
    'many addresses of one network, one byte at a time, replies that may be stored, management paths, unlogged ' +
    'refusals, keys that outlive their maker',
  minInputs: 3 * SLOW_CONNECTIONS,
  async run(target, tally) {
    await sendRefusals(target, tally);
    await countAddresses(target, tally);
    await readHeaders(target, tally);
    await createLongerKeys(target, tally);
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
    log.split('\n').some((line) => line.includes('a request was refused') && line.includes(keyIdOf(key)));
  const until = performance.now() + LOG_WAIT_MS;
  let log = readLog();
  while (!keys.every((key) => isLogged(key, log)) && performance.now() < until) {
    await new Promise((resume) => setTimeout(resume, 50));
    log = readLog();
  }
  for (const key of keys) {
    const isRevealed = log.includes(key.slice(-43));
    tally.record('a refused key', isRevealed ? 'is in the log' : isLogged(key, log) ? null : 'left no line in the log');
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
