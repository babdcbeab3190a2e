import type { audit_entry } from '../generated/client.ts';
import { EVERY_TENANT, type Scope, type Store } from '../database/store.ts';

/**
 * A requested change, before it is made. No field may contain a secret, a PIN or a phone number.
 */
interface NewAuditEntry {
  readonly id: string;
  readonly actor: { readonly kind: 'key' | 'operator'; readonly id: string };
  readonly operation: string;
  readonly targets: Readonly<Record<string, string>>;
  /** For an operator's change: the affected tenants, which may read the entry. */
  readonly about: readonly string[];
  readonly requestId: string;
  /** The client's IP address. */
  readonly source: string;
}

/** The outcome of the change. */
export interface AuditOutcome {
  readonly status: number;
  /** Null: the change was made. */
  readonly reason: string | null;
  /** Targets that were known only after the change. */
  readonly targets: Readonly<Record<string, string>>;
  /** `tenants`: further affected tenants, known only after the change. */
  readonly changes: { readonly before?: object; readonly after?: object; readonly tenants?: readonly string[] } | null;
}

const scopeOf = (tenantId: string | null): Scope => tenantId ?? EVERY_TENANT;

/** Opens an entry before the change begins. `tenantId` is null for an operator's change. */
export async function openAuditEntry(store: Store, tenantId: string | null, entry: NewAuditEntry): Promise<void> {
  await store.query(scopeOf(tenantId), {
    name: 'open-audit-entry',
    text: `INSERT INTO audit_entry (id, tenant_id, actor_kind, actor_id, operation, targets, request_id, source, about)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    values: [
      entry.id,
      tenantId,
      entry.actor.kind,
      entry.actor.id,
      entry.operation,
      JSON.stringify(entry.targets),
      entry.requestId,
      entry.source,
      entry.about,
    ],
  });
}

/** Closes an entry with the outcome of its change. */
export async function closeAuditEntry(
  store: Store,
  tenantId: string | null,
  entryId: string,
  { status, reason, targets, changes }: AuditOutcome,
): Promise<void> {
  const { tenants = [], ...fields } = changes ?? {};
  // Only an operator's entry has further readers; the database rejects `about` from a tenant.
  const about = tenantId === null ? ', about = ARRAY(SELECT DISTINCT unnest(about || $7::text[]))' : '';
  await store.query(scopeOf(tenantId), {
    name: tenantId === null ? 'close-operators-entry' : 'close-audit-entry',
    text: `UPDATE audit_entry
           SET ended_at = now(), status = $3, reason = $4, targets = targets || $5::jsonb, changes = $6${about}
           WHERE tenant_id IS NOT DISTINCT FROM $1 AND id = $2`,
    values: [
      tenantId,
      entryId,
      status,
      reason,
      JSON.stringify(targets),
      changes === null ? null : JSON.stringify(fields),
      ...(tenantId === null ? [tenants] : []),
    ],
  });
}

export type AuditEntryRow = audit_entry;

export interface AuditFilter {
  /** Entries in [from, to). */
  readonly from?: Date | undefined;
  readonly to?: Date | undefined;
  /** The id of a key or an operator. */
  readonly actor?: string | undefined;
  readonly operation?: string | undefined;
  /** In the operator's log: the tenant's own entries and operators' entries about it. */
  readonly tenantId?: string | undefined;
}

/** The actor that a tenant sees for every operator. */
export const ANONYMOUS_OPERATOR = 'operator';

const PAGE = `
  AND begun_at >= COALESCE($1, '-infinity'::timestamptz) AND begun_at < COALESCE($2, 'infinity'::timestamptz)
  AND ($4::text IS NULL OR operation = $4)
  AND (begun_at, id) < (
    COALESCE((SELECT c.begun_at FROM audit_entry c WHERE c.id = $6), 'infinity'),
    COALESCE($6::text, '')
  )
  ORDER BY begun_at DESC, id DESC
  LIMIT $5`;
const SELECT_ALL_ENTRIES = `
  SELECT *
  FROM audit_entry
  WHERE ($7::text IS NULL OR tenant_id = $7 OR about @> ARRAY[$7]) AND ($3::text IS NULL OR actor_id = $3) ${PAGE}`;
// A union, so that each half uses its own index.
const SELECT_TENANT_ENTRIES = `
  SELECT *
  FROM (
    (
      SELECT *
      FROM audit_entry
      WHERE tenant_id = $7 AND ($3::text IS NULL OR actor_id = $3) ${PAGE}
    )
    UNION ALL
    (
      SELECT *
      FROM audit_entry
      WHERE about @> ARRAY[$7::text] AND ($3::text IS NULL OR $3 = '${ANONYMOUS_OPERATOR}') ${PAGE}
    )
  ) AS entry
  ORDER BY begun_at DESC, id DESC
  LIMIT $5`;

/**
 * Returns a page of the log, newest first: for a tenant, the changes by its keys and by operators
 * to it; for an operator, all. `after` is the last id of the page before. The rows name the
 * operators; hide them from tenants (`ANONYMOUS_OPERATOR`).
 */
export async function listAuditEntries(
  store: Store,
  tenantId: Scope,
  filter: AuditFilter,
  { limit, after }: { limit: number; after?: string | undefined },
): Promise<AuditEntryRow[]> {
  const ofAll = tenantId === EVERY_TENANT;
  const { rows } = await store.query<AuditEntryRow>(tenantId, {
    name: ofAll ? 'list-audit-of-all' : 'list-audit',
    text: ofAll ? SELECT_ALL_ENTRIES : SELECT_TENANT_ENTRIES,
    values: [
      filter.from ?? null,
      filter.to ?? null,
      filter.actor ?? null,
      filter.operation ?? null,
      limit,
      after ?? null,
      ofAll ? (filter.tenantId ?? null) : tenantId,
    ],
  });
  return rows;
}

/** Whether an entry exists, as a valid cursor for the next page. */
export async function hasAuditEntry(store: Store, tenantId: Scope, id: string): Promise<boolean> {
  const { rowCount } = await store.query(tenantId, {
    name: 'has-audit-entry',
    text: 'SELECT 1 FROM audit_entry WHERE id = $1',
    values: [id],
  });
  return rowCount === 1;
}
