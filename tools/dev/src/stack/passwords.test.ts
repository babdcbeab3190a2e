import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import pg from 'pg';
import { afterEach, expect, it } from 'vitest';
import { migrate } from '../postgres/migrate.ts';
import { startPostgres, type PostgresServer } from '../postgres/postgres.ts';
import { startRedis, type RedisServer } from '../redis/redis.ts';

/*
 * The servers of a development stack are on a machine that other users may share.
 */

const started: (PostgresServer | RedisServer)[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((server) => server.stop()));
});
const keep = <S extends PostgresServer | RedisServer>(server: S): S => {
  started.push(server);
  return server;
};

/** Returns the user's rights, or the error's code. */
async function logIn(url: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url });
  try {
    await client.connect();
    return (await client.query('SELECT rolsuper FROM pg_roles WHERE rolname = current_user')).rows;
  } catch (error) {
    return (error as { code?: unknown }).code;
  } finally {
    await client.end();
  }
}
function withPassword(url: string, password: string): string {
  const changed = new URL(url);
  changed.password = password;
  return changed.href;
}

it(
  'Postgres accepts no user without its password, and the services are no superuser',
  { timeout: 120_000 },
  async () => {
    const postgres = keep(await startPostgres({ useOwnServer: true }));
    const databaseUrl = await postgres.ensureDatabase('partyline');
    await migrate(databaseUrl);
    const serviceUrl = await postgres.serviceUrlOf(databaseUrl);
    expect(await postgres.serviceUrlOf(databaseUrl)).toBe(serviceUrl);
    expect(await logIn(databaseUrl)).toEqual([{ rolsuper: true }]);
    expect(await logIn(serviceUrl)).toEqual([{ rolsuper: false }]);
    for (const url of [databaseUrl, serviceUrl])
      for (const password of ['none', 'postgres', new URL(url === serviceUrl ? databaseUrl : serviceUrl).password])
        expect([password, await logIn(withPassword(url, password))]).toEqual([password, '28P01']);
  },
);

it(
  'a kept Postgres keeps its password in a file of its user, and an open one of an older version is closed',
  { timeout: 120_000 },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'partyline-kept-'));
    // Postgres runs as another user when the test runs as root.
    chmodSync(folder, 0o755);
    try {
      const dataFolder = join(folder, 'postgres');
      const first = keep(await startPostgres({ useOwnServer: true, dataFolder }));
      const { password } = new URL(first.url);
      expect(statSync(`${dataFolder}.password`).mode & 0o777).toBe(0o600);
      await first.stop();
      writeFileSync(join(dataFolder, 'pg_hba.conf'), 'host all all 127.0.0.1/32 trust\n');
      const second = keep(await startPostgres({ useOwnServer: true, dataFolder }));
      expect(new URL(second.url).password).toBe(password);
      expect(await logIn(second.url)).toEqual([{ rolsuper: true }]);
      // Postgres reads the rule when it handles a signal.
      await expect.poll(() => logIn(withPassword(second.url, 'none')), { timeout: 20_000 }).toBe('28P01');
      await second.stop();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

it('Redis accepts no command without its password, also after a restart', { timeout: 120_000 }, async () => {
  const redis = keep(await startRedis({ useOwnServer: true }));
  const { port } = new URL(redis.url);
  const pingWithoutPassword = async (): Promise<string> => {
    const socket = connect(Number(port), '127.0.0.1');
    socket.write('PING\r\n');
    const [reply] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    return reply.toString();
  };
  const ping = async (): Promise<string> => {
    const client = new Redis(redis.url, { lazyConnect: true });
    await client.connect();
    const reply = await client.ping();
    client.disconnect();
    return reply;
  };
  for (const restart of [false, true]) {
    if (restart) {
      await redis.crash();
      await redis.restart();
    }
    expect(await ping()).toBe('PONG');
    expect(await pingWithoutPassword()).toMatch(/^-NOAUTH/);
  }
});
