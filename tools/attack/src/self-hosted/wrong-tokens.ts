import { signToken } from '@partyline/provider-contract/signature';
import { base64url, signHs256 } from '../webhook-sender.ts';
import { signOperation } from './forged-signatures.ts';
import type { Meeting } from './meeting.ts';

/** Makes tokens that are wrong for the victim's conference, each with its name. `path` is that of the socket. */
export function makeWrongTokens(
  { gatewaySecret, victim, attacker, gateways }: Pick<Meeting, 'gatewaySecret' | 'victim' | 'attacker' | 'gateways'>,
  path: string,
): [string, string][] {
  const nowS = Math.floor(Date.now() / 1_000);
  const claims = {
    aud: 'browser',
    conference: victim.conference,
    account: victim.account,
    data: 'data',
    starts: true,
    iat: nowS,
    exp: nowS + 3_600,
  };
  const sign = (change: Readonly<Record<string, unknown>>, secret = gatewaySecret): string =>
    signToken({ ...claims, ...change }, secret);
  const genuine = sign({});
  const [header = '', payload = '', signature = ''] = genuine.split('.');
  const withHeader = (fields: object): string => {
    const signed = `${base64url(fields)}.${payload}`;
    return `${signed}.${signHs256(signed, gatewaySecret)}`;
  };
  const [ownHeader, , ownSignature] = attacker.token.split('.');
  const operation = { gatewayId: gateways[0]!.id, method: 'GET', path, body: '' };
  return [
    ...[-1, -60, -86_400].map((s): [string, string] => [`expired ${-s} s ago`, sign({ exp: nowS + s })]),
    ['no expiry', sign({ exp: undefined })],
    ['an expiry in words', sign({ exp: 'never' })],
    ['no expiry in JSON', sign({ exp: null })],
    ...['x', `${gatewaySecret}x`, gatewaySecret.slice(1), victim.conference].map((secret): [string, string] => [
      'another secret',
      sign({}, secret),
    ]),
    ...[undefined, null, '', 'Browser', 'control', 'phone', ['browser'], { 0: 'browser' }].map(
      (aud): [string, string] => [`the audience ${JSON.stringify(aud)}`, sign({ aud })],
    ),
    ...['', 'a/b', 'a b', '\u0000', 'x'.repeat(200), null, 1, ['x']].map((conference): [string, string] => [
      `the conference ${JSON.stringify(conference).slice(0, 20)}`,
      sign({ conference }),
    ]),
    ...['', 'platform;', 'ten_x', null].map((account): [string, string] => [
      `the account ${JSON.stringify(account)}`,
      sign({ account }),
    ]),
    ...['none', 'None', 'NONE', 'HS512', 'RS256', 'ES256', '', null].map((alg): [string, string] => [
      `the algorithm ${alg}`,
      withHeader({ alg, typ: 'JWT' }),
    ]),
    ['no algorithm and no signature', `${base64url({ alg: 'none', typ: 'JWT' })}.${payload}.`],
    ['a key in its header', withHeader({ alg: 'HS256', jwk: { kty: 'oct', k: 'eA' }, crit: ['jwk'] })],
    ['the conference of another, with an own signature', `${ownHeader}.${payload}.${ownSignature}`],
    ['no signature', `${header}.${payload}.`],
    ['two parts', `${header}.${payload}`],
    ['four parts', `${genuine}.x`],
    ['white space', ` ${genuine}`],
    ['a scheme', `Bearer ${genuine}`],
    ['the signature of a control request', signOperation(operation, gatewaySecret).slice('Bearer '.length)],
    ['an API key', 'pl_dev_0123456789ab_x'],
    ['empty', ''],
    ['4,096 characters', 'a'.repeat(4_096)],
    ...Array.from({ length: signature.length - 1 }, (_, at): [string, string] => {
      const changed = signature[at] === 'A' ? 'Q' : 'A';
      return [
        `its signature changed at ${at}`,
        `${header}.${payload}.${signature.slice(0, at)}${changed}${signature.slice(at + 1)}`,
      ];
    }),
  ];
}
