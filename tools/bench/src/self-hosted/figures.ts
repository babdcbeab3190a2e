import { readdirSync, readFileSync } from 'node:fs';
import type { SelfHosted } from '@partyline/dev/stack/self-hosted';
import { countHandles, type HandleCounts } from '@partyline/janus/admin/count-handles';
import { listDialogs } from '@partyline/provider-janus/dialogs';
import { processorSeconds, processTreeSeconds } from '../processor-time.ts';

/** The measured servers. kamailio has a process for each worker. */
export const SERVERS = ['gateway', 'janus', 'kamailio'] as const;
type ServerName = (typeof SERVERS)[number];
export type ByServer = Readonly<Record<ServerName, number>>;

const pidsOf = ({ gateways: [gateway], kamailio }: SelfHosted) => ({
  gateway: gateway!.child!.pid,
  janus: gateway!.janus.pid,
  kamailio: kamailio.pid,
});

/** Seconds of processor time that each server has used. */
export function readProcessorTime(selfHosted: SelfHosted): ByServer {
  const { gateway, janus, kamailio } = pidsOf(selfHosted);
  return {
    gateway: processorSeconds(gateway),
    janus: processorSeconds(janus),
    kamailio: processTreeSeconds(kamailio),
  };
}

/** Resident memory of the gateway and of its Janus, in bytes. */
export function readMemory(selfHosted: SelfHosted): { readonly gateway: number; readonly janus: number } {
  const { gateway, janus } = pidsOf(selfHosted);
  return { gateway: residentBytes(gateway), janus: residentBytes(janus) };
}

/** What calls could leave behind. */
export interface Holdings {
  /** Open files and sockets; every RTP port is one. */
  readonly gatewayFiles: number;
  readonly janusFiles: number;
  readonly handles: HandleCounts;
  /** Calls that kamailio knows. */
  readonly dialogs: number;
}

const RPC_TIMEOUT_MS = 10_000;

export async function readHoldings(selfHosted: SelfHosted): Promise<Holdings> {
  const { gateway, janus } = pidsOf(selfHosted);
  const { rpcUrl, rpcSecret } = selfHosted.kamailio;
  const { dialogs } = await listDialogs({ url: rpcUrl, secret: rpcSecret }, RPC_TIMEOUT_MS);
  return {
    gatewayFiles: countFiles(gateway),
    janusFiles: countFiles(janus),
    handles: await countHandles(selfHosted.gateways[0]!.janus),
    dialogs: dialogs.length,
  };
}

const countFiles = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;

function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) * 1_024;
}
