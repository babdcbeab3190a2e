import { Redis } from 'ioredis';
import pg from 'pg';
import type { FaultsInput } from '@partyline/vonage-emulator/control-client';
import { serviceNames } from '../stack/service-environment.ts';
import { linkKinds, type Instance, type LinkKind, type Stack } from '../stack/stack.ts';
import type { LinkFault } from './proxy.ts';

/** What a fault does to the promise: the bound that then holds (reliability.md (c)). */
const faultClasses = [
  'kill',
  'freeze',
  'redis',
  'postgres',
  'vendor-error',
  'vendor-429',
  'vendor-lost-answer',
  'vendor-lost-create',
  'vendor-no-effect',
  'webhooks-lost',
  'webhooks-noise',
] as const;
export type FaultClass = (typeof faultClasses)[number];

/** A fault that can be played on a running stack. */
export interface Fault {
  readonly name: string;
  readonly class: FaultClass;
  /** In a few words, for a list. */
  readonly says: string;
  /** Where to look while it lasts. */
  readonly watch: string;
  /** How long it lasts when nobody says; null: it is over at once. */
  readonly lastsMs: number | null;
  /** What it can be played on; the first is taken when nobody says. */
  readonly targets: (stack: Stack) => string[];
  /** What it holds while it lasts: two faults that hold the same are not played at once. */
  readonly holds: (stack: Stack, target: string) => string[];
  /** Plays it; gives the way to end it. */
  readonly play: (stage: Stage, target: string) => Promise<() => Promise<void>>;
}

/** A stack, and the faults that the emulated vendor plays now. */
export interface Stage {
  readonly stack: Stack;
  readonly vendorRules: Set<VendorRules>;
}
interface VendorRules {
  readonly rest?: NonNullable<FaultsInput['rest']>;
  readonly webhooks?: NonNullable<FaultsInput['webhooks']>;
}

const ALL = 'all';

const processNames = (stack: Stack): string[] => stack.instances.map(({ name }) => name);

const kill: Fault = {
  name: 'kill',
  class: 'kill',
  lastsMs: 2_000,
  says: 'SIGKILL a process of a service; it is started again afterwards',
  watch:
    'What it had in hand is taken over by its other replica or the reconciler; no leg outlives its session for it.',
  targets: processNames,
  holds: (_stack, target) => [target],
  async play({ stack }, target) {
    const instance = instanceOf(stack, target);
    instance.child?.kill('SIGKILL');
    await instance.child?.ended;
    return () => instance.start();
  },
};

const freeze: Fault = {
  name: 'freeze',
  class: 'freeze',
  lastsMs: 10_000,
  says: 'SIGSTOP a process of a service, then SIGCONT: a zombie that comes back with old beliefs',
  watch: 'Others take over meanwhile, and what it does when it wakes changes nothing that has moved on.',
  targets: processNames,
  holds: (_stack, target) => [target],
  async play({ stack }, target) {
    const frozen = instanceOf(stack, target).child;
    frozen?.kill('SIGSTOP');
    return () => Promise.resolve(frozen?.kill('SIGCONT'));
  },
};

const redisFlush: Fault = {
  name: 'redis-flush',
  class: 'redis',
  lastsMs: null,
  says: 'FLUSHALL: every job, armed hang-ups too, is gone',
  watch:
    'Sessions end as before, a second or two later: the reconciler in cleanup-worker reads what is owed from Postgres.',
  targets: () => ['redis'],
  holds: () => ['redis'],
  async play({ stack }) {
    await withRedis(stack.redisUrl, (redis) => redis.flushall());
    return nothing;
  },
};

const redisRestart: Fault = {
  name: 'redis-restart',
  class: 'redis',
  lastsMs: 1_000,
  says: 'kill Redis and start it again, empty',
  watch: 'The services say that Redis is away and come back by themselves; rooms can be looked at and ended meanwhile.',
  targets: () => ['redis'],
  holds: () => ['redis'],
  async play({ stack }) {
    await stack.redis.crash();
    return () => stack.redis.startAgain();
  },
};

const dbConnections: Fault = {
  name: 'db-connections',
  class: 'postgres',
  lastsMs: null,
  says: 'end every database connection (pg_terminate_backend)',
  watch: 'A request or two answers 500 or 503; the pools connect again at the next.',
  targets: () => ['postgres'],
  holds: () => ['postgres'],
  async play({ stack }) {
    await withPostgres(stack.databaseUrl, (client) =>
      client.query(
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname IS NOT NULL',
      ),
    );
    return nothing;
  },
};

