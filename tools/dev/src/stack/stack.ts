import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { seed, type Seed } from '@partyline/store/tenants/seed';
import { openStore } from '@partyline/store/database/store';
import { startEmulator, type RunningEmulator } from '@partyline/vonage-emulator/launch';
import type { Child } from '../processes/child.ts';
import { createCredentials, keptCredentials, type Credentials } from './credentials.ts';
import { migrate } from '../postgres/migrate.ts';
import { ownNumber, writeOwnAccount, type OwnAccount } from './own-account.ts';
import { freePort } from '../processes/ports.ts';
import { startPostgres, type PostgresServer } from '../postgres/postgres.ts';
import { createProcesses, type Log, type Processes } from '../processes/processes.ts';
import { openLink, type Link, type Target } from '../faults/proxy.ts';
import { startRedis, type RedisServer } from '../redis/redis.ts';
import {
  emulatedVendor,
  numbers,
  readNumbers,
  readyPath,
  realVendor,
  serviceEnvironment,
  serviceNames,
  vendorAccount,
  vendorConfiguration,
  type LinkedNumber,
  type Mode,
  type ServiceName,
  type Surroundings,
} from './service-environment.ts';
import { cacheFolder, inWorkspace, stateFolder } from '../workspace.ts';

export interface StackOptions {
  /** Which of the vendor's two video products to use. */
  mode: Mode;
  log: Log;
  /** Keep the database in .partyline/ for the next start; otherwise it is thrown away. */
  keep?: boolean;
  /** Use a real Vonage account instead of the emulator. */
  real?: RealVendor;
  /** How many of each service to run; default 1. */
  replicas?: number;
  /** Put a link that can be broken between all parts, and keep every commit over a crash of Postgres. */
  breakable?: boolean;
  /** Our own Postgres and Redis even when DATABASE_URL and REDIS_URL name others: for a run that stops them. */
  own?: boolean;
  /** Further variables for the services, or for each its own. */
  environment?: Record<string, string> | ((service: ServiceName) => Record<string, string>);
}

/** One running process of a service. */
export interface Instance {
  /** The service's own name, numbered when there are several. */
  readonly name: string;
  readonly service: ServiceName;
  readonly url: string;
  /** The process as it was last started. */
  readonly child: Child | undefined;
  /** Starts it again, at its old address, after it was killed. */
  start(): Promise<void>;
}

/** What can be broken between two parts. */
export const linkKinds = ['postgres', 'redis', 'vendor', 'webhooks'] as const;
export type LinkKind = (typeof linkKinds)[number];

/** A link of each instance to what it uses, by the instance's name; `webhooks` is the vendor's one way in. */
type Links = { readonly [K in LinkKind]: ReadonlyMap<string, Link> };

interface RealVendor {
  /** Holds the account's variables, `PUBLIC_WEBHOOK_URL` and `PARTYLINE_NUMBERS`. */
  readonly env: NodeJS.ProcessEnv;
  /** Where voice-webhooks listens; whatever is at `PUBLIC_WEBHOOK_URL` must lead here. */
  readonly webhooksPort: number;
}

export interface Stack {
  /** Where each service is reached; with several instances, in turn. */
  readonly urls: Record<ServiceName, string>;
  readonly instances: readonly Instance[];
  /** Empty unless the stack was started `breakable`. */
  readonly links: Links;
  /** The emulated vendor: places calls, joins browsers and reads the charge meter. Null with a real account. */
  readonly vendor: RunningEmulator['client'] | null;
  /** A second account that the emulated vendor holds, for a tenant to bring as its own. Null with a real account. */
  readonly ownAccount: OwnAccount | null;
  readonly databaseUrl: string;
  readonly redisUrl: string;
  readonly postgres: PostgresServer;
  readonly redis: RedisServer;
  readonly apiKey: string;
  /** Every secret of the stack: for tools that play the vendor, or an attacker who has some of them. */
  readonly credentials: Credentials;
  readonly numbers: readonly LinkedNumber[];
  /** Holds one log file per process. */
  readonly logFolder: string;
  /** Stops everything in reverse order. */
  stop(): Promise<void>;
}

