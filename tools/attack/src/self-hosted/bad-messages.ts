import { MAX_MESSAGE_BYTES } from '@partyline/contracts/gateway-socket/messages';

type Random = (below: number) => number;

/** What an attacker may know of another person. */
export interface Known {
  readonly conference: string;
  readonly connectionId: string;
  readonly token: string;
}

export interface BadMessage {
  readonly what: string;
  readonly data: string | Buffer;
}

const OFFER = [
  'v=0',
  'o=- 1 1 IN IP4 127.0.0.1',
  's=-',
  't=0 0',
  'm=audio 9 UDP/TLS/RTP/SAVPF 111',
  'c=IN IP4 0.0.0.0',
  'a=rtpmap:111 opus/48000/2',
  '',
].join('\r\n');
const VIDEO_LINE = 'm=video 9 UDP/TLS/RTP/SAVPF 96\r\n';
const HANDLE = 4_503_599_627_370_495;

const pick = <T>(random: Random, list: readonly T[]): T => list[random(list.length)]!;

/** Requests that are right but for what is added to them: that of another person or room. */
const REQUESTS: readonly Readonly<Record<string, unknown>>[] = [
  { do: 'mute', muted: true },
  { do: 'mute', muted: false },
  { do: 'leave' },
  { do: 'unpublish', source: 'camera' },
  { do: 'restart-subscription', isLost: true },
  { do: 'choose-quality', mid: '0', substream: 0 },
  { do: 'connect-audio', offer: OFFER },
  { do: 'publish', source: 'screen', offer: OFFER.replace(/m=audio.*\r\n/, VIDEO_LINE) },
  { do: 'add-candidates', peer: 'audio', candidates: [] },
  { do: 'answer-subscription', revision: 1, answer: OFFER },
  { do: 'ping' },
];

