import { createHmac, randomBytes } from 'node:crypto';
import { chownSync, globSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execaSync } from 'execa';
import pg from 'pg';
import { startChild, type Child } from '../processes/child.ts';
import { findPostgres, unprivileged, type PostgresBinaries } from './postgres-binaries.ts';
import { findFreePort } from '../processes/ports.ts';
import { waitUntilReady } from '../processes/readiness.ts';
import { followServer } from '../processes/server-process.ts';

interface PostgresOptions {
  /** A file that collects the output. Default: none. */
  logFile?: string;
  /** Keep the data in this folder instead of a temp folder that is removed at the end. */
  dataFolder?: string;
  /** Sync to disk. Off by default, because a temporary cluster is faster without it. */
  durable?: boolean;
  /** Keep every commit after `crash()`, though not after a power failure. */
  crashSafe?: boolean;
  /** Start our own server even if DATABASE_URL is set, for a run that crashes it. */
  useOwnServer?: boolean;
}

export interface PostgresServer {
  readonly name: 'postgres';
  /** Connection string of a superuser with its random password, or DATABASE_URL. */
  readonly url: string;
  /** True if the server comes from DATABASE_URL. It is then never stopped. */
  readonly external: boolean;
  /** Returns the connection string of another database, with the same user. */
  urlOf(database: string): string;
  /** Creates a database, optionally from a template, and returns its connection string. */
  createDatabase(database: string, template?: string): Promise<string>;
  /** Creates a database if it does not exist, and returns its connection string. */
  ensureDatabase(database: string): Promise<string>;
  /**
   * Returns the connection string for the services: a user without tables of its own, for which
   * row-level security requires a tenant. For an external server, the given user is kept.
   */
  serviceUrlOf(databaseUrl: string): Promise<string>;
  /** Drops a database and closes its connections; does nothing if it does not exist. */
  dropDatabase(database: string): Promise<void>;
  /** Stops the server as in a crash ("immediate" shutdown). Rejects for an external server. */
  crash(): Promise<void>;
  /** Starts a crashed server again, on the same port with the same data. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** The part of a server that differs between an external one and our own. */
type ServerControl = Pick<PostgresServer, 'url' | 'external' | 'crash' | 'restart' | 'stop'>;

const SUPERUSER = 'postgres';
const SERVICE_USER = 'partyline_service';
const TEMP_PREFIX = 'partyline-postgres-';
const MAX_BIND_ATTEMPTS = 3;

/** Returns the server of DATABASE_URL, or starts one that ends with this process. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const given = options.useOwnServer ? undefined : process.env.DATABASE_URL;
  if (given) {
    await query(given, 'SELECT 1').catch((error: unknown) => {
      throw new Error(
        'The server of DATABASE_URL does not answer. Start it, or unset DATABASE_URL to start one automatically.',
        {
          cause: error,
        },
      );
    });
    const rejectExternal = (): Promise<never> =>
      Promise.reject(new Error('The Postgres server of DATABASE_URL cannot be stopped or restarted.'));
    return createHandle({
      url: given,
      external: true,
      crash: rejectExternal,
      restart: rejectExternal,
      stop: () => Promise.resolve(),
    });
  }
  const binaries = await findPostgres();
  removeOrphanedFolders();
  const folder = options.dataFolder ?? mkdtempSync(join(tmpdir(), `${TEMP_PREFIX}${process.pid}-`));
  const password = options.dataFolder === undefined ? createPassword() : keepPassword(options.dataFolder);
  initialise(binaries, folder, password);
  const { port, ...runs } = await launchServer(binaries, folder, options);
  const url = `postgresql://${SUPERUSER}:${password}@127.0.0.1:${port}/postgres`;
  if (isOpen(folder)) await requirePasswords(url, folder, password);
  return createHandle({
    url,
    external: false,
    ...runs,
    async stop() {
      await runs.stop();
      if (!options.dataFolder) rmSync(folder, { recursive: true, force: true });
    },
  });
}

const createPassword = (): string => randomBytes(24).toString('base64url');

/** The password of a kept cluster, in a file beside its folder that only this user can read. */
function keepPassword(dataFolder: string): string {
  const file = `${dataFolder}.password`;
  if (!existsSync(file)) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, createPassword(), { mode: 0o600 });
  }
  return readFileSync(file, 'utf8');
}

const hbaFile = (folder: string): string => join(folder, 'pg_hba.conf');

/** Whether a kept cluster of an older version accepts every local user without a password. */
const isOpen = (folder: string): boolean => /^host.*\strust$/m.test(readFileSync(hbaFile(folder), 'utf8'));

