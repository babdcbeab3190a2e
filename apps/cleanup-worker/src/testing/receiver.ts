import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a tenant's receiver was sent. */
export interface Received {
  readonly path: string;
  readonly id: string;
  readonly sessionId: string;
  readonly seq: number;
  readonly body: Record<string, unknown>;
  readonly text: string;
  readonly headers: IncomingMessage['headers'];
}

/** What it answers: a status, a place to go to, nothing at all (`hang`), or it breaks off (`reset`). */
export type Answer = number | { location: string } | 'hang' | 'reset';

export interface Receiver {
  readonly url: string;
  /** In the order in which it came. */
  readonly received: Received[];
  answer: (event: Received) => Answer;
  /** Breaks off whatever is still waited for. */
  closeAllConnections(): void;
  close(): void;
}

/** A tenant's receiver of events, which takes each with 204 unless told otherwise. */
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
