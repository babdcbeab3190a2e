import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

interface StubReply {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

interface ReceivedRequest {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly body: string;
}

/** A vendor that answers as it is told, and shows what it was asked: for what the emulator does not play. */
export interface StubProvider {
  readonly url: string;
  readonly requests: readonly ReceivedRequest[];
  /** From now on; forgets what was asked before. */
  setReply(reply: StubReply): void;
  stop(): Promise<void>;
}

export const jsonReply = (body: unknown, status = 200): StubReply => ({
  status,
  type: 'application/json',
  body: JSON.stringify(body),
});

/** Listens on a free loopback port. */
export async function startStubProvider(): Promise<StubProvider> {
  let reply: StubReply = { status: 200, type: 'text/plain', body: '' };
  const asked: ReceivedRequest[] = [];
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
    requests: asked,
    setReply(next) {
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
