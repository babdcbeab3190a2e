import { JanusError } from '../janus-error.ts';
import { readObject, readText, type JsonObject } from '../read-json.ts';
import { openTransport, type Transport } from '../transport/transport.ts';

export interface ConnectJanusAdminOptions {
  /** `ws://` or `wss://` address of the Admin API, subprotocol `janus-admin-protocol`. */
  readonly url: string;
  readonly adminSecret: string;
  readonly requestTimeoutMs: number;
  /** Called once, when the WebSocket has closed for any reason other than `close()`. */
  readonly onClosed?: () => void;
}

/** A handle as Janus sees it, whichever process owns it. */
export interface JanusHandleInfo {
  readonly sessionId: number;
  readonly handleId: number;
  readonly plugin: string | undefined;
  /** The name that the owner gave the handle. */
  readonly opaqueId: string | undefined;
  /** The plugin's own state: e.g. `call_status` and `callid` of the SIP plugin, `room` and `id` of the AudioBridge. */
  readonly pluginState: JsonObject;
}

/** The Admin API of one Janus: all its sessions and handles, for the recovery after a crash of their owner. */
export interface JanusAdmin {
  listSessions(): Promise<number[]>;
  /** Lists the handles of a session; none if it has ended. */
  listHandles(sessionId: number): Promise<number[]>;
  /** Returns undefined for a handle or session that has ended. */
  describeHandle(sessionId: number, handleId: number): Promise<JanusHandleInfo | undefined>;
  /** Describes all handles of all sessions. Handles that end meanwhile are left out. */
  describeAllHandles(): Promise<JanusHandleInfo[]>;
  /** Ends a session with its handles and calls. Returns false if it has ended. */
  destroySession(sessionId: number): Promise<{ existed: boolean }>;
  /** Ends a handle and its call. Returns false if it has ended. */
  detachHandle(sessionId: number, handleId: number): Promise<{ existed: boolean }>;
  close(): void;
}

const NO_SUCH_SESSION = 458;
const NO_SUCH_HANDLE = 459;

/**
 * Connects to the Admin API. Rejects with JanusError `unreachable`; a wrong secret rejects each
 * request with 403.
 */
export async function connectJanusAdmin(options: ConnectJanusAdminOptions): Promise<JanusAdmin> {
  const transport = await openTransport({
    url: options.url,
    protocol: 'janus-admin-protocol',
    credentials: { admin_secret: options.adminSecret },
    requestTimeoutMs: options.requestTimeoutMs,
    onEvent: () => undefined,
    onLost: () => options.onClosed?.(),
  });

  const listSessions = async (): Promise<number[]> => {
    const reply = await transport.request({ janus: 'list_sessions' }, { name: 'admin.list_sessions' });
    return readNumbers(reply, 'sessions');
  };
  const listHandles = async (sessionId: number): Promise<number[]> => {
    const reply = await requestUnlessGone(transport, 'list_handles', { session_id: sessionId });
    return reply ? readNumbers(reply, 'handles') : [];
  };
  const describeHandle = async (sessionId: number, handleId: number): Promise<JanusHandleInfo | undefined> => {
    const fields = { session_id: sessionId, handle_id: handleId, plugin_only: true };
    const reply = await requestUnlessGone(transport, 'handle_info', fields);
    if (!reply) return undefined;
    const info = readObject(reply, 'info') ?? {};
    return {
      sessionId,
      handleId,
      plugin: readText(info, 'plugin'),
      opaqueId: readText(info, 'opaque_id'),
      pluginState: readObject(info, 'plugin_specific') ?? {},
    };
  };
  return {
    listSessions,
    listHandles,
    describeHandle,
    async describeAllHandles() {
      const found: JanusHandleInfo[] = [];
      for (const sessionId of await listSessions()) {
        const handles = await listHandles(sessionId);
        const infos = await Promise.all(handles.map((handleId) => describeHandle(sessionId, handleId)));
        found.push(...infos.filter((info) => info !== undefined));
      }
      return found;
    },
    async destroySession(sessionId) {
      const reply = await requestUnlessGone(transport, 'destroy_session', { session_id: sessionId });
      return { existed: reply !== undefined };
    },
    async detachHandle(sessionId, handleId) {
      const fields = { session_id: sessionId, handle_id: handleId };
      const reply = await requestUnlessGone(transport, 'detach_handle', fields);
      return { existed: reply !== undefined };
    },
    close: () => transport.close(),
  };
}

/** Resolves with undefined if the session or the handle has ended. */
async function requestUnlessGone(
  transport: Transport,
  request: string,
  fields: JsonObject,
): Promise<JsonObject | undefined> {
  try {
    return await transport.request({ janus: request, ...fields }, { name: `admin.${request}` });
  } catch (error) {
    const isGone = error instanceof JanusError && (error.code === NO_SUCH_SESSION || error.code === NO_SUCH_HANDLE);
    if (isGone) return undefined;
    throw error;
  }
}

function readNumbers(from: JsonObject, field: string): number[] {
  const value = from[field];
  return Array.isArray(value) ? value.filter((each) => typeof each === 'number') : [];
}
