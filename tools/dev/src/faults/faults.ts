import { Redis } from 'ioredis';
import pg from 'pg';
import type { FaultsInput } from '@partyline/vonage-emulator/control-client';
import { serviceNames } from '../stack/service-environment.ts';
import { linkKinds, type Instance, type LinkKind, type Stack } from '../stack/stack.ts';
import type { LinkFault } from './proxy.ts';

/** Classes of fault; each has its own bound for the hang-up guarantee (docs/guarantee.md). */
const faultClasses = [
  'kill',
  'freeze',
  'redis',
  'postgres',
  'provider-error',
  'provider-429',
  'provider-lost-answer',
  'provider-lost-create',
  'provider-no-effect',
  'webhooks-lost',
  'webhooks-noise',
] as const;
export type FaultClass = (typeof faultClasses)[number];

/** A fault that can be injected into a running stack. */
export interface Fault {
  readonly name: string;
  readonly class: FaultClass;
  /** A short description, for a list. */
  readonly description: string;
  /** The behaviour to expect while the fault is active. */
  readonly watchFor: string;
  /** Default duration; null: the fault ends at once. */
  readonly defaultDurationMs: number | null;
  /** Lists the possible targets; the first is the default. */
  readonly listTargets: (stack: Stack) => string[];
  /**
   * Lists the resources that the fault occupies. Two faults with a common resource are never active
   * together.
   */
  readonly listResources: (stack: Stack, target: string) => string[];
  /** Injects the fault, and returns a function that ends it. */
  readonly inject: (context: FaultContext, target: string) => Promise<() => Promise<void>>;
}

/** A stack, and the active fault rules of the emulated provider. */
export interface FaultContext {
  readonly stack: Stack;
  readonly emulatorRules: Set<EmulatorRules>;
}
interface EmulatorRules {
  readonly rest?: NonNullable<FaultsInput['rest']>;
  readonly webhooks?: NonNullable<FaultsInput['webhooks']>;
}

const ALL = 'all';

const listProcessNames = (stack: Stack): string[] => stack.instances.map(({ name }) => name);

const kill: Fault = {
  name: 'kill',
  class: 'kill',
  defaultDurationMs: 2_000,
  description: 'SIGKILL to a process of a service, which is restarted afterwards',
  watchFor: 'Another replica or the reconciler takes over its work; no leg outlives its session.',
  listTargets: listProcessNames,
  listResources: (_stack, target) => [target],
  async inject({ stack }, target) {
    const instance = findInstance(stack, target);
    instance.child?.kill('SIGKILL');
    await instance.child?.ended;
    return () => instance.start();
  },
};

const freeze: Fault = {
  name: 'freeze',
  class: 'freeze',
  defaultDurationMs: 10_000,
  description: 'SIGSTOP to a process of a service, then SIGCONT: it resumes with outdated state',
  watchFor: 'Other replicas take over. After it resumes, it changes nothing that was changed meanwhile.',
  listTargets: listProcessNames,
  listResources: (_stack, target) => [target],
  async inject({ stack }, target) {
    const frozen = findInstance(stack, target).child;
    frozen?.kill('SIGSTOP');
    return () => Promise.resolve(frozen?.kill('SIGCONT'));
  },
};

const redisFlush: Fault = {
  name: 'redis-flush',
  class: 'redis',
  defaultDurationMs: null,
  description: 'FLUSHALL: all jobs are lost, armed hang-ups included',
  watchFor: 'Sessions end a second or two later: the reconciler in cleanup-worker reads the due work from Postgres.',
  listTargets: () => ['redis'],
  listResources: () => ['redis'],
  async inject({ stack }) {
    await withRedis(stack.redisUrl, (redis) => redis.flushall());
    return doNothing;
  },
};

const redisRestart: Fault = {
  name: 'redis-restart',
  class: 'redis',
  defaultDurationMs: 1_000,
  description: 'kill Redis and restart it, empty',
  watchFor: 'The services log that Redis is unavailable, and reconnect. Meanwhile rooms can still be read and ended.',
  listTargets: () => ['redis'],
  listResources: () => ['redis'],
  async inject({ stack }) {
    await stack.redis.crash();
    return () => stack.redis.restart();
  },
};

