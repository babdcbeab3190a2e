import { writeEdgeAccounts, type EdgeAccount } from '@partyline/provider-janus/edge-accounts';
import type { GatewayEnvironment } from './from-environment.ts';

/** Writes the SIP accounts of all tenants to the SIP edge. Returns the number of changed entries. */
export type WriteSipAccounts = (accounts: readonly EdgeAccount[]) => Promise<number>;

/** Returns what writes SIP accounts to the platform's SIP edge; null for a platform without one. */
export const openSipEdge = (
  { KAMAILIO_RPC_URL: url, KAMAILIO_RPC_SECRET: secret }: GatewayEnvironment,
  timeoutMs: number,
): WriteSipAccounts | null =>
  url === undefined || secret === undefined
    ? null
    : (accounts) => writeEdgeAccounts({ url, secret }, timeoutMs, accounts);
