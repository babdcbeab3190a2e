import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A TCP proxy in front of Redis, to break or stall the connections of one client. */
export interface RedisProxy {
  readonly url: string;
  /** Breaks every connection and rejects new ones. */
  sever(): void;
  /** Accepts connections and forwards nothing, like a hanging Redis. */
  stall(): void;
  /** Drops all data of the open connections for good, without closing them. New ones work. */
  abandon(): void;
  restore(): void;
  close(): void;
}

export async function openRedisProxy(target: string): Promise<RedisProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  const abandoned = new WeakSet<Socket>();
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
    const forwards = (): boolean => mode === 'through' && !abandoned.has(near);
    near.on('data', (bytes) => forwards() && far.write(bytes));
    far.on('data', (bytes) => forwards() && near.write(bytes));
    return undefined;
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const url = new URL(target);
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: url.href,
    sever() {
      mode = 'severed';
      destroySockets();
    },
    stall() {
      mode = 'stalled';
    },
    abandon() {
      for (const socket of sockets) abandoned.add(socket);
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