const redisFull: Fault = {
  name: 'redis-full',
  class: 'redis',
  defaultDurationMs: 4_000,
  description: 'Redis reaches maxmemory: it rejects every command that needs memory (OOM)',
  watchFor: 'Jobs cannot be added, taken or finished. Sessions still end: the reconciler does not use Redis.',
  listTargets: () => ['redis'],
  listResources: () => ['redis'],
  async inject({ stack }) {
    const setMaxMemory = (bytes: string) =>
      withRedis(stack.redisUrl, async (redis) => void (await redis.config('SET', 'maxmemory', bytes)));
    const [, before = '0'] = await withRedis(stack.redisUrl, (redis) => redis.config('GET', 'maxmemory'));
    await setMaxMemory('1');
    return () => setMaxMemory(before);
  },
};

const dbConnections: Fault = {
  name: 'db-connections',
  class: 'postgres',
  defaultDurationMs: null,
  description: 'end every database connection (pg_terminate_backend)',
  watchFor: 'One or two requests are answered 500 or 503; the pools then reconnect.',
  listTargets: () => ['postgres'],
  listResources: () => ['postgres'],
  async inject({ stack }) {
    await withPostgres(stack.databaseUrl, (client) =>
      client.query(
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname IS NOT NULL',
      ),
    );
    return doNothing;
  },
};

const postgresRestart: Fault = {
  name: 'postgres-restart',
  class: 'postgres',
  defaultDurationMs: 1_000,
  description: 'crash Postgres (immediate shutdown) and restart it',
  watchFor: 'The API answers 503 and callers hear an apology. Requested hang-ups are done as soon as Postgres is back.',
  listTargets: () => ['postgres'],
  listResources: () => ['postgres'],
  async inject({ stack }) {
    await stack.postgres.crash();
    return () => stack.postgres.restart();
  },
};

const postgresReadOnly: Fault = {
  name: 'postgres-read-only',
  class: 'postgres',
  defaultDurationMs: 3_000,
  description: 'half of the database connections are ended, and new ones are read-only, as during a failover',
  watchFor: 'Writes are answered 503. Afterwards no read-only connection stays in a pool.',
  listTargets: () => ['postgres'],
  listResources: () => ['postgres'],
  async inject({ stack }) {
    const setForNewConnections = (
      setting: 'SET default_transaction_read_only = on' | 'RESET default_transaction_read_only',
    ) =>
      withPostgres(stack.databaseUrl, async (client) => {
        await client.query('SET default_transaction_read_only = off');
        const { rows } = await client.query<{ name: string }>('SELECT quote_ident(current_database()) AS name');
        await client.query(`ALTER DATABASE ${rows[0]!.name} ${setting}`);
      });
    await setForNewConnections('SET default_transaction_read_only = on');
    await withPostgres(stack.databaseUrl, (client) =>
      client.query(
        `SELECT pg_terminate_backend(pid)
         FROM pg_stat_activity
         WHERE pid <> pg_backend_pid() AND datname IS NOT NULL AND pid % 2 = 0`,
      ),
    );
    return () => setForNewConnections('RESET default_transaction_read_only');
  },
};

/** The fault class of each kind of link. */
const CLASS_OF_LINK = {
  postgres: 'postgres',
  redis: 'redis',
  provider: 'provider-error',
  webhooks: 'webhooks-lost',
} as const satisfies Record<LinkKind, FaultClass>;
const LINK_DESCRIPTIONS = {
  postgres: 'services to Postgres',
  redis: 'services to Redis',
  provider: 'services to the REST API of the provider',
  webhooks: 'provider to voice-webhooks',
} as const satisfies Record<LinkKind, string>;

