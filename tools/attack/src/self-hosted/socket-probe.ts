import { WebSocket } from 'ws';

/** A message of a gateway, of which nothing is believed. */
export type GatewayMessage = Readonly<Record<string, unknown>>;

/** A WebSocket to a gateway, for messages of any kind. */
export interface SocketProbe {
  /** Why the upgrade was refused; 101 when it was accepted, 0 when the connection broke. */
  readonly status: number;
  readonly isOpen: boolean;
  /** All messages but events, oldest first. */
  readonly replies: readonly { readonly message: GatewayMessage; readonly bytes: number }[];
  /** Resolves with the code once the socket has closed. */
  readonly closed: Promise<number>;
  send(data: string | Buffer): void;
  /** Resolves when so many replies have arrived, the socket has closed, or the time is over. */
  awaitReplies(count: number, withinMs: number): Promise<void>;
  close(): void;
}

/** Opens a WebSocket, or tries to. Never rejects. */
export async function openProbe(url: string, headers: Readonly<Record<string, string>> = {}): Promise<SocketProbe> {
  const socket = new WebSocket(url, { headers, perMessageDeflate: false });
  const replies: { message: GatewayMessage; bytes: number }[] = [];
  const waiting = new Set<() => void>();
  const wake = (): void => {
    for (const check of waiting) check();
  };
  socket.on('error', () => undefined);
  socket.on('message', (data: Buffer) => {
    const message = readMessage(data);
    if ('event' in message) return;
    replies.push({ message, bytes: data.length });
    wake();
  });
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  const status = await new Promise<number>((resolve) => {
    socket.once('open', () => resolve(101));
    socket.once('unexpected-response', (request, response) => {
      resolve(response.statusCode ?? 0);
      request.destroy();
    });
    socket.once('close', () => resolve(0));
  });
  void closed.then(wake);
  return {
    status,
    get isOpen() {
      return socket.readyState === socket.OPEN;
    },
    replies,
    closed,
    send: (data) => socket.send(data, () => undefined),
    awaitReplies: (count, withinMs) =>
      new Promise((resolve) => {
        const finish = (): void => {
          clearTimeout(timer);
          waiting.delete(check);
          resolve();
        };
        const check = (): void => {
          if (replies.length >= count || socket.readyState !== socket.OPEN) finish();
        };
        const timer = setTimeout(finish, withinMs);
        waiting.add(check);
        check();
      }),
    close: () => socket.terminate(),
  };
}

function readMessage(data: Buffer): GatewayMessage {
  try {
    const value: unknown = JSON.parse(data.toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as GatewayMessage) : { value };
  } catch {
    return { text: data.toString('utf8') };
  }
}
