import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Receives the events of both senders, records when each arrived, and answers at once. */
export interface Receiver {
  readonly urls: readonly string[];
  /**
   * Waits until every URL got the event. Returns the time of the last arrival in milliseconds of
   * `performance.now()`. Throws after 30 s.
   */
  untilDelivered(id: string): Promise<number>;
  stop(): Promise<void>;
  readonly name: string;
}

const DELIVERY_TIMEOUT_MS = 30_000;

export async function startReceiver(addresses: number): Promise<Receiver> {
  const arrivals = new Map<string, { at: Map<string, number>; done: (at: number) => void; all: Promise<number> }>();
  const arrival = (id: string) => {
    const known = arrivals.get(id);
    if (known !== undefined) return known;
    let done = (_at: number): void => undefined;
    const all = new Promise<number>((resolve) => (done = resolve));
    const made = { at: new Map<string, number>(), done, all };
    arrivals.set(id, made);
    return made;
  };
  const server = createServer((request, response) => {
    const now = performance.now();
    const { at, done } = arrival(String(request.headers['webhook-id']));
    // Only the first arrival at a URL counts.
    if (!at.has(request.url ?? '')) at.set(request.url ?? '', now);
    if (at.size === addresses) done(now);
    request.resume().on('end', () => response.writeHead(204).end());
  });
  server.keepAliveTimeout = 60_000;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    name: 'receiver',
    urls: Array.from({ length: addresses }, (_, i) => `http://127.0.0.1:${port}/${i}`),
    async untilDelivered(id) {
      const { all, at } = arrival(id);
      const late = AbortSignal.timeout(DELIVERY_TIMEOUT_MS);
      const never = new Promise<never>((_, reject) =>
        late.addEventListener('abort', () =>
          reject(
            new Error(`Event ${id} reached ${at.size} of ${addresses} URLs within ${DELIVERY_TIMEOUT_MS / 1000} s.`),
          ),
        ),
      );
      try {
        return await Promise.race([all, never]);
      } finally {
        arrivals.delete(id);
      }
    },
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
