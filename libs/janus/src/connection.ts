import { JanusError } from './janus-error.ts';
import { readNumber, readObject, type JsonObject } from './read-json.ts';
import type { HandleChannel, HandleReceiver } from './transport/handle.ts';
import { openTransport, type Transport } from './transport/transport.ts';

export interface ConnectJanusOptions {
  /** `ws://` or `wss://` address of the Janus API. */
  readonly url: string;
  readonly apiSecret: string;
  /** Limit for the WebSocket handshake and for each request. */
  readonly requestTimeoutMs: number;
  /**
   * A keep-alive is sent every `intervalMs`. The connection closes if one is not answered within
   * `timeoutMs`, so a frozen Janus is noticed after at most the sum. Janus ends a session without
   * keep-alives after its `session_timeout`, which must be longer.
   */
  readonly keepAlive: { readonly intervalMs: number; readonly timeoutMs: number };
  /** Called once, at once, when the connection ends for any reason, after its handles were detached. */
  readonly onClosed?: (reason: JanusCloseReason) => void;
  /** Receives what listeners of events throw. */
  readonly onListenerError: (error: unknown) => void;
}

/**
 * - `requested`: we called `close`.
 * - `socket-closed`: the WebSocket closed, e.g. because Janus was killed.
 * - `unresponsive`: Janus did not answer a keep-alive in time.
 * - `session-lost`: Janus ended our session, e.g. on its own timeout or by the admin API.
 */
export type JanusCloseReason = 'requested' | 'socket-closed' | 'unresponsive' | 'session-lost';

/** One WebSocket with one Janus session. It does not reconnect: the owner decides what a loss means. */
export interface JanusConnection {
  readonly sessionId: number;
  /** Resolves when the connection ends. */
  readonly closed: Promise<JanusCloseReason>;
  /**
   * Attaches to a plugin. `opaqueId` names the handle in the admin API. `create` receives the
   * channel of the new handle and returns it.
   */
  attach<H extends HandleReceiver>(plugin: string, opaqueId: string, create: (channel: HandleChannel) => H): Promise<H>;
  /** Ends the session, which ends all calls of its handles, and closes the WebSocket. Never rejects. */
  close(): Promise<void>;
}

/** Opens a connection and its session. Rejects with JanusError: `unreachable`, or `rejected` 403 for a wrong secret. */
export async function connectJanus(options: ConnectJanusOptions): Promise<JanusConnection> {
  const { keepAlive } = options;
  const handles = new Map<number, HandleReceiver>();
  let resolveClosed!: (reason: JanusCloseReason) => void;
  const closed = new Promise<JanusCloseReason>((resolve) => {
    resolveClosed = resolve;
  });
  let heartbeat: NodeJS.Timeout | undefined = undefined;
  let isLost = false;
  let isClosed = false;

  const receive = (message: JsonObject, isReply: boolean): void => {
    const sender = readNumber(message, 'sender');
    if (sender === undefined) {
      if (message.janus === 'timeout') end('session-lost');
      return;
    }
    const handle = handles.get(sender);
    if (message.janus === 'detached') transport.rejectRequestsOf(sender);
    handle?.receive(message, isReply);
  };
  const transport: Transport = await openTransport({
    url: options.url,
    protocol: 'janus-protocol',
    credentials: { apisecret: options.apiSecret },
    requestTimeoutMs: options.requestTimeoutMs,
    onEvent: receive,
    onLost() {
      isLost = true;
      // Before the session exists, the rejection of connectJanus reports the loss.
      if (heartbeat) end('socket-closed');
    },
  });
  const end = (reason: JanusCloseReason): void => {
    if (isClosed) return;
    isClosed = true;
    clearInterval(heartbeat);
    transport.close();
    for (const handle of handles.values()) handle.receiveDetached();
    options.onClosed?.(reason);
    resolveClosed(reason);
  };

  const sessionId = await createSession(transport);
  const sendKeepAlive = async (): Promise<void> => {
    try {
      await transport.request(
        { janus: 'keepalive', session_id: sessionId },
        { name: 'keepalive', timeoutMs: keepAlive.timeoutMs, untilAck: true },
      );
    } catch (error) {
      end(error instanceof JanusError && error.kind === 'timed-out' ? 'unresponsive' : 'session-lost');
    }
  };
  if (isLost) throw new JanusError('closed', 'create', 'The connection to Janus closed during create');
  heartbeat = setInterval(() => void sendKeepAlive(), keepAlive.intervalMs);

  return {
    sessionId,
    closed,
    async attach(plugin, opaqueId, create) {
      const reply = await transport.request(
        { janus: 'attach', session_id: sessionId, plugin, opaque_id: opaqueId },
        { name: `attach ${plugin}` },
      );
      const id = readReplyId(reply, 'attach');
      const handle = create({
        id,
        opaqueId,
        send: (payload, request) => transport.request({ ...payload, session_id: sessionId, handle_id: id }, request),
        release: () => handles.delete(id),
        reportListenerError: options.onListenerError,
      });
      if (isClosed) handle.receiveDetached();
      else handles.set(id, handle);
      return handle;
    },
    async close() {
      if (isClosed) return;
      await transport.request({ janus: 'destroy', session_id: sessionId }, { name: 'destroy' }).catch(() => undefined);
      end('requested');
    },
  };
}

async function createSession(transport: Transport): Promise<number> {
  try {
    return readReplyId(await transport.request({ janus: 'create' }, { name: 'create' }), 'create');
  } catch (error) {
    transport.close();
    throw error;
  }
}

function readReplyId(reply: JsonObject, request: string): number {
  const id = readNumber(readObject(reply, 'data') ?? {}, 'id');
  if (id === undefined) throw new JanusError('unexpected', request, `Janus answered ${request} without an id`);
  return id;
}
