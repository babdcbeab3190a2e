import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isPublicAddress } from '../public-host.ts';
import { checkAddress } from './check-address.ts';

const PRODUCTION = { allowPrivate: false, ports: [443, 80, 8443] };
const DEVELOPMENT = { allowPrivate: true, ports: [443] };
const check = (url: string, policy = PRODUCTION): string | null => {
  try {
    return checkAddress(url, policy);
  } catch (error) {
    expect(error).toMatchObject({
      verdict: { outcome: 'client', reason: 'url-rejected' },
      field: '/url',
      fix: expect.any(String),
    });
    return null;
  }
};

const PRIVATE_ADDRESSES = [
  '0.0.0.0',
  '0.1.2.3',
  '10.0.0.1',
  '100.64.0.1',
  '100.100.100.200',
  '127.0.0.1',
  '127.255.255.254',
  '169.254.169.254',
  '169.254.170.2',
  '172.16.0.1',
  '172.31.255.255',
  '192.0.0.1',
  '192.0.0.192',
  '192.0.2.1',
  '192.88.99.1',
  '192.168.1.1',
  '198.18.0.1',
  '198.51.100.1',
  '203.0.113.1',
  '224.0.0.1',
  '239.255.255.255',
  '240.0.0.1',
  '255.255.255.255',
  '168.63.129.16',
  '::',
  '::1',
  '::127.0.0.1',
  '::ffff:127.0.0.1',
  '::ffff:10.0.0.1',
  '::ffff:8.8.8.8',
  '::ffff:0:127.0.0.1',
  '64:ff9b::7f00:1',
  '64:ff9b::8.8.8.8',
  '64:ff9b:1::1',
  '100::1',
  '2001::1',
  '2001:db8::1',
  '2001:20::1',
  '2002:7f00:1::',
  '3fff::1',
  '3ffe::1',
  '3ffe:ffff::1',
  '3000::1',
  '2000::1',
  '2004::1',
  '2300::1',
  'fc00::1',
  'fd00:ec2::254',
  'fe80::1',
  'fec0::1',
  'ff02::1',
  '5f00::1',
  '1234::1',
  '4000::1',
  '8000::1',
];
const PUBLIC_ADDRESSES = [
  '8.8.8.8',
  '1.1.1.1',
  '93.184.215.14',
  '172.15.255.255',
  '172.32.0.1',
  '100.63.255.255',
  '100.128.0.1',
  '2606:4700:4700::1111',
  '2a00:1450:4001:81b::200e',
  '2001:4860:4860::8888',
  '2003:0:1::1',
  '2c0f:fb50::1',
];
const bracketed = (address: string): string => (address.includes(':') ? `[${address}]` : address);

