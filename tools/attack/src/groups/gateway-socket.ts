import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { MAX_MESSAGE_BYTES } from '@partyline/contracts/gateway-socket/messages';
import { createWebrtcPeer } from '@partyline/janus/testing/webrtc-peer';
import { seededRandomInt } from '@partyline/testing/seeded';
import pMap from 'p-map';
import type { Group, Tally } from '../group.ts';
import { makeBadMessage, makeWrongOffer } from '../self-hosted/bad-messages.ts';
import { forgeAuthorizations, signOperation, type Operation } from '../self-hosted/forged-signatures.ts';
import type { Meeting, SocketParty } from '../self-hosted/meeting.ts';
import { openProbe, type GatewayMessage, type SocketProbe } from '../self-hosted/socket-probe.ts';
import { makeWrongTokens } from '../self-hosted/wrong-tokens.ts';

export type SocketMeeting = Pick<
  Meeting,
  'gateways' | 'gatewaySecret' | 'victim' | 'attacker' | 'listProcesses' | 'findFault'
>;
interface Needs {
  readonly seed: number;
  openMeeting(this: void): Promise<SocketMeeting>;
}
interface Attack {
  readonly meeting: SocketMeeting;
  readonly tally: Tally;
  readonly seed: number;
}

const SOCKET_PATH = '/v1/socket';
/** A gateway accepts so many messages of one socket at once. */
const MESSAGES_PER_SOCKET = 180;
const SOCKETS = 58;
const OFFERS = 30;
const GUESSED_SECRETS = 150;
const FLOOD_MESSAGES = 3_000;
/** The burst, some seconds at the rate, and the violations after which the socket closes. */
const MAX_FLOOD_REPLIES = 600;
/** More sockets than a gateway has places for. */
const IDLE_SOCKETS = 450;
const CONCURRENCY = 16;
const MAX_REPLY_BYTES = 500;
const REPLY_TIMEOUT_MS = 8_000;
const CLOSE_TIMEOUT_MS = 5_000;

/** Everything that can reach media-gateway: browsers, other gateways, and control requests. */
export const gatewaySocket: Group<Needs> = {
  name: 'gateway socket',
  summary:
    'at media-gateway: bad messages, tokens and secrets, offers for Janus, floods, forged upgrades and control requests',
  minInputs: 10_000,
  needsGateways: true,
  async run({ seed, openMeeting }, tally) {
    const attack: Attack = { meeting: await openMeeting(), tally, seed };
    const { meeting } = attack;
    const before = await meeting.listProcesses();
    for (const [what, step] of STEPS) {
      await step(attack);
      tally.record(`the calls of others, after ${what}`, await meeting.findFault());
    }
    const after = await meeting.listProcesses();
    tally.record('the processes', after === before ? null : `were ${before}, and are ${after}`);
  },
};

const STEPS: readonly (readonly [string, (attack: Attack) => Promise<void>])[] = [
  ['bad messages', sendBadMessages],
  ['wrong tokens', sendTokens],
  ['guessed secrets', guessSecrets],
  ['wrong offers', sendOffers],
  ['giant messages', sendGiants],
  ['a flood', flood],
  ['forged upgrades', forgeUpgrades],
  ['forged control requests', forgeControlRequests],
  ['idle sockets', holdSockets],
];

const socketUrl = (gateway: { readonly url: string }): string => `${gateway.url.replace('http', 'ws')}${SOCKET_PATH}`;
const gatewayOf = ({ gateways }: SocketMeeting, index: number): SocketMeeting['gateways'][number] =>
  gateways[index % gateways.length]!;

/** The reason of a problem; undefined when the message tells none. */
function problemOf(message: GatewayMessage | undefined): string | undefined {
  const problem = message?.['problem'];
  if (typeof problem !== 'object' || problem === null || !('reason' in problem)) return undefined;
  return String(problem.reason);
}

/** The fault in the reply to a message that must be rejected; null when there is none. */
function findFault(reply: SocketProbe['replies'][number] | undefined): string | null {
  if (reply === undefined) return 'got no reply';
  if (reply.bytes > MAX_REPLY_BYTES) return `got ${reply.bytes} bytes`;
  const { message } = reply;
  if (message['joined'] !== undefined || message['answer'] !== undefined) return 'was accepted';
  const problem = problemOf(message);
  if (problem === undefined) return 'was accepted';
  // An error that the gateway did not foresee.
  return problem.startsWith('media-') ? `was answered ${problem}` : null;
}

