import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { z } from 'zod';

/** A PEM, or the path of a file that holds one; environment variables often carry line breaks as `\n`. */
const pem = z
  .string()
  .min(1)
  .transform((value, ctx) => {
    if (value.includes('-----BEGIN')) return value.replaceAll('\\n', '\n');
    try {
      return readFileSync(value, 'utf8');
    } catch {
      ctx.addIssue('is neither a PEM nor the path of a readable file');
      return z.NEVER;
    }
  });

const key32 = z
  .string()
  .transform((text) => Buffer.from(text, 'base64'))
  .refine((bytes) => bytes.length === 32, 'must be 32 bytes in base64: openssl rand -base64 32');

/** One line of `id:base64`, with commas between; or the path of a file that holds it, so that they need not stand in the environment. What is wrong is said without them. */
const masterKeys = z.string().transform((text, ctx) => {
  const wrong = (message: string): never => {
    ctx.addIssue(message);
    return z.NEVER;
  };
  let list = text.trim();
  if (!list.includes(':')) {
    try {
      list = readFileSync(list, 'utf8').trim();
    } catch {
      return wrong('is neither id:base64,… nor the path of a readable file');
    }
  }
  const keys = list.split(/\s*,\s*/).map((entry) => ({
    id: entry.slice(0, entry.indexOf(':')),
    key: Buffer.from(entry.slice(entry.indexOf(':') + 1), 'base64'),
  }));
  if (keys.some(({ id }) => !/^[A-Za-z0-9._-]{1,40}$/.test(id)))
    return wrong('must look like id:base64,…: an id has 1 to 40 letters, digits, dots, dashes and underscores');
  if (new Set(keys.map(({ id }) => id)).size < keys.length) return wrong('must name each id once');
  const short = keys.find(({ key }) => key.length !== 32);
  if (short !== undefined) return wrong(`must have 32 bytes in base64 behind ${short.id}: openssl rand -base64 32`);
  return keys as [(typeof keys)[number], ...typeof keys];
});

const secret = z.string().min(32, 'must have 32 characters or more');

const operatorKeys = z
  .string()
  .regex(
    /^[A-Za-z0-9]{1,40}:[0-9a-f]{64}(,[A-Za-z0-9]{1,40}:[0-9a-f]{64})*$/,
    'must look like id:sha256hex,…: npm run operator-key makes one',
  )
  .transform((text) =>
    text.split(',').map((entry) => ({ id: entry.split(':')[0]!, hash: Buffer.from(entry.split(':')[1]!, 'hex') })),
  );

const isNetwork = (text: string): boolean => {
  const [address = '', bits, ...rest] = text.split('/');
  return (
    isIP(address) !== 0 &&
    rest.length === 0 &&
    (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (isIP(address) === 4 ? 32 : 128)))
  );
};
// Not by how many there are: whoever reaches us past them could then pretend to be one.
const networks = z
  .string()
  .transform((text) => text.split(',').map((each) => each.trim()))
  .refine(
    (given) => given.every(isNetwork),
    'must be addresses and networks with commas between them, such as 10.0.0.0/8,fd00::/8',
  );

const seconds = z.coerce.number().int().positive();

/**
 * Every variable that a service reads, in groups; a service names the groups it needs, and nothing else reads the environment. Parsed
 * once, in `main`, and passed on as values.
 */
