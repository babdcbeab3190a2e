import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One event that the receiver got. */
export interface Received {
  readonly path: string;
  readonly id: string;
  readonly sessionId: string;
  readonly seq: number;
  readonly body: Record<string, unknown>;
  readonly text: string;
  readonly headers: IncomingMessage['headers'];
}

/**
 * The receiver's answer: a status, a redirect, no answer (`hang`) or a closed connection (`reset`).
 */
export type Answer = number | { location: string } | 'hang' | 'reset';

export interface Receiver {
  readonly url: string;
  /** In order of arrival. */
  readonly received: Received[];
  answer: (event: Received) => Answer;
  /** Closes all connections, with pending requests. */
  closeAllConnections(): void;
  close(): void;
}

/** Opens a tenant's receiver of events. It answers 204 until `answer` is replaced. */
export async function openReceiver(): Promise<Receiver> {
  const server = createServer((request, response) => {
    void (async () => {
      const text = Buffer.concat((await request.toArray()) as Buffer[]).toString();
      const body = JSON.parse(text) as Record<string, unknown>;
      const event = {
        path: request.url ?? '',
        id: String(request.headers['webhook-id']),
        sessionId: String(body.sessionId),
        seq: Number(body.seq),
        body,
        text,
        headers: request.headers,
      };
      receiver.received.push(event);
      const reply = receiver.answer(event);
      if (reply === 'reset') request.socket.destroy();
      else if (typeof reply === 'number') response.writeHead(reply).end('thank you');
      else if (reply !== 'hang') response.writeHead(307, reply).end();
    })();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/events`,
    received: [],
    answer: () => 204,
    closeAllConnections: () => server.closeAllConnections(),
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
  return receiver;
}
