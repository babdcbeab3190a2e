import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { seededRandomInt } from '@partyline/testing/seeded';
import type { Group, Tally } from '../group.ts';
import { writeDigest, writeWrongDigests } from '../self-hosted/digest.ts';
import type { LiveCall, Meeting } from '../self-hosted/meeting.ts';
import { openSink, type Sink } from '../self-hosted/sink.ts';
import { makeMalformed } from '../self-hosted/sip-fuzz.ts';
import {
  openSipSources,
  writeRequest,
  type Answer,
  type Datagram,
  type RequestParts,
  type SipSources,
} from '../self-hosted/sip-sources.ts';

export type SipMeeting = Pick<
  Meeting,
  | 'sip'
  | 'rpc'
  | 'kamailioSecret'
  | 'numbers'
  | 'attackerTrunk'
  | 'calls'
  | 'listProcesses'
  | 'findFault'
  | 'findSilence'
  | 'dialIn'
>;
interface Needs {
  readonly seed: number;
  openMeeting(this: void): Promise<SipMeeting>;
}
interface Attack {
  readonly meeting: SipMeeting;
  readonly sources: SipSources;
  readonly sink: Sink;
  readonly tally: Tally;
  readonly seed: number;
}

const MALFORMED = 1_200;
const MALFORMED_CALLS = 150;
const FLOOD_REQUESTS = 3_000;
const FLOOD_PER_SECOND = 1_000;
/** An answer repeats headers of its request, with other line ends, and adds a tag, a challenge and the like. */
const MAX_LONGER_BYTES = 400;
const MAX_LONGER_FACTOR = 1.2;
/** A gateway's own address, from which kamailio limits nobody. */
const GATEWAY_ADDRESS = '127.0.0.1';
const SINK_ADDRESS = '127.0.0.200';
const OUTSIDE_NUMBER = '+447946000999';
const SDP = 'v=0\r\no=- 1 1 IN IP4 127.0.0.9\r\ns=-\r\nc=IN IP4 127.0.0.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n';
const AS_SDP = 'Content-Type: application/sdp';
const SCANNERS = [
  'friendly-scanner',
  'Friendly-Request',
  'sipvicious',
  'sipcli/v1.8',
  'sip-scan',
  'sipscan',
  'pplsip',
  'sipsak 0.9.7',
  'sundayddr',
  'siparmyknife',
  'VaxSIPUserAgent/3.1',
  'iWar',
  'smap 0.6.0',
  'gulp',
];
const TCP_TIMEOUT_MS = 2_000;

/** SIP from the internet, at the edge of our own gateways: kamailio. */
export const sip: Group<Needs> = {
  name: 'SIP',
  summary:
    'at kamailio: scanners, open relays, gateways without credentials, requests in calls of others, responses, ' +
    'malformed messages, a flood, the RPC',
  minInputs: 5_000,
  needsGateways: true,
  async run({ seed, openMeeting }, tally) {
    const meeting = await openMeeting();
    const sink = await openSink(SINK_ADDRESS);
    const attack: Attack = { meeting, sources: openSipSources(meeting.sip), sink, tally, seed };
    const before = await meeting.listProcesses();
    try {
      for (const [what, step] of STEPS) {
        const count = sink.arrived.length;
        await step(attack);
        const relayed = sink.arrived.length - count;
        tally.record(
          `a third party, after ${what}`,
          relayed === 0 ? null : `got ${relayed} messages: ${sink.arrived[count]}`,
        );
        tally.record(`the calls of others, after ${what}`, await meeting.findFault());
      }
      const after = await meeting.listProcesses();
      tally.record('the processes', after === before ? null : `were ${before}, and are ${after}`);
    } finally {
      sink.close();
    }
  },
};

const STEPS: readonly (readonly [string, (attack: Attack) => Promise<void>])[] = [
  ['scanners', scan],
  ['calls of strangers', placeCalls],
  ['requests as a gateway', imitateGateways],
  ['registrations', register],
  ['requests in calls', enterCalls],
  ['responses', sendResponses],
  ['requests to the RPC', requestRpc],
  ['malformed messages', sendMalformed],
  ['malformed calls of a tenant', sendMalformedCalls],
  ['broken streams', sendStreams],
  ['a flood', flood],
];

