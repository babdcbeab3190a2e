import { Redis } from 'ioredis';
import { requestTestServices } from './services.ts';

export interface TestRedis {
  /**
   * Connection string with the database number. Other test files use other databases, unless
   * REDIS_URL names a shared server.
   */
  readonly url: string;
  /**
   * A key prefix for one test file. Pub/sub ignores database numbers, so channels need the prefix
   * too.
   */
  readonly prefix: string;
  /** Deletes every key of this test file. */
  clear(): Promise<void>;
  /** Deletes the keys and closes the connection that `clear` uses. */
  close(): Promise<void>;
}

/** Returns an empty Redis database for one test file, on the server of the test run. */
export async function createTestRedis(): Promise<TestRedis> {
  const { url, prefix } = await requestTestServices<{ url: string; prefix: string }>('POST', '/redis');
  const client = new Redis(url, { lazyConnect: true });
  // Flush the database only on our own server; on a shared one, delete the keys under the prefix.
  const isOwnServer = !process.env.REDIS_URL;
  const clear = async (): Promise<void> => {
    if (isOwnServer) {
      await client.flushdb();
      return;
    }
    for await (const keys of client.scanStream({ match: `*${prefix}*`, count: 500 })) {
      const found = keys as string[];
      if (found.length > 0) await client.unlink(found);
    }
  };
  return {
    url,
    prefix,
    clear,
    async close() {
      await clear();
      client.disconnect();
    },
  };
}
