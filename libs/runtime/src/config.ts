import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { HOST_AND_PORT } from '@partyline/domain/host-and-port';
import { describeIssue } from '@partyline/domain/issue-message';
import { PROVIDER_REGIONS, type ProviderRegion } from '@partyline/domain/provider-region';
import { type ConnectionOptions, parse } from 'pg-connection-string';
import { z } from 'zod';

/**
 * A PKCS#8 PEM, or the path of such a file. Environment variables often contain line breaks as
 * `\n`.
 */
const privateKey = z
  .string()
  .min(1)
  .transform((value, ctx) => {
    if (value.includes('-----BEGIN')) return value.replaceAll('\\n', '\n');
    try {
      return readFileSync(value, 'utf8');
    } catch {
      ctx.addIssue('must be a PEM or the path of a readable PEM file');
      return z.NEVER;
    }
  })
  .refine(
    (key) => key.includes('-----BEGIN PRIVATE KEY-----'),
    'must be a PKCS#8 key (BEGIN PRIVATE KEY): openssl pkcs8 -topk8 -nocrypt -in old.key -out new.key',
  );

/**
 * Comma-separated `id:base64` entries, or the path of a file that contains them, so that the keys
 * need not be in the environment. The error messages contain no key.
 */
const keyRing = z.string().transform((text, ctx) => {
  const reject = (message: string): never => {
    ctx.addIssue(message);
    return z.NEVER;
  };
  let list = text.trim();
  if (!list.includes(':')) {
    try {
      list = readFileSync(list, 'utf8').trim();
    } catch {
      return reject('must be id:base64,id:base64,... or the path of a readable file');
    }
  }
  const keys = list.split(/\s*,\s*/).map((entry) => ({
    id: entry.slice(0, entry.indexOf(':')),
    key: Buffer.from(entry.slice(entry.indexOf(':') + 1), 'base64'),
  }));
  if (keys.some(({ id }) => !/^[A-Za-z0-9._-]{1,40}$/.test(id)))
    return reject(
      'must look like id:base64,id:base64,...; an id has 1 to 40 letters, digits, dots, dashes and underscores',
    );
  if (new Set(keys.map(({ id }) => id)).size < keys.length) return reject('must contain each id once');
  const invalid = keys.find(({ key }) => key.length !== 32);
  if (invalid !== undefined) return reject(`must have 32 bytes in base64 after ${invalid.id}: openssl rand -base64 32`);
  return keys as [(typeof keys)[number], ...typeof keys];
});

const secret = z.string().min(32, 'must have at least 32 characters');

/** Comma-separated `region=url` entries; empty: no tenant may choose a region. */
const regionHosts = z.string().transform((text, ctx) => {
  const hosts: Partial<Record<ProviderRegion, string>> = {};
  for (const entry of text.split(',').map((each) => each.trim())) {
    if (entry === '') continue;
    const region = PROVIDER_REGIONS.find((each) => entry.startsWith(`${each}=`));
    const url = z.url({ protocol: /^https?$/ }).safeParse(entry.slice(entry.indexOf('=') + 1));
    if (region === undefined || !url.success) {
      ctx.addIssue('must look like us=https://api-us.vonage.com,eu=https://...; the regions are us, eu and ap');
      return z.NEVER;
    }
    hosts[region] = url.data;
  }
  return hosts;
});

/** `id:sha256hex`, and optionally `:YYYY-MM-DD`, the day (UTC) from which the key is rejected. */
const OPERATOR_ENTRY = /^([A-Za-z0-9]{1,40}):([0-9a-f]{64})(?::(\d{4}-\d{2}-\d{2}))?$/;
const operatorKeys = z
  .string()
  .transform((text) => text.split(',').map((entry) => OPERATOR_ENTRY.exec(entry.trim())))
  .refine(
    (entries) => entries.every((entry) => entry !== null && !Number.isNaN(Date.parse(entry[3] ?? '2000-01-01'))),
    'must look like id:sha256hex:YYYY-MM-DD,id:sha256hex:YYYY-MM-DD,...; `npm run operator-key` creates an entry',
  )
  .transform((entries) =>
    entries.map((entry) => ({
      id: entry![1]!,
      hash: Buffer.from(entry![2]!, 'hex'),
      expiresAt: entry![3] === undefined ? null : new Date(entry![3]),
    })),
  );

