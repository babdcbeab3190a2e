import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { providerDeps } from '@partyline/provider-contract/testing/provider-deps';
import { afterEach, describe, expect, it } from 'vitest';
import { janusAccountSchema } from '../account.ts';
import { openGateways } from '../gateways.ts';
import { findCall, hangUpCall, listCalls, type Reach } from './find-calls.ts';

const CALL_ID = 'one.abcdefghijklmnopqrstuv';
/**
 * What a gateway may say of the call; `gone`: nothing listens there, `frozen`: no answer comes, `cut off`: no
 * connection, `removed`: it is not in the settings.
 */
type GatewayState = 'knows' | 'has ended' | 'does not know' | 'is gone' | 'is frozen' | 'is cut off' | 'was removed';
type KamailioState = 'lists it' | 'lists it ringing' | 'does not list it' | 'has just started' | 'is unreachable';

const VIEW = {
  callId: CALL_ID,
  account: 'platform',
  direction: 'outbound',
  to: '+442079460018',
  phase: 'answered',
  at: '2026-11-30T12:00:00.000Z',
} as const;
const SHORT_TIMEOUT_MS = 500;

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

async function serve(answer: (request: IncomingMessage, response: ServerResponse) => unknown): Promise<string> {
  const server = createServer((request, response) => void answer(request, response));
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const reply = (response: ServerResponse, status: number, body: unknown): void =>
  void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));

async function serveGateway(state: GatewayState, requests: string[]): Promise<string> {
  if (state === 'is cut off') return 'http://gateway.invalid';
  const url = await serve((request, response) => {
    requests.push(`gateway ${request.method} ${request.url}`);
    if (state === 'is frozen') return;
    if (request.url?.startsWith('/v1/calls?')) reply(response, 200, { calls: state === 'knows' ? [VIEW] : [] });
    else if (state === 'knows') reply(response, request.method === 'POST' ? 202 : 200, VIEW);
    else if (state === 'has ended' && request.method === 'GET')
      reply(response, 200, { ...VIEW, phase: 'over', cause: 'hung-up' });
    else reply(response, 404, { reason: 'call-not-found' });
  });
  if (state === 'is gone') servers.at(-1)?.close();
  return url;
}

async function serveKamailio(state: KamailioState, requests: string[]): Promise<string> {
  const dialog = {
    'call-id': 'sip-call-id',
    caller: { tag: 'a', cseq: '1' },
    callee: { tag: 'b' },
    state: state === 'lists it ringing' ? 2 : 4,
    variables: [{ call: CALL_ID }, { account: 'platform' }, { direction: 'outbound' }],
  };
  const other = { ...dialog, variables: [{ call: 'one.another-call-of-it-all' }, { account: 'acct_other' }] };
  const url = await serve(async (request, response) => {
    const body = await text(request);
    if (request.url === '/hang-up') {
      requests.push('kamailio hangs up');
      return reply(response, 200, 'ok');
    }
    const { method } = JSON.parse(body) as { method: string };
    if (method === 'tm.cancel') requests.push('kamailio cancels');
    if (method === 'core.uptime')
      return reply(response, 200, { result: { uptime: state === 'has just started' ? 20 : 3_600 } });
    if (method === 'htable.dump') return reply(response, 200, { result: [] });
    reply(response, 200, { result: state.startsWith('lists') ? [other, dialog] : [other] });
  });
  if (state === 'is unreachable') servers.at(-1)?.close();
  return url;
}

/** The calls of an account with one gateway in the given state, and what is sent to it and to kamailio. */
async function open(gateway: GatewayState, kamailio: KamailioState): Promise<{ reach: Reach; requests: string[] }> {
  const requests: string[] = [];
  const account = janusAccountSchema.parse({
    account: 'platform',
    gateways: [{ id: gateway === 'was removed' ? 'two' : 'one', url: await serveGateway(gateway, requests) }],
    secret: 'a-secret-of-thirty-two-characters',
    kamailio: { url: `${await serveKamailio(kamailio, requests)}/RPC`, secret: 'rpc-secret' },
    socketUrl: 'ws://127.0.0.1:1',
  });
  const timeoutMs = gateway === 'is frozen' ? SHORT_TIMEOUT_MS : 10_000;
  return { reach: { account, gateways: openGateways(account, providerDeps(timeoutMs)), timeoutMs }, requests };
}

type Outcome = { resolves: unknown } | { rejects: object };
const answered: Outcome = { resolves: { callId: CALL_ID, phase: 'answered', direction: 'outbound' } };
const over: Outcome = { resolves: { callId: CALL_ID, phase: 'over', cause: 'gateway-lost' } };
const busy: Outcome = { rejects: { failure: 'busy' } };
const restarted: Outcome = { rejects: { failure: 'busy', verdict: { reason: 'upstream-restarted' } } };
const unknown: Outcome = { rejects: { failure: 'unknown' } };
const notFound: Outcome = { rejects: { failure: 'not-found' } };