/**
 * Starts the whole of Partyline on this machine: Postgres, Redis, the schema, a tenant, the emulated vendor and the four services, which must
 * be built (`buildApps`). Everything ends with `stop()`, and also when this process dies.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const processes = createProcesses(options.log);
  try {
    return await assemble(options, processes);
  } catch (error) {
    await processes.stopAll();
    throw error;
  }
}

async function assemble(options: StackOptions, processes: Processes): Promise<Stack> {
  const { mode, log, keep = false, real, replicas = 1, breakable = false, own = false } = options;
  const logFolder = stateFolder('logs', `${new Date().toISOString().replaceAll(/[:.]/g, '-')}-${process.pid}`);
  const logFile = (name: string): string => join(logFolder, `${name}.log`);
  const credentials = keep ? keptCredentials() : createCredentials();

  log('starting Postgres and Redis …');
  const [postgres, redis] = await Promise.all([
    startPostgres({
      own,
      crashSafe: breakable,
      logFile: logFile('postgres'),
      ...(keep && { dataFolder: join(stateFolder(), 'postgres'), durable: true }),
    }).then(processes.add),
    startRedis({ own, log, logFile: logFile('redis') }).then(processes.add),
  ]);
  const databaseUrl = postgres.external ? postgres.url : await postgres.ensureDatabase('partyline');
  const applied = await migrate(databaseUrl);
  if (applied.length > 0) log(`applied ${applied.length} migration${applied.length === 1 ? '' : 's'}`);
  const linked = real ? readNumbers(needed(real.env, 'PARTYLINE_NUMBERS')) : numbers;
  const serviceUrl = await postgres.serviceUrlOf(databaseUrl);
  // The emulator's phones have numbers of three countries, and ring many at once; a real account has the platform's own defaults.
  await seedTenant(
    serviceUrl,
    credentials,
    real
      ? { numbers: linked, ...homeOf(linked) }
      : { numbers: linked.map((number) => ({ ...number, maxUnadmitted: 500 })), countries: ['US', 'GB', 'DE'] },
  );

  const links = Object.fromEntries(linkKinds.map((kind) => [kind, new Map<string, Link>()])) as unknown as {
    [K in LinkKind]: Map<string, Link>;
  };
  /** The way from one part to another, or to several in turn: a link when links are wanted, and only to what is ours. */
  async function through(kind: LinkKind, name: string, urls: readonly string[], port?: number): Promise<string> {
    const first = new URL(urls[0]!);
    if (first.hostname !== '127.0.0.1' || (!breakable && urls.length === 1 && port === undefined)) return urls[0]!;
    const link = processes.add(
      withStop(
        await openLink({ name: `${name}→${kind}`, port: port ?? (await freePort()), targets: urls.map(targetOf) }),
      ),
    );
    links[kind].set(name, link);
    first.port = String(link.port);
    return first.href.replace(/\/$/, '');
  }

  const named = serviceNames.flatMap((service) =>
    Array.from({ length: replicas }, (_, at) => ({ service, name: replicas === 1 ? service : `${service}-${at + 1}` })),
  );
  const places = await Promise.all(named.map(async (one) => ({ ...one, url: `http://127.0.0.1:${await freePort()}` })));
  const urlsOf = (service: ServiceName): string[] =>
    places.filter((place) => place.service === service).map(({ url }) => url);
  const urls = Object.fromEntries(serviceNames.map((service) => [service, urlsOf(service)[0]!])) as Record<
    ServiceName,
    string
  >;
  // With a real account a tunnel leads to a port that its owner knows.
  urls['voice-webhooks'] = await through('webhooks', 'vendor', urlsOf('voice-webhooks'), real?.webhooksPort);
  if (replicas > 1) urls['room-api'] = await frontOf(urlsOf('room-api'));
  async function frontOf(targets: readonly string[]): Promise<string> {
    const front = processes.add(
      withStop(await openLink({ name: 'tenants→room-api', port: await freePort(), targets: targets.map(targetOf) })),
    );
    return `http://127.0.0.1:${front.port}`;
  }

  const emulator = real ? null : await emulate();
  async function emulate(): Promise<RunningEmulator> {
    log('starting the emulated vendor …');
    const started = await startEmulator(vendorConfiguration(urls['voice-webhooks'], credentials));
    processes.add({ name: 'vonage-emulator', stop: () => started.stop() });
    await started.client.addAccount(vendorAccount(credentials.ownVendor, [ownNumber]));
    return started;
  }
  const ownAccount = real
    ? null
    : processes.add(writeOwnAccount({ mode, vendor: credentials.ownVendor, webhooksUrl: urls['voice-webhooks'] }));
  async function instanceAt({ name, service, url }: (typeof places)[number]): Promise<Instance> {
    const surroundings: Surroundings = {
      databaseUrl: await through('postgres', name, [serviceUrl]),
      redisUrl: await through('redis', name, [redis.url]),
      vendor: real
        ? realVendor(real.env)
        : emulatedVendor(mode, await through('vendor', name, [emulator!.url]), credentials),
      publicWebhookUrl: real ? needed(real.env, 'PUBLIC_WEBHOOK_URL') : urls['voice-webhooks'],
      urls: { ...urls, [service]: url },
      credentials,
      extra: typeof options.environment === 'function' ? options.environment(service) : (options.environment ?? {}),
    };
    return {
      name,
      service,
      url,
      get child() {
        return processes.child(name);
      },
      async start() {
        await processes.start({
          name,
          command: process.execPath,
          args: ['--enable-source-maps', entryPoint(service)],
          env: { ...systemEnvironment(), ...serviceEnvironment(service, surroundings) },
          logFile: logFile(name),
          readiness: { http: `${url}${readyPath}` },
        });
      },
    };
  }
  const instances = await Promise.all(places.map(instanceAt));
  log(`starting ${serviceNames.join(', ')}${replicas > 1 ? `, ${replicas} of each` : ''} …`);
  const started = await Promise.allSettled(instances.map((instance) => instance.start()));
  for (const instance of started) if (instance.status === 'rejected') throw instance.reason;

  return {
    urls,
    instances,
    links,
    vendor: emulator?.client ?? null,
    ownAccount,
    databaseUrl,
    redisUrl: redis.url,
    postgres,
    redis,
    apiKey: credentials.apiKey,
    credentials,
    numbers: linked,
    logFolder,
    stop: () => processes.stopAll(),
  };
}

