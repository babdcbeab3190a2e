/**
 * Stands in for the orchestrator: gives every room a video session at once, over the wire that the real one uses. What the vendor takes for it is the
 * vendor's, and its pace would be all that is measured. Started as `node <file> <redis url> <prefix>`.
 */
import { questionPattern, type Asked } from '@partyline/conference/providers/rpc-messages';
import { Redis } from 'ioredis';

const [url, prefix] = process.argv.slice(2) as [string, string];
const channel = questionPattern('openMedia', prefix);
const [hears, says] = [new Redis(url), new Redis(url)];
let sessions = 0;

hears.on('message', (_channel, message) => {
  // As Nest's Redis transport has it: a packet with an id of its own around our question, and an answer to that id.
  const { id, data } = JSON.parse(message) as { id: string; data: Asked };
  const { participantId, lifetimeS } = data.input as { participantId: string; lifetimeS: number };
  const value = {
    mediaSessionId: `bench_${process.pid}_${(sessions += 1)}`,
    token: `token-of-${participantId}`,
    tokenExpiresAt: new Date(Date.now() + lifetimeS * 1000),
    client: { kind: 'unified', application: 'bench' },
  };
  void says.publish(`${channel}.reply`, JSON.stringify({ id, response: { ok: true, value }, isDisposed: true }));
});
await hears.subscribe(channel);
console.log('listening');
