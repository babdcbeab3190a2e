import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram, type ProgramSource } from '../packages/find-program.ts';
import { startChild, type Child } from '../processes/child.ts';
import { findFreePort } from '../processes/ports.ts';
import { waitUntilReady } from '../processes/readiness.ts';
import { unprivileged } from './postgres-binaries.ts';

/**
 * A PgBouncer in transaction mode in front of a server, with the defaults of the Debian package.
 */
export interface PgBouncer {
  readonly name: 'pgbouncer';
  /** Returns the address of the same database through PgBouncer. */
  through(databaseUrl: string): string;
  stop(): Promise<void>;
}

const PGBOUNCER: ProgramSource = {
  title: 'PgBouncer',
  variable: 'PGBOUNCER_BIN',
  commands: ['pgbouncer'],
  versionArgs: ['--version'],
  versionPattern: /PgBouncer ([\d.]+\d)/,
  packages: { name: 'pgbouncer', packages: ['pgbouncer'], program: 'usr/sbin/pgbouncer' },
  advice: ['install it: `apt-get install pgbouncer`, `brew install pgbouncer`'],
};
/** Few server connections, so that transactions of one client meet several of them. */
const POOL_SIZE = 4;
const MAX_BIND_ATTEMPTS = 3;

/**
 * Starts PgBouncer: the installed one, or the package of the system's sources.
 * @param users connection strings of the users who may connect
 */
export async function startPgBouncer({
  users,
  logFile,
}: {
  users: readonly [string, ...string[]];
  logFile?: string;
}): Promise<PgBouncer> {
  const binary = await findProgram(PGBOUNCER, () => undefined);
  const server = new URL(users[0]);
  const folder = mkdtempSync(join(tmpdir(), 'partyline-pgbouncer-'));
  const write = (name: string, lines: readonly string[]): string => {
    const path = join(folder, name);
    writeFileSync(path, `${lines.join('\n')}\n`, { mode: 0o600 });
    return path;
  };
  const secrets = users.map((user) => {
    const { username, password } = new URL(user);
    return `"${decodeURIComponent(username)}" "${decodeURIComponent(password)}"`;
  });
  const usersFile = write('users.txt', secrets);
  const launch = async (port: number): Promise<Child> => {
    const config = write('pgbouncer.ini', [
      '[databases]',
      `* = host=${server.hostname} port=${server.port}`,
      '[pgbouncer]',
      'listen_addr = 127.0.0.1',
      `listen_port = ${port}`,
      'unix_socket_dir =',
      `auth_type = ${server.password === '' ? 'trust' : 'scram-sha-256'}`,
      `auth_file = ${usersFile}`,
      'pool_mode = transaction',
      `default_pool_size = ${POOL_SIZE}`,
      'max_client_conn = 400',
    ]);
    // PgBouncer refuses to run as root.
    if (unprivileged.uid !== undefined && unprivileged.gid !== undefined)
      for (const path of [folder, config, usersFile]) chownSync(path, unprivileged.uid, unprivileged.gid);
    const child = startChild({
      name: 'pgbouncer',
      command: binary.path,
      args: [...(unprivileged.uid === undefined ? [] : ['--user=nobody']), config],
      env: { PATH: process.env.PATH, ...binary.env },
      cwd: '/',
      stopSignal: 'SIGINT',
      logFile,
    });
    try {
      await waitUntilReady(child, { line: /process up/ });
      return child;
    } catch (error) {
      await child.stop();
      throw error;
    }
  };
  for (let attempt = 1; ; attempt += 1) {
    const port = await findFreePort();
    try {
      const child = await launch(port);
      return {
        name: 'pgbouncer',
        through(databaseUrl) {
          const url = new URL(databaseUrl);
          url.host = `127.0.0.1:${port}`;
          return url.href;
        },
        async stop() {
          await child.stop();
          rmSync(folder, { recursive: true, force: true });
        },
      };
    } catch (error) {
      // Another process bound the port after the probe.
      if (attempt < MAX_BIND_ATTEMPTS && /in use/i.test(String(error))) continue;
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }
}
