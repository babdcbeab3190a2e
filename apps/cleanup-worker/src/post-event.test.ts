import { createSocket, type Socket } from 'node:dgram';
import { Resolver } from 'node:dns';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, LookupFunction } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { postEvent } from './post-event.ts';

/** Stands for a server in the internal network, which must get no request. */
let inside: Server;
let port: number;
let requests: string[];
/**
 * A name server. It answers each query with the next list of addresses, and repeats the last list.
 */
let nameServer: Socket;
let answers: string[][];
let queries: number;
let resolver: Resolver;

beforeAll(async () => {
  inside = createServer((request, response) => {
    requests.push(`${request.method} ${request.headers.host}`);
    if (request.url === '/redirect') response.writeHead(307, { location: `http://127.0.0.1:${port}/secret` }).end();
    else if (request.url === '/endless') response.writeHead(200).write('x'.repeat(64 * 1024));
    else response.writeHead(204).end();
  });
  inside.listen(0);
  await once(inside, 'listening');
  port = (inside.address() as AddressInfo).port;
  nameServer = createSocket('udp4').on('message', (query, from) => {
    const addresses = answers[Math.min(queries, answers.length - 1)] ?? [];
    const end = query.indexOf(0, 12) + 5;
    const isA = query.readUInt16BE(end - 4) === 1;
    if (isA) queries += 1;
    const records = isA
      ? addresses.map((address) =>
          Buffer.concat([
            Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]),
            Buffer.from(address.split('.').map(Number)),
          ]),
        )
      : [];
    const head = Buffer.from(query.subarray(0, 12));
    head.writeUInt16BE(0x8180, 2);
    head.writeUInt16BE(records.length, 6);
    head.writeUInt16BE(0, 8);
    head.writeUInt16BE(0, 10);
    nameServer.send(Buffer.concat([head, query.subarray(12, end), ...records]), from.port, from.address);
  });
  nameServer.bind(0, '127.0.0.1');
  await once(nameServer, 'listening');
  resolver = new Resolver({ timeout: 20_000, tries: 1 });
  resolver.setServers([`127.0.0.1:${nameServer.address().port}`]);
});
beforeEach(() => {
  requests = [];
  answers = [];
  queries = 0;
});
afterAll(() => {
  inside.close();
  inside.closeAllConnections();
  nameServer.close();
});

/** Like the system's lookup, through this test's name server. */
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

/** Allows the port, so that only the address can be the reason for a rejection. */
const strict = () => postEvent({ timeoutMs: 30_000, addresses: { allowPrivate: false, ports: [port] }, lookup });
const lax = () => postEvent({ timeoutMs: 30_000, addresses: { allowPrivate: true, ports: [] }, lookup });
const send = (post: ReturnType<typeof postEvent>, url: string): Promise<number | string> =>
  post({ url, headers: { 'webhook-id': 'evt_1' }, body: '{}' }).catch((error: Error) => error.message);

describe('postEvent blocks an internal address', () => {
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
  ])('in the URL: %s', async (host) => {
    expect([
      await send(strict(), `https://${host}:${port}/`),
      await send(strict(), `http://${host}:${port}/`),
      requests,
    ]).toEqual(['blocked-address', 'blocked-address', []]);
  });

  it.each([
    ['loopback', [['127.0.0.1']]],
    ['a public address and loopback', [['93.184.215.14', '127.0.0.1']]],
    ['the cloud metadata service', [['169.254.169.254']]],
    ['the unspecified address', [['0.0.0.0']]],
    ['carrier-grade NAT', [['100.64.0.1']]],
  ])('behind a host name that resolves to %s', async (_target, lists) => {
    answers = lists;
    expect([await send(strict(), `https://attacker.example:${port}/`), queries, requests]).toEqual([
      'blocked-address',
      1,
      [],
    ]);
  });

  it('behind a host name that resolves differently the second time (DNS rebinding)', async () => {
    // A check that is not the connection's own look-up would see the public address and pass.
    answers = [['93.184.215.14'], ['127.0.0.1']];
    const first = await new Promise((resolve) =>
      lookup('attacker.example', { all: true }, (_error, found) => resolve(found)),
    );
    expect(first).toEqual([{ address: '93.184.215.14', family: 4 }]);
    const post = strict();
    for (let i = 0; i < 3; i++) expect(await send(post, `https://attacker.example:${port}/`)).toBe('blocked-address');
    expect([queries, requests]).toEqual([4, []]);
  });

  it('behind a redirect, which it does not follow', async () => {
    expect([await send(lax(), `http://127.0.0.1:${port}/redirect`), requests]).toEqual([
      307,
      [`POST 127.0.0.1:${port}`],
    ]);
  });

  it.each(['file:///etc/passwd', 'ftp://example.com/', 'http://user:pass@example.com/', 'no address'])(
    'and the invalid URL %s',
    async (url) => {
      expect([await send(strict(), url), await send(lax(), url), requests]).toEqual([
        'blocked-address',
        'blocked-address',
        [],
      ]);
    },
  );

  it('unless private addresses are allowed', async () => {
    // Proves that the tests above would notice a request.
    answers = [['127.0.0.1']];
    expect([await send(lax(), `http://attacker.example:${port}/`), requests]).toEqual([
      204,
      [`POST attacker.example:${port}`],
    ]);
  });
});

describe('postEvent', () => {
  it.each([
    ['http://127.0.0.1:1/', 'refused'],
    ['https://127.0.0.1:PORT/', 'tls'],
  ])('fails at %s with %s', async (url, why) => {
    expect(await send(lax(), url.replace('PORT', String(port)))).toBe(why);
  });

  it('fails with no-such-host for an unknown host name', async () => {
    expect(
      await send(
        postEvent({ timeoutMs: 30_000, addresses: { allowPrivate: false, ports: [443] }, lookup }),
        'https://unknown.example/',
      ),
    ).toBe('no-such-host');
  });

  it('does not wait for a response body that never ends', async () => {
    const post = lax();
    expect(await send(post, `http://127.0.0.1:${port}/endless`)).toBe(200);
    expect(await send(post, `http://127.0.0.1:${port}/`)).toBe(204);
  });

  it('retries at once when the receiver closed a kept connection', async () => {
    const post = lax();
    expect(await send(post, `http://127.0.0.1:${port}/`)).toBe(204);
    inside.closeIdleConnections();
    expect(await send(post, `http://127.0.0.1:${port}/`)).toBe(204);
  });
});