describe('checkAddress with an IP address', () => {
  it.each(PRIVATE_ADDRESSES)('rejects the private address %s', (address) => {
    expect([isPublicAddress(address), check(`https://${bracketed(address)}/`)]).toEqual([false, null]);
  });
  it.each(PUBLIC_ADDRESSES)('accepts the public address %s', (address) => {
    expect([isPublicAddress(address), check(`https://${bracketed(address)}/`)]).toEqual([
      true,
      `https://${bracketed(address)}/`,
    ]);
  });
  it.each([
    '0x7f000001',
    '2130706433',
    '0177.0.0.1',
    '017700000001',
    '127.1',
    '127.0.1',
    '0x7f.1',
    '①②⑦.⓪.⓪.①',
    '127。0。0。1',
    '127.0.0.1.',
    '0',
    '0x0',
    '10.1',
    '0xa9fea9fe',
    '2852039166',
    '0251.0376.0251.0376',
    '192.168.257',
    '%31%32%37.0.0.1',
  ])('rejects %s, another spelling of a private address', (host) => {
    expect(check(`https://${host}/`)).toBeNull();
  });
  it('rejects private addresses in every spelling', () => {
    const networks: [number, number][] = [
      [0x0a000000, 8],
      [0x7f000000, 8],
      [0xac100000, 12],
      [0xc0a80000, 16],
      [0xa9fe0000, 16],
      [0x64400000, 10],
      [0xe0000000, 4],
      [0xf0000000, 4],
      [0, 8],
    ];
    const address = fc
      .tuple(fc.constantFrom(...networks), fc.nat({ max: 0xffffffff }))
      .map(([[net, bits], rest]) => (net | (rest & (2 ** (32 - bits) - 1))) >>> 0);
    const octets = (n: number): number[] => [n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255];
    const formats: ((n: number) => string)[] = [
      (n) => octets(n).join('.'),
      (n) => String(n),
      (n) => `0x${n.toString(16)}`,
      (n) => `0${n.toString(8)}`,
      (n) =>
        octets(n)
          .map((each) => `0x${each.toString(16)}`)
          .join('.'),
      (n) =>
        octets(n)
          .map((each) => `0${each.toString(8)}`)
          .join('.'),
      (n) => `${n >>> 24}.${n & 0xffffff}`,
      (n) => `[::ffff:${octets(n).join('.')}]`,
      (n) => `[64:ff9b::${octets(n).join('.')}]`,
      (n) => `[::${octets(n).join('.')}]`,
      (n) => `[2002:${(n >>> 16).toString(16)}:${(n & 0xffff).toString(16)}::1]`,
    ];
    fc.assert(
      fc.property(address, fc.constantFrom(...formats), (n, format) => {
        expect(check(`https://${format(n)}/`)).toBeNull();
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('checkAddress with a host name', () => {
  it.each([
    'localhost',
    'LOCALHOST',
    'localhost.',
    'api.localhost',
    'printer.local',
    'db.internal',
    'metadata.google.internal',
    'metadata',
    'postgres',
    'redis.default.svc',
    'redis.default.svc.cluster.local',
    'router.lan',
    'nas.home',
    'x.home.arpa',
    'wiki.intranet',
    'ad.corp',
    'x.localdomain',
    'a.test',
    '1.0.0.127.in-addr.arpa',
    'x.lan..',
    'x.lan...',
    'cluster.local..',
    'localhost..',
    'metadata..',
    '127.0.0.1..',
    '10.0.0.1...',
    'a..example.com',
    '.example.com',
    'gateway.docker',
    'GATEWAY.Docker.',
    'x.kubernetes',
    'a.mail',
    'nas.router',
    'x.alt',
    'x。lan。。',
  ])('rejects the private host %s', (host) => {
    expect(check(`https://${host}/`)).toBeNull();
  });
  it.each([
    'example.com',
    'hooks.example.co.uk',
    'xn--bcher-kva.example',
    'local.example.com',
    'localhost.example.com',
  ])('accepts the public host %s', (host) => {
    expect(check(`https://${host}/`)).toBe(`https://${host}/`);
  });
});

it('rejects a private host with any number of dots after it, and no dots make a public one private', () => {
  const privateHost = fc.constantFrom(
    'x.lan',
    'cluster.local',
    'gateway.docker',
    'localhost',
    'redis',
    '10.0.0.1',
    '127.1',
  );
  const dot = fc.constantFrom('.', '。', '．', '｡', '%2e');
  fc.assert(
    fc.property(privateHost, fc.array(dot, { maxLength: 5 }), (host, dots) => {
      expect(check(`https://${host}${dots.join('')}/`)).toBeNull();
    }),
  );
  expect(check('https://example.com./x')).toBe('https://example.com/x');
});

it.each([
  'http://example.com/',
  'ftp://example.com/',
  'file:///etc/passwd',
  'gopher://example.com/',
  'javascript:alert(1)',
  'data:,x',
  'https://user@example.com/',
  'https://user:pass@example.com/',
  'https://:pass@example.com/',
  'https://example.com:22/',
  'https://example.com:6379/',
  'https://example.com:65536/',
  'https://',
  'example.com',
  '//example.com',
  '',
  ' ',
  `https://example.com/${'x'.repeat(2_000)}`,
  'https://exa mple.com/',
  'https://[::1/',
  'https://example.com@127.0.0.1/',
  'https://127.0.0.1#@example.com/',
  'https://127.0.0.1\\@example.com/',
])('rejects %s', (url) => expect(check(url)).toBeNull());

it.each([
  ['https://example.com:8443/a?b=c#d', 'https://example.com:8443/a?b=c'],
  ['https://example.com:80/', 'https://example.com:80/'],
  ['HTTPS://EXAMPLE.com', 'https://example.com/'],
  ['https://bücher.example/', 'https://xn--bcher-kva.example/'],
])('normalises %s to %s', (given, normalised) => expect(check(given)).toBe(normalised));

it('accepts private hosts and http in development, but no other schemes and no passwords', () => {
  expect(check('http://127.0.0.1:4000/events', DEVELOPMENT)).toBe('http://127.0.0.1:4000/events');
  expect(check('http://localhost:4000/', DEVELOPMENT)).toBe('http://localhost:4000/');
  for (const url of ['file:///etc/passwd', 'http://a:b@localhost/']) expect(check(url, DEVELOPMENT)).toBeNull();
});