/** Makes a message that no connection may send, whatever its state. */
export function makeBadMessage(random: Random, { conference, connectionId, token }: Known): BadMessage {
  const id = random(2 ** 31);
  const json = (what: string, value: unknown): BadMessage => ({ what, data: JSON.stringify(value) });
  const makers: readonly (() => BadMessage)[] = [
    () => {
      const name = pick(random, [
        'kick',
        'create',
        'destroy',
        'listparticipants',
        'mute-all',
        'record',
        '',
        'JOIN',
        '__proto__',
      ]);
      return json(`the unknown request ${name}`, { do: name, id, room: conference, participant: connectionId });
    },
    () => {
      const field = pick(random, [
        'room',
        'conference',
        'connectionId',
        'participant',
        'handle_id',
        'session_id',
        'secret',
        'admin_key',
        'feed',
      ]);
      const value = field.endsWith('_id') ? HANDLE : pick(random, [conference, connectionId, 1, null]);
      const request = pick(random, REQUESTS);
      return json(`${String(request['do'])} with ${field}`, { ...request, id, [field]: value });
    },
    () => {
      const request = pick(random, [
        'listparticipants',
        'kick',
        'destroy',
        'edit',
        'play_file',
        'rtp_forward',
        'list',
        'join',
      ]);
      return json(`Janus' ${request}`, {
        janus: pick(random, ['message', 'attach', 'create', 'destroy', 'claim', 'info', 'list_sessions']),
        transaction: String(id),
        session_id: HANDLE,
        handle_id: HANDLE,
        plugin: 'janus.plugin.audiobridge',
        body: { request, room: conference, id: connectionId },
      });
    },
    () => {
      const wrong = pick<unknown>(random, [null, -1, 1.5, 2 ** 31, '1', {}, [], true, 1e308]);
      return json(`the number ${JSON.stringify(wrong)}`, { ...pick(random, REQUESTS), id: wrong });
    },
    () => {
      const [field, value] = pick<[string, unknown]>(random, [
        ['muted', 'yes'],
        ['muted', { $ne: false }],
        ['source', connectionId],
        ['source', ['camera', 'screen']],
        ['peer', connectionId],
        ['peer', 'constructor'],
        ['candidates', { length: 1e9 }],
        ['candidates', Array.from({ length: 60 }, () => ({ candidate: 'x' }))],
        ['candidates', [{ candidate: 'x'.repeat(600) }]],
        ['candidates', [{ candidate: 'x', handle_id: HANDLE }]],
        ['revision', '1'],
        ['substream', 9],
        ['mid', '\u0000'],
        ['mid', 'x'.repeat(50)],
        ['isLost', 1],
      ]);
      const request = REQUESTS.find(
        (each) => field in each || (field === 'candidates' && each['do'] === 'add-candidates'),
      )!;
      return json(`${String(request['do'])} with a wrong ${field}`, { ...request, id, [field]: value });
    },
    () => {
      const offer = pick(random, [
        '',
        'v=1',
        OFFER + VIDEO_LINE,
        OFFER.replace('m=audio', 'm=application'),
        OFFER.replace('UDP/TLS/RTP/SAVPF', 'RTP/AVP'),
        OFFER.replace(/m=audio.*\r\n/, ''),
        OFFER.replace('s=-', 's=\u0000'),
        OFFER.replace('s=-', 's=\uD800'),
        `v=0\r\na=${'x'.repeat(61_000)}`,
        { type: 'offer', sdp: OFFER },
      ]);
      return json('connect-audio with a wrong offer', { do: 'connect-audio', id, offer });
    },
    () => json('a second join', { do: 'join', id, token, name: 'x'.repeat(65 + random(100)) }),
    () => json('a join with a room', { do: 'join', id, token, conference }),
    () => json('a resume of a connection', { do: 'resume', id, secret: connectionId, room: conference }),
    () => ({ what: 'a binary message', data: Buffer.from(JSON.stringify({ do: 'leave', id })) }),
    () => ({ what: 'random bytes', data: Buffer.from(Array.from({ length: 1 + random(500) }, () => random(256))) }),
    () => {
      const depth = 1_000 + random(20_000);
      return { what: 'deep arrays', data: '['.repeat(depth) + ']'.repeat(pick(random, [depth, depth - 1])) };
    },
    () => {
      const depth = 500 + random(8_000);
      return { what: 'deep objects', data: `${'{"do":'.repeat(depth)}1${'}'.repeat(depth)}` };
    },
    () => json('a long text', { do: 'mute', id, muted: 'x'.repeat(MAX_MESSAGE_BYTES - 1_000) }),
    () => json('many fields', Object.fromEntries(Array.from({ length: 2_000 }, (_, at) => [`f${at}`, at]))),
    () => ({
      what: 'no JSON',
      data: pick(random, [
        '',
        'x',
        '{',
        '{"do":"ping"',
        'null',
        'true',
        '1',
        '"ping"',
        '[]',
        '\u0000',
        '\uFEFF{}',
        '{"do":"ping","id":1}{"do":"leave"}',
      ]),
    }),
    () => {
      const text = JSON.stringify({ ...pick(random, REQUESTS), id });
      return { what: 'a truncated request', data: text.slice(0, 1 + random(text.length - 1)) };
    },
  ];
  return pick(random, makers)();
}

/** Makes offers that have the form of a browser's, and are wrong for a media server. */
export function makeWrongOffer(random: Random, offer: string): string {
  const lines = offer.split('\r\n');
  const changes: readonly ((at: number) => void)[] = [
    (at) => void lines.splice(at, 1),
    (at) => void lines.splice(at, 0, lines[random(lines.length)]!),
    (at) => void lines.splice(at, 0, `a=${'x'.repeat(random(5_000))}`),
    (at) => void (lines[at] = lines[at]!.replaceAll(/\d+/g, () => pick(random, ['-1', '0', '99999999999', '65536']))),
    (at) => void (lines[at] = lines[at]!.slice(0, random(lines[at]!.length))),
    (at) =>
      void lines.splice(
        at,
        0,
        pick(random, ['a=candidate:', 'a=fingerprint:sha-256', 'a=ice-ufrag:', 'a=setup:x', 'a=ssrc:x', 'b=AS:-1']),
      ),
  ];
  for (let n = 1 + random(4); n > 0; n--) {
    // The first line and the media line stay: without them, the gateway rejects the offer itself.
    const free = lines.flatMap((line, at) => (at > 0 && !line.startsWith('m=') ? [at] : []));
    pick(random, changes)(pick(random, free));
  }
  return lines.join('\r\n');
}
