import { connect } from 'node:net';

/** The connection to baresip's module `ctrl_tcp`. baresip serves one connection at a time. */
export interface ControlConnection {
  /** Runs a command and returns its output. Rejects if baresip reports a failure. */
  run(command: string, params?: string): Promise<string>;
  close(): void;
}

/** An event as baresip reports it, e.g. `{ type: 'CALL_CLOSED', param: '486 Busy Here', … }`. */
export interface ControlEvent {
  readonly type: string;
  readonly param?: string;
  /** The Call-ID, for events of a call. */
  readonly id?: string;
  readonly peeruri?: string;
  readonly direction?: 'incoming' | 'outgoing';
}

interface ControlResponse {
  response: true;
  ok: boolean;
  data: string;
  token?: string;
}

/** Where a baresip takes commands. */
export interface ControlAddress {
  readonly host: string;
  readonly port: number;
}

/** Connects to a baresip. Messages are JSON documents in netstrings. */
export async function openControl(
  { host, port }: ControlAddress,
  onEvent: (event: ControlEvent) => void,
): Promise<ControlConnection> {
  const socket = connect(port, host);
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve).once('error', reject);
  });
  const pending = new Map<string, { resolve: (data: string) => void; reject: (error: Error) => void }>();
  let nextToken = 1;
  const read = netstringReader((payload) => {
    const message = JSON.parse(payload) as ControlResponse | ({ event: true } & ControlEvent);
    if ('event' in message) return onEvent(message);
    const waiting = pending.get(message.token ?? '');
    pending.delete(message.token ?? '');
    if (message.ok) waiting?.resolve(message.data);
    else waiting?.reject(new Error(`baresip refused the command: ${message.data.trim()}`));
  });
  socket.on('data', read);
  socket.on('error', () => undefined);
  socket.on('close', () => {
    for (const { reject } of pending.values()) reject(new Error('baresip ended before it answered the command.'));
    pending.clear();
  });
  return {
    run(command, params) {
      if (socket.destroyed) return Promise.reject(new Error('baresip has ended.'));
      const token = String(nextToken++);
      return new Promise((resolve, reject) => {
        pending.set(token, { resolve, reject });
        socket.write(toNetstring(JSON.stringify({ command, ...(params !== undefined && { params }), token })));
      });
    },
    close: () => socket.destroy(),
  };
}

/** Returns `<length>:<payload>,`, with the length in bytes. */
export function toNetstring(payload: string): Buffer {
  const bytes = Buffer.from(payload);
  return Buffer.concat([Buffer.from(`${bytes.length}:`), bytes, Buffer.from(',')]);
}

/** Returns a function that takes chunks of bytes, and calls back for each whole netstring. */
export function netstringReader(onPayload: (payload: string) => void): (chunk: Buffer) => void {
  let buffered = Buffer.alloc(0);
  return (chunk) => {
    buffered = Buffer.concat([buffered, chunk]);
    for (;;) {
      const colon = buffered.indexOf(':');
      if (colon < 0) return;
      const length = Number(buffered.toString('latin1', 0, colon));
      if (!Number.isSafeInteger(length)) throw new Error('The peer sent no netstring.');
      const end = colon + 1 + length;
      if (buffered.length < end + 1) return;
      const payload = buffered.toString('utf8', colon + 1, end);
      buffered = buffered.subarray(end + 1);
      onPayload(payload);
    }
  };
}
