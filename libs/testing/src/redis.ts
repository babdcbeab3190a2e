import { Redis } from 'ioredis';
import { requestTestServices } from './services.ts';

export interface TestRedis {
  /** Connection string, database number included: what is written here no other test file sees (unless REDIS_URL names a shared server). */
  readonly url: string;
  /** A key prefix of this test file's own. Pub/sub ignores database numbers, so channels need it too. */
  readonly prefix: string;
  /** Deletes every key of this test file. */
  clear(): Promise<void>;
  /** Clears, and closes the connection `clear` uses. */
  close(): Promise<void>;
}

/** An empty Redis database of this test file's own, on the one server of the run. */
export async function createTestRedis(): Promise<TestRedis> {
  const { url, prefix } = await requestTestServices<{ url: string; prefix: string }>('POST', '/redis');
  const client = new Redis(url, { lazyConnect: true });
  // Only a database of our own may be emptied; on a shared server just the keys under our prefix.
  const own = !process.env.REDIS_URL;
  const clear = async (): Promise<void> => {
    if (own) {
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