const postgresRestart: Fault = {
  name: 'postgres-restart',
  class: 'postgres',
  lastsMs: 1_000,
  says: 'crash Postgres (immediate stop) and start it again',
  watch: 'The API answers 503 and callers hear an apology meanwhile; what is owed is hung up as soon as it is back.',
  targets: () => ['postgres'],
  holds: () => ['postgres'],
  async play({ stack }) {
    await stack.postgres.crash();
    return () => stack.postgres.startAgain();
  },
};

/** The class of a fault on a link of a kind. */
const classOfLink = {
  postgres: 'postgres',
  redis: 'redis',
  vendor: 'vendor-error',
  webhooks: 'webhooks-lost',
} as const satisfies Record<LinkKind, FaultClass>;
const saysOfLink = {
  postgres: 'services → Postgres',
  redis: 'services → Redis',
  vendor: 'services → the vendor’s REST',
  webhooks: 'vendor → voice-webhooks',
} as const satisfies Record<LinkKind, string>;

function linkFault(
  kind: LinkKind,
  what: 'black-hole' | 'refuse' | 'latency',
  fault: LinkFault,
  lastsMs: number,
  says: string,
): Fault {
  return {
    name: `${kind}-${what}`,
    // What is only late is not lost.
    class: kind === 'webhooks' && what === 'latency' ? 'webhooks-noise' : classOfLink[kind],
    lastsMs,
    says: `${saysOfLink[kind]}: ${says}`,
    watch: 'The log says what the services made of it; the ledger (GET /emulator/ledger at the vendor) what it cost.',
    targets: (stack) => linkTargets(stack, kind),
    holds: (stack, target) => linksOf(stack, kind, target).map(({ name }) => name),
    async play({ stack }, target) {
      const links = linksOf(stack, kind, target);
      await Promise.all(links.map((link) => link.play(fault)));
      return async () => void (await Promise.all(links.map((link) => link.play(null))));
    },
  };
}

function linkReset(kind: LinkKind): Fault {
  return {
    name: `${kind}-reset`,
    class: classOfLink[kind],
    lastsMs: null,
    says: `${saysOfLink[kind]}: every open connection is cut (RST)`,
    watch: 'What was under way fails once and is made good; new connections are open at once.',
    targets: (stack) => linkTargets(stack, kind),
    holds: (stack, target) => linksOf(stack, kind, target).map(({ name }) => name),
    play({ stack }, target) {
      for (const link of linksOf(stack, kind, target)) link.reset();
      return Promise.resolve(nothing);
    },
  };
}

function linkForget(kind: LinkKind): Fault {
  return {
    name: `${kind}-half-open`,
    class: classOfLink[kind],
    lastsMs: null,
    says: `${saysOfLink[kind]}: open connections go dead and nobody is told, as when a firewall forgets them; new ones are well`,
    watch: 'Whoever waits on one for ever has no time limit of its own; all others connect again.',
    targets: (stack) => linkTargets(stack, kind),
    holds: (stack, target) => linksOf(stack, kind, target).map(({ name }) => name),
    play({ stack }, target) {
      for (const link of linksOf(stack, kind, target)) link.forget();
      return Promise.resolve(nothing);
    },
  };
}

function vendorFault(
  name: string,
  faultClass: FaultClass,
  lastsMs: number,
  rules: VendorRules,
  says: string,
  watch: string,
): Fault {
  return {
    name,
    class: faultClass,
    lastsMs,
    says,
    watch,
    targets: (stack) => (stack.vendor === null ? [] : ['vendor']),
    holds: () => [name],
    async play(stage) {
      stage.vendorRules.add(rules);
      await tellVendor(stage);
      return async () => {
        stage.vendorRules.delete(rules);
        await tellVendor(stage);
      };
    },
  };
}

const closing = ['hangup', 'disconnect'] as const;
const making = ['dial', 'create-call'] as const;
const retried =
  'Hang-ups are asked again (asks and askedAt in GET /v1/rooms/{id}) until the vendor is seen to have done them.';

