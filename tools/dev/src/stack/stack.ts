import { join } from 'node:path';
import { describeNumber } from '@partyline/domain/describe-number';
import { PLATFORM_SIP } from '@partyline/domain/platform-account';
import { openStore, type Store } from '@partyline/store/database/store';
import { listTrunkAccounts } from '@partyline/store/provider-accounts/trunk-accounts';
import { listGatewayNumbers, listLogins } from '@partyline/store/sip-accounts/sip-accounts';
import { seed, type Seed } from '@partyline/store/tenants/seed';
import { startEmulator, type RunningEmulator } from '@partyline/vonage-emulator/launch';
import type { Child } from '../processes/child.ts';
import { createCredentials, loadKeptCredentials, type Credentials } from './credentials.ts';
import { migrate } from '../postgres/migrate.ts';
import { ownNumber } from './own-account.ts';
import type { RealAccount } from './real-account.ts';
import { findFreePort } from '../processes/ports.ts';
import { startPgBouncer } from '../postgres/pgbouncer.ts';
import { startPostgres, type PostgresServer } from '../postgres/postgres.ts';
import { createProcesses, type Log, type Processes } from '../processes/processes.ts';
import { openLink, type Link, type Target } from '../faults/proxy.ts';
import { startRedis, type RedisServer } from '../redis/redis.ts';
import {
  emulatorEnvironment,
  numbers,
  serviceEnvironment,
  serviceNames,
  buildEmulatorAccount,
  buildEmulatorConfig,
  type LinkedNumber,
  type Mode,
  type ServiceName,
  type ServiceContext,
} from './service-environment.ts';
import type { OwnTenants } from './existing-servers.ts';
import { prepareSelfHosted, type SelfHosted } from './self-hosted.ts';
import { startServiceProcess } from './start-service.ts';
import { stateFolder } from '../workspace.ts';

export interface StackOptions {
  /** The video product of Vonage to use. */
  mode: Mode;
  log: Log;
  /** Keep the database in .partyline/ for the next start; otherwise it is deleted at the end. */
  keep?: boolean;
  /** Use a real Vonage account instead of the emulator. */
  realAccount?: RealAccount;
  /** Use our own gateways (kamailio, Janus) instead of the emulator: so many. */
  gateways?: number;
  /** Start so many gateways beside the emulator, for the SIP trunks of the platform and of tenants. */
  trunkGateways?: number;
  /** The port of voice-webhooks, to which a tunnel forwards. Default: a free port. */
  webhooksPort?: number;
  /** Number of processes of each service; default 1. */
  replicas?: number;
  /** Put PgBouncer in transaction mode between the services and Postgres. */
  pooled?: boolean;
  /** Put a proxy for faults between all parts, and keep every commit after a crash of Postgres. */
  breakable?: boolean;
  /**
   * Start Postgres and Redis even if the environment names some that run already (DATABASE_URL,
   * REDIS_URL), for a run that stops them.
   */
  useOwnServers?: boolean;
  /**
   * Use the kamailio and the Janus that the environment names (KAMAILIO_*, JANUS_*). The services then
   * delete the tenants from this kamailio that their database does not have, and end its other calls.
   */
  useExistingServers?: boolean;
  /** Further environment variables for all services and gateways, or per service. */
  environment?: Record<string, string> | ((service: ServiceName | 'media-gateway') => Record<string, string>);
}

/** One running process of a service. */
export interface Instance {
  /** The name of the service, with a number if there are several processes. */
  readonly name: string;
  readonly service: ServiceName;
  readonly url: string;
  /** Where its health and metrics are served. */
  readonly managementUrl: string;
  /** The process as it was last started. */
  readonly child: Child | undefined;
  /** Starts it again on the same port after it was killed. */
  start(): Promise<void>;
}

/** The kinds of link between two parts. */
export const linkKinds = ['postgres', 'redis', 'provider', 'webhooks'] as const;
export type LinkKind = (typeof linkKinds)[number];

/**
 * The links of each instance, by its name. `webhooks` has one link, from the provider to
 * voice-webhooks.
 */
type Links = { readonly [K in LinkKind]: ReadonlyMap<string, Link> };

export interface Stack {
  /** The URL of each service. With several instances, requests are distributed in turn. */
  readonly urls: Record<ServiceName, string>;
  readonly instances: readonly Instance[];
  /** Empty unless the stack was started as `breakable`. */
  readonly links: Links;
  /** Control client of the emulated provider. Null with a real account and with `gateways`. */
  readonly emulator: RunningEmulator['client'] | null;
  /** Our own gateways; null without them. */
  readonly selfHosted: SelfHosted | null;
  readonly databaseUrl: string;
  readonly redisUrl: string;
  readonly postgres: PostgresServer;
  readonly redis: RedisServer;
  readonly apiKey: string;
  /** All secrets of the stack, for tools that simulate the provider or an attacker. */
  readonly credentials: Credentials;
  readonly numbers: readonly LinkedNumber[];
  /** The folder with one log file per process. */
  readonly logFolder: string;
  /** Stops everything in reverse order. */
  stop(): Promise<void>;
}

