import { VerdictError } from '@partyline/domain/verdict';
import type { SipCredentials } from '@partyline/provider-contract/account-credentials';
import ipaddr from 'ipaddr.js';
import { isPublicHost } from '../public-host.ts';

/** Which hosts tenants may name. */
export interface TrunkPolicy {
  /** For development: also permits hosts in private networks. */
  readonly allowPrivate: boolean;
}

/**
 * Returns a trunk account with its addresses in canonical form, each once: `2001:DB8:0::1` becomes
 * `2001:db8::1`, as kamailio writes it, and `::ffff:192.0.2.1` becomes `192.0.2.1`.
 * Throws `trunk-address-rejected` (422) for a host or an address that is not public.
 */
export function checkTrunk(credentials: SipCredentials, { allowPrivate }: TrunkPolicy): SipCredentials {
  const { trunk } = credentials.voice;
  const addresses = credentials.voice.addresses.map((address) => ipaddr.process(address).toString());
  const host = trunk?.host.toLowerCase();
  if (!allowPrivate) {
    if (host !== undefined && !isPublicHost(host.replace(/:\d+$/, '')))
      throw notPublic('The host of the trunk is not public.', '/voice/trunk/host');
    const index = addresses.findIndex((address) => !isPublicHost(address));
    if (index >= 0) throw notPublic('An address of the trunk is not public.', `/voice/addresses/${index}`);
  }
  return {
    ...credentials,
    voice: {
      ...credentials.voice,
      ...(trunk !== undefined && host !== undefined && { trunk: { ...trunk, host } }),
      addresses: [...new Set(addresses)],
    },
  };
}

const notPublic = (message: string, field: string): VerdictError =>
  new VerdictError('client', 'trunk-address-rejected', message, {
    field,
    fix: 'Give the host and the addresses that your SIP trunk has on the internet.',
  });
