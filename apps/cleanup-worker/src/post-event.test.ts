import { createSocket, type Socket } from 'node:dgram';
import { Resolver } from 'node:dns';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, LookupFunction } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { postEvent } from './post-event.ts';

/** What must never be asked anything: it stands for whatever listens inside. */
let inside: Server;
let port: number;
let asked: string[];
/** A name server of our own, which answers as it is told: a list for each question that comes, the last one again and again. */
let names: Socket;
let answers: string[][];
let questions: number;
let resolver: Resolver;

beforeAll(async () => {
  inside = createServer((request, response) => {
    asked.push(`${request.method} ${request.headers.host}`);
    if (request.url === '/redirect') response.writeHead(307, { location: `http://127.0.0.1:${port}/secret` }).end();
    else if (request.url === '/endless') response.writeHead(200).write('x'.repeat(64 * 1024));
    else response.writeHead(204).end();
  });
  inside.listen(0);
  await once(inside, 'listening');
  port = (inside.address() as AddressInfo).port;
  names = createSocket('udp4').on('message', (question, from) => {
    const wanted = answers[Math.min(questions, answers.length - 1)] ?? [];
    const end = question.indexOf(0, 12) + 5;
    const isA = question.readUInt16BE(end - 4) === 1;
    if (isA) questions += 1;
    const records = isA
      ? wanted.map((address) =>
          Buffer.concat([
            Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]),
            Buffer.from(address.split('.').map(Number)),
          ]),
        )
      : [];
    const head = Buffer.from(question.subarray(0, 12));
    head.writeUInt16BE(0x8180, 2);
    head.writeUInt16BE(records.length, 6);
    head.writeUInt16BE(0, 8);
    head.writeUInt16BE(0, 10);
    names.send(Buffer.concat([head, question.subarray(12, end), ...records]), from.port, from.address);
  });
  names.bind(0, '127.0.0.1');
  await once(names, 'listening');
  resolver = new Resolver({ timeout: 20_000, tries: 1 });
  resolver.setServers([`127.0.0.1:${names.address().port}`]);
});
beforeEach(() => {
  asked = [];
  answers = [];
  questions = 0;
});
afterAll(() => {
  inside.close();
  inside.closeAllConnections();
  names.close();
});

/** As the system's, over our name server. */
const lookup: LookupFunction = (hostname, options, callback) =>
  resolver.resolve4(hostname, (error, addresses) => {
    if (error !== null) callback(error, '', 4);
    else if (options.all === true)
      callback(
        null,
        addresses.map((address) => ({ address, family: 4 })),
      );
    else callback(null, addresses[0] ?? '', 4);
  });

/** The port is let through, so that only the address is what keeps anybody out. */
const strict = () => postEvent({ timeoutMs: 30_000, addresses: { allowPrivate: false, ports: [port] }, lookup });
const lax = () => postEvent({ timeoutMs: 30_000, addresses: { allowPrivate: true, ports: [] }, lookup });
const send = (post: ReturnType<typeof postEvent>, url: string): Promise<number | string> =>
  post({ url, headers: { 'webhook-id': 'evt_1' }, body: '{}' }).catch((error: Error) => error.message);

describe('nobody inside is reached', () => {
  it.each([
    '127.0.0.1',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '0x7f000001',
    '2130706433',
    '0177.0.0.1',
    '127.1',
    'localhost',
    '0.0.0.0',
    '[::]',
    '169.254.169.254',
    '[64:ff9b::7f00:1]',
    '[::7f00:1]',
  ])('by the address %s', async (host) => {
    expect([
      await send(strict(), `https://${host}:${port}/`),
      await send(strict(), `http://${host}:${port}/`),
      asked,
    ]).toEqual(['blocked-address', 'blocked-address', []]);
  });

  it.each([
    ['a name that leads there', [['127.0.0.1']]],
    ['a name that leads there too', [['93.184.215.14', '127.0.0.1']]],
    ['a name that leads to the metadata of the cloud', [['169.254.169.254']]],
    ['a name that leads to this host', [['0.0.0.0']]],
    ['a name of the carrier’s net', [['100.64.0.1']]],
  ])('by %s', async (_what, given) => {
    answers = given;
    expect([await send(strict(), `https://attacker.example:${port}/`), questions, asked]).toEqual([
      'blocked-address',
      1,
      [],
    ]);
  });

  it('by a name that leads elsewhere when it is looked up again', async () => {
    // Public for whoever looks first, inside for who looks next: a check that is not the connection's own look-up is passed, and what is connected to is not what was checked.
    answers = [['93.184.215.14'], ['127.0.0.1']];
    const first = await new Promise((resolve) =>
      lookup('attacker.example', { all: true }, (_error, found) => resolve(found)),
    );
    expect(first).toEqual([{ address: '93.184.215.14', family: 4 }]);
    const post = strict();
    for (let i = 0; i < 3; i++) expect(await send(post, `https://attacker.example:${port}/`)).toBe('blocked-address');
    expect([questions, asked]).toEqual([4, []]);
  });

  it('by a redirect, which is an answer and not followed', async () => {
    expect([await send(lax(), `http://127.0.0.1:${port}/redirect`), asked]).toEqual([307, [`POST 127.0.0.1:${port}`]]);
  });

  it.each(['file:///etc/passwd', 'ftp://example.com/', 'http://user:pass@example.com/', 'no address'])(
    'by %s',
    async (url) => {
      expect([await send(strict(), url), await send(lax(), url), asked]).toEqual([
        'blocked-address',
        'blocked-address',
        [],
      ]);
    },
  );

  it('while the same name, allowed, does lead there', async () => {
    // The proof that the tests above would see it.
    answers = [['127.0.0.1']];
    expect([await send(lax(), `http://attacker.example:${port}/`), asked]).toEqual([
      204,
      [`POST attacker.example:${port}`],
    ]);
  });
});

describe('what becomes of a request', () => {
  it.each([
    ['http://127.0.0.1:1/', 'refused'],
    ['https://127.0.0.1:PORT/', 'tls'],
  ])('%s: %s', async (url, why) => {
    expect(await send(lax(), url.replace('PORT', String(port)))).toBe(why);
  });

  it('a name that there is not', async () => {
    expect(
      await send(
        postEvent({ timeoutMs: 30_000, addresses: { allowPrivate: false, ports: [443] }, lookup }),
        'https://nobody.example/',
      ),
    ).toBe('no-such-host');
  });

  it('a body that does not end holds nothing up, and the next request is taken', async () => {
    const post = lax();
    expect(await send(post, `http://127.0.0.1:${port}/endless`)).toBe(200);
    expect(await send(post, `http://127.0.0.1:${port}/`)).toBe(204);
  });

  it('a receiver that closes a kept connection is asked again at once', async () => {
    const post = lax();
    expect(await send(post, `http://127.0.0.1:${port}/`)).toBe(204);
    inside.closeIdleConnections();
    expect(await send(post, `http://127.0.0.1:${port}/`)).toBe(204);
  });
});
