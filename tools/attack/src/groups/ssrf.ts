import type { LookupAddress } from 'node:dns';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo, type LookupFunction, type Server } from 'node:net';
// The attacked sender is part of an app.
import { postEvent } from '@partyline/cleanup-worker/post-event';
import pMap from 'p-map';
import { type Group, type Tally } from '../group.ts';
import { rejectionFault } from '../http.ts';
import type { Target } from '../target.ts';

/** Internal addresses. Each is tried in every spelling that a URL allows. */
const INTERNAL_IPV4 = [
  '127.0.0.1',
  '127.1.2.3',
  '0.0.0.0',
  '10.0.0.1',
  '10.255.255.255',
  '172.16.0.1',
  '172.31.255.254',
  '192.168.0.1',
  '192.168.255.255',
  '169.254.169.254',
  '169.254.170.2',
  '100.64.0.1',
  '100.100.100.200',
  '100.127.255.254',
  '192.0.0.192',
  '192.0.2.1',
  '198.18.0.1',
  '198.51.100.7',
  '203.0.113.9',
  '224.0.0.1',
  '239.255.255.250',
  '240.0.0.1',
  '255.255.255.255',
  '168.63.129.16',
];
const INTERNAL_IPV6 = [
  '::',
  '::1',
  '::ffff:127.0.0.1',
  '::ffff:7f00:1',
  '::ffff:169.254.169.254',
  '::127.0.0.1',
  '64:ff9b::7f00:1',
  '64:ff9b::a9fe:a9fe',
  '64:ff9b:1::a00:1',
  '2002:7f00:1::',
  '2002:a9fe:a9fe::',
  '2001:0:7f00:1::',
  '2001:db8::1',
  'fe80::1',
  'fec0::1',
  'fc00::1',
  'fd00:ec2::254',
  'fd12:3456:789a::1',
  'ff02::1',
  'ff0e::1',
  '100::1',
  '0:0:0:0:0:0:0:1',
  '::ffff:0:127.0.0.1',
  '5f00::1',
  '3ffe::1',
  '3ffe:ffff::1',
  '3000::1',
  '2004::1',
];
const INTERNAL_NAMES = [
  'localhost',
  'LOCALHOST',
  'localhost.',
  'foo.localhost',
  'localhost.localdomain',
  'metadata.google.internal',
  'metadata',
  'instance-data',
  'kubernetes.default.svc',
  'kubernetes.default.svc.cluster.local',
  'redis',
  'postgres',
  'room-api',
  'printer.local',
  'router.lan',
  'nas.home',
  'vault.service.consul',
  'wiki.intranet',
  'x.corp',
  'db.internal',
  'a.onion',
  'x.test',
  'x.invalid',
  '1.0.0.127.in-addr.arpa',
  '\u24DBocalhost',
  'localhost%2e',
  'x.lan..',
  'cluster.local..',
  'localhost...',
  '127.0.0.1..',
  'gateway.docker',
  'a..example.com',
  'x.kubernetes',
  'loc%61lhost',
];
const INVALID_URLS = [
  'http://example.com/',
  'ftp://example.com/',
  'file:///etc/passwd',
  'gopher://127.0.0.1:6379/_INFO',
  'data:text/plain,x',
  'javascript:alert(1)',
  'ws://example.com/',
  'wss://example.com/',
  'dict://127.0.0.1:11211/',
  'ldap://127.0.0.1/',
  'unix:/run/docker.sock',
  'blob:https://example.com/x',
  'about:blank',
  'https:',
  'https://',
  'https:///',
  '//example.com/',
  'example.com',
  '/events',
  '',
  ' ',
  'https://user@example.com/',
  'https://user:pass@example.com/',
  'https://example.com@127.0.0.1/',
  'https://127.0.0.1#@example.com/',
  'https://127.0.0.1?@example.com/',
  'https://example.com:22/',
  'https://example.com:25/',
  'https://example.com:5432/',
  'https://example.com:6379/',
  'https://example.com:0/',
  'https://example.com:65536/',
  'https://example.com:99999/',
  'https://[::1',
  'https://[fe80::1%25eth0]/',
  'https://exa mple.com/',
  'https://example.com:443:443/',
  `https://example.com/${'x'.repeat(2_100)}`,
  'https://\u2460\u2461\u2466.\u24EA.\u24EA.\u2460/',
  'https://127\u30020\u30020\u30021/',
  'https://127.0.0.1%00.example.com/',
  'https://\u0000',
  'https://1.1.1.1 &@127.0.0.1/',
  'https://127.0.0.1\\@example.com/',
  'https://0/',
];

