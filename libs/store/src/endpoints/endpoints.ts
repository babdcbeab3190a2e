import { NEW_DELIVERY_ID, enqueueDeliveries, appendEndpointEvent } from '../events/append-events.ts';
import type { endpoint } from '../generated/client.ts';
import { EVERY_TENANT, inTransaction, type Store, type Tx } from '../database/store.ts';

export type EndpointRow = endpoint;

interface NewEndpoint {
  readonly id: string;
  readonly url: string;
  readonly description: string;
  /** The event types that it receives; empty: all. */
  readonly types: readonly string[];
  readonly enabled: boolean;
  /** Encrypted. */
  readonly secret: Uint8Array;
}

/**
 * Inserts an endpoint. Returns `null` when the tenant has `maxEndpoints`; concurrent inserts are
 * counted one by one.
 */
export async function insertEndpoint(
  store: Store,
  tenantId: string,
  endpoint: NewEndpoint,
  maxEndpoints: number,
): Promise<EndpointRow | null> {
  return inTransaction(store, tenantId, async (tx) => {
    await tx.query({
      name: 'lock-endpoints',
      text: `SELECT pg_advisory_xact_lock(hashtextextended('endpoints of ' || $1, 0))`,
      values: [tenantId],
    });
    const { rows } = await tx.query<EndpointRow>({
      name: 'insert-endpoint',
      text: `INSERT INTO endpoint (
               id, tenant_id, url, description, types, enabled, secret, disabled_at, disabled_reason
             )
             SELECT $2, $1, $3, $4, $5, $6, $7,
               CASE WHEN NOT $6 THEN now() END, CASE WHEN NOT $6 THEN 'by-tenant' END
             WHERE (SELECT count(*) FROM endpoint WHERE tenant_id = $1 AND deleted_at IS NULL) < $8
             RETURNING *`,
      values: [
        tenantId,
        endpoint.id,
        endpoint.url,
        endpoint.description,
        endpoint.types,
        endpoint.enabled,
        endpoint.secret,
        maxEndpoints,
      ],
    });
    return rows[0] ?? null;
  });
}

/** Returns all endpoints of a tenant, oldest first. */
export async function listEndpoints(store: Store, tenantId: string): Promise<EndpointRow[]> {
  const { rows } = await store.query<EndpointRow>(tenantId, {
    name: 'list-endpoints',
    text: `SELECT *
           FROM endpoint
           WHERE tenant_id = $1 AND deleted_at IS NULL
           ORDER BY created_at, id`,
    values: [tenantId],
  });
  return rows;
}

/** Returns a tenant's endpoint; `null` when there is none. */
export async function readEndpoint(store: Store, tenantId: string, id: string): Promise<EndpointRow | null> {
  const { rows } = await store.query<EndpointRow>(tenantId, {
    name: 'read-endpoint',
    text: `SELECT *
           FROM endpoint
           WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL`,
    values: [tenantId, id],
  });
  return rows[0] ?? null;
}

/** The fields that a tenant may change. A field that is left out keeps its value. */
export interface EndpointChange {
  readonly url?: string;
  readonly description?: string;
  readonly types?: readonly string[];
  readonly enabled?: boolean;
}

/**
 * Updates a tenant's endpoint; `null` when there is none. Enabling it or setting its URL resets its
 * failures.
 */
export async function updateEndpoint(
  store: Store,
  tenantId: string,
  id: string,
  { url, description, types, enabled }: EndpointChange,
): Promise<EndpointRow | null> {
  const { rows } = await store.query<EndpointRow>(tenantId, {
    name: 'update-endpoint',
    text: `UPDATE endpoint
           SET url = COALESCE($3, url), description = COALESCE($4, description), types = COALESCE($5::text[], types),
             enabled = COALESCE($6, enabled),
             disabled_at =
               CASE WHEN $6 THEN NULL WHEN NOT $6 AND enabled THEN clock_timestamp() ELSE disabled_at END,
             disabled_reason =
               CASE WHEN $6 THEN NULL WHEN NOT $6 AND enabled THEN 'by-tenant' ELSE disabled_reason END,
             failures = CASE WHEN $6 OR $3 IS NOT NULL THEN 0 ELSE failures END,
             failing_since = CASE WHEN $6 OR $3 IS NOT NULL THEN NULL ELSE failing_since END,
             probe_at = CASE WHEN $6 OR $3 IS NOT NULL THEN NULL ELSE probe_at END
           WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL
           RETURNING *`,
    values: [tenantId, id, url ?? null, description ?? null, types ?? null, enabled ?? null],
  });
  return rows[0] ?? null;
}

/** Deletes a tenant's endpoint; `false` when there is none. Its pending deliveries are not sent. */
export async function deleteEndpoint(store: Store, tenantId: string, id: string): Promise<boolean> {
  const { rowCount } = await store.query(tenantId, {
    name: 'delete-endpoint',
    text: `UPDATE endpoint
           SET deleted_at = clock_timestamp(), enabled = false
           WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL`,
    values: [tenantId, id],
  });
  return rowCount === 1;
}

/**
 * Sets a new encrypted secret; the old one signs too for `overlapS` more seconds. Returns `null`
 * when there is no such endpoint.
 */