/** The fault in the answers to a request that must be rejected; null when there is none. */
function findFault(answers: readonly Answer[], sentBytes: number, mayBe: readonly number[] = []): string | null {
  const bytes = answers.reduce((sum, answer) => sum + answer.bytes, 0);
  if (answers.length > 1) return `got ${answers.length} answers`;
  if (bytes > sentBytes * MAX_LONGER_FACTOR + MAX_LONGER_BYTES) return `got ${bytes} bytes for ${sentBytes}`;
  const status = answers[0]?.status;
  if (status === undefined || mayBe.includes(status) || status === 503) return null;
  return status >= 300 && status < 500 ? null : `answered ${status}`;
}

const rejected = (answers: readonly Answer[], sentBytes: number): string | null => findFault(answers, sentBytes);
/** At least one answer shows that the server has read the request. */
const rejectedWith =
  (...statuses: readonly number[]) =>
  (answers: readonly Answer[], sentBytes: number): string | null => {
    const [first] = answers;
    if (first === undefined) return 'got no answer';
    return findFault(answers, sentBytes) ?? (statuses.includes(first.status) ? null : `answered ${first.status}`);
  };
const ignored = (answers: readonly Answer[]): string | null =>
  answers.length === 0 ? null : `was answered ${answers[0]!.status}`;

async function sendAll({ sources, tally }: Attack, datagrams: readonly Datagram[]): Promise<void> {
  for (const { what, fault } of await sources.send(datagrams)) tally.record(what, fault);
}

const datagram = (what: string, parts: RequestParts, fault: Datagram['findFault'], from?: string): Datagram => ({
  what,
  write: (source) => writeRequest(source, parts),
  findFault: fault,
  ...(from !== undefined && { from }),
});

async function scan(attack: Attack): Promise<void> {
  const { meeting } = attack;
  const uri = `sip:${meeting.numbers.victim}@${meeting.sip}`;
  await sendAll(
    attack,
    SCANNERS.flatMap((name) =>
      ['OPTIONS', 'INVITE', 'REGISTER', 'SUBSCRIBE'].map((method) =>
        datagram(`${method} of ${name}`, { method, uri, headers: [`User-Agent: ${name}`] }, ignored),
      ),
    ),
  );
}

/** Calls of somebody without a trunk, and of a tenant from its own trunk to numbers of others. */
async function placeCalls(attack: Attack): Promise<void> {
  const { meeting, sink } = attack;
  const { victim, platform } = meeting.numbers;
  const users = [
    victim,
    victim.slice(1),
    platform,
    OUTSIDE_NUMBER,
    `00${OUTSIDE_NUMBER.slice(1)}`,
    'gw-1',
    '',
    'anyone',
  ];
  const hosts = [
    meeting.sip,
    sink.host,
    'partyline.invalid',
    `${sink.host};maddr=${SINK_ADDRESS}`,
    `${meeting.sip};lr`,
  ];
  const ways: readonly (readonly string[])[] = [
    [],
    [`Route: <sip:${sink.host};lr>`],
    [`Route: <sip:${meeting.sip};lr>, <sip:${sink.host};lr>`],
    [`Route: <sip:gw-1@${meeting.sip};lr;did=1.1>`],
    [`Record-Route: <sip:${sink.host};lr>`, `Path: <sip:${sink.host};lr>`],
    ['X-Partyline-Account: platform-sip', `X-Partyline-Number: ${victim}`, 'X-Partyline-Call: gw-1.x'],
    [`P-Asserted-Identity: <sip:${victim}@${meeting.sip}>`, 'Privacy: id'],
  ];
  const callers = ['anyone', victim, OUTSIDE_NUMBER, 'gw-1', 'gw-2'];
  const calls = users.flatMap((user) =>
    hosts.flatMap((host) =>
      ways.flatMap((headers, way) =>
        callers.map((caller) => ({
          what: `a call as ${caller} to ${user || 'nobody'} at ${host.replace(sink.host, 'a third party')}, way ${way}`,
          parts: {
            method: 'INVITE',
            uri: `sip:${user === '' ? '' : `${user}@`}${host}`,
            from: `<sip:${caller}@${meeting.sip}>;tag=${randomUUID()}`,
            headers: [...headers, AS_SDP],
            body: SDP,
          },
        })),
      ),
    ),
  );
  // Every third of many: each value meets each other one several times.
  const chosen = calls.filter((_, at) => at % 3 === attack.seed % 3);
  await sendAll(attack, [
    ...chosen.map(({ what, parts }) => datagram(what, parts, rejectedWith(400, 403, 404, 484))),
    ...chosen
      .filter((_, at) => at % 4 === 0)
      .map(({ what, parts }) =>
        datagram(
          `${what}, from a trunk of another tenant`,
          parts,
          rejectedWith(400, 403, 404, 484),
          meeting.attackerTrunk,
        ),
      ),
    ...['maddr', 'received', 'rport'].flatMap((name) =>
      ['INVITE', 'OPTIONS', 'REGISTER', 'BYE'].map((method) => {
        const value = name === 'rport' ? sink.host.split(':')[1] : SINK_ADDRESS;
        const via = `SIP/2.0/UDP ${sink.host};branch=z9hG4bK${randomUUID()};${name}=${value}`;
        return datagram(
          `${method} whose answer is to go to a third party by ${name}`,
          { method, uri: `sip:${victim}@${meeting.sip}`, via },
          (answers, bytes) => findFault(answers, bytes, [200]),
        );
      }),
    ),
  ]);
}

