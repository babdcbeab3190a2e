import { WebSocket, type RawData } from 'ws';
import { JanusError, rejected } from '../janus-error.ts';
import { parseObject, readNumber, readObject, readText, type JsonObject } from '../read-json.ts';

export interface TransportOptions {
  /** `ws://` or `wss://` address of Janus' WebSocket transport. */
  readonly url: string;
  readonly protocol: 'janus-protocol' | 'janus-admin-protocol';
  /** Fields that every request carries, i.e. the secret. */
  readonly credentials: JsonObject;
  /** Limit for the WebSocket handshake and for each request. */
  readonly requestTimeoutMs: number;
  /** Receives every message that is not only the answer to a request, e.g. plugin events. */
  onEvent(message: JsonObject, isReply: boolean): void;
  /** Called once, when the WebSocket has closed for any reason other than `close()`. */
  onLost(): void;
}

export interface RequestOptions {
  /** Name in errors, e.g. `sip.call`. */
  readonly name: string;
  readonly timeoutMs?: number;
  /** Resolves on Janus' `ack`. Without it, an `ack` only announces that the answer follows as an event. */
  readonly untilAck?: boolean;
}

export interface Transport {
  /**
   * Sends one request and resolves with the answer: `success`, `ack` or the plugin's first event.
   * Rejects with JanusError, at the latest after the time limit.
   */
  request(payload: JsonObject, options: RequestOptions): Promise<JsonObject>;
  /** Rejects the pending requests of one handle, which Janus will not answer any more. */
  rejectRequestsOf(handleId: number): void;
  /** Closes the WebSocket at once and rejects all pending requests. */
  close(): void;
}

interface Pending {
  readonly name: string;
  readonly untilAck: boolean;
  readonly handleId: unknown;
  settle(outcome: JsonObject | JanusError): void;
}

/** Opens a WebSocket to Janus. It does not reconnect. */
export async function openTransport(options: TransportOptions): Promise<Transport> {
  const socket = new WebSocket(options.url, [options.protocol], {
    handshakeTimeout: options.requestTimeoutMs,
    perMessageDeflate: false,
  });
  const pending = new Map<string, Pending>();
  let lastTransaction = 0;
  let isClosed = false;

  const rejectAll = (): void => {
    for (const request of pending.values()) {
      request.settle(new JanusError('closed', request.name, `The connection to Janus closed during ${request.name}`));
    }
  };
  const receive = (data: RawData): void => {
    if (isClosed) return;
    // `data` is a Buffer: `binaryType` keeps its default.
    const message = parseObject((data as Buffer).toString('utf8'));
    if (!message) return;
    const transaction = readText(message, 'transaction');
    const request = transaction === undefined ? undefined : pending.get(transaction);
    const kind = readText(message, 'janus');
    if (request && (kind !== 'ack' || request.untilAck)) {
      request.settle(kind === 'error' ? coreError(request.name, message) : message);
    }
    if (kind !== 'success' && kind !== 'ack' && kind !== 'error') options.onEvent(message, request !== undefined);
  };

  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', (error) => reject(new JanusError('unreachable', 'connect', unreachableMessage(error))));
  });
  // A `close` event follows every error.
  socket.on('error', () => undefined);
  socket.on('message', receive);
  socket.once('close', () => {
    if (isClosed) return;
    isClosed = true;
    rejectAll();
    options.onLost();
  });

  return {
    request(payload, { name, timeoutMs = options.requestTimeoutMs, untilAck = false }) {
      return new Promise((resolve, reject) => {
        if (isClosed) {
          reject(new JanusError('closed', name, `The connection to Janus is closed, so ${name} was not sent`));
          return;
        }
        const transaction = String((lastTransaction += 1));
        const timeOut = (): void => {
          // After a stall of this process, the timer fires before the socket is read. The answer
          // may have arrived, so read the socket once more.
          setImmediate(() =>
            pending
              .get(transaction)
              ?.settle(new JanusError('timed-out', name, `Janus did not answer ${name} within ${timeoutMs} ms`)),
          );
        };
        const timer = setTimeout(timeOut, timeoutMs);
        pending.set(transaction, {
          name,
          untilAck,
          handleId: payload.handle_id,
          settle(outcome) {
            pending.delete(transaction);
            clearTimeout(timer);
            if (outcome instanceof JanusError) reject(outcome);
            else resolve(outcome);
          },
        });
        socket.send(JSON.stringify({ ...payload, ...options.credentials, transaction }));
      });
    },
    rejectRequestsOf(handleId) {
      for (const request of pending.values()) {
        if (request.handleId !== handleId) continue;
        request.settle(new JanusError('detached', request.name, `Janus detached the handle during ${request.name}`));
      }
    },
    close() {
      if (isClosed) return;
      isClosed = true;
      rejectAll();
      socket.terminate();
    },
  };
}

function coreError(name: string, message: JsonObject): JanusError {
  const error = readObject(message, 'error') ?? {};
  return rejected(name, readNumber(error, 'code'), readText(error, 'reason'));
}

/** Names the system's error code, e.g. ECONNREFUSED, or the HTTP status. The URL may hold credentials. */
function unreachableMessage(error: Error & { code?: unknown }): string {
  const detail = typeof error.code === 'string' ? error.code : error.message;
  return `Janus cannot be reached: ${detail}`;
}
