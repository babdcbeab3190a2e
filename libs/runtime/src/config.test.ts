import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readConfig } from './config.ts';

const pem = (type: 'pkcs8' | 'pkcs1'): string =>
  generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type, format: 'pem' }).toString();
const PKCS8 = pem('pkcs8');

const vonage = {
  VIDEO_MODE: 'unified',
  VONAGE_API_KEY: 'abc',
  VONAGE_API_SECRET: 'def',
  VONAGE_SIGNATURE_SECRET: 's'.repeat(32),
  VONAGE_APPLICATION_ID: '8f3d2b1c-9a47-4c1e-8e59-1f7f0b2a6c44',
  VONAGE_PRIVATE_KEY: PKCS8,
  VIDEO_CALLBACK_SECRET: 't'.repeat(32),
};

test('reads valid variables and applies the defaults', () => {
  expect(readConfig({ PORT: '', DATABASE_URL: 'postgresql://a@b/c' }, ['service', 'database'])).toEqual({
    service: {
      HOST: '0.0.0.0',
      PORT: 8080,
      MANAGEMENT_PORT: 8081,
      LOG_LEVEL: 'info',
      DRAIN_SECONDS: 20,
      HEADERS_TIMEOUT_MS: 10_000,
      REQUEST_TIMEOUT_MS: 15_000,
      SOCKET_TIMEOUT_MS: 75_000,
      TRUSTED_PROXIES: [],
      HSTS_SECONDS: 0,
    },
    database: { DATABASE_URL: 'postgresql://a@b/c', DATABASE_POOL: 10 },
  });
});

test.each([
  [undefined, []],
  ['10.0.0.0/8, fd00::/8', ['10.0.0.0/8', 'fd00::/8']],
  ['192.0.2.1', ['192.0.2.1']],
])('reads trusted proxies: %j', (TRUSTED_PROXIES, wanted) => {
  expect(readConfig({ TRUSTED_PROXIES }, ['service']).service.TRUSTED_PROXIES).toEqual(wanted);
});

const gateway = {
  GATEWAY_ID: 'gw-1',
  GATEWAY_SECRET: 's'.repeat(32),
  JANUS_URL: 'ws://127.0.0.1:8188',
  JANUS_API_SECRET: 'a',
  JANUS_ADMIN_KEY: 'b',
  KAMAILIO_SIP: '127.0.0.1:5060',
  KAMAILIO_GATEWAY_SECRET: 'c',
};

test('reads the ICE servers of browsers', () => {
  const ice = { STUN_URLS: 'stun:a:3478', TURN_URLS: 'turn:a:3478, turns:a:5349', TURN_SECRET: 'd' };
  expect(readConfig({ ...gateway, ...ice }, ['gateway']).gateway).toMatchObject({
    STUN_URLS: ['stun:a:3478'],
    TURN_URLS: ['turn:a:3478', 'turns:a:5349'],
    TURN_SECRET: 'd',
  });
  expect(readConfig(gateway, ['gateway']).gateway).toMatchObject({ STUN_URLS: [], TURN_URLS: [] });
});

test.each([
  [{ STUN_URLS: 'turn:a' }, /STUN_URLS: must be comma-separated stun: URLs/],
  [{ TURN_URLS: 'turn:a,http://b', TURN_SECRET: 'd' }, /TURN_URLS: must be comma-separated turn: or turns: URLs/],
  [{ MEDIA_GATEWAYS: 'gw-8=http://10.0.0.8:8080' }, /MEDIA_GATEWAYS: must contain GATEWAY_ID/],
  [{ TURN_URLS: 'turn:a' }, /TURN_SECRET: is not set; TURN_URLS requires it/],
])('rejects %j of a gateway', (variables, message) => {
  expect(() => readConfig({ ...gateway, ...variables }, ['gateway'])).toThrow(message);
});

test.each([
  [undefined, undefined],
  ['none', []],
  ['+1712432, +1605475', ['+1712432', '+1605475']],
])('reads blocked destinations: %j', (BLOCKED_DESTINATIONS, wanted) => {
  expect(readConfig({ BLOCKED_DESTINATIONS }, ['limits']).limits.BLOCKED_DESTINATIONS).toEqual(wanted);
});