/** Returns the answer to one request, from the address of the gateways unless another is named. */
async function ask({ sources }: Attack, parts: RequestParts, from = GATEWAY_ADDRESS): Promise<Answer | undefined> {
  let answer: Answer | undefined;
  await sources.send([datagram('a question', parts, (answers) => ((answer = answers[0]), null), from)]);
  return answer;
}

const nonceOf = (answer: Answer | undefined): string => /nonce="([^"]*)"/.exec(answer?.text ?? '')?.[1] ?? 'none';

/** Calls as a gateway, whose calls go to trunks: without the secret of the gateways. */
async function imitateGateways(attack: Attack): Promise<void> {
  const { meeting, sink } = attack;
  const datagrams: Datagram[] = [];
  for (const user of ['gw-1', 'gw-2', 'gw-evil'])
    for (const target of [`${OUTSIDE_NUMBER}@${sink.host}`, `${OUTSIDE_NUMBER}@${GATEWAY_ADDRESS}:5060`]) {
      const uri = `sip:${target}`;
      const parts: RequestParts = {
        method: 'INVITE',
        uri,
        from: `<sip:${user}@${meeting.sip}>;tag=${randomUUID()}`,
        headers: ['X-Partyline-Account: platform-sip', `X-Partyline-From: ${OUTSIDE_NUMBER}`, AS_SDP],
        body: SDP,
      };
      const what = `a call as ${user} to ${target.replace(sink.host, 'a third party')}`;
      datagrams.push(datagram(`${what}, without credentials`, parts, rejectedWith(401, 407), GATEWAY_ADDRESS));
      const nonce = nonceOf(await ask(attack, parts));
      for (const header of ['Authorization', 'Proxy-Authorization'])
        for (const [name, credentials] of writeWrongDigests({ user, method: 'INVITE', uri, nonce })) {
          const withHeader = { ...parts, headers: [...(parts.headers ?? []), `${header}: ${credentials}`] };
          datagrams.push(
            datagram(`${what}, ${header} with ${name}`, withHeader, rejectedWith(400, 401, 403, 407), GATEWAY_ADDRESS),
            datagram(`${what}, ${header} with ${name}, from outside`, withHeader, rejectedWith(400, 403)),
          );
        }
    }
  await sendAll(attack, datagrams);
}

