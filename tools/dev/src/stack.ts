import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { seed } from '@partyline/store/seed';
import { openStore } from '@partyline/store/store';
import { startEmulator, type RunningEmulator } from '@partyline/vonage-emulator/launch';
import type { Child } from './child.ts';
import { createCredentials, keptCredentials, type Credentials } from './credentials.ts';
import { migrate } from './migrate.ts';
import { freePort } from './ports.ts';
import { startPostgres } from './postgres.ts';
import { createProcesses, type Log, type Processes } from './processes.ts';
import { startRedis, type RedisServer } from './redis.ts';
import {
  emulatedVendor,
  numbers,
  readNumbers,
  readyPath,
  realVendor,
  serviceEnvironment,
  serviceNames,
  vendorConfiguration,
  type Mode,
  type ServiceName,
  type Surroundings,
} from './service-environment.ts';
import { inWorkspace, stateFolder } from './workspace.ts';

export interface StackOptions {
  /** Which of the vendor's two video products to use. */
  mode: Mode;
  log: Log;
  /** Keep the database in .partyline/ for the next start; otherwise it is thrown away. */
  keep?: boolean;
  /** Use a real Vonage account instead of the emulator. */
  real?: RealVendor;
}

export interface RealVendor {
  /** Holds the account's variables, `PUBLIC_WEBHOOK_URL` and `PARTYLINE_NUMBERS`. */
  readonly env: NodeJS.ProcessEnv;
  /** Where voice-webhooks listens; whatever is at `PUBLIC_WEBHOOK_URL` must lead here. */
  readonly webhooksPort: number;
}

export interface Stack {
  readonly urls: Record<ServiceName, string>;
  /** The emulated vendor: places calls, joins browsers and reads the charge meter. Null with a real account. */
  readonly vendor: RunningEmulator['client'] | null;
  readonly databaseUrl: string;
  readonly redisUrl: string;
  readonly redis: RedisServer;
  readonly apiKey: string;
  readonly numbers: readonly { readonly e164: string; readonly language: string }[];
  /** Holds one log file per process. */
  readonly logFolder: string;
  /** The running process of a service, to kill it on purpose. */
  child(service: ServiceName): Child | undefined;
  /** Starts a service again, at its old address, after it was killed. */
  startService(service: ServiceName): Promise<void>;
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

async function assemble({ mode, log, keep = false, real }: StackOptions, processes: Processes): Promise<Stack> {
  const logFolder = stateFolder('logs', `${new Date().toISOString().replaceAll(/[:.]/g, '-')}-${process.pid}`);
  const logFile = (name: string): string => join(logFolder, `${name}.log`);
  const credentials = keep ? keptCredentials() : createCredentials();

  log('starting Postgres and Redis …');
  const [postgres, redis] = await Promise.all([
    startPostgres({ logFile: logFile('postgres'), ...(keep && { dataFolder: join(stateFolder(), 'postgres'), durable: true }) }).then(processes.add),
    startRedis({ log, logFile: logFile('redis') }).then(processes.add),
  ]);
  const databaseUrl = postgres.external ? postgres.url : await postgres.ensureDatabase('partyline');
  const applied = await migrate(databaseUrl);
  if (applied.length > 0) log(`applied ${applied.length} migration${applied.length === 1 ? '' : 's'}`);
  const linked = real ? readNumbers(needed(real.env, 'PARTYLINE_NUMBERS')) : numbers;
  await seedTenant(databaseUrl, credentials, linked);

  const urls = await serviceUrls(real?.webhooksPort);
  const emulator = real ? null : await emulate();
  const surroundings: Surroundings = {
    databaseUrl,
    redisUrl: redis.url,
    vendor: real ? realVendor(real.env) : emulatedVendor(mode, emulator!.url, credentials),
    publicWebhookUrl: real ? needed(real.env, 'PUBLIC_WEBHOOK_URL') : urls['voice-webhooks'],
    urls,
    credentials,
  };
  async function emulate(): Promise<RunningEmulator> {
    log('starting the emulated vendor …');
    const started = await startEmulator(vendorConfiguration(urls['voice-webhooks'], credentials));
    processes.add({ name: 'vonage-emulator', stop: () => started.stop() });
    return started;
  }
  const startService = async (service: ServiceName): Promise<void> => {
    await processes.start({
      name: service,
      command: process.execPath,
      args: ['--enable-source-maps', entryPoint(service)],
      env: { ...systemEnvironment(), ...serviceEnvironment(service, surroundings) },
      logFile: logFile(service),
      readiness: { http: `${urls[service]}${readyPath}` },
    });
  };
  log(`starting ${serviceNames.join(', ')} …`);
  const started = await Promise.allSettled(serviceNames.map(startService));
  for (const service of started) if (service.status === 'rejected') throw service.reason;

  return {
    urls,
    vendor: emulator?.client ?? null,
    databaseUrl,
    redisUrl: redis.url,
    redis,
    apiKey: credentials.apiKey,
    numbers: linked,
    logFolder,
    child: (service) => processes.child(service),
    startService,
    stop: () => processes.stopAll(),
  };
}

function needed(env: NodeJS.ProcessEnv, name: string): string {
  const value = env[name];
  if (value) return value;
  throw new Error(`${name} is not set: a real account needs it, in the environment or in .env (README, “With a real Vonage account”).`);
}

async function seedTenant(databaseUrl: string, { tenantId, apiKey }: Pick<Credentials, 'tenantId' | 'apiKey'>, linked: Stack['numbers']): Promise<void> {
  const failed: Error[] = [];
  const store = openStore({ url: databaseUrl, max: 1, onError: (error) => failed.push(error) });
  try {
    await seed(store, { tenantId, tenantName: 'Development', apiKey, numbers: linked });
  } finally {
    await store.close();
  }
  if (failed[0]) throw failed[0];
}

async function serviceUrls(webhooksPort?: number): Promise<Record<ServiceName, string>> {
  const urls: Partial<Record<ServiceName, string>> = {};
  for (const service of serviceNames) {
    const port = service === 'voice-webhooks' && webhooksPort !== undefined ? webhooksPort : await freePort();
    urls[service] = `http://127.0.0.1:${port}`;
  }
  return urls as Record<ServiceName, string>;
}

function entryPoint(service: ServiceName): string {
  const file = inWorkspace('apps', service, 'dist/main.js');
  if (existsSync(file)) return file;
  throw new Error(`${service} is not built (no ${file}). Run \`npm run build\`, or \`npm start\`, which builds first.`);
}

/** What a program needs from the system; a developer's own variables do not leak into the services. */
function systemEnvironment(): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR, TZ, NODE_EXTRA_CA_CERTS } = process.env;
  return Object.fromEntries(Object.entries({ PATH, HOME, TMPDIR, TZ, NODE_EXTRA_CA_CERTS }).filter(([, value]) => value !== undefined));
}