async function join({ meeting, seed }: Attack, index: number, { token }: SocketParty): Promise<SocketProbe> {
  const socket = await openProbe(socketUrl(gatewayOf(meeting, index + seed)));
  socket.send(JSON.stringify({ do: 'join', id: 0, token, receivesVideo: index % 2 === 0 }));
  await socket.awaitReplies(1, REPLY_TIMEOUT_MS);
  return socket;
}

/**
 * Messages that no connection may send, on sockets that have joined nothing, another conference, and
 * that of the victim. Their connections stay.
 */
async function sendBadMessages(attack: Attack): Promise<void> {
  const { meeting, tally, seed } = attack;
  const random = seededRandomInt(seed);
  await pMap(
    Array.from({ length: SOCKETS }, (_, at) => at),
    async (at) => {
      const party = [undefined, meeting.attacker, meeting.victim][at % 3];
      const socket =
        party === undefined ? await openProbe(socketUrl(gatewayOf(meeting, at))) : await join(attack, at, party);
      const skipped = socket.replies.length;
      const messages = Array.from({ length: MESSAGES_PER_SOCKET }, () => makeBadMessage(random, meeting.victim));
      for (const { data } of messages) socket.send(data);
      await socket.awaitReplies(skipped + messages.length, REPLY_TIMEOUT_MS);
      const where = ['no conference', 'another conference', 'the conference'][at % 3]!;
      for (const [index, { what }] of messages.entries())
        tally.record(`${what}, from ${where}`, findFault(socket.replies[skipped + index]));
      socket.send(JSON.stringify({ do: 'ping', id: 1 }));
      await socket.awaitReplies(skipped + messages.length + 1, REPLY_TIMEOUT_MS);
      const last = socket.replies.at(-1)?.message;
      tally.record(
        `the connection after bad messages, from ${where}`,
        socket.isOpen && last?.['re'] === 1 && problemOf(last) === undefined ? null : 'was ended',
      );
      socket.close();
    },
    { concurrency: CONCURRENCY },
  );
}

/** The fault of a socket that does not close by itself. */
const findOpen = async (socket: SocketProbe): Promise<string | null> =>
  (await Promise.race([socket.closed, sleep(CLOSE_TIMEOUT_MS, null)])) === null ? 'left the socket open' : null;

/** Sends one first message on a socket of its own. It must be refused, and the socket closed. */
async function sendFirst({ tally }: Attack, url: string, what: string, body: object): Promise<void> {
  const socket = await openProbe(url);
  socket.send(JSON.stringify({ id: 0, ...body }));
  await socket.awaitReplies(1, REPLY_TIMEOUT_MS);
  tally.record(what, findFault(socket.replies[0]) ?? (await findOpen(socket)));
  socket.close();
}

async function sendTokens(attack: Attack): Promise<void> {
  const { meeting } = attack;
  const wrong = makeWrongTokens(meeting, SOCKET_PATH);
  await pMap(
    meeting.gateways.flatMap((gateway) => wrong.map(([what, token]) => ({ gateway, what, token }))),
    ({ gateway, what, token }) => sendFirst(attack, socketUrl(gateway), `a token: ${what}`, { do: 'join', token }),
    { concurrency: CONCURRENCY },
  );
}

async function guessSecrets(attack: Attack): Promise<void> {
  const { meeting } = attack;
  const { gateways, victim } = meeting;
  const ids = gateways.map(({ id }) => id);
  const guesses = [
    ...Array.from(
      { length: GUESSED_SECRETS },
      (_, at) => `${ids[at % ids.length]}.${randomBytes(32).toString('base64url')}`,
    ),
    victim.connectionId,
    `${victim.connectionId}${'A'.repeat(21)}`,
    victim.conference,
    victim.token.slice(0, 100),
    ...ids.flatMap((id) => [id, `${id}.`, `${id}.undefined`, `${id}.__proto__`, `${id}../../x`]),
    '',
    'x'.repeat(100),
  ];
  await pMap(
    gateways.flatMap((gateway) => guesses.map((secret) => ({ gateway, secret }))),
    ({ gateway, secret }) => sendFirst(attack, socketUrl(gateway), 'a guessed secret', { do: 'resume', secret }),
    { concurrency: CONCURRENCY },
  );
}