/** Registrations as a gateway, which would get the calls of others, and as anybody. */
async function register(attack: Attack): Promise<void> {
  const { meeting, sink } = attack;
  const uri = `sip:${meeting.sip}`;
  const partsOf = (user: string, headers: readonly string[], contact: string): RequestParts => {
    const own = `<sip:${user}@${meeting.sip}>`;
    return { method: 'REGISTER', uri, from: `${own};tag=${randomUUID()}`, to: own, contact, headers };
  };
  const users = ['gw-1', 'gw-2', 'gw-evil', 'GW-1', 'gw-', 'gw-1%00', 'gw-1;x', 'anyone', meeting.numbers.victim, ''];
  const contacts = [`<sip:gw-1@${sink.host}>`, '*', `<sip:gw-1@${sink.host}>;expires=0`];
  const datagrams: Datagram[] = [];
  for (const user of users)
    for (const contact of contacts) {
      const headers = [`Expires: ${contact === '*' ? 0 : 60}`];
      const parts = partsOf(user, headers, contact);
      const what = `a registration of ${user || 'nobody'} at ${contact.replace(sink.host, 'a third party')}`;
      datagrams.push(
        datagram(`${what}, from outside`, parts, rejectedWith(400, 403)),
        datagram(`${what}, from the trunk of another tenant`, parts, rejectedWith(400, 403), meeting.attackerTrunk),
        datagram(`${what}, without credentials`, parts, rejectedWith(400, 401, 403), GATEWAY_ADDRESS),
      );
      const nonce = nonceOf(await ask(attack, partsOf('gw-1', headers, contact)));
      for (const [name, credentials] of writeWrongDigests({ user, method: 'REGISTER', uri, nonce }))
        datagrams.push(
          datagram(
            `${what}, with ${name}`,
            partsOf(user, [...headers, `Authorization: ${credentials}`], contact),
            rejectedWith(400, 401, 403),
            GATEWAY_ADDRESS,
          ),
        );
    }
  await sendAll(attack, datagrams);
  await replay(attack, partsOf);
}

/** Repeats the credentials of a genuine registration, as an eavesdropper could. It has ended at once. */
async function replay(
  attack: Attack,
  partsOf: (user: string, headers: readonly string[], contact: string) => RequestParts,
): Promise<void> {
  const { meeting, sink } = attack;
  const user = 'gw-replayed';
  const contact = `<sip:${user}@${sink.host}>`;
  const nonce = nonceOf(await ask(attack, partsOf(user, ['Expires: 0'], contact)));
  const genuine = writeDigest({
    user,
    password: meeting.kamailioSecret,
    method: 'REGISTER',
    uri: `sip:${meeting.sip}`,
    nonce,
  });
  const first = await ask(attack, partsOf(user, ['Expires: 0', `Authorization: ${genuine}`], contact));
  if (first?.status !== 200) throw new Error(`A genuine registration was answered ${first?.status}.`);
  const send = (what: string, as: string, credentials: string, from?: string): Datagram =>
    datagram(
      `a registration with ${what}`,
      partsOf(as, ['Expires: 60', `Authorization: ${credentials}`], contact),
      rejectedWith(400, 401, 403),
      from,
    );
  await sendAll(attack, [
    ...[1, 2, 3, 4, 5].map(() => send('repeated credentials', user, genuine, GATEWAY_ADDRESS)),
    ...['00000002', '000000ff', '00000000'].map((nc) =>
      send(`repeated credentials and the count ${nc}`, user, genuine.replace(/nc=\w+/, `nc=${nc}`), GATEWAY_ADDRESS),
    ),
    send('repeated credentials of another user', 'gw-1', genuine, GATEWAY_ADDRESS),
    send('repeated credentials from outside', user, genuine),
    send('repeated credentials from a trunk', user, genuine, meeting.attackerTrunk),
  ]);
}

const TAG = /;tag=[^;>]*/;
const GUESSES = 4;

