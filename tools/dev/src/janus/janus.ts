import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startChild, type Child } from '../processes/child.ts';
import { findFreePort, reserveMediaPorts } from '../processes/ports.ts';
import { waitUntilReady } from '../processes/readiness.ts';
import { followServer } from '../processes/server-process.ts';
import { writePrivateFile } from '../workspace.ts';
import { renderJanusConfiguration, type JanusSettings } from './configuration.ts';
import { findJanus, type JanusBinary } from './janus-binary.ts';

export interface JanusOptions {
  logFile?: string;
  log?: (line: string) => void;
  /**
   * Number of UDP ports each for ICE, for the AudioBridge and for the SIP plugin. A SIP call takes
   * two, or four with video; the others take one.
   */
  rtpPorts?: number;
  /** Whether a server of JANUS_VARIABLES would be used instead: an error without a program names them. */
  mayExist?: boolean;
}

/** What a client needs to know of a Janus server. */
export interface JanusAddress {
  /** The WebSocket of the Janus API, subprotocol `janus-protocol`. */
  readonly url: string;
  /** The WebSocket of the Admin API, subprotocol `janus-admin-protocol`. */
  readonly adminUrl: string;
  readonly apiSecret: string;
  readonly adminSecret: string;
  /** Allows the creation of rooms in the AudioBridge and the VideoRoom. */
  readonly adminKey: string;
}

export interface JanusServer extends JanusAddress {
  readonly name: 'janus';
  /** True if the server comes from the environment. It is then never stopped. */
  readonly external: boolean;
  /** The process id. Throws for an external server. */
  readonly pid: number;
  /** Kills the server (SIGKILL). All sessions are lost; no call gets a BYE. */
  crash(): Promise<void>;
  /** Suspends the server (SIGSTOP), until `resume`. */
  pause(): void;
  resume(): void;
  /** Starts a crashed or running server again, with the same ports and secrets. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const DEFAULT_RTP_PORTS = 600;
const MAX_BIND_ATTEMPTS = 3;
const PROBE_TIMEOUT_MS = 2_000;

/**
 * Starts a server on loopback that ends with this process. Media ports of two servers on one machine
 * differ.
 */
export async function startJanus(options: JanusOptions = {}): Promise<JanusServer> {
  const binary = await findJanus(options.log ?? (() => undefined), options.mayExist);
  const perPlugin = options.rtpPorts ?? DEFAULT_RTP_PORTS;
  const window = await reserveMediaPorts(3 * perPlugin);
  const range = (index: number): { first: number; last: number } => ({
    first: window.first + index * perPlugin,
    last: window.first + (index + 1) * perPlugin - 1,
  });
  try {
    for (let attempt = 1; ; attempt += 1) {
      const settings: Omit<JanusSettings, 'configFolder'> = {
        modules: binary.modules,
        serverName: randomSecret(),
        ip: '127.0.0.1',
        port: await findFreePort(),
        adminPort: await findFreePort(),
        apiSecret: randomSecret(),
        adminSecret: randomSecret(),
        adminKey: randomSecret(),
        iceInterfaces: ['lo', '127.0.0.1'],
        rtpPorts: { ice: range(0), audiobridge: range(1), sip: range(2) },
      };
      try {
        const child = await launch(binary, settings, options.logFile);
        return describeServer(child, settings, {
          launch: () => launch(binary, settings, options.logFile),
          release: () => window.release(),
        });
      } catch (error) {
        // Another process bound a port after the probe.
        if (attempt < MAX_BIND_ATTEMPTS && /Error creating vhost/.test(String(error))) continue;
        throw error;
      }
    }
  } catch (error) {
    window.release();
    throw error;
  }
}

async function launch(
  binary: JanusBinary,
  settings: Omit<JanusSettings, 'configFolder'>,
  logFile: string | undefined,
): Promise<Child> {
  const configFolder = mkdtempSync(join(tmpdir(), 'partyline-janus-'));
  try {
    const files = renderJanusConfiguration({ ...settings, configFolder });
    for (const [name, text] of Object.entries(files)) writePrivateFile(join(configFolder, name), text);
    const child = startChild({
      name: 'janus',
      command: binary.path,
      args: ['-F', configFolder, '-C', join(configFolder, 'janus.jcfg'), '-o'],
      // Its SIP stack has a log of its own, which holds phone numbers.
      env: { ...process.env, ...binary.env, SOFIA_DEBUG: '0' },
      logFile,
    });
    const { url, adminUrl } = webSocketUrls(settings);
    try {
      await waitUntilReady(child, {
        probe: async () =>
          (await readServerName(url, 'janus-protocol')) === settings.serverName &&
          (await readServerName(adminUrl, 'janus-admin-protocol')) === settings.serverName,
      });
      return child;
    } catch (error) {
      await child.stop();
      throw error;
    }
  } finally {
    // Janus reads its configuration only at the start, and the files contain the secrets.
    rmSync(configFolder, { recursive: true, force: true });
  }
}

function describeServer(
  started: Child,
  settings: Omit<JanusSettings, 'configFolder'>,
  actions: { launch: () => Promise<Child>; release: () => void },
): JanusServer {
  const server = followServer(started, actions.launch);
  return {
    name: 'janus',
    ...webSocketUrls(settings),
    apiSecret: settings.apiSecret,
    adminSecret: settings.adminSecret,
    adminKey: settings.adminKey,
    external: false,
    get pid() {
      return server.pid;
    },
    crash: server.crash,
    pause: server.pause,
    resume: server.resume,
    restart: server.restart,
    async stop() {
      await server.stop();
      actions.release();
    },
  };
}

function webSocketUrls({ ip, port, adminPort }: Pick<JanusSettings, 'ip' | 'port' | 'adminPort'>): {
  url: string;
  adminUrl: string;
} {
  return { url: `ws://${ip}:${port}`, adminUrl: `ws://${ip}:${adminPort}` };
}

/** Asks for `info`, which needs no secret. Returns undefined without an answer. */
function readServerName(url: string, protocol: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url, protocol);
    const finish = (name?: string): void => {
      clearTimeout(timer);
      socket.close();
      resolve(name);
    };
    const timer = setTimeout(finish, PROBE_TIMEOUT_MS);
    socket.addEventListener('error', () => finish());
    socket.addEventListener('open', () => socket.send(JSON.stringify({ janus: 'info', transaction: 'ready' })));
    socket.addEventListener('message', ({ data }) =>
      finish((JSON.parse(String(data)) as { 'server-name'?: string })['server-name']),
    );
  });
}

function randomSecret(): string {
  return randomBytes(24).toString('base64url');
}
