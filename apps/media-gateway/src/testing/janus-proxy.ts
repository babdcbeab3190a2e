import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';

export interface JanusProxy {
  readonly url: string;
  stop(): void;
}

/**
 * Starts a proxy on loopback in front of the WebSocket of a Janus.
 * @param isLost returns whether a message, as JSON text, does not arrive. `send` sends another one to
 *   the gateway.
 */
export async function startJanusProxy(
  target: string,
  isLost: (message: string, send: (message: string) => void) => boolean,
): Promise<JanusProxy> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  server.on('connection', (client, { headers }) => {
    const janus = new WebSocket(target, headers['sec-websocket-protocol'] ?? []);
    const opened = once(janus, 'open');
    const send = (message: string): void => client.send(message);
    client.on('message', (data: Buffer) => {
      const message = data.toString();
      if (!isLost(message, send)) void opened.then(() => janus.send(message));
    });
    janus.on('message', (data: Buffer) => {
      const message = data.toString();
      if (!isLost(message, send)) send(message);
    });
    client.on('close', () => janus.close());
    janus.on('close', () => client.terminate());
  });
  await once(server, 'listening');
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop() {
      for (const client of server.clients) client.terminate();
      server.close();
    },
  };
}