/** Requests in the calls of others, whose Call-ID or tags are guessed. */
async function enterCalls(attack: Attack): Promise<void> {
  const { meeting, sink } = attack;
  const guess = (): string => `;tag=${randomUUID()}`;
  const datagrams: Datagram[] = [];
  for (const call of meeting.calls()) {
    const hash = call.route.replace(/;did=[^;>]*/, '');
    const routes: readonly (readonly string[])[] = [
      [],
      [`Route: ${call.route}`],
      [`Route: ${hash}`],
      [`Route: <sip:${meeting.sip};lr>`],
      [`Route: ${call.route}, <sip:${sink.host};lr>`],
    ];
    const swapped: LiveCall = { ...call, from: call.to, to: call.from };
    const identities: [string, LiveCall][] = [
      ['a guessed Call-ID', { ...call, callId: randomUUID() }],
      [
        'a Call-ID in capitals',
        { ...call, callId: call.callId.toUpperCase() === call.callId ? `${call.callId}x` : call.callId.toUpperCase() },
      ],
    ];
    for (let n = 0; n < GUESSES; n++)
      identities.push(
        ['guessed tags', { ...call, from: call.from.replace(TAG, guess()), to: call.to.replace(TAG, guess()) }],
        ['a guessed tag of From', { ...call, from: call.from.replace(TAG, guess()) }],
        ['a guessed tag of To', { ...call, to: call.to.replace(TAG, guess()) }],
        ['a guessed tag of From, the other way', { ...swapped, from: swapped.from.replace(TAG, guess()) }],
        ['a guessed tag of To, the other way', { ...swapped, to: swapped.to.replace(TAG, guess()) }],
      );
    identities.push(['no tag of From', { ...call, from: call.from.replace(TAG, '') }]);
    for (const method of ['BYE', 'INVITE', 'INFO', 'REFER', 'UPDATE', 'ACK', 'NOTIFY', 'MESSAGE', 'OPTIONS'])
      for (const [what, { callId, from, to }] of identities)
        for (const [at, route] of routes.entries()) {
          const uri = at % 2 === 0 ? call.gatewayUri : call.phoneUri;
          const extra = method === 'REFER' ? [`Refer-To: <sip:${OUTSIDE_NUMBER}@${sink.host}>`] : [];
          datagrams.push(
            datagram(
              `${method} in a call with ${what}, route ${at}`,
              { method, uri, from, to, callId, cseq: `${1_000 + at} ${method}`, headers: [...route, ...extra] },
              rejected,
              // A trunk of another tenant is trusted more than a stranger.
              datagrams.length % 4 === 0 ? meeting.attackerTrunk : undefined,
            ),
          );
        }
    for (const to of [call.to, call.to.replace(TAG, '')])
      for (let n = 0; n < GUESSES; n++)
        datagrams.push(
          datagram(
            'CANCEL of a call',
            { method: 'CANCEL', uri: call.gatewayUri, from: call.from, to, callId: call.callId, cseq: `${n} CANCEL` },
            rejected,
          ),
        );
  }
  // A request out of any call must not leave by a Route.
  for (const method of ['BYE', 'ACK', 'INVITE', 'MESSAGE'])
    for (const from of [undefined, meeting.attackerTrunk])
      for (const route of [
        `<sip:${sink.host};lr>`,
        `<sip:${meeting.sip};lr>, <sip:${sink.host};lr>`,
        `<sip:${meeting.sip};lr>`,
      ])
        datagrams.push(
          datagram(
            `${method} of no call by a Route, from ${from ?? 'outside'}`,
            {
              method,
              uri: `sip:${OUTSIDE_NUMBER}@${sink.host}`,
              to: `<sip:anyone@${sink.host}>;tag=${randomUUID()}`,
              headers: [`Route: ${route}`],
            },
            rejected,
            from,
          ),
        );
  await sendAll(attack, datagrams);
}

