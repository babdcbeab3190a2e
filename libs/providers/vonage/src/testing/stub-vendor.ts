import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

interface StubReply {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

interface Asked {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly body: string;
}

/** A vendor that answers as it is told, and shows what it was asked: for what the emulator does not play. */
export interface StubVendor {
  readonly url: string;
  readonly asked: readonly Asked[];
  /** From now on; forgets what was asked before. */
  answer(reply: StubReply): void;
  stop(): Promise<void>;
}

export const json = (body: unknown, status = 200): StubReply => ({
  status,
  type: 'application/json',
  body: JSON.stringify(body),
});

/** Listens on a free loopback port. */
export async function startStubVendor(): Promise<StubVendor> {
  let reply: StubReply = { status: 200, type: 'text/plain', body: '' };
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      asked.push({ method: request.method, url: request.url, body: Buffer.concat(chunks).toString('utf8') });
      response.writeHead(reply.status, { 'content-type': reply.type, ...reply.headers }).end(reply.body);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    answer(next) {
      reply = next;
      asked.length = 0;
    },
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
