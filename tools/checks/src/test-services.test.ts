import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { createTestRedis, type TestRedis } from '@partyline/testing/redis';
import { Redis } from 'ioredis';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';

let databases: TestDatabase[];
let redises: TestRedis[];

beforeAll(async () => {
  databases = await Promise.all([createTestDatabase(), createTestDatabase()]);
  redises = await Promise.all([createTestRedis(), createTestRedis()]);
});

afterAll(async () => {
  await Promise.all([...databases.map((database) => database.drop()), ...redises.map((redis) => redis.close())]);
});

async function rows(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

test('each test database is migrated and isolated', async () => {
  const [one, two] = databases as [TestDatabase, TestDatabase];
  expect(
    await rows(one.url, 'SELECT migration_name FROM _prisma_migrations WHERE finished_at IS NOT NULL'),
  ).not.toHaveLength(0);
  await rows(one.url, 'CREATE TABLE isolated_table (id int)');
  expect(await rows(two.url, "SELECT to_regclass('isolated_table') AS found")).toEqual([{ found: null }]);
});

test('each test Redis is isolated', async () => {
  const [one, two] = redises.map((redis) => new Redis(redis.url)) as [Redis, Redis];
  try {
    const key = `${redises[0]?.prefix}:key`;
    await one.set(key, 'here');
    expect(await one.get(key)).toBe('here');
    if (!process.env.REDIS_URL) expect(await two.get(key)).toBeNull();
    await redises[0]?.clear();
    expect(await one.get(key)).toBeNull();
  } finally {
    one.disconnect();
    two.disconnect();
  }
});
