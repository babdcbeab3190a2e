import {
  updateEndpoint as updateRow,
  type EndpointChange,
  type EndpointRow,
} from '@partyline/store/endpoints/endpoints';
import { checkAddress } from './check-address.ts';
import type { EndpointDeps } from './create-endpoint.ts';

/**
 * Changes an endpoint. Returns null when the tenant has no such endpoint. Throws `url-rejected`
 * (422).
 */
export async function updateEndpoint(
  deps: Pick<EndpointDeps, 'store' | 'addresses'>,
  tenantId: string,
  id: string,
  change: EndpointChange,
): Promise<EndpointRow | null> {
  return updateRow(deps.store, tenantId, id, {
    ...change,
    ...(change.url === undefined ? {} : { url: checkAddress(change.url, deps.addresses) }),
  });
}
