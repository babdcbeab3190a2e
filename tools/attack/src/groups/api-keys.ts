import { randomBytes } from 'node:crypto';
import type { OutgoingHttpHeaders } from 'node:http';
import pMap from 'p-map';
import { type Group } from '../group.ts';
import { rejectionFault } from '../http.ts';
import { keyIdOf, newKey, type Target } from '../target.ts';

interface Attempt {
  readonly what: string;
  readonly headers: OutgoingHttpHeaders;
  readonly query?: string;
}

/** Invalid API keys that resemble a valid key, and ambiguous headers. */
export const apiKeys: Group<Pick<Target, 'apiUrl' | 'send' | 'victim' | 'attacker'>> = {
  name: 'API keys',
  summary:
    "variations of a valid key, another key's secret with a valid id, odd schemes, duplicate and smuggled headers",
  minInputs: 300,
  async run({ apiUrl, send, victim, attacker }, tally) {
    await pMap(
      attempts(victim.key, attacker.key),
      async ({ what, headers, query = '' }) => {
        tally.record(
          what,
          rejectionFault(await send({ method: 'GET', url: `${apiUrl}/v1/rooms${query}`, headers }), [400, 401, 431]),
        );
      },
      { concurrency: 8 },
    );
  },
};

const SUBSTITUTES: Readonly<Record<string, string>> = { A: 'B', a: 'b', '0': '1' };

function* attempts(key: string, otherKey: string): Generator<Attempt> {
  const bearer = (what: string, given: string): Attempt => ({ what, headers: { authorization: `Bearer ${given}` } });
  // Changes each character, also the last one, of which base64url does not use all bits.
  for (let at = 0; at < key.length; at++)
    yield bearer(`character ${at} changed`, `${key.slice(0, at)}${SUBSTITUTES[key[at]!] ?? 'A'}${key.slice(at + 1)}`);
  for (const at of [0, 1, 3, 4, 10, 20, 30, 40, key.length - 5])
    yield bearer(`two characters swapped at ${at}`, swapped(key, at));
  for (let length = 1; length < key.length; length++)
    yield bearer(`the first ${length} characters`, key.slice(0, length));
  for (const more of [
    'A',
    'AA',
    '=',
    '==',
    '.',
    '-',
    '_',
    '%00',
    '%20',
    'a'.repeat(500),
    '/',
    '?',
    '#',
    '\t',
    ';',
    ',',
  ])
    yield bearer(`${JSON.stringify(more.slice(0, 4))} after it`, key + (more === '\t' ? '\tx' : more));
  const [, , id = '', secret = ''] = /^(pl_[a-z]+_)?([A-Za-z0-9]+)_(.+)$/.exec(key) ?? [];
  for (const env of ['live', 'test', 'prod', 'de', 'devv', 'x'])
    yield bearer(`the environment ${env}`, `pl_${env}_${id}_${secret}`);
  for (const odd of [
    `pl_live_${id}_${secret.toLowerCase()}`,
    `PL_DEV_${id}_${secret}`,
    `pl__${id}_${secret}`,
    `pl_dev_${id.toUpperCase()}X_${secret}`,
    `${id}_${secret}`,
    secret,
    id,
    `pl_dev_${id}_`,
    `pl_dev__${secret}`,
    `sk_dev_${id}_${secret}`,
  ])
    yield bearer('another form', odd);
  yield bearer("another key's secret with this id", `pl_dev_${keyIdOf(key)}_${otherKey.slice(-43)}`);
  yield bearer("this secret with another key's id", `pl_dev_${keyIdOf(otherKey)}_${key.slice(-43)}`);
  yield bearer('a random secret with this id', `pl_dev_${keyIdOf(key)}_${randomBytes(32).toString('base64url')}`);
  for (const wild of [
    `' OR '1'='1`,
    `pl_dev_${id}'--_${secret}`,
    `pl_dev_%_${secret}`,
    `pl_dev_*_${secret}`,
    'null',
    'undefined',
    'true',
    '{}',
    '[object Object]',
    'admin',
    '../../etc/passwd',
    '${jndi:ldap://x}',
  ])
    yield bearer('a value that is not a key', wild);
  for (let n = 0; n < 110; n++) yield bearer('an unknown key', newKey());
  for (const scheme of ['Basic', 'Token', 'Digest', 'ApiKey', 'Bearer:', 'Bearer=', 'Bear', 'JWT', 'Bearer,'])
    yield { what: `the scheme ${scheme}`, headers: { authorization: `${scheme} ${key}` } };
  yield { what: 'no scheme', headers: { authorization: key } };
  yield { what: 'no header', headers: {} };
  for (const name of [
    'x-api-key',
    'api-key',
    'x-authorization',
    'proxy-authorization',
    'x-forwarded-authorization',
    'cookie',
    'www-authenticate',
    'x-access-token',
  ])
    yield {
      what: `the key in ${name}`,
      headers: { [name]: name === 'cookie' ? `authorization=Bearer ${key}; key=${key}` : `Bearer ${key}` },
    };
  for (const name of ['key', 'api_key', 'apikey', 'token', 'access_token', 'authorization'])
    yield { what: `the key in ?${name}`, headers: {}, query: `?${name}=${encodeURIComponent(`Bearer ${key}`)}` };
  // Duplicates: one part of a system could check another header than the next part uses.
  yield {
    what: 'two headers, the wrong one first',
    headers: { authorization: [`Bearer ${newKey()}`, `Bearer ${key}`] as unknown as string },
  };
  yield {
    what: 'two in one header, the wrong one first',
    headers: { authorization: `Bearer ${newKey()}, Bearer ${key}` },
  };
  yield {
    what: 'two in one header, the good one first',
    headers: { authorization: `Bearer ${key}, Bearer ${newKey()}` },
  };
  yield { what: 'two in one header, by a space', headers: { authorization: `Bearer ${newKey()} ${key}` } };
}

const swapped = (key: string, at: number): string =>
  key[at] === key[at + 1] ? `${key}x` : `${key.slice(0, at)}${key[at + 1]}${key[at]}${key.slice(at + 2)}`;
