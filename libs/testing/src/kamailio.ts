import { createSelfSignedCertificate } from './certificate.ts';
import { requestTestServices } from './services.ts';

/** A trunk of a tenant, or a phone that acts as one. */
export interface TestTrunk {
  /** The IP address from which calls come and to which a gateway may place calls. */
  readonly address: string;
  /** Its port; 0 means every port. */
  readonly port: number;
  /** The account of its calls, in the header X-Partyline-Account. */
  readonly account: string;
}

export interface TestKamailioOptions {
  readonly trunks?: readonly TestTrunk[];
  /** A gateway that has not answered by then is passed over. */
  readonly gatewayAnswerMs?: number;
  /** A gateway that rings must answer the call by then. */
  readonly gatewayDecideMs?: number;
  /** A BYE is repeated for so long until the phone answers it. */
  readonly byeMs?: number;
  /** Requests of an unknown address in two seconds, beyond which it is ignored. */
  readonly floodRequests?: number;
  /** Requests a second from the trunks of a tenant's account, beyond which they are ignored. */
  readonly accountRequests?: number;
  /** Calls at the same time from the trunks of a tenant's account. */
  readonly accountCalls?: number;
  /** Calls at the same time from all phones of a tenant. */
  readonly tenantPhoneCalls?: number;
  /** Rejects trunks of tenants in private networks. */
  readonly publicTrunksOnly?: boolean;
  /** The networks that count as private, comma-separated. */
  readonly privateNetworks?: string;
  /** Also listens for TLS, with a self-signed certificate. */
  readonly tls?: boolean;
  /** The `control` of the rtpengine through which the audio of all calls goes. */
  readonly rtpengine?: string;
  /** A Postgres database in which calls and registrations survive a restart. */
  readonly databaseUrl?: string;
}

/** The SIP edge on loopback. It accepts gateways from 127.0.0.1. */
export interface TestKamailio {
  /** Host and port for SIP over UDP and TCP. */
  readonly sipUri: string;
  /** Host and port for SIP over TLS; undefined without `tls`. */
  readonly tlsUri: string | undefined;
  /** JSON-RPC over HTTP. Requests need the header `Authorization: Bearer <rpcSecret>`. */
  readonly rpcUrl: string;
  readonly rpcSecret: string;
  /** The password of each user `gw-<id>`, with which a gateway registers. */
  readonly gatewaySecret: string;
  /** The process id, which changes with a restart. */
  readonly pid: number;
  /** Adds a trunk without a restart. Takes up to a second; trunks of the options take no time. */
  addTrunk(trunk: TestTrunk): Promise<void>;
  /** Calls a method of the RPC, e.g. `dlg.list`. Rejects with its error. */
  rpc<T>(method: string, ...parameters: readonly unknown[]): Promise<T>;
  /** Kills all processes of the server (SIGKILL). */
  crash(): Promise<void>;
  /** Starts a crashed or running server again, with the same ports, secrets and trunks. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

type Description = { id: string } & Pick<
  TestKamailio,
  'sipUri' | 'tlsUri' | 'rpcUrl' | 'rpcSecret' | 'gatewaySecret' | 'pid'
>;

/** Starts a kamailio server for one test file. It ends with `stop`, or with the test run. */
export async function createTestKamailio(options: TestKamailioOptions = {}): Promise<TestKamailio> {
  const { tls: isEncrypted, ...others } = options;
  const tls = isEncrypted ? { tls: createSelfSignedCertificate('127.0.0.1') } : {};
  let current = await requestTestServices<Description>('POST', '/kamailio', { ...others, ...tls });
  const { id, sipUri, tlsUri, rpcUrl, rpcSecret, gatewaySecret } = current;
  const act = async (action: string, argument?: object): Promise<void> => {
    current = await requestTestServices<Description>('POST', `/kamailio/${id}/${action}`, argument);
  };
  return {
    sipUri,
    tlsUri,
    rpcUrl,
    rpcSecret,
    gatewaySecret,
    get pid() {
      return current.pid;
    },
    addTrunk: (trunk) => act('trunks', trunk),
    async rpc<T>(method: string, ...parameters: readonly unknown[]) {
      const reply = await fetch(rpcUrl, {
        method: 'POST',
        headers: { authorization: `Bearer ${rpcSecret}` },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: parameters }),
      });
      const body = (await reply.json()) as { result: T; error?: { code: number; message: string } };
      if (body.error) throw new Error(`${method} failed with ${body.error.code}: ${body.error.message}`);
      return body.result;
    },
    crash: () => act('crash'),
    restart: () => act('restart'),
    async stop() {
      await requestTestServices('DELETE', `/kamailio/${id}`);
    },
  };
}
