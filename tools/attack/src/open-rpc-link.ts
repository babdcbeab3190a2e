import { randomUUID } from 'node:crypto';
import { RPC_METHODS, rpcPattern } from '@partyline/conference/providers/rpc-messages';
import { connectRedis } from '@partyline/runtime/redis';
import type { RpcLink } from './groups/forged-requests.ts';
import type { Target } from './target.ts';

/** `REDIS_PREFIX` of a development stack. */
const PREFIX = 'partyline';

/**
 * Connects to the Redis of a running stack, and speaks to its orchestrator as Nest's client does.
 */
export async function openRpcLink({ stack }: Pick<Target, 'stack'>): Promise<RpcLink> {
  const [publisher, subscriber] = [0, 1].map(() => connectRedis(stack.redisUrl, () => undefined, 20_000)) as [
    ReturnType<typeof connectRedis>,
    ReturnType<typeof connectRedis>,
  ];
  await Promise.all([publisher, subscriber].map((client) => new Promise((resolve) => client.once('ready', resolve))));
  const waiting = new Map<string, () => void>();
  subscriber.on('message', (_channel, message) => {
    waiting.get((JSON.parse(message) as { id: string }).id)?.();
  });
  await subscriber.subscribe(...RPC_METHODS.map((method) => `${rpcPattern(method, PREFIX)}.reply`));
  return {
    prefix: PREFIX,
    secret: stack.credentials.rpcSecret,
    send(pattern, data) {
      const id = randomUUID();
      const answered = new Promise<void>((resolve) => waiting.set(id, resolve));
      void publisher.publish(pattern, JSON.stringify({ pattern, id, data }));
      return { answered };
    },
    close() {
      publisher.disconnect();
      subscriber.disconnect();
    },
  };
}