/**
 * Spellings of an IPv4 address: as one number, octal, hexadecimal, shortened, with a port, with a
 * trailing dot.
 */
function spellings(address: string): string[] {
  const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
  const whole = ((a * 256 + b) * 256 + c) * 256 + d;
  return [
    address,
    String(whole),
    `0x${whole.toString(16)}`,
    `0${whole.toString(8)}`,
    [a, b, c, d].map((part) => `0x${part.toString(16)}`).join('.'),
    [a, b, c, d].map((part) => `0${part.toString(8)}`).join('.'),
    `${a}.${b * 65_536 + c * 256 + d}`,
    `${address}.`,
    `${address}:8443`,
  ];
}

/** Endpoint URLs with which a tenant tries to reach the deployment's internal network. */
export const ssrf: Group<Pick<Target, 'apiUrl' | 'send' | 'owner' | 'attacker'>> = {
  name: 'SSRF',
  summary:
    'endpoints in the internal network in every spelling, schemes, ports and names; names whose address changes ' +
    'while connecting; redirects',
  minInputs: 350,
  async run({ apiUrl, send, owner, attacker }, tally) {
    const endpoints = async (): Promise<unknown> =>
      (await owner.pool.query('SELECT id, url FROM endpoint WHERE tenant_id = $1 ORDER BY id', [attacker.tenantId]))
        .rows;
    const before = JSON.stringify(await endpoints());
    const hosts = [
      ...INTERNAL_IPV4.flatMap(spellings),
      ...INTERNAL_IPV6.map((address) => `[${address}]`),
      ...INTERNAL_NAMES,
    ];
    const urls = [...hosts.map((host) => `https://${host}/events`), ...INVALID_URLS];
    const headers = { authorization: `Bearer ${attacker.key}`, 'content-type': 'application/json' };
    await pMap(
      urls.entries(),
      async ([at, url]) => {
        // Alternates between a new endpoint and an existing one that gets a new URL.
        const [method, path] =
          at % 2 === 0 ? ['POST', '/v1/endpoints'] : ['PATCH', `/v1/endpoints/${attacker.ids['endpointId']}`];
        tally.record(
          `${method} ${url.slice(0, 100)}`,
          rejectionFault(
            await send({ method, url: apiUrl + path, headers, body: JSON.stringify({ url }) }),
            [400, 422],
          ),
        );
      },
      { concurrency: 16 },
    );
    tally.record('all of them together', JSON.stringify(await endpoints()) === before ? null : 'changed an endpoint');
    await attackConnections(tally);
    await attackRedirects(tally);
  },
};

/**
 * Answers of a hostile resolver: an internal address, alone or together with a public one; no
 * address.
 */
const DNS_ANSWERS: readonly (readonly string[])[] = [
  ...[
    '127.0.0.1',
    '10.0.0.1',
    '169.254.169.254',
    '100.64.0.1',
    '::1',
    '::ffff:127.0.0.1',
    'fd00::1',
    '0.0.0.0',
    'fe80::1',
    '64:ff9b::7f00:1',
  ].flatMap((inside) => [[inside], ['93.184.215.14', inside], [inside, '93.184.215.14']]),
  [],
];

const listenOnFreePort = async (server: Server): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(0, '::', resolve));
  return (server.address() as AddressInfo).port;
};
/** A server that counts connections; none may arrive. */
const createTripwire = (): { server: Server; readonly connections: number } => {
  let tripped = 0;
  const server = createServer((socket) => {
    tripped += 1;
    socket.destroy();
  });
  return {
    server,
    get connections() {
      return tripped;
    },
  };
};
const close = (server: Server): Promise<unknown> => new Promise((resolve) => server.close(resolve));