const GROUPS = {
  service: z.object({
    HOST: z.string().default('0.0.0.0'),
    PORT: z.coerce.number().int().min(0).max(65_535).default(8080),
    LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
    /** How long a stopping service may take to finish what it has in hand. Kubernetes' grace period must be longer. */
    DRAIN_SECONDS: seconds.default(20),
  }),
  database: z.object({
    DATABASE_URL: z
      .string()
      .regex(/^postgres(ql)?:\/\//, 'must look like postgresql://user:password@host:5432/database'),
    /** Connections of one replica; all replicas' together must fit the server's limit. */
    DATABASE_POOL: z.coerce.number().int().min(1).max(200).default(10),
  }),
  redis: z.object({
    REDIS_URL: z.string().regex(/^rediss?:\/\//, 'must look like redis://host:6379'),
    /** Keys and channels are put under it, so that several deployments can share a Redis. */
    REDIS_PREFIX: z
      .string()
      .regex(/^[a-z0-9-]{1,40}$/)
      .default('partyline'),
  }),
  reconciler: z.object({
    /** `off` is for tests only: it shows what leaks without it. */
    PARTYLINE_RECONCILER: z.enum(['on', 'off']).default('on'),
    /** From one comparison of what is owed with what is confirmed to the next, and of the provider's live calls with our rows. */
    RECONCILE_MS: z.coerce.number().int().min(100).max(5_000).default(1_000),
    INVENTORY_MS: z.coerce.number().int().min(1_000).max(60_000).default(60_000),
  }),
  pins: z.object({ PIN_KEY: key32 }),
  accounts: z.object({
    /** What wraps tenants' data keys, by which the credentials of their own provider accounts are sealed: the first wraps, all unwrap. Unset: tenants have no accounts of their own. */
    MASTER_KEYS: masterKeys.optional(),
  }),
  events: z.object({
    /** `on` is for development: tenants' events may go to http, to any port, and into our own network. */
    EVENTS_ALLOW_PRIVATE: z.enum(['on', 'off']).default('off'),
    EVENTS_PORTS: z
      .string()
      .default('443,80,8443')
      .transform((text) => text.split(',').map(Number))
      .refine(
        (ports) => ports.every((port) => Number.isInteger(port) && port >= 1 && port <= 65_535),
        'must be port numbers with commas between them, such as 443,8443',
      ),
  }),
  limits: z.object({
    /** Requests in a minute that one address may make without a good API key. */
    UNAUTHENTICATED_PER_MINUTE: z.coerce.number().int().min(1).max(1_000_000).default(300),
    /** Addresses and networks whose `X-Forwarded-For` is believed. None: a request came from whoever is connected to us. */
    TRUSTED_PROXIES: networks.default([]),
  }),
  keys: z.object({
    /** Who may use the operator's part of the API: `id:sha256hex` of each whole key, with commas between. Empty: nobody. */
    OPERATOR_KEYS: operatorKeys.default([]),
    /** What API keys name as their environment, `pl_<env>_…`; those that name another are not taken. */
    KEY_ENV: z
      .string()
      .regex(/^[a-z]{1,10}$/, 'must be 1 to 10 small letters')
      .default('live'),
  }),
  webhooks: z.object({
    /** Where the carrier reaches voice-webhooks from outside. */
    PUBLIC_WEBHOOK_URL: z.url({ protocol: /^https?$/ }).transform((url) => url.replace(/\/$/, '')),
  }),
  vonage: z
    .object({
      /** `opentok`: the legacy video environment; `unified`: a Vonage application with the video capability. */
      VIDEO_MODE: z.enum(['opentok', 'unified']).default('unified'),
      VONAGE_API_KEY: z.string().min(1),
      VONAGE_API_SECRET: z.string().min(1),
      VONAGE_SIGNATURE_SECRET: secret,
      VONAGE_APPLICATION_ID: z.uuid('must be a UUID, as the dashboard shows it'),
      VONAGE_PRIVATE_KEY: pem,
      VIDEO_CALLBACK_SECRET: secret,
      OPENTOK_API_KEY: z.string().optional(),
      OPENTOK_API_SECRET: z.string().optional(),
      /** For the emulator, or another region; absent: the vendor's own hosts. */
      VONAGE_API_HOST: z.url().optional(),
      VIDEO_API_HOST: z.url().optional(),
      /** The host in the SIP address that the bridge leg dials. */
      SIP_HOST: z.string().default('sip.nexmo.com'),
      /** What callers hear who wait for their host: an MP3 or WAV that the vendor fetches; absent: silence. */
      HOLD_MUSIC_URL: z.url({ protocol: /^https?$/ }).optional(),
      PROVIDER_TIMEOUT_MS: z.coerce.number().int().min(100).max(4_500).default(4_000),
    })
    .superRefine((value, ctx) => {
      if (!value.VONAGE_PRIVATE_KEY.includes('-----BEGIN PRIVATE KEY-----')) {
        ctx.addIssue({
          code: 'custom',
          path: ['VONAGE_PRIVATE_KEY'],
          message: 'must be a PKCS#8 key (BEGIN PRIVATE KEY): openssl pkcs8 -topk8 -nocrypt -in old.key -out new.key',
        });
      }
      if (value.VIDEO_MODE !== 'opentok') return;
      for (const name of ['OPENTOK_API_KEY', 'OPENTOK_API_SECRET'] as const)
        if (!value[name]) ctx.addIssue({ code: 'custom', path: [name], message: 'is needed with VIDEO_MODE=opentok' });
    }),
} as const;

type Group = keyof typeof GROUPS;
export type Config<G extends Group> = { readonly [K in G]: z.output<(typeof GROUPS)[K]> };

/** The environment does not do; the message lists every variable that is wrong and what it should be, and no value. */
export class ConfigError extends Error {
  constructor(problems: readonly string[]) {
    super(
      `The configuration is not usable:\n${problems.map((line) => `  ${line}`).join('\n')}\nEvery variable is described in docs/operators.md.`,
    );
    this.name = 'ConfigError';
  }
}

/** Reads the groups that a service needs; throws one `ConfigError` that lists all that is wrong. */
export function readConfig<G extends Group>(env: NodeJS.ProcessEnv, groups: readonly G[]): Config<G> {
  const problems: string[] = [];
  const config: Partial<Record<Group, unknown>> = {};
  for (const group of groups) {
    // An empty variable is an unset one: that is how most deployment tools leave it.
    const given = Object.fromEntries(
      Object.keys(GROUPS[group].shape).flatMap((name) => (env[name] ? [[name, env[name]]] : [])),
    );
    const parsed = GROUPS[group].safeParse(given);
    if (parsed.success) config[group] = parsed.data;
    else
      problems.push(
        ...parsed.error.issues.map(
          (issue) =>
            `${issue.path.join('.')}: ${env[String(issue.path[0])] ? issue.message : `is not set (${issue.message})`}`,
        ),
      );
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return config as Config<G>;
}
