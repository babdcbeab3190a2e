import { writeEdgeTenants, type EdgeTenants } from '@partyline/provider-janus/edge-tenants';
import type { GatewayEnvironment, ProviderEnvironment } from './from-environment.ts';

/** The SIP edge of the platform. */
export interface SipEdge {
  /** Whether the platform's first account is at our own gateways too. */
  readonly isPlatformHere: boolean;
  /** Reads the trunks and phones of all tenants, and writes them to it. Returns the number of changed entries. */
  write(read: () => Promise<EdgeTenants>): Promise<number>;
}

/** Returns the SIP edge of the platform; null for a platform without one. */
export const openSipEdge = (
  {
    VIDEO_MODE,
    KAMAILIO_RPC_URL: url,
    KAMAILIO_RPC_SECRET: secret,
  }: GatewayEnvironment & Pick<ProviderEnvironment, 'VIDEO_MODE'>,
  timeoutMs: number,
): SipEdge | null =>
  url === undefined || secret === undefined
    ? null
    : {
        isPlatformHere: VIDEO_MODE === 'janus',
        write: (read) => writeEdgeTenants({ url, secret }, timeoutMs, read),
      };