const outcomeOf = (promise: Promise<unknown>): Promise<object> =>
  promise.then(
    (resolves) => ({ resolves }),
    (rejects: unknown) => ({ rejects }),
  );

describe('findCall', () => {
  it.each<[GatewayState, KamailioState, Outcome]>([
    ['knows', 'lists it', answered],
    ['knows', 'does not list it', answered],
    ['knows', 'is unreachable', answered],
    ['has ended', 'lists it', answered],
    ['has ended', 'does not list it', { resolves: { phase: 'over', cause: 'hung-up' } }],
    ['has ended', 'has just started', { resolves: { phase: 'over', cause: 'hung-up' } }],
    ['has ended', 'is unreachable', busy],
    ['does not know', 'lists it', answered],
    ['does not know', 'lists it ringing', { resolves: { phase: 'ringing' } }],
    ['does not know', 'does not list it', over],
    ['does not know', 'has just started', restarted],
    ['does not know', 'is unreachable', busy],
    ['is gone', 'lists it', answered],
    ['is gone', 'lists it ringing', { resolves: { phase: 'ringing' } }],
    ['is gone', 'does not list it', over],
    ['is gone', 'has just started', restarted],
    ['is gone', 'is unreachable', busy],
    ['is frozen', 'lists it', unknown],
    ['is frozen', 'does not list it', unknown],
    ['is cut off', 'does not list it', busy],
    ['was removed', 'lists it', answered],
    ['was removed', 'lists it ringing', { resolves: { phase: 'ringing' } }],
    ['was removed', 'does not list it', over],
    ['was removed', 'has just started', restarted],
    ['was removed', 'is unreachable', busy],
  ])('the gateway %s, kamailio %s', async (gateway, kamailio, outcome) => {
    const { reach } = await open(gateway, kamailio);
    expect(await outcomeOf(findCall(reach, CALL_ID))).toMatchObject(outcome);
  });

  it('knows no call of another provider', async () => {
    const { reach, requests } = await open('knows', 'is unreachable');
    expect(await findCall(reach, '00000000-0000-4000-8000-000000000000')).toBeNull();
    expect(requests).toEqual([]);
  });
});

describe('listCalls', () => {
  const live: Outcome = { resolves: [{ callId: CALL_ID }] };
  const none: Outcome = { resolves: [] };
  it.each<[GatewayState, KamailioState, Outcome]>([
    ['knows', 'lists it', { resolves: [VIEW] }],
    ['knows', 'does not list it', live],
    ['knows', 'has just started', live],
    ['knows', 'is unreachable', busy],
    ['does not know', 'lists it', live],
    ['does not know', 'does not list it', none],
    ['does not know', 'has just started', none],
    ['does not know', 'is unreachable', busy],
    ['is gone', 'lists it', live],
    ['is gone', 'does not list it', none],
    ['is gone', 'has just started', restarted],
    ['is gone', 'is unreachable', busy],
    ['is frozen', 'lists it', live],
    ['is frozen', 'does not list it', none],
    ['is frozen', 'has just started', restarted],
    ['is cut off', 'lists it', live],
    ['is cut off', 'is unreachable', busy],
  ])('the gateway %s, kamailio %s', async (gateway, kamailio, outcome) => {
    const { reach } = await open(gateway, kamailio);
    expect(await outcomeOf(listCalls(reach))).toMatchObject(outcome);
  });
});

describe('hangUpCall', () => {
  const done: Outcome = { resolves: undefined };
  const asked = `gateway POST /v1/calls/${CALL_ID}/hang-up`;
  it.each<[GatewayState, KamailioState, Outcome, string[]]>([
    ['knows', 'lists it', done, [asked]],
    ['knows', 'is unreachable', done, [asked]],
    ['does not know', 'lists it', done, [asked, 'kamailio hangs up']],
    ['does not know', 'lists it ringing', done, [asked, 'kamailio cancels']],
    ['does not know', 'does not list it', notFound, [asked]],
    ['does not know', 'has just started', restarted, [asked]],
    ['does not know', 'is unreachable', busy, [asked]],
    ['is gone', 'lists it', done, ['kamailio hangs up']],
    ['is gone', 'does not list it', busy, []],
    ['is gone', 'is unreachable', busy, []],
    ['is cut off', 'lists it', done, ['kamailio hangs up']],
    ['is frozen', 'lists it', done, [asked, 'kamailio hangs up']],
    ['is frozen', 'does not list it', unknown, [asked]],
    ['is frozen', 'is unreachable', busy, [asked]],
    ['was removed', 'lists it', done, ['kamailio hangs up']],
    ['was removed', 'lists it ringing', done, ['kamailio cancels']],
    ['was removed', 'does not list it', notFound, []],
    ['was removed', 'has just started', restarted, []],
    ['was removed', 'is unreachable', busy, []],
  ])('the gateway %s, kamailio %s', async (gateway, kamailio, outcome, sent) => {
    const { reach, requests } = await open(gateway, kamailio);
    expect(await outcomeOf(hangUpCall(reach, CALL_ID))).toMatchObject(outcome);
    expect(requests).toEqual(sent);
  });
});
