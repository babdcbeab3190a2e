import type { PLATFORM_SIP } from '@partyline/domain/platform-account';
import { startJanus, type JanusServer } from '../janus/janus.ts';
import { startKamailio, type KamailioServer } from '../kamailio/kamailio.ts';
import { findEspeak, findFlite } from '../packages/programs.ts';
import type { Child } from '../processes/child.ts';
import { findFreePort } from '../processes/ports.ts';
import type { Log, Processes } from '../processes/processes.ts';
import { cacheFolder } from '../workspace.ts';
import {
  assertUnused,
  findExistingJanus,
  findExistingKamailio,
  listServerVariables,
  type OwnTenants,
} from './existing-servers.ts';
import { startServiceProcess } from './start-service.ts';

export interface SelfHostedOptions {
  readonly processes: Processes;
  readonly log: Log;
  readonly logFile: (name: string) => string;
  /** Number of gateways, each with a Janus of its own. */
  readonly gateways: number;
  /** The account of the platform to which the calls of local phones belong. */
  readonly account: 'platform' | typeof PLATFORM_SIP;
  /** The URL at which gateways reach voice-webhooks. */
  readonly webhooksUrl: string;
  /** Signs control requests, webhooks and browsers' tokens. */
  readonly gatewaySecret: string;
  /** A database in which kamailio keeps calls and registrations. Without it, a restart loses them. */
  readonly callsUrl?: string;
  /**
   * `use` the kamailio and the Janus that the environment names; `offer` only names the flag
   * --existing-servers where they would help; `never` is for a run that stops them.
   */
  readonly existingServers: 'use' | 'offer' | 'never';
  /** Reads what the database of the stack has for kamailio. */
  readonly readTenants: () => Promise<OwnTenants>;
  /** Further variables of the gateways. */
  readonly extra?: Readonly<Record<string, string>>;
}

/** One media-gateway with its Janus. */
export interface GatewayInstance {
  readonly id: string;
  /** Its control requests and the socket of browsers. */
  readonly url: string;
  readonly managementUrl: string;
  readonly janus: JanusServer;
  /** The process as it was last started. */
  readonly child: Child | undefined;
  /** Starts it, also again on the same ports after it was killed. */
  start(): Promise<void>;
}

/** The self-hosted provider on this machine: kamailio, and gateways that each have a Janus. */
export interface SelfHosted {
  readonly kamailio: KamailioServer;
  /** The account of calls of local phones, for a further trunk of kamailio. */
  readonly account: SelfHostedOptions['account'];
  readonly gateways: readonly GatewayInstance[];
  /** The variables of the gateways for the services, in every VIDEO_MODE. */
  readonly environment: Record<string, string>;
}

/** The address of the platform's trunk: every phone of this machine that has no other. */
const LOCAL_TRUNK = { address: '127.0.0.1', port: 0 };
const MAX_CALLS = '60';
/** For each of the media of `MAX_CALLS`, and for browsers. */
const RTP_PORTS = 300;

async function findExisting({
  existingServers,
  log,
  readTenants,
}: SelfHostedOptions): Promise<{ kamailio: KamailioServer | undefined; janus: JanusServer | undefined }> {
  if (existingServers === 'use') {
    const [kamailio, janus] = [findExistingKamailio(), await findExistingJanus()];
    if (kamailio) await assertUnused(kamailio, await readTenants());
    return { kamailio, janus };
  }
  const variables = listServerVariables();
  if (existingServers === 'offer' && variables.length > 0)
    log(`Set but not used without --existing-servers: ${variables.join(', ')}.`);
  return { kamailio: undefined, janus: undefined };
}

/**
 * Starts kamailio and the Januses, or uses those of the environment, and prepares the gateways, which
 * `start` starts. Programs that this machine does not have are downloaded once.
 * @throws Error if a kamailio of the environment has calls or tenants of others
 */
