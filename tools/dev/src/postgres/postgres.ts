import { spawnSync } from 'node:child_process';
import { chownSync, globSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { startChild, type Child } from '../processes/child.ts';
import { findPostgres, unprivileged, type PostgresBinaries } from './postgres-binaries.ts';
import { freePort } from '../processes/ports.ts';
import { waitUntilReady } from '../processes/readiness.ts';

interface PostgresOptions {
  /** Where its output goes; nowhere when left out. */
  logFile?: string;
  /** Keep the data here instead of in a temp folder that is removed at the end. */
  dataFolder?: string;
  /** Write through to disk. Off by default: a throw-away cluster is faster without, and survives all that we do to it. */
  durable?: boolean;
  /** Keep every commit over `crash()`, though not over a power cut. */
  crashSafe?: boolean;
  /** Our own server even when DATABASE_URL names another: one that is to be crashed on purpose. */
  own?: boolean;
}

export interface PostgresServer {
  readonly name: 'postgres';
  /** A superuser's (or DATABASE_URL's own) connection string. */
  readonly url: string;
  /** True when DATABASE_URL named it: we neither started it nor end it. */
  readonly external: boolean;
  /** The same server and user, another database. */
  urlOf(database: string): string;
  /** Makes a database, from a template when one is named, and gives its connection string. */
  createDatabase(database: string, template?: string): Promise<string>;
  /** Makes a database unless it is there already, and gives its connection string. */
  ensureDatabase(database: string): Promise<string>;
  /**
   * The same database for the services: as a user who owns nothing, and whose every statement must name whose rows it is after. A server that is not
   * ours is used as the user we were given.
   */
  serviceUrlOf(databaseUrl: string): Promise<string>;
  /** Drops a database, connections and all; no error when there is none. */
  dropDatabase(database: string): Promise<void>;
  /** Ends it at once, as a crash would ("immediate"); throws when it is not ours. */
  crash(): Promise<void>;
  /** Starts it again, at its old address with its old data, after it was crashed. */
  startAgain(): Promise<void>;
  stop(): Promise<void>;
}

/** A server that can be crashed and started again. */
type Runs = Pick<PostgresServer, 'url' | 'external' | 'crash' | 'startAgain' | 'stop'>;

const SUPERUSER = 'postgres';
const SERVICE_USER = 'partyline_service';
const TEMP_PREFIX = 'partyline-postgres-';
const BIND_ATTEMPTS = 3;

/** Gives a running Postgres: the one DATABASE_URL names, or one of our own that ends with this process. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const given = options.own ? undefined : process.env.DATABASE_URL;
  if (given) {
    await query(given, 'SELECT 1').catch((error: unknown) => {
      throw new Error(
        'DATABASE_URL is set but its server does not answer. Start it, or unset DATABASE_URL to use a server of our own.',
        {
          cause: error,
        },
      );
    });
    const notOurs = (): Promise<never> =>
      Promise.reject(new Error('This Postgres is the one that DATABASE_URL names, and not ours to stop.'));
    return server({ url: given, external: true, crash: notOurs, startAgain: notOurs, stop: () => Promise.resolve() });
  }
  const binaries = await findPostgres();
  removeLeftovers();
  const folder = options.dataFolder ?? mkdtempSync(join(tmpdir(), `${TEMP_PREFIX}${process.pid}-`));
  initialise(binaries, folder);
  const { port, ...runs } = await run(binaries, folder, options);
  return server({
    url: `postgresql://${SUPERUSER}@127.0.0.1:${port}/postgres`,
    external: false,
    ...runs,
    async stop() {
      await runs.stop();
      if (!options.dataFolder) rmSync(folder, { recursive: true, force: true });
    },
  });
}

function server(base: Runs): PostgresServer {
  const urlOf = (database: string): string => {
    const url = new URL(base.url);
    url.pathname = `/${database}`;
    return url.href;
  };
  const createDatabase = async (database: string, template?: string): Promise<string> => {
    const from = template ? ` TEMPLATE ${pg.escapeIdentifier(template)}` : '';
    await query(base.url, `CREATE DATABASE ${pg.escapeIdentifier(database)}${from}`);
    return urlOf(database);
  };
  return {
    name: 'postgres',
    ...base,
    urlOf,
    createDatabase,
    async ensureDatabase(database) {
      const found = await query(base.url, 'SELECT 1 FROM pg_database WHERE datname = $1', [database]);
      return found > 0 ? urlOf(database) : createDatabase(database);
    },
    async serviceUrlOf(databaseUrl) {
      if (base.external) return databaseUrl;
      const found = await query(base.url, 'SELECT 1 FROM pg_roles WHERE rolname = $1', [SERVICE_USER]);
      if (found === 0)
        await query(
          base.url,
          `CREATE ROLE ${SERVICE_USER} LOGIN NOINHERIT IN ROLE partyline_tenant, partyline_platform`,
        );
      const url = new URL(databaseUrl);
      url.username = SERVICE_USER;
      return url.href;
    },
    async dropDatabase(database) {
      await query(base.url, `DROP DATABASE IF EXISTS ${pg.escapeIdentifier(database)} WITH (FORCE)`);
    },
  };
}

/** Runs one statement on a connection of its own and gives the number of rows. */
async function query(url: string, sql: string, values: string[] = []): Promise<number> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  await client.connect();
  try {
    return (await client.query(sql, values)).rowCount ?? 0;
  } finally {
    await client.end();
  }
}

