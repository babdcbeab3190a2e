import type { WebSocket } from 'ws';
import type { Timers } from '../audio/frame-clock.ts';

/** A host that vanished is noticed after two of these. */
const PING_INTERVAL_MS = 4_000;

/** Terminates a WebSocket whose other side does not answer a ping until the next one. */
export function watchSocket(socket: WebSocket, timers: Timers): void {
  let isAlive = true;
  let cancel: () => void;
  const ping = (): void => {
    if (!isAlive) return socket.terminate();
    isAlive = false;
    socket.ping();
    cancel = timers.setTimer(PING_INTERVAL_MS, ping);
  };
  cancel = timers.setTimer(PING_INTERVAL_MS, ping);
  socket.on('message', () => (isAlive = true));
  socket.on('pong', () => (isAlive = true));
  // A `close` event follows every error.
  socket.on('error', () => undefined);
  socket.on('close', () => cancel());
}
