import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startChild, type Child } from '../processes/child.ts';
import { findFreePort } from '../processes/ports.ts';
import { waitUntilReady } from '../processes/readiness.ts';
import { followServer } from '../processes/server-process.ts';
import { inWorkspace, writePrivateFile } from '../workspace.ts';
import { createKamailioTables } from './database.ts';
import { findKamailio, type KamailioBinary } from './kamailio-binary.ts';

/** A trunk of a tenant, or a phone that acts as one. */
export interface Trunk {
  /** An IP address from which calls come and to which a gateway may place calls. */
  readonly address: string;
  /** Its port; 0 means every port. */
  readonly port: number;
  /** The account of its calls, in the header X-Partyline-Account. */
  readonly account: string;
}

export interface KamailioOptions {
  logFile?: string;
  log?: (line: string) => void;
  /** Whether a server of KAMAILIO_VARIABLES would be used instead: an error without a program names them. */
  mayExist?: boolean;
  trunks?: readonly Trunk[];
  /** A gateway that has not answered by then is passed over; 2,000 by default. */
  gatewayAnswerMs?: number;
  /** A gateway that rings must answer the call by then; 6,000 by default. */
  gatewayDecideMs?: number;
  /** A BYE is repeated for so long until the phone answers it; 64,000 by default. */
  byeMs?: number;
  /** Also listens for TLS, with this certificate and key (PEM). */
  tls?: { readonly cert: string; readonly key: string };
  /** Requests of an unknown address in two seconds, beyond which it is ignored; 30 by default. */
  floodRequests?: number;
  /** Requests a second from the trunks of a tenant's account, beyond which they are ignored; 200 by default. */
  accountRequests?: number;
  /** Calls at the same time from the trunks of a tenant's account; 50 by default. */
  accountCalls?: number;
  /** Calls at the same time from all phones of a tenant; 25 by default. */
  tenantPhoneCalls?: number;
  /** Rejects trunks of tenants in private networks, as in production. All of this machine are. */
  publicTrunksOnly?: boolean;
  /** The networks that count as private, comma-separated. Those of the configuration by default. */
  privateNetworks?: string;
  /** Sends the sound of all calls through this rtpengine: `udp:<host>:<port>`. */
  rtpengine?: string;
  /**
   * A Postgres database in which calls and registrations survive a restart. Its tables are created
   * if necessary.
   */
  databaseUrl?: string;
}

export interface KamailioServer {
  readonly name: 'kamailio';
  /** Host and port for SIP over UDP and TCP. */
  readonly sipUri: string;
  /** Host and port for SIP over TLS; undefined without `tls`. */
  readonly tlsUri: string | undefined;
  /** JSON-RPC over HTTP. Requests need the header `Authorization: Bearer <rpcSecret>`. */
  readonly rpcUrl: string;
  readonly rpcSecret: string;
  /** The password of each user `gw-<id>`, with which a gateway registers. */
  readonly gatewaySecret: string;
  /** True if the server comes from the environment. It is then never stopped. */
  readonly external: boolean;
  /** The process id. Throws for an external server. */
  readonly pid: number;
  /** Adds a trunk without a restart. Takes up to a second. */
  addTrunk(trunk: Trunk): Promise<void>;
  /** Kills all processes of the server (SIGKILL). Calls and registrations are lost. */
  crash(): Promise<void>;
  /** Suspends all processes of the server (SIGSTOP), until `resume`. */
  pause(): void;
  resume(): void;
  /** Starts a crashed or running server again, with the same ports, secrets and trunks. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

interface Settings {
  readonly port: number;
  readonly rpcPort: number;
  readonly tlsUri: string | undefined;
  readonly rpcSecret: string;
  readonly gatewaySecret: string;
  /** The runtime folder of the server, with its address file. */
  readonly folder: string;
}

const MAX_BIND_ATTEMPTS = 3;
const BIND_CONFLICT = /Address already in use/;
const RETRY_MS = 50;
const CERTIFICATE_FILE = 'certificate.pem';
const KEY_FILE = 'key.pem';
const SHARED_MEMORY_MB = 64;
const PROCESS_MEMORY_MB = 8;
/** Processes for each socket. Development needs few. */
const WORKERS = 2;

