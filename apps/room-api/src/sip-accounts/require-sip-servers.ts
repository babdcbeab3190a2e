import { sipNotConfigured } from '@partyline/domain/sip-not-configured';
import type { ApiDeps } from '../deps.ts';

/**
 * Returns the address of the platform's SIP servers. Throws `sip-not-configured` (503) for a platform
 * without them.
 */
export function requireSipServers({ connectionDetails: { sipAddress } }: Pick<ApiDeps, 'connectionDetails'>): string {
  if (sipAddress === null) throw sipNotConfigured();
  return sipAddress;
}
