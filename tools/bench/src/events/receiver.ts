import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Where both send to: says when each came, and answers at once. */
export interface Receiver {
  readonly urls: readonly string[];
  /** The moment at which an event had come to every address, in milliseconds of `performance.now()`. Throws when it does not within 30 s. */
  everywhere(id: string): Promise<number>;
  stop(): Promise<void>;
  readonly name: string;
}

const WITHIN_MS = 30_000;

export async function startReceiver(addresses: number): Promise<Receiver> {
  const came = new Map<string, { at: Map<string, number>; done: (at: number) => void; all: Promise<number> }>();
  const arrival = (id: string) => {
    const known = came.get(id);
    if (known !== undefined) return known;
    let done = (_at: number): void => undefined;
    const all = new Promise<number>((resolve) => (done = resolve));
    const made = { at: new Map<string, number>(), done, all };
    came.set(id, made);
    return made;
  };
  const server = createServer((request, response) => {
    const now = performance.now();
    const { at, done } = arrival(String(request.headers['webhook-id']));
    // A second time says nothing.
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
    async everywhere(id) {
      const { all, at } = arrival(id);
      const late = AbortSignal.timeout(WITHIN_MS);
      const never = new Promise<never>((_, reject) =>
        late.addEventListener('abort', () =>
          reject(new Error(`${id} came to ${at.size} of ${addresses} addresses within ${WITHIN_MS / 1000} s`)),
        ),
      );
      try {
        return await Promise.race([all, never]);
      } finally {
        came.delete(id);
      }
    },
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