/**
 * Starts the SIP edge (deploy/kamailio/kamailio.cfg) on loopback. It ends with this process.
 * Gateways are accepted from 127.0.0.1.
 */
export async function startKamailio(options: KamailioOptions = {}): Promise<KamailioServer> {
  const binary = await findKamailio(options.log ?? (() => undefined), options.mayExist);
  if (options.databaseUrl !== undefined) await createKamailioTables(options.databaseUrl, binary);
  const folder = mkdtempSync(join(tmpdir(), 'partyline-kamailio-'));
  const trunks = [...(options.trunks ?? [])];
  writeAddressFile(folder, trunks);
  if (options.tls) {
    writePrivateFile(join(folder, CERTIFICATE_FILE), options.tls.cert);
    writePrivateFile(join(folder, KEY_FILE), options.tls.key);
  }
  try {
    for (let attempt = 1; ; attempt += 1) {
      const settings: Settings = {
        port: await findFreePort(),
        rpcPort: await findFreePort(),
        tlsUri: options.tls ? `127.0.0.1:${await findFreePort()}` : undefined,
        rpcSecret: randomSecret(),
        gatewaySecret: randomSecret(),
        folder,
      };
      try {
        const child = await launch(binary, settings, options);
        return describeServer(child, settings, trunks, () => launch(binary, settings, options));
      } catch (error) {
        // Another process bound a port after the probe, or uses it for UDP.
        if (attempt < MAX_BIND_ATTEMPTS && BIND_CONFLICT.test(String(error))) continue;
        throw error;
      }
    }
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

async function launch(binary: KamailioBinary, settings: Settings, options: KamailioOptions): Promise<Child> {
  const { port, rpcPort, tlsUri, folder } = settings;
  const sockets = [`udp:127.0.0.1:${port}`, `tcp:127.0.0.1:${port}`, `tcp:127.0.0.1:${rpcPort}`];
  if (tlsUri !== undefined) sockets.push(`tls:${tlsUri}`);
  const variables: Record<string, string | number | undefined> = {
    KAMAILIO_GATEWAY_SECRET: settings.gatewaySecret,
    KAMAILIO_RPC_SECRET: settings.rpcSecret,
    KAMAILIO_RPC_PORT: rpcPort,
    KAMAILIO_ADDRESS_FILE: addressFile(folder),
    KAMAILIO_MODULE_PATH: binary.modules,
    KAMAILIO_WORKERS: WORKERS,
    KAMAILIO_GATEWAY_ANSWER_MS: options.gatewayAnswerMs,
    KAMAILIO_GATEWAY_DECIDE_MS: options.gatewayDecideMs,
    KAMAILIO_BYE_MS: options.byeMs,
    ...(tlsUri !== undefined && {
      KAMAILIO_TLS_CERTIFICATE: join(folder, CERTIFICATE_FILE),
      KAMAILIO_TLS_KEY: join(folder, KEY_FILE),
    }),
    KAMAILIO_RTPENGINE: options.rtpengine,
    KAMAILIO_FLOOD_REQUESTS: options.floodRequests,
    KAMAILIO_ACCOUNT_REQUESTS: options.accountRequests,
    KAMAILIO_ACCOUNT_CALLS: options.accountCalls,
    KAMAILIO_TENANT_PHONE_CALLS: options.tenantPhoneCalls,
    KAMAILIO_ALLOW_PRIVATE: options.publicTrunksOnly ? undefined : 'on',
    KAMAILIO_PRIVATE_NETWORKS: options.privateNetworks,
    // The scheme is the name of the module db_postgres.
    KAMAILIO_DB_URL: options.databaseUrl?.replace(/^postgresql:/, 'postgres:'),
  };
  const env: NodeJS.ProcessEnv = { PATH: process.env.PATH, ...binary.env };
  for (const [name, value] of Object.entries(variables)) if (value !== undefined) env[name] = String(value);
  const child = startChild({
    name: 'kamailio',
    command: binary.path,
    args: [
      `-f${inWorkspace('deploy/kamailio/kamailio.cfg')}`,
      `-Y${folder}`,
      // In the foreground, with the log on standard error.
      '-DD',
      '-E',
      `-m${SHARED_MEMORY_MB}`,
      `-M${PROCESS_MEMORY_MB}`,
      ...sockets.flatMap((socket) => ['-l', socket]),
    ],
    env,
    killsGroup: true,
    logFile: options.logFile,
  });
  try {
    // The RPC tells this server from another one on the same port.
    await waitUntilReady(child, {
      probe: () =>
        callRpc(rpcOf(settings), 'core.uptime').then(
          () => true,
          () => false,
        ),
    });
    return child;
  } catch (error) {
    await child.stop();
    throw error;
  }
}

function describeServer(
  started: Child,
  settings: Settings,
  trunks: Trunk[],
  launchAgain: () => Promise<Child>,
): KamailioServer {
  const server = followServer(started, async () => {
    for (;;) {
      try {
        return await launchAgain();
      } catch (error) {
        // The killed processes release the ports a moment later.
        if (!BIND_CONFLICT.test(String(error))) throw error;
        await pause(RETRY_MS);
      }
    }
  });
  return {
    name: 'kamailio',
    sipUri: `127.0.0.1:${settings.port}`,
    tlsUri: settings.tlsUri,
    ...rpcOf(settings),
    gatewaySecret: settings.gatewaySecret,
    external: false,
    get pid() {
      return server.pid;
    },
    async addTrunk(trunk) {
      trunks.push(trunk);
      writeAddressFile(settings.folder, trunks);
      await reloadAddresses(settings);
    },
    crash: server.crash,
    pause: server.pause,
    resume: server.resume,
    restart: server.restart,
    async stop() {
      await server.stop();
      rmSync(settings.folder, { recursive: true, force: true });
    },
  };
}

/** The groups are explained in kamailio.cfg. */
function writeAddressFile(folder: string, trunks: readonly Trunk[]): void {
  const lines = ['3 127.0.0.1 32 0 gateway'];
  for (const { address, port, account } of trunks) {
    for (const group of [1, 2]) lines.push(`${group} ${address} 32 ${port} ${account}`);
  }
  writePrivateFile(addressFile(folder), `${lines.join('\n')}\n`);
}

function addressFile(folder: string): string {
  return join(folder, 'addresses');
}

/** kamailio refuses a second reload within a second. */
async function reloadAddresses(settings: Settings): Promise<void> {
  for (;;) {
    try {
      await callRpc(rpcOf(settings), 'permissions.addressReload');
      return;
    } catch (error) {
      if (!/ongoing reload/i.test(String(error))) throw error;
      await pause(RETRY_MS);
    }
  }
}

/** Calls a method of the RPC and returns its result. Rejects with its error. */
export async function callRpc(
  { rpcUrl, rpcSecret }: Pick<KamailioServer, 'rpcUrl' | 'rpcSecret'>,
  method: string,
  params: readonly string[] = [],
): Promise<unknown> {
  const reply = await fetch(rpcUrl, {
    method: 'POST',
    headers: { authorization: `Bearer ${rpcSecret}` },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    signal: AbortSignal.timeout(5_000),
  });
  const body = await reply.text();
  if (!reply.ok) throw new Error(`kamailio answered ${method} with ${reply.status}: ${body}`);
  return (JSON.parse(body) as { result: unknown }).result;
}

function rpcOf({ rpcPort, rpcSecret }: Settings): Pick<KamailioServer, 'rpcUrl' | 'rpcSecret'> {
  return { rpcUrl: `http://127.0.0.1:${rpcPort}/RPC`, rpcSecret };
}

function pause(ms: number): Promise<void> {
  return new Promise((resume) => setTimeout(resume, ms));
}

function randomSecret(): string {
  return randomBytes(24).toString('base64url');
}
