import { createSocket } from 'node:dgram';
import { once } from 'node:events';

/** A host of a third party, to which no server may send anything for an attacker. */
export interface Sink {
  /** `address:port`. */
  readonly host: string;
  /** The first lines of what has arrived. */
  readonly arrived: readonly string[];
  close(): void;
}

/** Opens a sink on a free UDP port of a loopback address. */
export async function openSink(address: string): Promise<Sink> {
  const socket = createSocket('udp4');
  const arrived: string[] = [];
  socket.on('message', (data) => arrived.push(data.toString('latin1').split('\r\n', 1)[0] ?? ''));
  socket.bind(0, address);
  await once(socket, 'listening');
  return { host: `${address}:${socket.address().port}`, arrived, close: () => socket.close() };
}