/** Attacks the sender itself, with a hostile resolver. */
async function attackConnections(tally: Tally): Promise<void> {
  const tripwire = createTripwire();
  const port = await listenOnFreePort(tripwire.server);
  try {
    for (const answer of DNS_ANSWERS) {
      const lookup = ((
        _host: string,
        options: { all?: boolean },
        done: (error: Error | null, address: string | LookupAddress[], family?: number) => void,
      ) => {
        const all = answer.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
        if (options.all === true) done(null, all);
        else done(null, all[0]?.address ?? '', all[0]?.family ?? 4);
      }) as LookupFunction;
      const post = postEvent({ timeoutMs: 5_000, addresses: { allowPrivate: false, ports: [port] }, lookup });
      await expectBlocked(
        tally,
        `a name that resolves to ${answer.join(' and ') || 'no address'}`,
        post,
        `https://rebound.example:${port}/`,
      );
    }
    const post = postEvent({ timeoutMs: 5_000, addresses: { allowPrivate: false, ports: [port] } });
    for (const host of [...INTERNAL_IPV4.slice(0, 3), '[::1]', '[::ffff:127.0.0.1]', 'localhost', '0x7f.1'])
      await expectBlocked(tally, `the sender, to ${host}`, post, `https://${host}:${port}/`);
    tally.record(
      'all connections together',
      tripwire.connections === 0 ? null : `${tripwire.connections} connections arrived at an internal address`,
    );
  } finally {
    await close(tripwire.server);
  }
}

const REDIRECTS = [301, 302, 303, 307, 308, 300, 305];

/**
 * Redirects to an internal address. The sender allows private addresses here, as with
 * EVENTS_ALLOW_PRIVATE, so that only the ban on redirects can stop it.
 */
async function attackRedirects(tally: Tally): Promise<void> {
  const tripwire = createTripwire();
  const inside = await listenOnFreePort(tripwire.server);
  const places = [
    `http://127.0.0.1:${inside}/`,
    `https://127.0.0.1:${inside}/`,
    `http://[::1]:${inside}/`,
    `//127.0.0.1:${inside}/`,
    `http://localhost:${inside}/`,
    `http://0:${inside}/`,
    'http://169.254.169.254/latest/meta-data/',
    'file:///etc/passwd',
  ];
  const endpoint = createHttpServer((request, reply) => {
    const [, status, place] = (request.url ?? '').split('/');
    const location = places[Number(place)]!;
    reply
      .writeHead(Number(status), {
        location,
        refresh: `0; url=${location}`,
        'content-location': location,
        link: `<${location}>; rel="canonical"`,
        'alt-svc': `h2="127.0.0.1:${inside}"`,
      })
      .end();
  });
  const port = await listenOnFreePort(endpoint);
  try {
    const post = postEvent({ timeoutMs: 5_000, addresses: { allowPrivate: true, ports: [] } });
    for (const status of [...REDIRECTS, 200, 401]) {
      for (const place of places.keys()) {
        const outcome = await post({
          url: `http://127.0.0.1:${port}/${status}/${place}`,
          headers: {},
          body: '{}',
        }).catch((error: Error) => error.message);
        tally.record(
          `${status} to ${places[place]}`,
          tripwire.connections > 0 ? 'was followed' : outcome === status ? null : `ended with ${outcome}`,
        );
      }
    }
    // Proves that the tripwire notices a connection.
    await post({ url: places[0]!, headers: {}, body: '{}' }).catch(() => undefined);
    tally.record('the tripwire', tripwire.connections === 1 ? null : 'did not count the connection');
  } finally {
    endpoint.closeAllConnections();
    await Promise.all([close(endpoint), close(tripwire.server)]);
  }
}

async function expectBlocked(
  tally: Tally,
  what: string,
  post: ReturnType<typeof postEvent>,
  url: string,
): Promise<void> {
  const outcome = await post({ url, headers: {}, body: '{}' }).then(
    (status) => `answered ${status}`,
    (error: Error) => error.message,
  );
  tally.record(what, outcome === 'blocked-address' ? null : outcome);
}