test.each([
  [undefined, undefined],
  [
    'eu=https://api-eu.vonage.com, ap=http://127.0.0.1:1',
    { eu: 'https://api-eu.vonage.com', ap: 'http://127.0.0.1:1' },
  ],
  [',', {}],
])('reads the hosts of regions: %j', (VONAGE_REGION_HOSTS, wanted) => {
  expect(readConfig({ ...vonage, VONAGE_REGION_HOSTS }, ['provider']).provider.VONAGE_REGION_HOSTS).toEqual(wanted);
});

test('accepts a private key as PEM, as PEM with escaped line breaks, or as the path of a PEM file', () => {
  const file = join(mkdtempSync(join(tmpdir(), 'partyline-key-')), 'key.pem');
  writeFileSync(file, PKCS8);
  for (const given of [PKCS8, PKCS8.replaceAll('\n', String.raw`\n`), file])
    expect(readConfig({ ...vonage, VONAGE_PRIVATE_KEY: given }, ['provider']).provider.VONAGE_PRIVATE_KEY?.trim()).toBe(
      PKCS8.trim(),
    );
});

test.each([
  ['DATABASE_URL', { DATABASE_URL: undefined }, /DATABASE_URL: is not set/],
  ['DATABASE_URL', { DATABASE_URL: 'mysql://hunter2@x' }, /DATABASE_URL: must look like postgresql/],
  ['PIN_KEYS', { PIN_KEYS: 'a:c2hvcnQ=' }, /PIN_KEYS: must have 32 bytes in base64 after a/],
  [
    'VONAGE_SIGNATURE_SECRET',
    { VONAGE_SIGNATURE_SECRET: 'hunter2' },
    /VONAGE_SIGNATURE_SECRET: must have at least 32 characters/,
  ],
  ['VONAGE_APPLICATION_ID', { VONAGE_APPLICATION_ID: 'hunter2' }, /VONAGE_APPLICATION_ID: must be a UUID/],
  ['VONAGE_PRIVATE_KEY', { VONAGE_PRIVATE_KEY: '/no/such/hunter2' }, /VONAGE_PRIVATE_KEY: must be a PEM or the path/],
  ['VONAGE_PRIVATE_KEY', { VONAGE_PRIVATE_KEY: pem('pkcs1') }, /VONAGE_PRIVATE_KEY: must be a PKCS#8 key/],
  ['EVENTS_PORTS', { EVENTS_PORTS: '443,hunter2' }, /EVENTS_PORTS: must be a comma-separated list of port numbers/],
  ['BLOCKED_DESTINATIONS', { BLOCKED_DESTINATIONS: '1712' }, /BLOCKED_DESTINATIONS: must be `none` or comma-separated/],
  ['TRUSTED_PROXIES', { TRUSTED_PROXIES: '1' }, /TRUSTED_PROXIES: must be a comma-separated list of addresses/],
  [
    'TRUSTED_PROXIES',
    { TRUSTED_PROXIES: '10.0.0.0/8,hunter2' },
    /TRUSTED_PROXIES: must be a comma-separated list of addresses/,
  ],
  [
    'TRUSTED_PROXIES',
    { TRUSTED_PROXIES: '10.0.0.0/33' },
    /TRUSTED_PROXIES: must be a comma-separated list of addresses/,
  ],
  [
    'VONAGE_REGION_HOSTS',
    { VONAGE_REGION_HOSTS: 'mars=https://hunter2' },
    /VONAGE_REGION_HOSTS: must look like us=https/,
  ],
  ['VONAGE_REGION', { VONAGE_REGION: 'hunter2' }, /VONAGE_REGION: /],
  [
    'VONAGE_REGION',
    { VONAGE_REGION: 'us', VONAGE_REGION_HOSTS: 'eu=https://api-eu.vonage.com' },
    /VONAGE_REGION: must be a region of VONAGE_REGION_HOSTS/,
  ],
  [
    'SIP_PASSWORD',
    { SIP_USERNAME: 'hunter2' },
    /SIP_PASSWORD: is not set; set SIP_USERNAME and SIP_PASSWORD, or neither/,
  ],
  [
    'SIP_USERNAME',
    { SIP_PASSWORD: 'hunter2' },
    /SIP_USERNAME: is not set; set SIP_USERNAME and SIP_PASSWORD, or neither/,
  ],
  ['OPENTOK_API_KEY', { VIDEO_MODE: 'opentok' }, /OPENTOK_API_KEY: is not set; VIDEO_MODE=opentok requires it/],
  ['MEDIA_GATEWAYS', { VIDEO_MODE: 'janus' }, /MEDIA_GATEWAYS: is not set; VIDEO_MODE=janus requires it/],
  [
    'KAMAILIO_RPC_URL',
    { MEDIA_GATEWAYS: 'gw-1=http://h:1', GATEWAY_SECRET: 'hunter2'.repeat(5), GATEWAY_SOCKET_URL: 'wss://h/v1/socket' },
    /KAMAILIO_RPC_URL: is not set; MEDIA_GATEWAYS requires it\n.*KAMAILIO_RPC_SECRET: is not set; MEDIA_GATEWAYS requires it/,
  ],
  ['GATEWAY_SECRET', { KAMAILIO_RPC_SECRET: 'hunter2' }, /GATEWAY_SECRET: is not set; KAMAILIO_RPC_SECRET requires it/],
  ['MEDIA_GATEWAYS', { MEDIA_GATEWAYS: 'hunter2' }, /MEDIA_GATEWAYS: must look like gw-1=http/],
  ['MEDIA_GATEWAYS', { MEDIA_GATEWAYS: 'a=http://h:1,a=http://h:2' }, /MEDIA_GATEWAYS: must look like .*each id once/],
  ['SIP_TRUNK', { SIP_TRUNK: 'sip:hunter2@x' }, /SIP_TRUNK: must be a host name or address/],
  [
    'SIP_TRUNK_USERNAME',
    { SIP_TRUNK_PASSWORD: 'hunter2' },
    /SIP_TRUNK_USERNAME: is not set; set SIP_TRUNK_USERNAME and SIP_TRUNK_PASSWORD, or neither/,
  ],
])('%s: the error names the variable and the fix, without the value (%#)', (_name, change, message) => {
  const env = {
    DATABASE_URL: 'postgresql://a@b/c',
    PIN_KEYS: `a:${Buffer.alloc(32).toString('base64')}`,
    ...vonage,
    ...change,
  };
  const read = (): unknown =>
    readConfig(env as NodeJS.ProcessEnv, ['service', 'database', 'pins', 'provider', 'events', 'limits']);
  expect(read).toThrow(message);
  expect(read).not.toThrow(/hunter2/);
});

test('reads operator keys as hashes, and rejects malformed ones; there are none by default', () => {
  const hash = 'ab'.repeat(32);
  expect(readConfig({ OPERATOR_KEYS: `ada:${hash},bob:${'cd'.repeat(32)}:2027-02-28` }, ['keys']).keys).toEqual({
    OPERATOR_KEYS: [
      { id: 'ada', hash: Buffer.from(hash, 'hex'), expiresAt: null },
      { id: 'bob', hash: Buffer.from('cd'.repeat(32), 'hex'), expiresAt: new Date('2027-02-28T00:00:00Z') },
    ],
    KEY_ENV: 'live',
  });
  expect(readConfig({}, ['keys']).keys.OPERATOR_KEYS).toEqual([]);
  for (const malformed of [
    'ada',
    `ada:${hash},`,
    `ada:${hash.slice(1)}`,
    `a b:${hash}`,
    `ada:${hash}:`,
    `ada:${hash}:2027-13-01`,
    `ada:${hash}:never`,
    'plop_ada_hunter2',
  ]) {
    expect(() => readConfig({ OPERATOR_KEYS: malformed }, ['keys'])).toThrow(
      /OPERATOR_KEYS: must look like id:sha256hex/,
    );
    expect(() => readConfig({ OPERATOR_KEYS: malformed }, ['keys'])).not.toThrow(/hunter2/);
  }
});

test('reads master keys from a list or a file, in order; there are none by default', () => {
  const [old, young] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
  const text = `2027a:${young.toString('base64')}, 2026a:${old.toString('base64')}`;
  const file = join(mkdtempSync(join(tmpdir(), 'partyline-key-')), 'master-keys');
  writeFileSync(file, `${text}\n`);
  for (const given of [text, file])
    expect(readConfig({ MASTER_KEYS: given }, ['accounts']).accounts.MASTER_KEYS).toEqual([
      { id: '2027a', key: young },
      { id: '2026a', key: old },
    ]);
  expect(readConfig({ MASTER_KEYS: '' }, ['accounts']).accounts).toEqual({});
});

test.each([
  ['hunter2', /MASTER_KEYS: must be id:base64,id:base64,\.\.\. or the path/],
  [`a:${Buffer.from('hunter2').toString('base64')}`, /MASTER_KEYS: must have 32 bytes in base64 after a/],
  [
    `a:${Buffer.alloc(32).toString('base64')},a:${Buffer.alloc(32, 1).toString('base64')}`,
    /MASTER_KEYS: must contain each id once/,
  ],
  [`hunter2 x:${Buffer.alloc(32).toString('base64')}`, /MASTER_KEYS: must look like id:base64/],
  [`a:${Buffer.alloc(32).toString('base64')},hunter2`, /MASTER_KEYS: must/],
])('rejects malformed master keys with a message that contains no key (%#)', (given, message) => {
  const read = (): unknown => readConfig({ MASTER_KEYS: given }, ['accounts']);
  expect(read).toThrow(message);
  for (const secret of ['hunter2', Buffer.from('hunter2').toString('base64'), Buffer.alloc(32).toString('base64')])
    expect(read).not.toThrow(new RegExp(secret));
});

test('lists all invalid variables in one error', () => {
  expect(() => readConfig({}, ['database', 'redis', 'pins'])).toThrow(/DATABASE_URL[\s\S]*REDIS_URL[\s\S]*PIN_KEYS/);
});

test('lists what VIDEO_MODE and the form of a key require together with all other variables', () => {
  const read = (): unknown =>
    readConfig({ VIDEO_MODE: 'opentok', VONAGE_PRIVATE_KEY: pem('pkcs1') }, ['webhooks', 'provider']);
  expect(read).toThrow(
    [
      'The configuration is invalid:',
      '  PUBLIC_WEBHOOK_URL: is not set',
      '  VONAGE_API_KEY: is not set; VIDEO_MODE=opentok requires it',
      '  VONAGE_API_SECRET: is not set; VIDEO_MODE=opentok requires it',
      '  VONAGE_SIGNATURE_SECRET: is not set; VIDEO_MODE=opentok requires it',
      '  VONAGE_APPLICATION_ID: is not set; VIDEO_MODE=opentok requires it',
      '  VONAGE_PRIVATE_KEY: must be a PKCS#8 key (BEGIN PRIVATE KEY): openssl pkcs8 -topk8 -nocrypt -in old.key -out new.key',
      '  VIDEO_CALLBACK_SECRET: is not set; VIDEO_MODE=opentok requires it',
      '  OPENTOK_API_KEY: is not set; VIDEO_MODE=opentok requires it',
      '  OPENTOK_API_SECRET: is not set; VIDEO_MODE=opentok requires it',
      'docs/operators.md describes every variable.',
    ].join('\n'),
  );
});

test.each([
  [{ PUBLIC_WEBHOOK_URL: 'ftp://x' }, 'PUBLIC_WEBHOOK_URL: must be a URL with its scheme, such as https://example.com'],
  [{ PORT: 'many' }, 'PORT: must be a whole number'],
  [{ PORT: '70000' }, 'PORT: must be at most 65535'],
  [{ DRAIN_SECONDS: '-1' }, 'DRAIN_SECONDS: must be more than 0'],
  [{ LOG_LEVEL: 'loud' }, 'LOG_LEVEL: must be one of debug, info, warn, error, silent'],
  [{ REDIS_PREFIX: 'Ä' }, 'REDIS_PREFIX: must be 1 to 40 lower-case letters, digits and dashes'],
])('states the rule in its own words: %o', (env, message) => {
  const read = (): unknown => readConfig(env, ['service', 'redis', 'webhooks']);
  expect(read).toThrow(message);
  expect(read).not.toThrow(/Invalid|expected|received/);
});

const open = { DATABASE_URL: 'postgresql://app@db/partyline', REDIS_URL: 'redis://cache:6379' };
const secure = {
  DATABASE_URL: 'postgresql://app:hunter2@db/partyline?sslmode=verify-full',
  REDIS_URL: 'rediss://:hunter2@cache:6379',
};

test('production requires passwords and TLS for Postgres and Redis, and names every problem at once', () => {
  const read = (): unknown => readConfig({ ...open, NODE_ENV: 'production' }, ['database', 'redis', 'pins']);
  for (const problem of [
    /DATABASE_URL: must contain a password/,
    /DATABASE_URL: must use TLS \(sslmode=verify-full\)/,
    /REDIS_URL: must contain a password/,
    /REDIS_URL: must use TLS \(rediss:\/\/\)/,
    /PIN_KEYS: is not set/,
  ])
    expect(read).toThrow(problem);
});

test.each([
  ['production with passwords and TLS', { ...secure, NODE_ENV: 'production' }],
  ['production that allows it', { ...open, NODE_ENV: 'production', ALLOW_INSECURE_CONNECTIONS: 'on' }],
  ['development', { ...open, NODE_ENV: 'development' }],
  ['no environment', open],
])('accepts the connections of %s', (_name, env) => {
  expect(readConfig(env, ['database', 'redis'])).toMatchObject({ database: { DATABASE_URL: env.DATABASE_URL } });
});

test.each(['disable', 'allow', 'prefer', 'no-verify', ''])('production rejects sslmode %j', (mode) => {
  const env = { NODE_ENV: 'production', DATABASE_URL: `postgresql://app:hunter2@db/partyline?sslmode=${mode}` };
  expect(() => readConfig(env, ['database'])).toThrow(/must use TLS/);
  expect(() => readConfig(env, ['database'])).not.toThrow(/hunter2/);
});

test.each([
  'postgresql://app:hunter2@/partyline?host=/var/run/postgresql',
  'postgresql:///partyline?host=/var/run/postgresql&user=app&password=hunter2',
  'postgresql://app:hunter2@%2Fvar%2Frun%2Fpostgresql/partyline',
])('production accepts a socket in the file system without TLS, as node-postgres does: %s', (url) => {
  expect(readConfig({ NODE_ENV: 'production', DATABASE_URL: url }, ['database'])).toMatchObject({
    database: { DATABASE_URL: url },
  });
});

const host = 'postgresql://app:hunter2@db/partyline';
const certificate = join(mkdtempSync(join(tmpdir(), 'partyline-ca-')), 'ca.pem');
writeFileSync(certificate, 'a certificate');

test.each([
  `${host}?sslmode=verify-full`,
  `${host}?sslmode=require`,
  `${host}?sslmode=verify-ca`,
  `${host}?ssl=true`,
  `${host}?ssl=1`,
  `${host}?sslmode=disable&sslmode=verify-full`,
  `${host}?sslmode=verify-full&sslrootcert=${certificate}`,
  `${host}?sslrootcert=${certificate}`,
  `${host}?uselibpqcompat=true&sslmode=verify-full`,
  `${host}?uselibpqcompat=true&sslmode=require&sslrootcert=${certificate}`,
  `postgresql://app@db/partyline?password=hunter2&sslmode=verify-full`,
  `postgresql://app@db/partyline?sslmode=verify-full&sslcert=${certificate}&sslkey=${certificate}`,
])('production accepts a connection whose certificate pg checks: %s', (url) => {
  expect(readConfig({ NODE_ENV: 'production', DATABASE_URL: url }, ['database']).database.DATABASE_URL).toBe(url);
});

test.each([
  [`${host}?ssl=true&sslmode=disable`, /must use TLS/],
  [`${host}?ssl=false`, /must use TLS/],
  [`${host}?ssl=no-verify`, /must use TLS/],
  [`${host}?sslmode=require&sslmode=disable`, /must use TLS/],
  [`${host}?sslmode=verify-full&sslmode=no-verify`, /must use TLS/],
  [`${host}?uselibpqcompat=true&sslmode=require`, /must use TLS/],
  [`${host}?uselibpqcompat=true&sslmode=verify-ca`, /certificates must be readable files/],
  [`${host}?sslrootcert=/no/such/ca.pem`, /certificates must be readable files/],
  [`${host}?host=/var/run/postgresql&host=db`, /must use TLS/],
  ['postgresql://app@db/partyline?sslmode=verify-full&password=', /must contain a password/],
  ['postgresql://app@db/partyline?sslmode=verify-full&sslcert=', /must contain a password/],
  ['postgresql://app:hunter2@/partyline', /must use TLS/],
  ['postgresql://app:hunter2@/partyline?host=db', /must use TLS/],
  ['postgresql://app@/partyline?host=/var/run/postgresql', /must contain a password/],
])('production rejects %s', (url, problem) => {
  const read = (): unknown => readConfig({ NODE_ENV: 'production', DATABASE_URL: url }, ['database']);
  expect(read).toThrow(problem);
  expect(read).not.toThrow(/hunter2/);
});

test('names a URL that cannot be parsed', () => {
  const read = (): unknown => readConfig({ DATABASE_URL: 'postgresql://app:hunter2/x@db:port/p' }, ['database']);
  expect(read).toThrow(/DATABASE_URL: must be a URL; encode special characters/);
  expect(read).not.toThrow(/hunter2/);
});
