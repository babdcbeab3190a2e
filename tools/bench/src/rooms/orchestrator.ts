/**
 * Replaces the dial-orchestrator: answers the RPC request for a video session at once. The
 * provider's rate limit would otherwise dominate the measurement. Started as `node <file> <redis
 * url> <prefix>`.
 */
import { rpcPattern, type RpcRequest } from '@partyline/conference/providers/rpc-messages';
import { Redis } from 'ioredis';

const [url, prefix] = process.argv.slice(2) as [string, string];
const channel = rpcPattern('openMedia', prefix);
const [subscriber, publisher] = [new Redis(url), new Redis(url)];
let sessions = 0;

subscriber.on('message', (_channel, message) => {
  // Nest's Redis transport wraps the request in a packet with its own id and expects the reply to
  // that id.
  const { id, data } = JSON.parse(message) as { id: string; data: RpcRequest };
  const { participantId, lifetimeS } = data.input as { participantId: string; lifetimeS: number };
  const value = {
    mediaSessionId: `bench_${process.pid}_${(sessions += 1)}`,
    token: `token-of-${participantId}`,
    tokenExpiresAt: new Date(Date.now() + lifetimeS * 1000),
    client: { kind: 'unified', application: 'bench' },
  };
  void publisher.publish(`${channel}.reply`, JSON.stringify({ id, response: { ok: true, value }, isDisposed: true }));
});
await subscriber.subscribe(channel);
console.log('listening');