export async function rotateSecret(
  store: Store,
  tenantId: string,
  id: string,
  secret: Uint8Array,
  overlapS: number,
): Promise<EndpointRow | null> {
  const { rows } = await store.query<EndpointRow>(tenantId, {
    name: 'rotate-endpoint-secret',
    text: `UPDATE endpoint
           SET old_secret = CASE WHEN $4 > 0 THEN secret END,
             old_secret_until = CASE WHEN $4 > 0 THEN clock_timestamp() + make_interval(secs => $4) END,
             secret = $3
           WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL
           RETURNING *`,
    values: [tenantId, id, secret, overlapS],
  });
  return rows[0] ?? null;
}

/** Locks a tenant's endpoint for a change; `null` when there is none. */
async function lockEndpoint(tx: Tx, tenantId: string, id: string): Promise<EndpointRow | null> {
  const { rows } = await tx.query<EndpointRow>({
    name: 'lock-endpoint',
    text: `SELECT *
           FROM endpoint
           WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL
           FOR NO KEY UPDATE`,
    values: [tenantId, id],
  });
  return rows[0] ?? null;
}

/**
 * Sends a ping event to one endpoint only. Returns its delivery; `disabled`: the endpoint is
 * disabled; `null`: there is none.
 */
export async function pingEndpoint(
  store: Store,
  tenantId: string,
  id: string,
): Promise<{ deliveryId: string; endpointId: string; seq: number } | 'disabled' | null> {
  return inTransaction(store, tenantId, async (tx) => {
    const row = await lockEndpoint(tx, tenantId, id);
    if (row === null) return null;
    if (!row.enabled) return 'disabled';
    const outboxId = await appendEndpointEvent(tx, tenantId, id, { type: 'endpoint.ping', data: { endpointId: id } });
    const { rows } = await tx.query<{ id: string; seq: number }>({
      name: 'deliver-to-one',
      text: `INSERT INTO delivery (id, tenant_id, endpoint_id, event_id, stream, seq, next_try_at)
             SELECT ${NEW_DELIVERY_ID}, $1, $2, o.id, $2, o.seq, date_trunc('milliseconds', now())
             FROM outbox o
             WHERE o.tenant_id = $1 AND o.id = $3
             RETURNING id, seq`,
      values: [tenantId, id, outboxId],
    });
    return { deliveryId: rows[0]!.id, endpointId: id, seq: rows[0]!.seq };
  });
}

/**
 * Disables an endpoint and emits an event to the tenant's other endpoints. Returns `false` when it
 * is disabled or missing.
 */
export async function disableEndpoint(
  store: Store,
  tenantId: string,
  id: string,
  reason: 'gone' | 'failing',
): Promise<boolean> {
  return inTransaction(store, tenantId, async (tx) => {
    const row = await lockEndpoint(tx, tenantId, id);
    if (row === null || !row.enabled) return false;
    await tx.query({
      name: 'disable-endpoint',
      text: `UPDATE endpoint
             SET enabled = false, disabled_at = clock_timestamp(), disabled_reason = $3
             WHERE tenant_id = $1 AND id = $2`,
      values: [tenantId, id, reason],
    });
    await enqueueDeliveries(
      tx,
      tenantId,
      await appendEndpointEvent(tx, tenantId, id, {
        type: 'endpoint.disabled',
        data: { endpointId: id, url: row.url, reason },
      }),
    );
    return true;
  });
}

/** The encrypted secrets of an endpoint. */
interface EncryptedSecrets {
  readonly secret: Uint8Array;
  readonly oldSecret: Uint8Array | null;
}

/** Returns the secrets of all tenants' endpoints by id, after the endpoint `after`. */
export async function listEndpointSecretsToRewrap(
  store: Store,
  { after, limit }: { after: string; limit: number },
): Promise<(EncryptedSecrets & { readonly id: string; readonly tenantId: string })[]> {
  const { rows } = await store.query<EncryptedSecrets & { id: string; tenantId: string }>(EVERY_TENANT, {
    name: 'endpoint-secrets-to-rewrap',
    text: `SELECT id, tenant_id AS "tenantId", secret, old_secret AS "oldSecret"
           FROM endpoint
           WHERE id > $1 AND deleted_at IS NULL
           ORDER BY id
           LIMIT $2`,
    values: [after, limit],
  });
  return rows;
}

/**
 * Replaces an endpoint's secrets by those of another key. Returns `false` unless they are `before`.
 */
export async function replaceEndpointSecrets(
  store: Store,
  tenantId: string,
  { id, before, after }: { id: string; before: EncryptedSecrets; after: EncryptedSecrets },
): Promise<boolean> {
  const { rowCount } = await store.query(tenantId, {
    name: 'replace-endpoint-secrets',
    text: `UPDATE endpoint
           SET secret = $5, old_secret = $6
           WHERE tenant_id = $1 AND id = $2 AND secret = $3 AND old_secret IS NOT DISTINCT FROM $4`,
    values: [tenantId, id, before.secret, before.oldSecret, after.secret, after.oldSecret],
  });
  return rowCount === 1;
}