/** Responses that nobody waits for: a proxy sends them on to the second Via. */
async function sendResponses(attack: Attack): Promise<void> {
  const { meeting, sink } = attack;
  const [call] = meeting.calls();
  const datagrams: Datagram[] = [];
  for (const status of [
    '100 Trying',
    '180 Ringing',
    '200 OK',
    '302 Moved',
    '401 Unauthorized',
    '486 Busy',
    '603 Decline',
  ])
    for (const method of ['INVITE', 'BYE', 'REGISTER', 'OPTIONS'])
      for (const callId of [randomUUID(), call?.callId ?? randomUUID()])
        for (const from of [undefined, meeting.attackerTrunk, GATEWAY_ADDRESS])
          datagrams.push({
            what: `a response ${status} to ${method}`,
            findFault: ignored,
            ...(from !== undefined && { from }),
            write: (source) =>
              [
                `SIP/2.0 ${status}`,
                `Via: SIP/2.0/UDP ${meeting.sip};branch=z9hG4bK${randomUUID()}.0`,
                `Via: SIP/2.0/UDP ${sink.host};branch=z9hG4bK${randomUUID()};received=${SINK_ADDRESS}`,
                `From: <sip:anyone@${source.host}>;tag=${randomUUID()}`,
                `To: <sip:anyone@${sink.host}>;tag=${randomUUID()}`,
                `Call-ID: ${callId}`,
                `CSeq: 1 ${method}`,
                `Contact: <sip:anyone@${sink.host}>`,
                'Content-Length: 0',
                '',
                '',
              ].join('\r\n'),
          });
  await sendAll(attack, datagrams);
}

/** Requests to the RPC without its secret, also for live calls. */
async function requestRpc({ meeting, tally }: Attack): Promise<void> {
  const { url, secret } = meeting.rpc;
  const wrong = [
    null,
    '',
    'Bearer',
    'Bearer ',
    'Bearer x',
    `Bearer ${secret}x`,
    `Bearer ${secret.slice(1)}`,
    `bearer ${secret}`,
    `Bearer  ${secret}`,
    `Basic ${secret}`,
    secret,
    `Bearer ${secret.toLowerCase() === secret ? secret.toUpperCase() : secret.toLowerCase()}`,
    `Bearer ${'a'.repeat(8_000)}`,
  ];
  const [call] = meeting.calls();
  const tagOf = (value = ''): string => TAG.exec(value)?.[0].slice(5) ?? '';
  const headers = { 'x-call-id': call?.callId ?? '', 'x-from-tag': tagOf(call?.from), 'x-to-tag': tagOf(call?.to) };
  const bodies = ['dlg.list', 'core.kill', 'htable.dump', 'permissions.addressReload', 'dlg.terminate_dlg'].map(
    (method) => JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: [] }),
  );
  for (const authorization of wrong)
    for (const [path, body] of [
      ...bodies.map((each) => ['/RPC', each] as const),
      ['/hang-up', ''] as const,
      ['/deadline/1', ''] as const,
      ['//RPC', bodies[0]!] as const,
      ['/RPC?x', bodies[0]!] as const,
    ]) {
      const reply = await fetch(new URL(url).origin + path, {
        method: 'POST',
        headers: { ...headers, ...(authorization !== null && { authorization }) },
        body,
      });
      const text = await reply.text();
      tally.record(
        `POST ${path} with ${authorization?.replaceAll(secret, '<secret>').slice(0, 20) ?? 'no secret'}`,
        reply.status !== 401 ? `answered ${reply.status}` : text.length > 50 ? `got ${text.length} bytes` : null,
      );
    }
}

async function sendMalformed(attack: Attack): Promise<void> {
  const { meeting, seed } = attack;
  const random = seededRandomInt(seed);
  const numbers = [meeting.numbers.victim, meeting.numbers.platform, 'gw-1'];
  await sendAll(
    attack,
    Array.from({ length: MALFORMED }, (_, at): Datagram => {
      const { what, method, write } = makeMalformed(random, meeting.sip, numbers);
      return {
        what: `malformed ${at}: ${what}`,
        write,
        findFault: (answers, bytes) => findFault(answers, bytes, method === 'OPTIONS' ? [200] : []),
      };
    }),
  );
}

/** From a tenant's trunk to its own number: those that are a call reach Janus and a gateway. */
async function sendMalformedCalls(attack: Attack): Promise<void> {
  const { meeting, seed } = attack;
  const random = seededRandomInt(seed + 2);
  await sendAll(
    attack,
    Array.from({ length: MALFORMED_CALLS }, (_, at): Datagram => {
      const { what, write } = makeMalformed(random, meeting.sip, [meeting.numbers.attacker], ['INVITE']);
      return {
        what: `malformed call ${at}: ${what}`,
        write,
        from: meeting.attackerTrunk,
        findFault(answers) {
          const failed = answers.find(({ status }) => status >= 500 && status < 600 && status !== 503);
          return failed === undefined ? null : `answered ${failed.status}`;
        },
      };
    }),
  );
}