/** Offers that only Janus can judge. It may accept one, but must answer and go on. */
async function sendOffers(attack: Attack): Promise<void> {
  const { meeting, tally, seed } = attack;
  const random = seededRandomInt(seed + 1);
  const peer = createWebrtcPeer('opus');
  const { sdp } = await peer.offer();
  await peer.close();
  const offers = Array.from({ length: OFFERS }, () => makeWrongOffer(random, sdp));
  await pMap(
    offers.entries(),
    async ([at, offer]) => {
      const socket = await join(attack, at, meeting.attacker);
      socket.send(JSON.stringify({ do: 'connect-audio', id: 1, offer }));
      await socket.awaitReplies(2, REPLY_TIMEOUT_MS);
      tally.record(`offer ${at}`, socket.replies.length < 2 && socket.isOpen ? 'got no reply' : null);
      socket.close();
    },
    { concurrency: OFFERS },
  );
}

/** A message beyond the limit of bytes closes its socket. */
async function sendGiants(attack: Attack): Promise<void> {
  const { meeting, tally } = attack;
  await pMap(
    Array.from({ length: 24 }, (_, at) => at),
    async (at) => {
      const socket = await join(attack, at, at % 2 === 0 ? meeting.attacker : meeting.victim);
      const size = MAX_MESSAGE_BYTES + 1 + at * 100_000;
      socket.send(at % 3 === 0 ? Buffer.alloc(size) : `{"do":"ping","id":1,"x":"${'x'.repeat(size)}"}`);
      await socket.awaitReplies(2, CLOSE_TIMEOUT_MS);
      tally.record(`a message of ${size} bytes`, socket.replies.length > 1 ? 'was answered' : await findOpen(socket));
      socket.close();
    },
    { concurrency: CONCURRENCY },
  );
}

/** Many messages at once: before joining, in another conference, and in that of the victim. */
async function flood(attack: Attack): Promise<void> {
  const { meeting, tally } = attack;
  for (const party of [undefined, meeting.attacker, meeting.victim])
    for (const gateway of meeting.gateways.keys()) {
      const socket =
        party === undefined
          ? await openProbe(socketUrl(gatewayOf(meeting, gateway)))
          : await join(attack, gateway, party);
      const skipped = socket.replies.length;
      for (let id = 0; id < FLOOD_MESSAGES; id++) socket.send(JSON.stringify({ do: 'ping', id }));
      await socket.awaitReplies(skipped + MAX_FLOOD_REPLIES + 1, CLOSE_TIMEOUT_MS);
      const replies = socket.replies.length - skipped;
      tally.record(
        `a flood of ${party === undefined ? 'a stranger' : 'a member'}`,
        replies > MAX_FLOOD_REPLIES ? `got ${replies} replies` : await findOpen(socket),
      );
      socket.close();
    }
}

/** Upgrades for WebSockets that only other gateways may open. */
async function forgeUpgrades({ meeting, tally }: Attack): Promise<void> {
  const { gatewaySecret, victim, gateways } = meeting;
  const attempt = async (url: string, what: string, authorization: string | null): Promise<void> => {
    const socket = await openProbe(url, authorization === null ? {} : { authorization });
    tally.record(what, socket.status === 401 || socket.status === 404 ? null : `answered ${socket.status}`);
    socket.close();
  };
  const members = `/v1/conferences/${victim.conference}/members`;
  for (const [at, { id, url }] of gateways.entries()) {
    const base = url.replace('http', 'ws');
    const other = { gatewayId: gatewayOf(meeting, at + 1).id, browserToken: victim.token };
    for (const [path, otherPath] of [
      [members, SOCKET_PATH],
      [SOCKET_PATH, members],
    ] as const) {
      const operation: Operation = { gatewayId: id, method: 'GET', path, body: '' };
      for (const [what, authorization] of forgeAuthorizations(operation, gatewaySecret, { ...other, path: otherPath }))
        await attempt(base + path, `an upgrade of ${path} with ${what}`, authorization);
      const genuine = signOperation(operation, gatewaySecret);
      const socket = await openProbe(base + path, { authorization: genuine });
      if (socket.status !== 101) throw new Error(`A genuine upgrade of ${path} was answered ${socket.status}.`);
      socket.close();
      for (let n = 0; n < 5; n++) await attempt(base + path, `a repeated upgrade of ${path}`, genuine);
    }
    for (const path of [
      members,
      `${members}/`,
      `${members}?x`,
      `/v1/conferences//members`,
      '/v1/conferences/%00/members',
    ])
      await attempt(base + path, `an upgrade of ${path} without a signature`, null);
    for (const path of ['/', '/v1/calls', `${SOCKET_PATH}/x`, '//v1/socket', '/metrics', '/janus'])
      await attempt(base + path, `an upgrade of ${path}`, null);
  }
}

