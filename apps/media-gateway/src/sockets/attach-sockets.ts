import { STATUS_CODES, type IncomingMessage, type Server } from 'node:http';
import type { Duplex } from 'node:stream';

/** Serves the WebSockets of one path. */
interface SocketRoute {
  /** @returns false: the request is for another path */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean;
}

/** Serves WebSockets on a server. An upgrade for another path gets 404. */
export function attachSockets(server: Server, routes: readonly SocketRoute[]): void {
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (!routes.some((route) => route.upgrade(request, socket, head))) rejectUpgrade(socket, 404);
  });
}

export function rejectUpgrade(socket: Duplex, status: 401 | 404 | 503): void {
  socket.on('error', () => undefined);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n\r\n`);
}