/**
 * Starts Partyline on this machine: Postgres, Redis, the schema, a tenant, the emulated provider
 * and the four services, which must be built (`buildApps`). Everything ends with `stop()`, or when
 * this process ends.
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
  const { mode, log, keep = false, realAccount, replicas = 1, breakable = false, useOwnServers = false } = options;
  const logFolder = stateFolder('logs', `${new Date().toISOString().replaceAll(/[:.]/g, '-')}-${process.pid}`);
  const logFile = (name: string): string => join(logFolder, `${name}.log`);
  const credentials = keep ? loadKeptCredentials() : createCredentials();

  log('Starting Postgres and Redis ...');
  const [postgres, redis] = await Promise.all([
    startPostgres({
      useOwnServer: useOwnServers,
      crashSafe: breakable,
      logFile: logFile('postgres'),
      ...(keep && { dataFolder: join(stateFolder(), 'postgres'), durable: true }),
    }).then(processes.add),
    startRedis({ useOwnServer: useOwnServers, log, logFile: logFile('redis') }).then(processes.add),
  ]);
  const databaseUrl = postgres.external ? postgres.url : await postgres.ensureDatabase('partyline');
  const applied = await migrate(databaseUrl);
  if (applied.length > 0) log(`Applied ${applied.length} migrations and SQL functions.`);
  const serviceUrl = await postgres.serviceUrlOf(databaseUrl);
  const pooledUrl = options.pooled
    ? processes.add(await startPgBouncer({ users: [serviceUrl], logFile: logFile('pgbouncer') })).through(serviceUrl)
    : serviceUrl;
  const dialInNumbers = realAccount?.numbers ?? numbers;
  // The phones of the emulator have numbers of three countries and place many calls at once. A real
  // account keeps the defaults.
  await seedTenant(
    serviceUrl,
    credentials,
    realAccount
      ? { numbers: dialInNumbers, ...countriesOf(dialInNumbers) }
      : { numbers: dialInNumbers.map((number) => ({ ...number, maxUnadmitted: 500 })), countries: ['US', 'GB', 'DE'] },
  );

  const links = Object.fromEntries(linkKinds.map((kind) => [kind, new Map<string, Link>()])) as unknown as {
    [K in LinkKind]: Map<string, Link>;
  };
  /**
   * Returns the URL by which one part reaches another: through a link if the stack is breakable,
   * and only for local targets.
   */
  async function connectThrough(kind: LinkKind, name: string, urls: readonly string[], port?: number): Promise<string> {
    const first = new URL(urls[0]!);
    if (first.hostname !== '127.0.0.1' || (!breakable && urls.length === 1 && port === undefined)) return urls[0]!;
    const link = processes.add(
      withStop(
        await openLink({ name: `${name}->${kind}`, port: port ?? (await findFreePort()), targets: urls.map(toTarget) }),
      ),
    );
    links[kind].set(name, link);
    first.port = String(link.port);
    return first.href.replace(/\/$/, '');
  }

  const processNames = serviceNames.flatMap((service) =>
    Array.from({ length: replicas }, (_, index) => ({
      service,
      name: replicas === 1 ? service : `${service}-${index + 1}`,
    })),
  );
  const addresses = await Promise.all(
    processNames.map(async (one) => ({
      ...one,
      url: `http://127.0.0.1:${await findFreePort()}`,
      managementUrl: `http://127.0.0.1:${await findFreePort()}`,
    })),
  );
  const urlsOf = (service: ServiceName): string[] =>
    addresses.filter((address) => address.service === service).map(({ url }) => url);
  const urls = Object.fromEntries(serviceNames.map((service) => [service, urlsOf(service)[0]!])) as Record<
    ServiceName,
    string
  >;
  // With a real account, a tunnel forwards to a fixed port.
  urls['voice-webhooks'] = await connectThrough('webhooks', 'provider', urlsOf('voice-webhooks'), options.webhooksPort);
  if (replicas > 1) urls['room-api'] = await openLoadBalancer(urlsOf('room-api'));
  async function openLoadBalancer(targets: readonly string[]): Promise<string> {
    const loadBalancer = processes.add(
      withStop(
        await openLink({ name: 'tenants->room-api', port: await findFreePort(), targets: targets.map(toTarget) }),
      ),
    );
    return `http://127.0.0.1:${loadBalancer.port}`;
  }

  const furtherVariables = (service: ServiceName | 'media-gateway'): Record<string, string> =>
    typeof options.environment === 'function' ? options.environment(service) : (options.environment ?? {});
  const gateways = options.gateways ?? options.trunkGateways;
  const selfHosted =
    gateways === undefined
      ? null
      : await prepareSelfHosted({
          processes,
          log,
          logFile,
          gateways,
          account: options.gateways === undefined ? PLATFORM_SIP : 'platform',
          webhooksUrl: urls['voice-webhooks'],
          gatewaySecret: credentials.gatewaySecret,
          // A server of the developer may not allow another database.
          ...(!postgres.external && { callsUrl: await postgres.ensureDatabase('kamailio') }),
          existingServers: options.useExistingServers ? 'use' : useOwnServers ? 'never' : 'offer',
          readTenants: () => readTenants(serviceUrl, options.gateways !== undefined),
          extra: furtherVariables('media-gateway'),
        });
  const emulator = realAccount || options.gateways !== undefined ? null : await startProviderEmulator();
  async function startProviderEmulator(): Promise<RunningEmulator> {
    log('Starting the emulated provider ...');
    const started = await startEmulator(buildEmulatorConfig(urls['voice-webhooks'], credentials));
    processes.add({ name: 'vonage-emulator', stop: () => started.stop() });
    await started.client.addAccount(buildEmulatorAccount(credentials.ownProvider, [ownNumber]));
    return started;
  }
  async function createInstance({ name, service, url, managementUrl }: (typeof addresses)[number]): Promise<Instance> {
    const context: ServiceContext = {
      databaseUrl: await connectThrough('postgres', name, [pooledUrl]),
      redisUrl: await connectThrough('redis', name, [redis.url]),
      provider: {
        ...(emulator === null
          ? (realAccount?.environment ?? { VIDEO_MODE: 'janus' })
          : emulatorEnvironment(mode, await connectThrough('provider', name, [emulator.url]), credentials)),
        ...selfHosted?.environment,
      },
      publicWebhookUrl: realAccount?.publicWebhookUrl ?? urls['voice-webhooks'],
      urls: { ...urls, [service]: url },
      managementPort: new URL(managementUrl).port,
      credentials,
      extra: furtherVariables(service),
    };
    return {
      name,
      service,
      url,
      managementUrl,
      get child() {
        return processes.child(name);
      },
      async start() {
        await startServiceProcess(processes, {
          name,
          service,
          env: serviceEnvironment(service, context),
          managementUrl,
          logFile: logFile(name),
        });
      },
    };
  }
  const instances = await Promise.all(addresses.map(createInstance));
  log(`Starting ${serviceNames.join(', ')}${replicas > 1 ? `, ${replicas} processes each` : ''} ...`);
  const started = await Promise.allSettled(instances.map((instance) => instance.start()));
  for (const instance of started) if (instance.status === 'rejected') throw instance.reason;
  if (selfHosted) {
    log('Starting media-gateway ...');
    await Promise.all(selfHosted.gateways.map((gateway) => gateway.start()));
  }

  return {
    urls,
    instances,
    links,
    emulator: emulator?.client ?? null,
    selfHosted,
    databaseUrl,
    redisUrl: redis.url,
    postgres,
    redis,
    apiKey: credentials.apiKey,
    credentials,
    numbers: dialInNumbers,
    logFolder,
    stop: () => processes.stopAll(),
  };
}

