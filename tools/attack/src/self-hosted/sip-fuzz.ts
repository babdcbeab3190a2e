import { seededRandomInt } from '@partyline/testing/seeded';
import { writeRequest, type Source } from './sip-sources.ts';

/** The caller of all malformed messages: a phone number that no log may hold. */
export const MALFORMED_CALLER = '+447946000777';
/** The largest message that fits into a datagram. */
const MAX_BYTES = 65_000;
const METHODS = ['INVITE', 'REGISTER', 'BYE', 'ACK', 'CANCEL', 'OPTIONS', 'MESSAGE', 'SUBSCRIBE', 'REFER', 'INFO', 'X'];
const SDP = 'v=0\r\no=- 1 1 IN IP4 127.0.0.9\r\ns=-\r\nc=IN IP4 127.0.0.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n';
const NAMES = ['Via', 'From', 'To', 'Call-ID', 'CSeq', 'Contact', 'Max-Forwards', 'Content-Length'];
const WRONG_UTF8 = Buffer.from([0xc3, 0x28, 0xa0, 0xa1, 0xe2, 0x28, 0xf0, 0x90, 0x28, 0xbc, 0xff, 0xfe]);

type Random = (below: number) => number;
type Mutation = (message: Buffer, random: Random) => Buffer;

const edit =
  (change: (text: string, random: Random) => string): Mutation =>
  (message, random) =>
    Buffer.from(change(message.toString('latin1'), random), 'latin1');
const pick = <T>(random: Random, list: readonly T[]): T => list[random(list.length)]!;
const setHeader = (text: string, name: string, value: string): string =>
  text.replace(new RegExp(`^${name}:.*$`, 'm'), () => `${name}: ${value}`);
const insert = (message: Buffer, at: number, bytes: Buffer): Buffer =>
  Buffer.concat([message.subarray(0, at), bytes, message.subarray(at)]);
/** Puts lines in front of the header From. */
const addLines = (text: string, lines: string): string => text.replace('\r\nFrom:', () => `\r\n${lines}\r\nFrom:`);

const WRONG_URIS = [
  '',
  'sip:',
  'sip:@',
  'sip:@:',
  'sip:a@[::1',
  'sip:a@127.0.0.1:99999',
  'sip:a@127.0.0.1:-1',
  'sip:%00%zz@a',
  'tel:+1;phone-context=',
  'sips:a@b',
  'urn:x',
  '*',
  `sip:${'%41'.repeat(3_000)}@a`,
  `sip:a@b;${'p=q;'.repeat(2_000)}`,
  `sip:a@${'b.'.repeat(400)}`,
  `sip:a@b?${'h=v&'.repeat(1_000)}`,
];
const WRONG_ADDRESSES = [
  '',
  '<',
  '<sip:a@b',
  'sip:a@b>;tag=1',
  '"unclosed <sip:a@b>;tag=1',
  '<sip:a@b>;tag=',
  '<sip:a@b>;tag=1;tag=2',
  '<sip:a@b>;;;;=;',
  `"${'\\"'.repeat(2_000)}" <sip:a@b>;tag=1`,
  `<sip:a@b>${';p'.repeat(3_000)}`,
  '<sip:a@b>, <sip:c@d>, <sip:e@f>',
  '<tel:>;tag=1',
  ';tag=1',
];

