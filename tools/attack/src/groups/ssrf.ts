import type { LookupAddress } from 'node:dns';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo, type LookupFunction, type Server } from 'node:net';
// The sender itself is attacked, and it is part of an app.
import { postEvent } from '@partyline/cleanup-worker/post-event';
import { inParallel, type Group, type Tally } from '../group.ts';
import { notRefused } from '../http.ts';
import type { Target } from '../target.ts';

/** Addresses that lead inside, by whatever name: each is tried in every spelling that a URL knows. */
const INSIDE_V4 = [
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
const INSIDE_V6 = [
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
];
const NAMES = [
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
  'ⓛocalhost',
  'localhost%2e',
  'loc%61lhost',
];
const URLS = [
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
  'https://①②⑦.⓪.⓪.①/',
  'https://127。0。0。1/',
  'https://127.0.0.1%00.example.com/',
  'https://\u0000',
  'https://1.1.1.1 &@127.0.0.1/',
  'https://127.0.0.1\\@example.com/',
  'https://0/',
];

/** The same IPv4 address as it may be written: whole, octal, hexadecimal, short, with a port, with a dot after it. */
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

/** Addresses that a tenant gives, to have us ask where only we can. */
export const ssrf: Group<Pick<Target, 'apiUrl' | 'send' | 'owner' | 'attacker'>> = {
  name: 'SSRF',
  says: 'endpoints inside the network by every spelling, schemes, ports and names; names whose address changes as we connect; and redirects',
  least: 350,
  async run({ apiUrl, send, owner, attacker }, tally) {
    const endpoints = async (): Promise<unknown> =>
      (await owner.pool.query('SELECT id, url FROM endpoint WHERE tenant_id = $1 ORDER BY id', [attacker.tenantId]))
        .rows;
    const before = JSON.stringify(await endpoints());
    const hosts = [...INSIDE_V4.flatMap(spellings), ...INSIDE_V6.map((address) => `[${address}]`), ...NAMES];
    const urls = [...hosts.map((host) => `https://${host}/events`), ...URLS];
    const headers = { authorization: `Bearer ${attacker.key}`, 'content-type': 'application/json' };
    await inParallel(urls.entries(), 16, async ([at, url]) => {
      // In turn a new endpoint, and an old one that is moved.
      const [method, path] =
        at % 2 === 0 ? ['POST', '/v1/endpoints'] : ['PATCH', `/v1/endpoints/${attacker.ids['endpointId']}`];
      tally.judge(
        `${method} ${url.slice(0, 100)}`,
        notRefused(await send({ method, url: apiUrl + path, headers, body: JSON.stringify({ url }) }), [400, 422]),
      );
    });
    tally.judge('all of them together', JSON.stringify(await endpoints()) === before ? null : 'changed an endpoint');
    await whileConnecting(tally);
    await byRedirects(tally);
  },
};

/** What a resolver may answer: always inside, inside the second time, or both at once. */
const ANSWERS: readonly (readonly string[])[] = [
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

const portOf = async (server: Server): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(0, '::', resolve));
  return (server.address() as AddressInfo).port;
};
/** Where nobody must arrive. */
const layTripwire = (): { server: Server; readonly tripped: number } => {
  let tripped = 0;
  const server = createServer((socket) => {
    tripped += 1;
    socket.destroy();
  });
  return {
    server,
    get tripped() {
      return tripped;
    },
  };
};
const close = (server: Server): Promise<unknown> => new Promise((resolve) => server.close(resolve));

/** The sender itself, with a resolver that lies. */
async function whileConnecting(tally: Tally): Promise<void> {
  const tripwire = layTripwire();
  const port = await portOf(tripwire.server);
  try {
    for (const answer of ANSWERS) {
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
      await sends(
        tally,
        `a name that is ${answer.join(' and ') || 'nowhere'}`,
        post,
        `https://rebound.example:${port}/`,
      );
    }
    const post = postEvent({ timeoutMs: 5_000, addresses: { allowPrivate: false, ports: [port] } });
    for (const host of [...INSIDE_V4.slice(0, 3), '[::1]', '[::ffff:127.0.0.1]', 'localhost', '0x7f.1'])
      await sends(tally, `the sender, to ${host}`, post, `https://${host}:${port}/`);
    tally.judge('all connections together', tripwire.tripped === 0 ? null : `${tripwire.tripped} arrived inside`);
  } finally {
    await close(tripwire.server);
  }
}

const REDIRECTS = [301, 302, 303, 307, 308, 300, 305];

/**
 * An honest address that leads on to another. The sender here may go inside, as with EVENTS_ALLOW_PRIVATE: so that it is not the address that keeps it from
 * following, but that it follows nothing.
 */
async function byRedirects(tally: Tally): Promise<void> {
  const tripwire = layTripwire();
  const inside = await portOf(tripwire.server);
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
  const port = await portOf(endpoint);
  try {
    const post = postEvent({ timeoutMs: 5_000, addresses: { allowPrivate: true, ports: [] } });
    for (const status of [...REDIRECTS, 200, 401]) {
      for (const place of places.keys()) {
        const became = await post({
          url: `http://127.0.0.1:${port}/${status}/${place}`,
          headers: {},
          body: '{}',
        }).catch((error: Error) => error.message);
        tally.judge(
          `${status} to ${places[place]}`,
          tripwire.tripped > 0 ? 'was followed' : became === status ? null : `came to ${became}`,
        );
      }
    }
    // The tripwire would have told.
    await post({ url: places[0]!, headers: {}, body: '{}' }).catch(() => undefined);
    tally.judge('the tripwire', tripwire.tripped === 1 ? null : 'does not tell who arrives');
  } finally {
    endpoint.closeAllConnections();
    await Promise.all([close(endpoint), close(tripwire.server)]);
  }
}

async function sends(tally: Tally, what: string, post: ReturnType<typeof postEvent>, url: string): Promise<void> {
  const became = await post({ url, headers: {}, body: '{}' }).then(
    (status) => `answered ${status}`,
    (error: Error) => error.message,
  );
  tally.judge(what, became === 'blocked-address' ? null : became);
}