function initialise(binaries: PostgresBinaries, folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (unprivileged.uid !== undefined && unprivileged.gid !== undefined)
    chownSync(folder, unprivileged.uid, unprivileged.gid);
  if (existsSync(join(folder, 'PG_VERSION'))) return;
  const args = ['-D', folder, '-U', SUPERUSER, '-A', 'trust', '--no-sync', '-E', 'UTF8', '--locale=C'];
  const made = spawnSync(binaries.initdb, args, { ...unprivileged, cwd: '/', encoding: 'utf8', env: environment() });
  if (made.status !== 0) {
    throw new Error(
      `initdb (${binaries.initdb}) failed. Set DATABASE_URL to a server you have, or see its words:\n${made.error?.message ?? made.stderr}`,
    );
  }
}

async function run(
  binaries: PostgresBinaries,
  folder: string,
  options: PostgresOptions,
): Promise<{ port: number } & Pick<Runs, 'crash' | 'startAgain' | 'stop'>> {
  const loose = ['fsync=off', 'full_page_writes=off', ...(options.crashSafe ? [] : ['synchronous_commit=off'])];
  const settings = ['max_connections=200', ...(options.durable ? [] : loose)].flatMap((setting) => ['-c', setting]);
  const launch = async (port: number): Promise<Child> => {
    const child = startChild({
      name: 'postgres',
      command: binaries.postgres,
      args: ['-D', folder, '-p', String(port), '-h', '127.0.0.1', '-k', '', ...settings],
      cwd: '/',
      env: environment(),
      ...unprivileged,
      stopSignal: 'SIGINT',
      logFile: options.logFile,
    });
    try {
      await waitUntilReady(child, { line: /database system is ready to accept connections/ });
      return child;
    } catch (error) {
      await child.stop();
      throw error;
    }
  };
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    try {
      let child = await launch(port);
      let starting: Promise<void> | undefined;
      return {
        port,
        async crash() {
          child.kill('SIGQUIT');
          await child.ended;
        },
        startAgain: () => (starting = launch(port).then((again) => void (child = again))),
        async stop() {
          // One that is just being started again must be waited for, or it would be left over.
          await starting?.catch(() => undefined);
          await child.stop();
        },
      };
    } catch (error) {
      // Someone else bound the port between the probe and our bind.
      if (attempt < BIND_ATTEMPTS && /could not bind|Address already in use/.test(String(error))) continue;
      throw error;
    }
  }
}

/** A fixed locale: the readiness line must be in English. Nothing else of ours leaks into the server. */
function environment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' };
}

/** Removes the data of earlier runs that were killed: their server ended with them, their folder did not. */
function removeLeftovers(): void {
  for (const folder of globSync(join(tmpdir(), `${TEMP_PREFIX}[0-9]*-*`))) {
    const owner = Number(/postgres-(\d+)-/.exec(folder)?.[1]);
    if (Number.isInteger(owner) && !isAlive(owner)) rmSync(folder, { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
