import type { Ids } from '@partyline/domain/clock';
import { VerdictError } from '@partyline/domain/verdict';
import {
  insertEndpoint,
  rotateSecret,
  updateEndpoint,
  type EndpointChange,
  type EndpointRow,
} from '@partyline/store/endpoints/endpoints';
import type { Store } from '@partyline/store/database/store';
import { checkAddress, type AddressPolicy } from './check-address.ts';
import { writeSecret, type EndpointSecrets } from './endpoint-secrets.ts';

interface EndpointDeps {
  readonly store: Store;
  readonly ids: Ids;
  /** 256 random bits in base64url. */
  readonly secret: () => string;
  readonly endpointSecrets: EndpointSecrets;
  readonly addresses: AddressPolicy;
}

/** Endpoints that a tenant may have. */
const MOST_ENDPOINTS = 10;

/** An endpoint with its secret, which is shown this once. */
interface WithSecret {
  readonly row: EndpointRow;
  readonly secret: string;
}

/** Makes an endpoint, to be sent events from the next one on. Throws `url-rejected`, and `too-many-endpoints` when its tenant has ten. */
export async function createEndpoint(
  deps: EndpointDeps,
  tenantId: string,
  { url, description, types, enabled }: Required<EndpointChange>,
): Promise<WithSecret> {
  const id = deps.ids.next('ep');
  const secret = writeSecret(deps.secret());
  const row = await insertEndpoint(
    deps.store,
    tenantId,
    {
      id,
      url: checkAddress(url, deps.addresses),
      description,
      types,
      enabled,
      secret: deps.endpointSecrets.seal(secret, id),
    },
    MOST_ENDPOINTS,
  );
  if (row === null)
    throw new VerdictError(
      'client',
      'too-many-endpoints',
      `You have ${MOST_ENDPOINTS} endpoints, which is as many as there can be.`,
      { fix: 'Delete one that you do not need: GET /v1/endpoints lists them.' },
    );
  return { row, secret };
}

/** Changes an endpoint; `null` when its tenant has no such. Throws `url-rejected`. */
export async function changeEndpoint(
  deps: EndpointDeps,
  tenantId: string,
  id: string,
  change: EndpointChange,
): Promise<EndpointRow | null> {
  return updateEndpoint(deps.store, tenantId, id, {
    ...change,
    ...(change.url === undefined ? {} : { url: checkAddress(change.url, deps.addresses) }),
  });
}

/** Gives an endpoint a new secret; the one it had signs too for `overlapS` seconds more. `null` when its tenant has no such endpoint. */
export async function rotateEndpointSecret(
  deps: EndpointDeps,
  tenantId: string,
  id: string,
  overlapS: number,
): Promise<WithSecret | null> {
  const secret = writeSecret(deps.secret());
  const row = await rotateSecret(deps.store, tenantId, id, deps.endpointSecrets.seal(secret, id), overlapS);
  return row === null ? null : { row, secret };
}
