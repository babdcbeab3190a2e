import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { cachedRedis, fetchRedis } from './redis-fetch.ts';

/** A Redis (or Valkey) server program and the environment it needs. */
interface RedisBinary {
  path: string;
  env: NodeJS.ProcessEnv;
  from: 'REDIS_SERVER_BIN' | 'system' | 'cache' | 'fetched';
}

/** Finds a Redis server program: named, installed, fetched before, or fetched now; or fails with the ways to get one. */
export async function findRedis(log: (line: string) => void): Promise<RedisBinary> {
  const named = process.env.REDIS_SERVER_BIN;
  if (named) {
    if (runs({ path: named, env: {} })) return { path: named, env: {}, from: 'REDIS_SERVER_BIN' };
    throw new Error(
      `REDIS_SERVER_BIN is ${named}, which does not run. Name a redis-server or valkey-server program, or unset it.`,
    );
  }
  for (const folder of (process.env.PATH ?? '').split(delimiter).filter(Boolean)) {
    for (const program of ['redis-server', 'valkey-server']) {
      const path = join(folder, program);
      if (existsSync(path) && runs({ path, env: {} })) return { path, env: {}, from: 'system' };
    }
  }
  const cached = cachedRedis();
  if (cached && runs(cached)) return { ...cached, from: 'cache' };
  let reason: string;
  try {
    const fetched = await fetchRedis(log);
    if (runs(fetched)) return { ...fetched, from: 'fetched' };
    reason = `${fetched.path} was fetched but does not run here`;
  } catch (error) {
    reason = error instanceof Error ? error.message : String(error);
  }
  throw new Error(
    [
      `No Redis found, and none could be fetched: ${reason}`,
      'Any one of these helps:',
      '  - install one: `apt-get install redis-server`, `brew install redis` (Valkey serves too)',
      '  - `docker run -p 6379:6379 redis:7` and set REDIS_URL=redis://127.0.0.1:6379',
      '  - set REDIS_SERVER_BIN to the path of a redis-server or valkey-server program',
      '  - set REDIS_URL to a server you have',
    ].join('\n'),
  );
}

function runs(binary: { path: string; env: NodeJS.ProcessEnv }): boolean {
  const env = { ...process.env, ...binary.env };
  return spawnSync(binary.path, ['--version'], { env, stdio: 'ignore' }).status === 0;
}
