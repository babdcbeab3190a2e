import { connect, type Socket } from 'node:net';

export interface Reply {
  readonly status: number;
  readonly body: string;
}

/** One keep-alive connection, one request at a time, over a bare socket: the generator shares the machine with what it measures. */
interface Connection {
  /** Sends a whole request as text. Rejects when the connection breaks. */
  send(request: string): Promise<Reply>;
  close(): void;
}

/** Who waits for a reply. */
interface Asked {
  resolve(reply: Reply): void;
  reject(error: Error): void;
}

const HEAD_END = '\r\n\r\n';

export function openConnection(port: number): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => resolve(overSocket(socket)));
    socket.once('error', reject);
  });
}

function overSocket(socket: Socket): Connection {
  let waiting: Asked | undefined;
  let received: Buffer = Buffer.alloc(0);

  const settle = (how: (asked: Asked) => void): void => {
    const asked = waiting;
    waiting = undefined;
    received = Buffer.alloc(0);
    if (asked) how(asked);
  };
  const fail = (error: Error): void => settle((asked) => asked.reject(error));

  socket.on('data', (chunk) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    try {
      const reply = readReply(received);
      if (reply) settle((asked) => asked.resolve(reply));
    } catch (error) {
      fail(error as Error);
    }
  });
  socket.on('error', fail);
  socket.on('close', () => fail(new Error('The server closed the connection in the middle of a request.')));
  return {
    send(request) {
      if (waiting) throw new Error('One request at a time.');
      socket.write(request);
      return new Promise((resolve, reject) => {
        waiting = { resolve, reject };
      });
    },
    close: () => socket.destroy(),
  };
}

/** The reply, once all of it is there. */
function readReply(received: Buffer): Reply | undefined {
  const headEnd = received.indexOf(HEAD_END);
  if (headEnd < 0) return undefined;
  const head = received.toString('latin1', 0, headEnd);
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length === undefined) throw new Error(`A reply without content-length: ${head}`);
  const bodyStart = headEnd + HEAD_END.length;
  if (received.length < bodyStart + Number(length)) return undefined;
  return { status: Number(head.slice(9, 12)), body: received.toString('utf8', bodyStart, bodyStart + Number(length)) };
}