function linkFault(
  kind: LinkKind,
  what: 'black-hole' | 'refuse' | 'latency',
  fault: LinkFault,
  defaultDurationMs: number,
  effect: string,
): Fault {
  return {
    name: `${kind}-${what}`,
    // A late webhook is not a lost one.
    class: kind === 'webhooks' && what === 'latency' ? 'webhooks-noise' : CLASS_OF_LINK[kind],
    defaultDurationMs,
    description: `${LINK_DESCRIPTIONS[kind]}: ${effect}`,
    watchFor:
      'The log shows how the services react; the ledger (GET /emulator/ledger at the emulator) shows the charges.',
    listTargets: (stack) => listLinkTargets(stack, kind),
    listResources: (stack, target) => findLinks(stack, kind, target).map(({ name }) => name),
    async inject({ stack }, target) {
      const links = findLinks(stack, kind, target);
      await Promise.all(links.map((link) => link.setFault(fault)));
      return async () => void (await Promise.all(links.map((link) => link.setFault(null))));
    },
  };
}

function linkReset(kind: LinkKind): Fault {
  return {
    name: `${kind}-reset`,
    class: CLASS_OF_LINK[kind],
    defaultDurationMs: null,
    description: `${LINK_DESCRIPTIONS[kind]}: every open connection is reset (RST)`,
    watchFor: 'Requests in progress fail once and are retried. New connections work at once.',
    listTargets: (stack) => listLinkTargets(stack, kind),
    listResources: (stack, target) => findLinks(stack, kind, target).map(({ name }) => name),
    inject({ stack }, target) {
      for (const link of findLinks(stack, kind, target)) link.resetConnections();
      return Promise.resolve(doNothing);
    },
  };
}

function linkHalfOpen(kind: LinkKind): Fault {
  return {
    name: `${kind}-half-open`,
    class: CLASS_OF_LINK[kind],
    defaultDurationMs: null,
    description: `${LINK_DESCRIPTIONS[kind]}: open connections silently stop working; new ones work`,
    watchFor: 'All services reconnect. A service that keeps waiting lacks a time limit.',
    listTargets: (stack) => listLinkTargets(stack, kind),
    listResources: (stack, target) => findLinks(stack, kind, target).map(({ name }) => name),
    inject({ stack }, target) {
      for (const link of findLinks(stack, kind, target)) link.abandonConnections();
      return Promise.resolve(doNothing);
    },
  };
}

function providerFault(
  name: string,
  faultClass: FaultClass,
  defaultDurationMs: number,
  rules: EmulatorRules,
  description: string,
  watchFor: string,
): Fault {
  return {
    name,
    class: faultClass,
    defaultDurationMs,
    description,
    watchFor,
    listTargets: (stack) => (stack.emulator === null ? [] : ['provider']),
    listResources: () => [name],
    async inject(context) {
      context.emulatorRules.add(rules);
      await applyEmulatorRules(context);
      return async () => {
        context.emulatorRules.delete(rules);
        await applyEmulatorRules(context);
      };
    },
  };
}

const HANG_UP_ROUTES = ['hangup', 'disconnect'] as const;
const CREATE_ROUTES = ['dial', 'create-call'] as const;
const RETRY_HINT = 'Hang-ups are retried until they are confirmed; GET /v1/rooms/{id} shows the attempts.';