const withStop = (link: Link): Link & { stop(): Promise<void> } => ({ ...link, stop: () => link.close() });
const targetOf = (url: string): Target => ({ host: new URL(url).hostname, port: Number(new URL(url).port) });

function needed(env: NodeJS.ProcessEnv, name: string): string {
  const value = env[name];
  if (value) return value;
  throw new Error(
    `${name} is not set: a real account needs it, in the environment or in .env (README, “With a real Vonage account”).`,
  );
}

/** The countries of the numbers, which the tenant may ring. */
function homeOf(linked: Stack['numbers']): Pick<Seed, 'countries'> {
  const countries = [...new Set(linked.flatMap(({ country }) => country ?? []))];
  return countries.length === 0 ? {} : { countries };
}

async function seedTenant(
  databaseUrl: string,
  { tenantId, apiKey }: Pick<Credentials, 'tenantId' | 'apiKey'>,
  prepared: Pick<Seed, 'numbers' | 'countries'>,
): Promise<void> {
  const failed: Error[] = [];
  const store = openStore({ url: databaseUrl, max: 1, onError: (error) => failed.push(error) });
  try {
    await seed(store, { tenantId, tenantName: 'Development', apiKey, ...prepared });
  } finally {
    await store.close();
  }
  if (failed[0]) throw failed[0];
}

function entryPoint(service: ServiceName): string {
  const file = inWorkspace('apps', service, 'dist/main.js');
  if (existsSync(file)) return file;
  throw new Error(`${service} is not built (no ${file}). Run \`npm run build\`, or \`npm start\`, which builds first.`);
}

/** What a program needs from the system; a developer's own variables do not leak into the services. */
function systemEnvironment(): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR, TZ, NODE_EXTRA_CA_CERTS } = process.env;
  // A fifth off a service's start.
  const NODE_COMPILE_CACHE = cacheFolder('compile');
  return Object.fromEntries(
    Object.entries({ PATH, HOME, TMPDIR, TZ, NODE_EXTRA_CA_CERTS, NODE_COMPILE_CACHE }).filter(
      ([, value]) => value !== undefined,
    ),
  );
}
