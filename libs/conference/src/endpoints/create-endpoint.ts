import type { Ids } from '@partyline/domain/clock';
import { VerdictError } from '@partyline/domain/verdict';
import { insertEndpoint, type EndpointChange, type EndpointRow } from '@partyline/store/endpoints/endpoints';
import type { Store } from '@partyline/store/database/store';
import { checkAddress, type AddressPolicy } from './check-address.ts';
import { formatSecret, type EndpointSecrets } from './endpoint-secrets.ts';

export interface EndpointDeps {
  readonly store: Store;
  readonly ids: Ids;
  /** 256 random bits in base64url. */
  readonly secret: () => string;
  readonly endpointSecrets: EndpointSecrets;
  readonly addresses: AddressPolicy;
}

/** Endpoints that one tenant may have. */
const MAX_ENDPOINTS = 10;

/** An endpoint with its plaintext secret, which is displayed only in this response. */
export interface EndpointWithSecret {
  readonly row: EndpointRow;
  readonly secret: string;
}

/**
 * Creates an endpoint. It receives the events recorded from now on.
 * Throws `url-rejected` (422) and `too-many-endpoints` (409).
 */
export async function createEndpoint(
  deps: EndpointDeps,
  tenantId: string,
  { url, description, types, enabled }: Required<EndpointChange>,
): Promise<EndpointWithSecret> {
  const id = deps.ids.next('ep');
  const secret = formatSecret(deps.secret());
  const row = await insertEndpoint(
    deps.store,
    tenantId,
    {
      id,
      url: checkAddress(url, deps.addresses),
      description,
      types,
      enabled,
      secret: deps.endpointSecrets.encrypt(secret, id),
    },
    MAX_ENDPOINTS,
  );
  if (row === null)
    throw new VerdictError(
      'client',
      'too-many-endpoints',
      `You have ${MAX_ENDPOINTS} endpoints, which is the maximum.`,
      { fix: 'Delete one that you do not need: GET /v1/endpoints lists them.' },
    );
  return { row, secret };
}
