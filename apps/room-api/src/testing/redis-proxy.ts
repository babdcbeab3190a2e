import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A TCP proxy in front of Redis, to break or stall the connections of one client. */
export interface RedisProxy {
  readonly url: string;
  /** Breaks every connection and rejects new ones. */
  sever(): void;
  /** Accepts connections and forwards nothing, like a hanging Redis. */
  stall(): void;
  restore(): void;
  close(): void;
}

export async function openRedisProxy(target: string): Promise<RedisProxy> {
  const { hostname, port, pathname } = new URL(target);
  const sockets = new Set<Socket>();
  let mode: 'through' | 'severed' | 'stalled' = 'through';
  const destroySockets = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const server = createServer((near) => {
    if (mode === 'severed') return near.destroy();
    const far = connect(Number(port), hostname);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => (sockets.delete(socket), near.destroy(), far.destroy()));
    }
    near.on('data', (bytes) => mode === 'through' && far.write(bytes));
    far.on('data', (bytes) => mode === 'through' && near.write(bytes));
    return undefined;
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}${pathname}`,
    sever() {
      mode = 'severed';
      destroySockets();
    },
    stall() {
      mode = 'stalled';
    },
    restore() {
      if (mode === 'stalled') destroySockets();
      mode = 'through';
    },
    close() {
      destroySockets();
      server.close();
    },
  };
}