const isNetwork = (text: string): boolean => {
  const [address = '', bits, ...rest] = text.split('/');
  return (
    isIP(address) !== 0 &&
    rest.length === 0 &&
    (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (isIP(address) === 4 ? 32 : 128)))
  );
};
// A number of proxies is not accepted: a client that bypasses them could then pretend to be one.
const networks = z
  .string()
  .transform((text) => text.split(',').map((each) => each.trim()))
  .refine(
    (given) => given.every(isNetwork),
    'must be a comma-separated list of addresses and networks, such as 10.0.0.0/8,fd00::/8',
  );

/**
 * `postgresql://user:password@/database?host=/folder` has no host, which is no URL. node-postgres
 * (pg-connection-string) reads it in this way too.
 */
const withHost = (databaseUrl: string): string =>
  URL.canParse(databaseUrl) ? databaseUrl : databaseUrl.replace('@/', '@localhost/');

const iceUrls = (scheme: RegExp, message: string) =>
  z
    .string()
    .transform((text) => text.split(',').map((each) => each.trim()))
    .refine((urls) => urls.every((url) => scheme.test(url) && !/\s/.test(url)), message);

const seconds = z.coerce.number().int().positive();
const portNumber = z.coerce.number().int().min(0).max(65_535);

const httpUrl = z.url({ protocol: /^https?$/ }).transform((url) => url.replace(/\/+$/, ''));
const gatewayId = z.string().regex(/^[a-z0-9-]{1,40}$/, 'must have 1 to 40 lower-case letters, digits and dashes');
const hostAndPort = z.string().regex(HOST_AND_PORT, 'must be a host name or address, with or without a port');

/** Comma-separated `id=url` entries. */
const gateways = z.string().transform((text, ctx) => {
  const entries = text.split(',').map((entry) => {
    const [id = '', ...url] = entry.trim().split('=');
    return { id, url: url.join('=') };
  });
  const isValid = ({ id, url }: (typeof entries)[number]): boolean =>
    gatewayId.safeParse(id).success && httpUrl.safeParse(url).success;
  if (entries.every(isValid) && new Set(entries.map(({ id }) => id)).size === entries.length) return entries;
  ctx.addIssue('must look like gw-1=http://10.0.0.1:8090,gw-2=http://10.0.0.2:8090, each id once');
  return z.NEVER;
});

const VONAGE_VARIABLES = [
  'VONAGE_API_KEY',
  'VONAGE_API_SECRET',
  'VONAGE_SIGNATURE_SECRET',
  'VONAGE_APPLICATION_ID',
  'VONAGE_PRIVATE_KEY',
  'VIDEO_CALLBACK_SECRET',
] as const;

/** The variables of our own gateways: set all of them, or none. */
const GATEWAY_VARIABLES = [
  'MEDIA_GATEWAYS',
  'GATEWAY_SECRET',
  'GATEWAY_SOCKET_URL',
  'KAMAILIO_RPC_URL',
  'KAMAILIO_RPC_SECRET',
] as const;

/** The variables that each `VIDEO_MODE` requires. */
const REQUIRED_BY_MODE = {
  unified: VONAGE_VARIABLES,
  opentok: [...VONAGE_VARIABLES, 'OPENTOK_API_KEY', 'OPENTOK_API_SECRET'],
  janus: GATEWAY_VARIABLES,
} as const;

/**
 * All environment variables of the services, in groups. A service names the groups that it needs
 * and parses them once, in `main`; no other code reads the environment.
 */
