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

/**
 * A provider with configurable replies that records its requests, for cases that the emulator does
 * not cover.
 */
export interface StubProvider {
  readonly url: string;
  readonly requests: readonly ReceivedRequest[];
  /** Sets the reply from now on, and clears the recorded requests. */
  setReply(reply: StubReply): void;
  stop(): Promise<void>;
}

export const jsonReply = (body: unknown, status = 200): StubReply => ({
  status,
  type: 'application/json',
  body: JSON.stringify(body),
});

/** Starts a stub on a free loopback port. */
export async function startStubProvider(): Promise<StubProvider> {
  let reply: StubReply = { status: 200, type: 'text/plain', body: '' };
  const requests: ReceivedRequest[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      requests.push({ method: request.method, url: request.url, body: Buffer.concat(chunks).toString('utf8') });
      response.writeHead(reply.status, { 'content-type': reply.type, ...reply.headers }).end(reply.body);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    setReply(next) {
      reply = next;
      requests.length = 0;
    },
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