/** Malformed messages in a TCP stream, where their length decides what follows. */
async function sendStreams({ meeting, tally, seed }: Attack): Promise<void> {
  const random = seededRandomInt(seed + 1);
  const { hostname, port } = new URL(`sip://${meeting.sip}`);
  const source = { address: '127.0.0.9', host: '127.0.0.9:5060' };
  const invite = writeRequest(source, { method: 'INVITE', uri: `sip:${meeting.numbers.victim}@${meeting.sip}` });
  const streams: [string, Buffer][] = [
    ...['-1', '99999999', '4294967297', 'x', ''].map((length): [string, Buffer] => [
      `Content-Length ${length}`,
      Buffer.from(invite.replace(/Content-Length: \d+/, `Content-Length: ${length}`)),
    ]),
    ['no Content-Length', Buffer.from(invite.replace(/Content-Length: \d+\r\n/, ''))],
    ['endless headers', Buffer.from(`INVITE sip:a SIP/2.0\r\n${'X-A: b\r\n'.repeat(40_000)}`)],
    ['an endless line', Buffer.alloc(400_000, 0x61)],
    ['NULs', Buffer.alloc(100_000)],
    ['a handshake of TLS', Buffer.from('16030100a5010000a10303', 'hex')],
    ['half a message', Buffer.from(invite.slice(0, 100))],
    ['pings', Buffer.from('\r\n\r\n'.repeat(2_000))],
    ['a request of HTTP', Buffer.from('POST /RPC HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}')],
    ...Array.from({ length: 60 }, (_, at): [string, Buffer] => {
      const { what, write } = makeMalformed(random, meeting.sip, [meeting.numbers.victim]);
      return [`malformed ${at}: ${what}`, write(source)];
    }),
  ];
  await Promise.all(
    streams.map(async ([what, bytes], at) => {
      const socket = connect({ host: hostname, port: Number(port), localAddress: `127.60.0.${1 + at}` });
      socket.on('error', () => undefined);
      let answer = '';
      socket.on('data', (data: Buffer) => (answer += data.toString('latin1')));
      socket.setTimeout(TCP_TIMEOUT_MS, () => socket.destroy());
      const closed = new Promise((resolve) => socket.once('close', resolve));
      socket.end(bytes);
      await closed;
      const status = Number(/^(?:SIP\/2\.0|HTTP\/1\.1) (\d{3})/.exec(answer)?.[1] ?? 0);
      const isAnswered = status !== 0 && (status < 300 || (status >= 500 && status !== 503));
      const isAllowed = what.includes('OPTIONS') && status === 200;
      const fault = isAnswered && !isAllowed ? `answered ${status}` : null;
      const isLong = answer.length > bytes.length * 2 + MAX_LONGER_BYTES;
      tally.record(
        `a stream with ${what}`,
        fault ?? (isLong ? `got ${answer.length} bytes for ${bytes.length}` : null),
      );
    }),
  );
}

/** INVITEs of one address and of many, while calls keep their sound and a new one gets through. */
async function flood({ meeting, sources, tally }: Attack): Promise<void> {
  const uri = `sip:${meeting.numbers.victim}@${meeting.sip}`;
  const parts: RequestParts = { method: 'INVITE', uri, headers: [AS_SDP], body: SDP };
  const datagrams = Array.from({ length: FLOOD_REQUESTS }, (_, at) =>
    datagram('a call of a flood', parts, rejected, at % 2 === 0 ? '127.0.0.66' : undefined),
  );
  const startedAt = Date.now();
  const [called] = await Promise.all([meeting.dialIn(), sources.flood(datagrams, FLOOD_PER_SECOND)]);
  for (let n = 0; n < FLOOD_REQUESTS; n++) tally.record('a call of a flood', null);
  tally.record('a new call during the flood', called);
  tally.record('the sound of calls during the flood', meeting.findSilence(startedAt));
  tally.measure('INVITEs per second of the flood', Math.round(FLOOD_REQUESTS / ((Date.now() - startedAt) / 1_000)));
}