/** Every fault, by the name under which `npm run chaos` and `npm run prove` play it. */
export const faults: readonly Fault[] = [
  kill,
  freeze,
  redisFlush,
  redisRestart,
  dbConnections,
  postgresRestart,
  ...linkKinds.flatMap((kind) => [
    linkFault(kind, 'black-hole', { kind: 'black-hole' }, 4_000, 'packets vanish, nobody is told'),
    linkFault(kind, 'refuse', { kind: 'refuse' }, 2_000, 'connections are refused, open ones cut'),
    linkFault(
      kind,
      'latency',
      { kind: 'latency', ms: kind === 'postgres' ? 250 : 1_000 },
      4_000,
      `everything is ${kind === 'postgres' ? 'a quarter of a second' : 'a second'} late, each way`,
    ),
    linkReset(kind),
    linkForget(kind),
  ]),
  vendorFault(
    'vendor-500',
    'vendor-error',
    4_000,
    { rest: [{ route: 'any', fault: '500' }] },
    'the vendor answers 500 to everything, and does nothing',
    retried,
  ),
  vendorFault(
    'vendor-429',
    'vendor-429',
    4_000,
    { rest: [{ route: 'any', fault: '429' }] },
    'the vendor answers 429 to everything',
    retried,
  ),
  vendorFault(
    'vendor-not-applied',
    'vendor-error',
    4_000,
    { rest: [{ route: 'any', fault: 'not-applied-silent' }] },
    'the vendor does nothing and never answers',
    retried,
  ),
  vendorFault(
    'vendor-applied-silent',
    'vendor-lost-answer',
    4_000,
    { rest: closing.map((route) => ({ route, fault: 'applied-silent' })) },
    'hang-ups are done, and never answered',
    'The look-up after it finds them done; nothing is charged meanwhile.',
  ),
  vendorFault(
    'vendor-create-lost',
    'vendor-lost-create',
    4_000,
    { rest: making.map((route) => ({ route, fault: 'applied-silent' })) },
    'calls are made, and the answer is lost: nobody knows their name',
    'The leg names itself by its own webhook address; else the inventory finds it.',
  ),
  vendorFault(
    'vendor-no-effect',
    'vendor-no-effect',
    4_000,
    { rest: closing.map((route) => ({ route, fault: '204-no-effect' })) },
    'hang-ups are answered 204, and the leg lives on',
    retried,
  ),
  vendorFault(
    'webhooks-dropped',
    'webhooks-lost',
    4_000,
    { webhooks: [{ kind: 'any', fault: 'drop', probability: 0.5 }] },
    'half of the vendor’s webhooks are never sent',
    'Legs that closed unseen are looked up; browsers that came unseen are found by the inventory.',
  ),
  vendorFault(
    'webhooks-doubled',
    'webhooks-noise',
    5_000,
    { webhooks: [{ kind: 'any', fault: 'duplicate' }] },
    'every webhook comes twice',
    'Nothing: a repeated webhook gets the same answer.',
  ),
  vendorFault(
    'webhooks-reordered',
    'webhooks-noise',
    5_000,
    { webhooks: [{ kind: 'any', fault: 'reorder', probability: 0.5, delayMs: 1_500 }] },
    'half of the webhooks come behind their successor',
    'Nothing: a late one changes nothing that has moved on.',
  ),
  vendorFault(
    'webhooks-late',
    'webhooks-noise',
    5_000,
    { webhooks: [{ kind: 'any', fault: 'delay', probability: 0.5, delayMs: 3_000 }] },
    'half of the webhooks are three seconds late',
    'Callers wait three seconds; nothing else.',
  ),
];

const nothing = (): Promise<void> => Promise.resolve();

function instanceOf(stack: Stack, name: string): Instance {
  const found = stack.instances.find((instance) => instance.name === name);
  if (found) return found;
  throw new Error(`There is no ${name}; there are ${serviceNames.join(', ')}.`);
}

/** The services that ask the vendor for anything. */
const ASKS_VENDOR = /^(dial-orchestrator|cleanup-worker)/;

function linkTargets(stack: Stack, kind: LinkKind): string[] {
  const names = [...stack.links[kind].keys()].filter((name) => kind !== 'vendor' || ASKS_VENDOR.test(name));
  return kind === 'webhooks' || names.length === 0 ? names : [ALL, ...names];
}

const linksOf = (stack: Stack, kind: LinkKind, target: string) =>
  [...stack.links[kind]].filter(([name]) => target === ALL || name === target).map(([, link]) => link);

async function tellVendor({ stack, vendorRules }: Stage): Promise<void> {
  const rules = [...vendorRules];
  await stack.vendor?.setFaults({
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