async function requirePasswords(url: string, folder: string, password: string): Promise<void> {
  await query(url, `ALTER ROLE ${SUPERUSER} PASSWORD ${pg.escapeLiteral(password)}`);
  writeFileSync(hbaFile(folder), 'host all all 127.0.0.1/32 scram-sha-256\n');
  await query(url, 'SELECT pg_reload_conf()');
}

function createHandle(base: ServerControl): PostgresServer {
  let serviceRole: Promise<void> | undefined;
  // Derived, so that a kept cluster needs no second file.
  const servicePassword = createHmac('sha256', new URL(base.url).password).update(SERVICE_USER).digest('base64url');
  const createServiceRole = async (): Promise<void> => {
    const found = await query(base.url, 'SELECT 1 FROM pg_roles WHERE rolname = $1', [SERVICE_USER]);
    const login = `LOGIN NOINHERIT PASSWORD ${pg.escapeLiteral(servicePassword)}`;
    await query(
      base.url,
      found === 0
        ? `CREATE ROLE ${SERVICE_USER} ${login} IN ROLE partyline_tenant, partyline_platform`
        : `ALTER ROLE ${SERVICE_USER} ${login}`,
    );
  };
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
      await (serviceRole ??= createServiceRole());
      const url = new URL(databaseUrl);
      url.username = SERVICE_USER;
      url.password = servicePassword;
      return url.href;
    },
    async dropDatabase(database) {
      await query(base.url, `DROP DATABASE IF EXISTS ${pg.escapeIdentifier(database)} WITH (FORCE)`);
    },
  };
}

/** Runs one statement on a new connection and returns the number of rows. */
async function query(url: string, sql: string, values: string[] = []): Promise<number> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  await client.connect();
  try {
    return (await client.query(sql, values)).rowCount ?? 0;
  } finally {
    await client.end();
  }
}

function initialise(binaries: PostgresBinaries, folder: string, password: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (unprivileged.uid !== undefined && unprivileged.gid !== undefined)
    chownSync(folder, unprivileged.uid, unprivileged.gid);
  if (existsSync(join(folder, 'PG_VERSION'))) return;
  // Not an argument: every local user can read those.
  const passwordFile = join(mkdtempSync(join(tmpdir(), 'partyline-initdb-')), 'password');
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if (unprivileged.uid !== undefined && unprivileged.gid !== undefined)
    for (const path of [dirname(passwordFile), passwordFile]) chownSync(path, unprivileged.uid, unprivileged.gid);
  const access = ['-A', 'scram-sha-256', `--pwfile=${passwordFile}`];
  const args = ['-D', folder, '-U', SUPERUSER, ...access, '--no-sync', '-E', 'UTF8', '--locale=C'];
  const result = execaSync(binaries.initdb, args, {
    ...unprivileged,
    cwd: '/',
    env: serverEnvironment(),
    extendEnv: false,
    reject: false,
  });
  rmSync(dirname(passwordFile), { recursive: true });
  if (result.failed) {
    throw new Error(
      `initdb (${binaries.initdb}) failed. Correct the error below, or set DATABASE_URL to an existing server.\n` +
        (result.stderr || result.message),
    );
  }
}

async function launchServer(
  binaries: PostgresBinaries,
  folder: string,
  options: PostgresOptions,
): Promise<{ port: number } & Pick<ServerControl, 'crash' | 'restart' | 'stop'>> {
  const fastSettings = ['fsync=off', 'full_page_writes=off', ...(options.crashSafe ? [] : ['synchronous_commit=off'])];
  const settings = ['max_connections=200', ...(options.durable ? [] : fastSettings)].flatMap((setting) => [
    '-c',
    setting,
  ]);
  const launch = async (port: number): Promise<Child> => {
    const child = startChild({
      name: 'postgres',
      command: binaries.postgres,
      args: ['-D', folder, '-p', String(port), '-h', '127.0.0.1', '-k', '', ...settings],
      cwd: '/',
      env: serverEnvironment(),
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
    const port = await findFreePort();
    try {
      const { crash, restart, stop } = followServer(await launch(port), () => launch(port), 'SIGQUIT');
      return { port, crash, restart, stop };
    } catch (error) {
      // Another process bound the port after the probe.
      if (attempt < MAX_BIND_ATTEMPTS && /could not bind|Address already in use/.test(String(error))) continue;
      throw error;
    }
  }
}

/**
 * Environment of the server. The locale is fixed, because the readiness line must be in English.
 */
function serverEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' };
}

/** Removes the temp folders of earlier runs that were killed. */
function removeOrphanedFolders(): void {
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