const withStop = (link: Link): Link & { stop(): Promise<void> } => ({ ...link, stop: () => link.close() });
const toTarget = (url: string): Target => ({ host: new URL(url).hostname, port: Number(new URL(url).port) });

/** Returns the countries of the numbers, which the tenant is allowed to call. */
function countriesOf(dialInNumbers: Stack['numbers']): Pick<Seed, 'countries'> {
  const countries = [
    ...new Set(dialInNumbers.flatMap(({ e164, country }) => country ?? describeNumber(e164).country ?? [])),
  ];
  return countries.length === 0 ? {} : { countries };
}

async function seedTenant(
  databaseUrl: string,
  { tenantId, apiKey }: Pick<Credentials, 'tenantId' | 'apiKey'>,
  prepared: Pick<Seed, 'numbers' | 'countries'>,
): Promise<void> {
  await withStore(databaseUrl, (store) => seed(store, { tenantId, tenantName: 'Development', apiKey, ...prepared }));
}

/** Reads of what cleanup-worker makes the entries of kamailio. */
const readTenants = (databaseUrl: string, isPlatformHere: boolean): Promise<OwnTenants> =>
  withStore(databaseUrl, async (store) => ({
    trunks: await listTrunkAccounts(store),
    phones: await listLogins(store),
    numbers: await listGatewayNumbers(store, isPlatformHere),
  }));

async function withStore<T>(databaseUrl: string, use: (store: Store) => Promise<T>): Promise<T> {
  const failed: Error[] = [];
  const store = openStore({ url: databaseUrl, max: 1, onError: (error) => failed.push(error) });
  let result: T;
  try {
    result = await use(store);
  } finally {
    await store.close();
  }
  if (failed[0]) throw failed[0];
  return result;
}
