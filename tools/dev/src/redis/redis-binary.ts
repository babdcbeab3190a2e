import { findProgram, type Program, type ProgramSource } from '../packages/find-program.ts';

const REDIS: ProgramSource = {
  title: 'a Redis server',
  variable: 'REDIS_SERVER_BIN',
  commands: ['redis-server', 'valkey-server'],
  versionArgs: ['--version'],
  versionPattern: /server v=([\d.]+\d)/,
  // `redis-check-rdb` of this package runs as a server under the name `redis-server`.
  packages: { name: 'redis', packages: ['redis-tools'], program: 'usr/bin/redis-server', linkTo: 'redis-check-rdb' },
  advice: [
    'install one: `apt-get install redis-server`, `brew install redis` (Valkey works too)',
    'run `docker run -p 6379:6379 redis:7` and set REDIS_URL=redis://127.0.0.1:6379',
    'set REDIS_URL to an existing server',
  ],
};

/** Finds a Redis server program (order: REDIS_SERVER_BIN, PATH, cache, download). */
export const findRedis = (log: (line: string) => void): Promise<Program> => findProgram(REDIS, log);