export async function prepareSelfHosted(options: SelfHostedOptions): Promise<SelfHosted> {
  const { processes, log, logFile, gatewaySecret } = options;
  const mayExist = options.existingServers !== 'never';
  const existing = await findExisting(options);
  if (existing.kamailio) log(`Using the kamailio at ${existing.kamailio.sipUri}, which runs already.`);
  if (existing.janus) log(`Using the Janus at ${existing.janus.url}, which runs already.`);
  const missing = [...(existing.kamailio ? [] : ['kamailio']), ...(existing.janus ? [] : ['Janus'])];
  if (missing.length > 0) log(`Starting ${missing.join(' and ')} ...`);
  const ids = Array.from({ length: options.gateways }, (_, index) => `gw-${index + 1}`);
  const [kamailio, flite, espeak, ...januses] = await Promise.all([
    existing.kamailio ??
      startKamailio({
        log,
        logFile: logFile('kamailio'),
        mayExist,
        trunks: [{ ...LOCAL_TRUNK, account: options.account }],
        ...(options.callsUrl !== undefined && { databaseUrl: options.callsUrl }),
      }).then(processes.add),
    findFlite(log),
    findEspeak(log),
    ...ids.map(
      (id) =>
        existing.janus ??
        startJanus({ log, logFile: logFile(`janus-${id}`), rtpPorts: RTP_PORTS, mayExist }).then(processes.add),
    ),
  ]);
  const addresses = await Promise.all(ids.map(async (id) => ({ id, url: `http://127.0.0.1:${await findFreePort()}` })));
  const mediaGateways = addresses.map(({ id, url }) => `${id}=${url}`).join(',');
  const gateways: GatewayInstance[] = [];
  for (const [index, { id, url }] of addresses.entries()) {
    const janus = januses[index]!;
    const managementUrl = `http://127.0.0.1:${await findFreePort()}`;
    const name = `media-gateway-${id}`;
    const env: Record<string, string> = {
      NODE_ENV: 'development',
      LOG_LEVEL: process.env['LOG_LEVEL'] ?? 'info',
      HOST: '127.0.0.1',
      PORT: new URL(url).port,
      MANAGEMENT_PORT: new URL(managementUrl).port,
      PUBLIC_WEBHOOK_URL: options.webhooksUrl,
      GATEWAY_ID: id,
      MEDIA_GATEWAYS: mediaGateways,
      GATEWAY_SECRET: gatewaySecret,
      JANUS_URL: janus.url,
      JANUS_API_SECRET: janus.apiSecret,
      JANUS_ADMIN_KEY: janus.adminKey,
      KAMAILIO_SIP: kamailio.sipUri,
      KAMAILIO_GATEWAY_SECRET: kamailio.gatewaySecret,
      KAMAILIO_RPC_URL: kamailio.rpcUrl,
      KAMAILIO_RPC_SECRET: kamailio.rpcSecret,
      MAX_CALLS,
      // Another Janus reaches this machine at another address than ours does.
      ...(janus.external && process.env['MEDIA_IP'] && { MEDIA_IP: process.env['MEDIA_IP'] }),
      SPEECH_CACHE: cacheFolder('speech'),
      FLITE_BIN: flite.path,
      ESPEAK_BIN: espeak.path,
      SPEECH_LIBRARY_PATH: [flite.env, espeak.env].flatMap((one) => one['LD_LIBRARY_PATH'] ?? []).join(':'),
      ESPEAK_DATA_PATH: espeak.env['ESPEAK_DATA_PATH'] ?? '',
      ...options.extra,
    };
    gateways.push({
      id,
      url,
      managementUrl,
      janus,
      get child() {
        return processes.child(name);
      },
      async start() {
        await startServiceProcess(processes, {
          name,
          service: 'media-gateway',
          env,
          managementUrl,
          logFile: logFile(name),
        });
      },
    });
  }
  return {
    kamailio,
    account: options.account,
    gateways,
    environment: {
      MEDIA_GATEWAYS: mediaGateways,
      GATEWAY_SECRET: gatewaySecret,
      GATEWAY_SOCKET_URL: `${gateways[0]!.url.replace('http', 'ws')}/v1/socket`,
      KAMAILIO_RPC_URL: kamailio.rpcUrl,
      KAMAILIO_RPC_SECRET: kamailio.rpcSecret,
      SIP_PUBLIC_ADDRESS: kamailio.sipUri,
    },
  };
}