/** Each makes a message wrong in one way. Values are those at which parsers have failed before. */
const MUTATIONS: Readonly<Record<string, Mutation>> = {
  truncated: (message, random) => message.subarray(0, random(message.length)),
  'truncated to its first line': edit((text) => text.slice(0, text.indexOf('\r\n') + 2)),
  'a giant header': edit((text, random) => addLines(text, `Subject: ${'a'.repeat(1_000 + random(60_000))}`)),
  'a giant header name': edit((text, random) => addLines(text, `${'N'.repeat(1_000 + random(20_000))}: x`)),
  'a giant user': edit((text, random) => text.replace('sip:', `sip:${'9'.repeat(1_000 + random(30_000))}`)),
  'a giant tag': edit((text, random) => text.replace(';tag=', `;tag=${'t'.repeat(1_000 + random(30_000))}`)),
  'many headers': edit((text, random) =>
    addLines(
      text,
      Array(500 + random(2_000))
        .fill('X-A: b')
        .join('\r\n'),
    ),
  ),
  'a wrong Content-Length': edit((text, random) =>
    setHeader(
      text,
      'Content-Length',
      pick(random, ['-1', '99999', '4294967296', '18446744073709551616', '0x10', '', 'ten', '1 2', '+5', '3']),
    ),
  ),
  'two Content-Lengths': edit((text, random) => addLines(text, `Content-Length: ${random(100_000)}`)),
  NULs: (message, random) => {
    let given = message;
    for (let n = 1 + random(20); n > 0; n--)
      given = insert(given, random(given.length + 1), Buffer.alloc(1 + random(4)));
    return given;
  },
  'thousands of Vias': edit((text, random) =>
    addLines(
      text,
      Array(1_000 + random(1_000))
        .fill('Via: SIP/2.0/UDP 127.0.0.9:1;branch=z')
        .join('\r\n'),
    ),
  ),
  'thousands of Vias in a line': edit((text, random) =>
    addLines(
      text,
      `Via: ${Array(1_000 + random(1_000))
        .fill('SIP/2.0/UDP 127.0.0.9:1')
        .join(',')}`,
    ),
  ),
  'hundreds of Routes': edit((text, random) =>
    addLines(
      text,
      Array(100 + random(800))
        .fill('Route: <sip:127.0.0.9:1;lr>')
        .join('\r\n'),
    ),
  ),
  'a wrong Via': edit((text, random) =>
    setHeader(
      text,
      'Via',
      pick(random, [
        '',
        ',',
        'SIP/2.0/UDP',
        'SIP/2.0/UDP [::1',
        'SIP/2.0/UDP 127.0.0.1:99999;branch=',
        'SIP/9.9/XYZ a;b;c=;=;',
        'SIP/2.0/UDP a;rport=99999;received=;branch="x',
        `SIP / 2.0 / UDP ${'a.'.repeat(500)}`,
      ]),
    ),
  ),
  'a wrong CSeq': edit((text, random) =>
    setHeader(
      text,
      'CSeq',
      pick(random, [
        '-1 INVITE',
        '4294967296 INVITE',
        '99999999999999999999 BYE',
        'INVITE 1',
        '1',
        '',
        '1 BYE',
        '1 \0',
      ]),
    ),
  ),
  'folded headers': edit((text, random) =>
    text.replaceAll(': ', () => (random(2) === 0 ? ': ' : pick(random, [':\r\n ', ':\r\n\t', ':\r\n \r\n ', ':\n  ']))),
  ),
  'wrong UTF-8': (message, random) => insert(message, random(message.length + 1), WRONG_UTF8),
  'changed bytes': (message, random) => {
    const given = Buffer.from(message);
    for (let n = 1 + random(30); n > 0; n--) given[random(given.length)] = random(256);
    return given;
  },
  'a header less': edit((text, random) => text.replace(new RegExp(`^${pick(random, NAMES)}:.*\r\n`, 'm'), '')),
  'a header twice': edit((text, random) => addLines(text, `${pick(random, NAMES)}: ${'x'.repeat(random(50))}`)),
  'an empty header': edit((text, random) => setHeader(text, pick(random, NAMES), '')),
  'a wrong request URI': edit((text, random) => text.replace(/ \S+ SIP/, () => ` ${pick(random, WRONG_URIS)} SIP`)),
  'a wrong From': edit((text, random) => setHeader(text, 'From', pick(random, WRONG_ADDRESSES))),
  'a wrong To': edit((text, random) => setHeader(text, 'To', pick(random, WRONG_ADDRESSES))),
  'a wrong Contact': edit((text, random) =>
    setHeader(text, 'Contact', pick(random, [...WRONG_ADDRESSES, '*', '*, *'])),
  ),
  'a wrong Max-Forwards': edit((text, random) =>
    setHeader(text, 'Max-Forwards', pick(random, ['-1', '0', '256', '99999999999', 'x', '', '0x7'])),
  ),
  'another version': edit((text, random) =>
    text.replace('SIP/2.0', pick(random, ['SIP/3.0', 'SIP/', 'sip/2.0', 'HTTP/1.1', ''])),
  ),
  'newlines only': edit((text) => text.replaceAll('\r\n', '\n')),
  'returns only': edit((text) => text.replaceAll('\r\n', '\r')),
  'wrong credentials': edit((text, random) =>
    addLines(
      text,
      pick(random, [
        'Authorization: Digest',
        'Authorization: Digest username="gw-1", realm="partyline", nonce="", uri="", response=""',
        `Authorization: Digest username="${'u'.repeat(9_000)}"`,
        'Authorization: Digest username="gw-1, realm=partyline, nonce=,,,=,"',
        'Authorization: Basic Z3ctMTp4',
        `Proxy-Authorization: Digest nc=ffffffffffff, qop=auth, nonce="${'0'.repeat(200)}"`,
      ]),
    ),
  ),
  'a body of another type': edit((text, random) =>
    addLines(
      text,
      pick(random, ['Content-Type: multipart/mixed;boundary=', 'Content-Type: ;;', 'Content-Encoding: gzip']),
    ),
  ),
  'only white space': edit((_, random) => pick(random, ['', '\r\n\r\n', ' ', '\0\0\0\0', '\r\n'.repeat(500)])),
  'random bytes': (_, random) => Buffer.from(Array.from({ length: 1 + random(600) }, () => random(256))),
};
export interface Malformed {
  readonly what: string;
  readonly method: string;
  readonly write: (source: Source) => Buffer;
}

/** Makes the malformed message of a number: the same ones for a seed. */
export function makeMalformed(
  random: Random,
  server: string,
  numbers: readonly string[],
  methods: readonly string[] = METHODS,
): Malformed {
  const method = pick(random, methods);
  const kinds = Array.from({ length: 1 + random(3) }, () => pick(random, Object.keys(MUTATIONS)));
  const isWithinCall = random(3) === 0;
  const number = pick(random, numbers);
  // Drawn before it is sent, when others draw too.
  const draws = seededRandomInt(random(2 ** 31));
  return {
    what: `${method} with ${kinds.join(', ')}`,
    method,
    write(source) {
      const message = writeRequest(source, {
        method,
        uri: `sip:${method === 'REGISTER' ? '' : `${number}@`}${server}`,
        from: `"Fuzz" <sip:${MALFORMED_CALLER}@${source.host}>;tag=fuzz`,
        to: `<sip:${number}@${server}>${isWithinCall ? ';tag=guess' : ''}`,
        headers: ['Content-Type: application/sdp', 'User-Agent: fuzz'],
        body: method === 'INVITE' ? SDP : '',
      });
      return kinds
        .reduce((bytes, kind) => MUTATIONS[kind]!(bytes, draws), Buffer.from(message) as Buffer)
        .subarray(0, MAX_BYTES);
    },
  };
}
