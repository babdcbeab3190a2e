import { randomUUID } from 'node:crypto';
import { signControlRequest, signWebhook } from '@partyline/provider-janus/sign-request';
import { base64url, signHs256 } from '../webhook-sender.ts';

/** A control request of a gateway. */
export interface Operation {
  readonly gatewayId: string;
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly body: string;
}

/** base64url characters of a signature of 32 bytes. */
const SIGNATURE_LENGTH = 43;
/** Signatures are accepted for so long. */
const MAX_AGE_MS = 300_000;
const CHANGED = [0, 7, 21, 35, 41];

/** Signs an operation as the services and the gateways do. */
export const signOperation = (
  { gatewayId, method, path, body }: Operation,
  secret: string,
  now = new Date(),
  nonce: string = randomUUID(),
): string => signControlRequest(`${gatewayId} ${method} ${path}`, secret, body, { now, nonce });

/** Makes `authorization` headers that are wrong for an operation, each with its name. */
export function forgeAuthorizations(
  operation: Operation,
  secret: string,
  other: { readonly gatewayId: string; readonly path: string; readonly browserToken: string },
): [string, string][] {
  const { body, path } = operation;
  const genuine = signOperation(operation, secret);
  const [header = '', payload = '', signature = ''] = genuine.slice('Bearer '.length).split('.');
  const withHeader = (fields: object): string => {
    const signed = `${base64url(fields)}.${payload}`;
    return `Bearer ${signed}.${signHs256(signed, secret)}`;
  };
  const at = (ms: number): string => signOperation(operation, secret, new Date(Date.now() + ms));
  return [
    ['an empty signature', 'Bearer'],
    ['a text', 'Bearer x'],
    ['a basic scheme', `Basic ${Buffer.from('gw-1:x').toString('base64')}`],
    ['the secret itself', `Bearer ${secret}`],
    ['another secret', signOperation(operation, randomUUID())],
    ['a secret of one character', signOperation(operation, 'x')],
    ['a signature for another gateway', signOperation({ ...operation, gatewayId: other.gatewayId }, secret)],
    ['a signature for no gateway', signOperation({ ...operation, gatewayId: '' }, secret)],
    [
      'a signature for another method',
      signOperation({ ...operation, method: operation.method === 'GET' ? 'POST' : 'GET' }, secret),
    ],
    ['a signature for another path', signOperation({ ...operation, path: other.path }, secret)],
    ['a signature for a longer path', signOperation({ ...operation, path: `${path}?x` }, secret)],
    ['a signature for another body', signOperation({ ...operation, body: `${body} ` }, secret)],
    ['a stale signature', at(-MAX_AGE_MS - 5_000)],
    ['a signature of yesterday', at(-86_400_000)],
    ['an early signature', at(MAX_AGE_MS + 60_000)],
    ['a signature without a nonce', signOperation(operation, secret, new Date(), '')],
    ['the signature of a webhook', signWebhook('platform', secret, body, { now: new Date(), nonce: randomUUID() })],
    ['the token of a browser', `Bearer ${other.browserToken}`],
    ['no algorithm', `Bearer ${base64url({ alg: 'none', typ: 'JWT' })}.${payload}.`],
    ['no algorithm, with a signature', withHeader({ alg: 'none' })],
    ['another algorithm', withHeader({ alg: 'HS512', typ: 'JWT' })],
    ['an asymmetric algorithm', withHeader({ alg: 'RS256', typ: 'JWT' })],
    ['a critical extension', withHeader({ alg: 'HS256', typ: 'JWT', crit: ['x'] })],
    ['two signatures', `${genuine}, ${genuine}`],
    ['a longer signature', `${genuine}A`],
    ['a giant signature', `Bearer ${'a'.repeat(6_000)}`],
    ...CHANGED.filter((each) => each < SIGNATURE_LENGTH).map((each): [string, string] => {
      const changed = signature[each] === 'A' ? 'Q' : 'A';
      return [
        `a signature changed at ${each}`,
        `Bearer ${header}.${payload}.${signature.slice(0, each)}${changed}${signature.slice(each + 1)}`,
      ];
    }),
  ];
}