const GROUPS = {
  service: z.object({
    HOST: z.string().default('0.0.0.0'),
    PORT: portNumber.default(8080),
    /** `/healthz`, `/readyz` and `/metrics` are served here and nowhere else. */
    MANAGEMENT_PORT: portNumber.default(8081),
    LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
    /**
     * Time limit for finishing running work at shutdown. Kubernetes' grace period must be longer.
     */
    DRAIN_SECONDS: seconds.default(20),
    /** Time limit for receiving the headers of a request, and of a new connection to begin one. */
    HEADERS_TIMEOUT_MS: z.coerce.number().int().min(100).max(60_000).default(10_000),
    /**
     * Time limit for receiving a whole request. Replies, such as event streams, are not limited.
     */
    REQUEST_TIMEOUT_MS: z.coerce.number().int().min(100).max(300_000).default(15_000),
    /**
     * A connection on which nothing was sent or received for this time is closed. Event streams
     * send a heartbeat every 15 s.
     */
    SOCKET_TIMEOUT_MS: z.coerce.number().int().min(1_000).max(600_000).default(75_000),
    /**
     * Addresses and networks whose `X-Forwarded-For` is trusted. Empty: the peer address is the
     * client address.
     */
    TRUSTED_PROXIES: networks.default([]),
    /** `max-age` of `Strict-Transport-Security`. 0: the header is not sent. */
    HSTS_SECONDS: z.coerce.number().int().min(0).max(63_072_000).default(0),
  }),
  database: z.object({
    DATABASE_URL: z
      .string()
      .regex(/^postgres(ql)?:\/\//, 'must look like postgresql://user:password@host:5432/database')
      .refine(
        (url) => URL.canParse(withHost(url)),
        'must be a URL; encode special characters of the password (%2F for /)',
      ),
    /** Connections of one replica. The sum over all replicas must fit the server's limit. */
    DATABASE_POOL: z.coerce.number().int().min(1).max(200).default(10),
  }),
  redis: z.object({
    REDIS_URL: z
      .string()
      .regex(/^rediss?:\/\//, 'must look like rediss://:password@host:6379')
      .refine((url) => URL.canParse(url), 'must be a URL; encode special characters of the password (%2F for /)'),
    /** Prefix of all keys and channels, so that several deployments can share one Redis. */
    REDIS_PREFIX: z
      .string()
      .regex(/^[a-z0-9-]{1,40}$/, 'must be 1 to 40 lower-case letters, digits and dashes')
      .default('partyline'),
  }),
  rpc: z.object({
    /** Signs the requests of room-api to dial-orchestrator, which pass through Redis. */
    RPC_SECRET: secret,
    /** The other secret of a rotation: requests signed with it are accepted too. */
    RPC_OTHER_SECRET: secret.optional(),
  }),
  reconciler: z.object({
    /** `off` is for tests only; it shows which legs stay up without the reconciler. */
    PARTYLINE_RECONCILER: z.enum(['on', 'off']).default('on'),
    /** Interval between two runs of the reconciler. */
    RECONCILE_MS: z.coerce.number().int().min(100).max(5_000).default(1_000),
    /** Interval between two sweeps of the providers' inventories. */
    INVENTORY_MS: z.coerce.number().int().min(1_000).max(60_000).default(60_000),
  }),
  pins: z.object({
    /**
     * Keys of PINs, endpoints' secrets and stored replies. The first one writes, all of them read.
     */
    PIN_KEYS: keyRing,
  }),
  accounts: z.object({
    /**
     * Keys that encrypt the tenants' data keys, which encrypt the credentials of their own provider
     * accounts. The first key encrypts, all decrypt. Unset: tenants cannot have accounts of their
     * own.
     */
    MASTER_KEYS: keyRing.optional(),
  }),
  events: z.object({
    /**
     * `on` is for development: endpoints may use http, any port, and addresses in our own network.
     */
    EVENTS_ALLOW_PRIVATE: z.enum(['on', 'off']).default('off'),
    EVENTS_PORTS: z
      .string()
      .default('443,80,8443')
      .transform((text) => text.split(',').map(Number))
      .refine(
        (ports) => ports.every((port) => Number.isInteger(port) && port >= 1 && port <= 65_535),
        'must be a comma-separated list of port numbers, such as 443,8443',
      ),
  }),
  limits: z.object({
    /**
     * Requests per minute that one address may send without a valid API key. The addresses of an
     * IPv6 /64 count as one.
     */
    UNAUTHENTICATED_PER_MINUTE: z.coerce.number().int().min(1).max(1_000_000).default(300),
    /**
     * E.164 prefixes that nobody may dial, comma-separated, or `none`. Unset: known traffic-pumping
     * exchanges (`TRAFFIC_PUMPING_PREFIXES`).
     */
    BLOCKED_DESTINATIONS: z
      .string()
      .regex(
        /^(none|\+[1-9]\d{0,14}(\s*,\s*\+[1-9]\d{0,14})*)$/,
        'must be `none` or comma-separated E.164 prefixes, such as +1712432,+1605475',
      )
      .transform((text) => (text === 'none' ? [] : text.split(/\s*,\s*/)))
      .optional(),
  }),
  keys: z.object({
    /**
     * Keys for the operator's part of the API: comma-separated `id:sha256hex:YYYY-MM-DD`, the hash
     * of the whole key and its expiry; without one it is valid for ever. Empty: none is accepted.
     */
    OPERATOR_KEYS: operatorKeys.default([]),
    /**
     * The environment in an API key, `pl_<env>_...`. Keys with another environment are rejected.
     */
    KEY_ENV: z
      .string()
      .regex(/^[a-z]{1,10}$/, 'must be 1 to 10 lower-case letters')
      .default('live'),
  }),
  sip: z.object({
    /** Where tenants' trunks send calls and their phones register: the public address of kamailio. */
    SIP_PUBLIC_ADDRESS: hostAndPort.optional(),
  }),
  webhooks: z.object({
    /** The public URL at which the provider reaches voice-webhooks. */
    PUBLIC_WEBHOOK_URL: z.url({ protocol: /^https?$/ }).transform((url) => url.replace(/\/$/, '')),
  }),
  gateway: z.object({
    /** The name of this gateway among all; it begins the ids of its calls. */
    GATEWAY_ID: gatewayId,
    /** Signs control requests, webhooks and browsers' tokens; the same in all services. */
    GATEWAY_SECRET: secret,
    /** The other secret of a rotation: signatures with it are accepted too. */
    GATEWAY_OTHER_SECRET: secret.optional(),
    /** The WebSocket of this gateway's own Janus. */
    JANUS_URL: z.url({ protocol: /^wss?$/, error: 'must be a ws or wss URL' }),
    JANUS_API_SECRET: z.string().min(1),
    /** `admin_key` of the AudioBridge and VideoRoom plugins. */
    JANUS_ADMIN_KEY: z.string().min(1),
    /** Address and port of kamailio's SIP socket. */
    KAMAILIO_SIP: hostAndPort,
    /** The digest secret with which gateways register at kamailio. */
    KAMAILIO_GATEWAY_SECRET: z.string().min(1),
    /** The address of this host at which the Janus of each gateway reaches it. */
    MEDIA_IP: z.ipv4('must be an IPv4 address').default('127.0.0.1'),
    /** `id=url` of each media-gateway, comma-separated; the same in all services. Unset: this is the only one. */
    MEDIA_GATEWAYS: gateways.default([]),
    /** Browsers at the same time. */
    MAX_BROWSERS: z.coerce.number().int().min(1).max(10_000).default(200),
    /** `stun:` URLs for browsers, comma-separated. */
    STUN_URLS: iceUrls(/^stuns?:/, 'must be comma-separated stun: URLs').default([]),
    /** `turn:` and `turns:` URLs for browsers, comma-separated. They require TURN_SECRET. */
    TURN_URLS: iceUrls(/^turns?:/, 'must be comma-separated turn: or turns: URLs').default([]),
    /** `static-auth-secret` of the TURN servers (coturn), which signs credentials of browsers. */
    TURN_SECRET: z.string().min(1).optional(),
    /** Calls at the same time. */
    MAX_CALLS: z.coerce.number().int().min(1).max(2_000).default(100),
    /** A call without audio for this time is hung up. */
    MEDIA_TIMEOUT_SECONDS: seconds.max(3_600).default(30),
  }),
  /** How media-gateway speaks. */
  speech: z.object({
    /**
     * A command that speaks: text on standard input, WAV on standard output, the language (BCP 47) in
     * the variable TTS_LANGUAGE. Unset: flite for English, espeak-ng for other languages.
     */
    TTS_COMMAND: z.string().min(1).optional(),
    /** The speech programs: names on PATH, or paths. */
    FLITE_BIN: z.string().min(1).default('flite'),
    ESPEAK_BIN: z.string().min(1).default('espeak-ng'),
    /** Folders of their libraries and voices, where they are not installed. */
    SPEECH_LIBRARY_PATH: z.string().optional(),
    ESPEAK_DATA_PATH: z.string().optional(),
    /** A folder with the operator's recordings of prompts: `<language>/<prompt>.wav`. */
    PROMPT_RECORDINGS: z.string().min(1).optional(),
    /** A WAV file that callers hear while they wait for the host. Unset: music of the gateway's own. */
    HOLD_MUSIC_URL: z.url({ protocol: /^https?$/ }).optional(),
    /** Where spoken texts, and the music, are kept. */
    SPEECH_CACHE: z.string().min(1).default('/tmp/partyline-speech'),
  }),
  kamailio: z.object({
    /** JSON-RPC of kamailio, and the secret that it requires. */
    KAMAILIO_RPC_URL: httpUrl,
    KAMAILIO_RPC_SECRET: z.string().min(1),
  }),
  provider: z
    .object({
      /**
       * `opentok`: the legacy video environment; `unified`: a Vonage application with the video
       * capability; `janus`: our own gateways, for video and telephone calls.
       */
      VIDEO_MODE: z.enum(['opentok', 'unified', 'janus']).default('unified'),
      /**
       * `id=url` of each media-gateway, comma-separated. In another mode than `janus`, tenants' trunks
       * and phones use them.
       */
      MEDIA_GATEWAYS: gateways.optional(),
      /** Signs the requests to media-gateway, its webhooks and browsers' tokens. */
      GATEWAY_SECRET: secret.optional(),
      /** The other secret of a rotation: signatures with it are accepted too. */
      GATEWAY_OTHER_SECRET: secret.optional(),
      /** The public WebSocket URL at which browsers reach media-gateway. */
      GATEWAY_SOCKET_URL: z.url({ protocol: /^wss?$/, error: 'must be a ws or wss URL' }).optional(),
      /** JSON-RPC of kamailio, and the secret that it requires. */
      KAMAILIO_RPC_URL: httpUrl.optional(),
      KAMAILIO_RPC_SECRET: z.string().min(1).optional(),
      /** Host of the SIP trunk for outbound calls. Unset: none can be placed. */
      SIP_TRUNK: hostAndPort.optional(),
      /** `tls` encrypts the audio too. */
      SIP_TRUNK_TRANSPORT: z.enum(['udp', 'tcp', 'tls']).default('udp'),
      /** Digest credentials at the trunk. Unset: it accepts the address of kamailio. */
      SIP_TRUNK_USERNAME: z.string().min(1).optional(),
      SIP_TRUNK_PASSWORD: z.string().min(1).optional(),
      VONAGE_API_KEY: z.string().min(1).optional(),
      VONAGE_API_SECRET: z.string().min(1).optional(),
      VONAGE_SIGNATURE_SECRET: secret.optional(),
      /** The other secret of a rotation: webhooks signed with it are accepted too. */
      VONAGE_OTHER_SIGNATURE_SECRET: secret.optional(),
      VONAGE_APPLICATION_ID: z.uuid('must be a UUID, as shown in the Vonage dashboard').optional(),
      VONAGE_PRIVATE_KEY: privateKey.optional(),
      VIDEO_CALLBACK_SECRET: secret.optional(),
      /** The other secret of a rotation: video callbacks signed with it are accepted too. */
      VIDEO_OTHER_CALLBACK_SECRET: secret.optional(),
      OPENTOK_API_KEY: z.string().optional(),
      OPENTOK_API_SECRET: z.string().optional(),
      /** For the emulator. Absent: the region's host, or Vonage's default hosts. */
      VONAGE_API_HOST: z.url().optional(),
      VIDEO_API_HOST: z.url().optional(),
      /**
       * The regions that a tenant may choose for its account, with their hosts. Absent: all regions
       * of the provider.
       */
      VONAGE_REGION_HOSTS: regionHosts.optional(),
      /** The region of the platform's application. Absent: Vonage's default host. */
      VONAGE_REGION: z.enum(PROVIDER_REGIONS).optional(),
      /** Host of the SIP address that the bridge leg dials, or the account's own SIP domain. */
      SIP_HOST: z.string().default('sip.nexmo.com'),
      /** The digest user of the own SIP domain. Absent: the API key and secret. */
      SIP_USERNAME: z.string().min(1).optional(),
      SIP_PASSWORD: z.string().min(1).optional(),
      /**
       * URL of an MP3 or WAV for callers that wait for the host. The provider fetches it. Absent:
       * silence.
       */
      HOLD_MUSIC_URL: z.url({ protocol: /^https?$/ }).optional(),
      PROVIDER_TIMEOUT_MS: z.coerce.number().int().min(100).max(4_500).default(4_000),
    })
    .superRefine(
      (value, ctx) => {
        // Another invalid variable may have no value here.
        const { VONAGE_REGION: region, VONAGE_REGION_HOSTS: hosts } = value;
        if (region !== undefined && hosts !== undefined && hosts[region] === undefined)
          ctx.addIssue({ code: 'custom', path: ['VONAGE_REGION'], message: 'must be a region of VONAGE_REGION_HOSTS' });
        if ((value.SIP_USERNAME === undefined) !== (value.SIP_PASSWORD === undefined))
          ctx.addIssue({
            code: 'custom',
            path: [value.SIP_USERNAME === undefined ? 'SIP_USERNAME' : 'SIP_PASSWORD'],
            message: 'set SIP_USERNAME and SIP_PASSWORD, or neither',
          });
        if ((value.SIP_TRUNK_USERNAME === undefined) !== (value.SIP_TRUNK_PASSWORD === undefined))
          ctx.addIssue({
            code: 'custom',
            path: [value.SIP_TRUNK_USERNAME === undefined ? 'SIP_TRUNK_USERNAME' : 'SIP_TRUNK_PASSWORD'],
            message: 'set SIP_TRUNK_USERNAME and SIP_TRUNK_PASSWORD, or neither',
          });
        const mode = value.VIDEO_MODE ?? 'unified';
        for (const name of REQUIRED_BY_MODE[mode])
          if (!value[name]) ctx.addIssue({ code: 'custom', path: [name], message: `VIDEO_MODE=${mode} requires it` });
        const given = GATEWAY_VARIABLES.find((name) => value[name]);
        if (mode !== 'janus' && given !== undefined)
          for (const name of GATEWAY_VARIABLES)
            if (!value[name]) ctx.addIssue({ code: 'custom', path: [name], message: `${given} requires it` });
      },
      // Also when another variable is invalid: the error lists all variables at once.
      { when: () => true },
    ),
} as const;

type Group = keyof typeof GROUPS;

/** Lists the variables of a group. */
export const variablesOf = (group: Group): string[] => Object.keys(GROUPS[group].shape);

/**
 * Words a rule of zod that has no message of its own. Every number in the configuration is whole.
 */
function describeRule(issue: z.core.$ZodRawIssue): string {
  if (issue.code === 'invalid_type' && issue.expected === 'number') return 'must be a whole number';
  if (issue.code === 'invalid_format' && issue.format === 'url')
    return 'must be a URL with its scheme, such as https://example.com';
  return describeIssue(issue);
}

export type Config<G extends Group> = { readonly [K in G]: z.output<(typeof GROUPS)[K]> };

/**
 * Invalid configuration. The message lists every invalid variable and its expected form, and
 * contains no value.
 */
export class ConfigError extends Error {
  /** One line per variable: its name, a colon, and what is wrong. */
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(
      [
        'The configuration is invalid:',
        ...problems.map((line) => `  ${line}`),
        'docs/operators.md describes every variable.',
      ].join('\n'),
    );
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/**
 * Reads the groups that a service needs.
 * @throws ConfigError that lists every invalid variable
 */
export function readConfig<G extends Group>(env: NodeJS.ProcessEnv, groups: readonly G[]): Config<G> {
  const problems: string[] = [];
  const config: Partial<Record<Group, unknown>> = {};
  for (const group of groups) {
    // An empty variable counts as unset, because deployment tools often leave it empty.
    const given = Object.fromEntries(variablesOf(group).flatMap((name) => (env[name] ? [[name, env[name]]] : [])));
    const parsed = GROUPS[group].safeParse(given, { error: describeRule });
    const orderOf = (path: readonly PropertyKey[]): number => variablesOf(group).indexOf(String(path[0]));
    if (parsed.success) config[group] = parsed.data;
    else
      problems.push(
        ...parsed.error.issues
          .toSorted((a, b) => orderOf(a.path) - orderOf(b.path))
          .map(({ path, message }) => {
            if (env[String(path[0])]) return `${path.join('.')}: ${message}`;
            return `${path.join('.')}: is not set${message === 'is required' ? '' : `; ${message}`}`;
          }),
      );
  }
  problems.push(...findInsecureConnections(env, config));
  const { gateway } = config as Partial<Config<'gateway'>>;
  if (gateway !== undefined && gateway.TURN_URLS.length > 0 && gateway.TURN_SECRET === undefined)
    problems.push('TURN_SECRET: is not set; TURN_URLS requires it');
  if (
    gateway !== undefined &&
    gateway.MEDIA_GATEWAYS.length > 0 &&
    !gateway.MEDIA_GATEWAYS.some(({ id }) => id === gateway.GATEWAY_ID)
  )
    problems.push('MEDIA_GATEWAYS: must contain GATEWAY_ID');
  if (problems.length > 0) throw new ConfigError(problems);
  return config as Config<G>;
}

/** The other modes of Postgres allow a connection without TLS, or with any certificate. */
const TLS_MODES: readonly unknown[] = [undefined, 'require', 'verify-ca', 'verify-full'];

/** Whether pg uses TLS and checks the server's certificate. */
const hasCheckedTls = ({ ssl, sslmode }: ConnectionOptions): boolean =>
  TLS_MODES.includes(sslmode) && (ssl === true || (typeof ssl === 'object' && ssl.rejectUnauthorized !== false));

/** Parses a URL as pg does; `null` when pg would throw, for example for a missing certificate. */
function parseAsPg(databaseUrl: string): ConnectionOptions | null {
  try {
    return parse(databaseUrl);
  } catch {
    return null;
  }
}

/**
 * In production, Postgres and Redis are reached with a password and TLS: commands to providers pass
 * through Redis, and everything is in Postgres. A socket in the file system needs no TLS.
 */
function findInsecureConnections(env: NodeJS.ProcessEnv, config: Partial<Record<Group, unknown>>): string[] {
  if (env.NODE_ENV !== 'production' || env.ALLOW_INSECURE_CONNECTIONS === 'on') return [];
  const { database, redis } = config as Partial<Config<'database' | 'redis'>>;
  const problems: string[] = [];
  const add = (variable: string, text: string): void =>
    void problems.push(`${variable}: ${text}, or set ALLOW_INSECURE_CONNECTIONS=on for a network that you trust`);
  if (database !== undefined) {
    const options = parseAsPg(database.DATABASE_URL);
    if (options === null)
      problems.push(
        'DATABASE_URL: is rejected by pg: certificates must be readable files, and verify-ca requires sslrootcert',
      );
    else {
      if (!options.password && !options['sslcert'])
        add('DATABASE_URL', 'must contain a password when NODE_ENV is production');
      // The path of a socket: nothing crosses a network.
      if (!options.host?.startsWith('/') && !hasCheckedTls(options))
        add('DATABASE_URL', 'must use TLS (sslmode=verify-full) when NODE_ENV is production');
    }
  }
  if (redis !== undefined) {
    const url = new URL(redis.REDIS_URL);
    if (!url.password) add('REDIS_URL', 'must contain a password when NODE_ENV is production');
    if (url.protocol !== 'rediss:') add('REDIS_URL', 'must use TLS (rediss://) when NODE_ENV is production');
  }
  return problems;
}
