import { attachAudioBridge, AUDIO_BRIDGE_ERRORS } from '../audio-bridge/audio-bridge-handle.ts';
import { connectJanus } from '../connection.ts';
import { JanusError } from '../janus-error.ts';
import { readObject, readText, type JsonObject } from '../read-json.ts';
import { openTransport, type TransportOptions } from '../transport/transport.ts';
import { attachVideoRoom, VIDEO_ROOM_ERRORS } from '../video-room/video-room-handle.ts';

export interface CheckJanusOptions {
  readonly url: string;
  readonly apiSecret: string;
  readonly admin?: { readonly url: string; readonly secret: string };
  /** The admin_key of AudioBridge and VideoRoom, with which rooms are created. */
  readonly adminKey?: string;
  /** Packages of the plugins that must be loaded, e.g. `janus.plugin.sip`. */
  readonly plugins: readonly string[];
  readonly requestTimeoutMs: number;
}

/** Whether a Janus can serve us. `message` names the problem and its fix, for an operator. */
export type JanusCheck =
  | {
      readonly isUsable: true;
      /** E.g. `1.1.2`. */
      readonly version: string;
      /** Whether the SIP plugin reports digits that arrive by RTP (`dtmf-rtp`). */
      readonly reportsRtpDigits: boolean;
    }
  | { readonly isUsable: false; readonly problem: JanusProblem; readonly message: string };

export type JanusProblem =
  | 'unreachable'
  | 'no-answer'
  | 'too-old'
  | 'missing-plugin'
  | 'wrong-api-secret'
  | 'wrong-admin-key'
  | 'admin-unreachable'
  | 'wrong-admin-secret';

/** This client was never tried with an older version. */
const OLDEST_VERSION = [1, 1, 0] as const;
/** The first whose SIP plugin reports digits of RTP. */
const REPORTS_RTP_DIGITS = [1, 2, 1] as const;
const UNAUTHORIZED = 403;
/** Each has an admin_key of its own. */
const KEYED_PLUGINS = [
  {
    attach: attachAudioBridge,
    unauthorized: AUDIO_BRIDGE_ERRORS.unauthorized,
    file: 'janus.plugin.audiobridge.jcfg',
  },
  { attach: attachVideoRoom, unauthorized: VIDEO_ROOM_ERRORS.unauthorized, file: 'janus.plugin.videoroom.jcfg' },
];

/** Checks the version, the plugins and the secrets of a Janus. Resolves for every answer of Janus, also for none. */
export async function checkJanus(options: CheckJanusOptions): Promise<JanusCheck> {
  let version: string;
  try {
    const info = await ask(options, 'api');
    const problem = findProblem(info, options.plugins) ?? (await findWrongAdminKey(options));
    if (problem) return problem;
    version = readText(info, 'version_string') ?? '';
  } catch (error) {
    return describeFailure(error, 'unreachable', 'wrong-api-secret', {
      unreachable: 'Start Janus with its WebSocket transport, and check JANUS_URL.',
      secret: 'Set JANUS_API_SECRET to the value of api_secret in janus.jcfg.',
    });
  }
  try {
    if (options.admin) await ask(options, 'admin');
  } catch (error) {
    return describeFailure(error, 'admin-unreachable', 'wrong-admin-secret', {
      unreachable: 'Set admin_ws = true in janus.transport.websockets.jcfg, and check JANUS_ADMIN_URL.',
      secret: 'Set JANUS_ADMIN_SECRET to the value of admin_secret in janus.jcfg.',
    });
  }
  return { isUsable: true, version, reportsRtpDigits: isAtLeast(version, REPORTS_RTP_DIGITS) };
}

/** Reads the server's description, and makes a request that needs the secret: `info` needs none. */
async function ask(options: CheckJanusOptions, api: 'api' | 'admin'): Promise<JsonObject> {
  const target: Pick<TransportOptions, 'url' | 'protocol' | 'credentials'> =
    api === 'admin'
      ? {
          url: options.admin?.url ?? '',
          protocol: 'janus-admin-protocol',
          credentials: { admin_secret: options.admin?.secret },
        }
      : { url: options.url, protocol: 'janus-protocol', credentials: { apisecret: options.apiSecret } };
  let info: JsonObject | undefined;
  const transport = await openTransport({
    ...target,
    requestTimeoutMs: options.requestTimeoutMs,
    onEvent: () => undefined,
    onLost: () => undefined,
  });
  try {
    info = await transport.request({ janus: 'info' }, { name: 'info' });
    // Janus ends the session with the WebSocket.
    const request = api === 'admin' ? 'list_sessions' : 'create';
    await transport.request({ janus: request }, { name: request });
    return info;
  } finally {
    transport.close();
  }
}

function findProblem(info: JsonObject, plugins: readonly string[]): JanusCheck | undefined {
  const version = readText(info, 'version_string') ?? 'unknown';
  if (!isAtLeast(version, OLDEST_VERSION)) {
    const message = `Janus ${version} is too old. Install Janus ${OLDEST_VERSION.slice(0, 2).join('.')} or later.`;
    return { isUsable: false, problem: 'too-old', message };
  }
  const loaded = readObject(info, 'plugins') ?? {};
  const missing = plugins.filter((plugin) => !Object.hasOwn(loaded, plugin));
  if (missing.length === 0) return undefined;
  const message =
    `Janus has not loaded ${missing.join(', ')}. Install the plugin, configure it, ` +
    'and remove it from the plugins that janus.jcfg disables.';
  return { isUsable: false, problem: 'missing-plugin', message };
}

/** Lists the rooms of each plugin, which needs its admin_key. */
async function findWrongAdminKey({ adminKey, ...options }: CheckJanusOptions): Promise<JanusCheck | undefined> {
  if (adminKey === undefined) return undefined;
  const connection = await connectJanus({
    ...options,
    keepAlive: { intervalMs: options.requestTimeoutMs, timeoutMs: options.requestTimeoutMs },
    onListenerError: () => undefined,
  });
  try {
    for (const { file, attach, unauthorized } of KEYED_PLUGINS) {
      const rooms = await attach(connection, 'check');
      try {
        await rooms.listRooms(adminKey);
      } catch (error) {
        if (!(error instanceof JanusError) || error.code !== unauthorized) throw error;
        const message = `Janus rejected our admin key. Set JANUS_ADMIN_KEY to the value of admin_key in ${file}.`;
        return { isUsable: false, problem: 'wrong-admin-key', message };
      }
    }
    return undefined;
  } finally {
    await connection.close();
  }
}

function describeFailure(
  error: unknown,
  unreachable: 'unreachable' | 'admin-unreachable',
  wrongSecret: 'wrong-api-secret' | 'wrong-admin-secret',
  fix: { readonly unreachable: string; readonly secret: string },
): JanusCheck {
  if (!(error instanceof JanusError)) throw error;
  if (error.code === UNAUTHORIZED) {
    return { isUsable: false, problem: wrongSecret, message: `Janus rejected our secret. ${fix.secret}` };
  }
  if (error.kind === 'unreachable') {
    return { isUsable: false, problem: unreachable, message: `${error.message}. ${fix.unreachable}` };
  }
  return { isUsable: false, problem: 'no-answer', message: `${error.message}. Restart Janus.` };
}

function isAtLeast(version: string, oldest: readonly [number, number, number]): boolean {
  const parts = version.split('.').map((part) => Number.parseInt(part, 10));
  for (const [index, wanted] of oldest.entries()) {
    const part = parts[index] ?? Number.NaN;
    if (Number.isNaN(part)) return false;
    if (part !== wanted) return part > wanted;
  }
  return true;
}