/** Control requests of somebody who has not the secret of the gateways, or who repeats one. */
async function forgeControlRequests({ meeting, tally }: Attack): Promise<void> {
  const { gatewaySecret, victim, gateways } = meeting;
  const send = async (
    url: string,
    { method, path, body }: Operation,
    authorization: string | null,
  ): Promise<string | null> => {
    const reply = await fetch(url + path, {
      method,
      headers: {
        ...(body !== '' && { 'content-type': 'application/json' }),
        ...(authorization !== null && { authorization }),
      },
      ...(body !== '' && { body }),
    });
    const text = await reply.text();
    if (reply.status !== 401) return `answered ${reply.status}`;
    return text.length > MAX_REPLY_BYTES ? `got ${text.length} bytes` : null;
  };
  await pMap(
    gateways.entries(),
    async ([at, { id, url }]) => {
      const calls = `/v1/calls?account=${victim.account}`;
      const list: Operation = { gatewayId: id, method: 'GET', path: calls, body: '' };
      const genuine = signOperation(list, gatewaySecret);
      const reply = await fetch(url + calls, { headers: { authorization: genuine } });
      if (!reply.ok) throw new Error(`A genuine control request was answered ${reply.status}.`);
      const { calls: live = [] } = (await reply.json()) as { calls?: { callId: string }[] };
      for (let n = 0; n < 5; n++) tally.record('a repeated control request', await send(url, list, genuine));
      const callId = live[0]?.callId ?? `${id}.${'x'.repeat(22)}`;
      const conference = `/v1/conferences/${victim.conference}`;
      const post = (path: string, body: object | null = null): [string, string, string] => [
        'POST',
        path,
        body === null ? '' : JSON.stringify(body),
      ];
      const operations: [string, string, string][] = [
        ['GET', calls, ''],
        ['GET', `/v1/calls/${callId}`, ''],
        post('/v1/calls', { account: victim.account, to: '+447946000999', from: '+442079460031' }),
        post(`/v1/calls/${callId}/hang-up`),
        post(`/v1/calls/${callId}/mute`, { muted: true }),
        post(`/v1/calls/${callId}/digits`, { digits: '1' }),
        post(`/v1/calls/${callId}/say`, { text: 'Hello.', language: 'en-US' }),
        ['GET', `${conference}/home`, ''],
        ['GET', `${conference}/connections`, ''],
        post(`${conference}/connections/${victim.connectionId}/disconnect`),
        post(`${conference}/connections/${victim.connectionId}/mute`, { muted: true }),
      ];
      const other = { gatewayId: gatewayOf(meeting, at + 1).id, path: '/v1/calls', browserToken: victim.token };
      for (const [method, path, body] of operations) {
        const operation: Operation = { gatewayId: id, method, path, body };
        const what = `${method} ${path.replace(victim.conference, '{id}').split('?')[0]}`;
        tally.record(`${what} unsigned`, await send(url, operation, null));
        for (const [name, authorization] of forgeAuthorizations(operation, gatewaySecret, {
          ...other,
          path: path === other.path ? calls : other.path,
        }))
          tally.record(`${what} with ${name}`, await send(url, operation, authorization));
      }
    },
    { concurrency: 2 },
  );
}

/** More sockets than a gateway serves: the last ones are refused, and no other is ended. */
async function holdSockets({ meeting, tally }: Attack): Promise<void> {
  const gateway = meeting.gateways.at(-1)!;
  const sockets = await pMap(Array(IDLE_SOCKETS).keys(), () => openProbe(socketUrl(gateway)), { concurrency: 50 });
  for (const { status } of sockets)
    tally.record('an idle socket', status === 101 || status === 503 ? null : `answered ${status}`);
  tally.record('idle sockets', sockets.some(({ status }) => status === 503) ? null : 'were all accepted');
  tally.record('the calls of others, during idle sockets', await meeting.findFault());
  for (const socket of sockets) socket.close();
}