/** All faults, with the names that `npm run chaos` and `npm run prove` use. */
export const faults: readonly Fault[] = [
  kill,
  freeze,
  redisFlush,
  redisRestart,
  redisFull,
  dbConnections,
  postgresRestart,
  postgresReadOnly,
  ...linkKinds.flatMap((kind) => [
    linkFault(kind, 'black-hole', { kind: 'black-hole' }, 4_000, 'packets are dropped silently'),
    linkFault(kind, 'refuse', { kind: 'refuse' }, 2_000, 'new connections are refused, open ones are reset'),
    linkFault(
      kind,
      'latency',
      { kind: 'latency', ms: kind === 'postgres' ? 250 : 1_000 },
      4_000,
      `packets are ${kind === 'postgres' ? '250 ms' : '1 s'} late in each direction`,
    ),
    linkReset(kind),
    linkHalfOpen(kind),
  ]),
  providerFault(
    'provider-500',
    'provider-error',
    4_000,
    { rest: [{ route: 'any', fault: '500' }] },
    'the provider answers every request with 500, without effect',
    RETRY_HINT,
  ),
  providerFault(
    'provider-429',
    'provider-429',
    4_000,
    { rest: [{ route: 'any', fault: '429' }] },
    'the provider answers every request with 429',
    RETRY_HINT,
  ),
  providerFault(
    'provider-not-applied',
    'provider-error',
    4_000,
    { rest: [{ route: 'any', fault: 'not-applied-silent' }] },
    'the provider never answers, and requests have no effect',
    RETRY_HINT,
  ),
  providerFault(
    'provider-applied-silent',
    'provider-lost-answer',
    4_000,
    { rest: HANG_UP_ROUTES.map((route) => ({ route, fault: 'applied-silent' })) },
    'hang-ups take effect, but are never answered',
    'The next look-up finds the calls closed; nothing is charged meanwhile.',
  ),
  providerFault(
    'provider-create-lost',
    'provider-lost-create',
    4_000,
    { rest: CREATE_ROUTES.map((route) => ({ route, fault: 'applied-silent' })) },
    'calls are placed, but the reply with their id is lost',
    'The webhook URLs of the call name its leg; otherwise the sweep finds it.',
  ),
  providerFault(
    'provider-no-effect',
    'provider-no-effect',
    4_000,
    { rest: HANG_UP_ROUTES.map((route) => ({ route, fault: '204-no-effect' })) },
    'hang-ups are answered 204 without effect',
    RETRY_HINT,
  ),
  providerFault(
    'webhooks-dropped',
    'webhooks-lost',
    4_000,
    { webhooks: [{ kind: 'any', fault: 'drop', probability: 0.5 }] },
    'half of the webhooks are never sent',
    'Look-ups find legs that closed; the sweep finds browsers that joined.',
  ),
  providerFault(
    'webhooks-doubled',
    'webhooks-noise',
    5_000,
    { webhooks: [{ kind: 'any', fault: 'duplicate' }] },
    'every webhook is sent twice',
    'No effect: a duplicate webhook gets the same answer.',
  ),
  providerFault(
    'webhooks-reordered',
    'webhooks-noise',
    5_000,
    { webhooks: [{ kind: 'any', fault: 'reorder', probability: 0.5, delayMs: 1_500 }] },
    'half of the webhooks arrive out of order',
    'No effect: a late webhook changes nothing.',
  ),
  providerFault(
    'webhooks-late',
    'webhooks-noise',
    5_000,
    { webhooks: [{ kind: 'any', fault: 'delay', probability: 0.5, delayMs: 3_000 }] },
    'half of the webhooks are three seconds late',
    'Callers wait three seconds; no other effect.',
  ),
];

const doNothing = (): Promise<void> => Promise.resolve();

function findInstance(stack: Stack, name: string): Instance {
  const found = stack.instances.find((instance) => instance.name === name);
  if (found) return found;
  throw new Error(`There is no process named ${name}. The services are ${serviceNames.join(', ')}.`);
}

/** The services that send requests to the provider. */
const PROVIDER_CLIENTS = /^(dial-orchestrator|cleanup-worker)/;

function listLinkTargets(stack: Stack, kind: LinkKind): string[] {
  const names = [...stack.links[kind].keys()].filter((name) => kind !== 'provider' || PROVIDER_CLIENTS.test(name));
  return kind === 'webhooks' || names.length === 0 ? names : [ALL, ...names];
}

const findLinks = (stack: Stack, kind: LinkKind, target: string) =>
  [...stack.links[kind]].filter(([name]) => target === ALL || name === target).map(([, link]) => link);

async function applyEmulatorRules({ stack, emulatorRules }: FaultContext): Promise<void> {
  const rules = [...emulatorRules];
  await stack.emulator?.setFaults({
    rest: rules.flatMap(({ rest = [] }) => rest),
    webhooks: rules.flatMap(({ webhooks = [] }) => webhooks),
  });
}

async function withRedis<R>(url: string, use: (redis: Redis) => Promise<R>): Promise<R> {
  const redis = new Redis(url, { lazyConnect: true, maxRetriesPerRequest: 1, retryStrategy: () => null });
  redis.on('error', () => undefined);
  try {
    await redis.connect();
    return await use(redis);
  } finally {
    redis.disconnect();
  }
}

async function withPostgres<R>(url: string, use: (client: pg.Client) => Promise<R>): Promise<R> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}
