import { rotateSecret } from '@partyline/store/endpoints/endpoints';
import type { EndpointDeps, EndpointWithSecret } from './create-endpoint.ts';
import { formatSecret } from './endpoint-secrets.ts';

/**
 * Gives an endpoint a new secret. Deliveries are also signed with the old secret for `overlapS`
 * seconds. Returns null when the tenant has no such endpoint.
 */
export async function rotateEndpointSecret(
  deps: Pick<EndpointDeps, 'store' | 'secret' | 'endpointSecrets'>,
  tenantId: string,
  id: string,
  overlapS: number,
): Promise<EndpointWithSecret | null> {
  const secret = formatSecret(deps.secret());
  const row = await rotateSecret(deps.store, tenantId, id, deps.endpointSecrets.encrypt(secret, id), overlapS);
  return row === null ? null : { row, secret };
}
