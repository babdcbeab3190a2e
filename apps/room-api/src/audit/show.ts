import type { AuditEntry } from '@partyline/contracts/audit/audit';
import { ANONYMOUS_OPERATOR, type AuditEntryRow } from '@partyline/store/audit/audit';

/** An entry as operators see it. */
export const showAuditEntry = (row: AuditEntryRow): AuditEntry => ({
  id: row.id,
  tenantId: row.tenant_id,
  actor: { kind: row.actor_kind as AuditEntry['actor']['kind'], id: row.actor_id },
  operation: row.operation,
  targets: row.targets as AuditEntry['targets'],
  changes: row.changes as AuditEntry['changes'],
  requestId: row.request_id,
  source: row.source,
  at: row.begun_at.toISOString(),
  endedAt: row.ended_at?.toISOString() ?? null,
  status: row.status,
  reason: row.reason,
});

/** Fields of a tenant that only operators see. */
const OPERATOR_ONLY_FIELDS: readonly string[] = ['name'];

/**
 * Returns the representation of an entry for a tenant. For a change by an operator it leaves out
 * the operator, the address, and fields about another tenant that had or received the same
 * resource.
 */
export function showAuditEntryToTenant(row: AuditEntryRow, tenantId: string): AuditEntry {
  const entry = showAuditEntry(row);
  if (row.tenant_id !== null) return entry;
  const own = (fields: object | undefined): Record<string, unknown> | undefined =>
    fields &&
    Object.fromEntries(
      Object.entries(fields)
        .filter(([name]) => !OPERATOR_ONLY_FIELDS.includes(name))
        .map(([name, value]) => [name, name === 'tenantId' && value !== tenantId ? null : (value as unknown)]),
    );
  const { before, after } = { before: own(entry.changes?.before), after: own(entry.changes?.after) };
  return {
    ...entry,
    actor: { kind: 'operator', id: ANONYMOUS_OPERATOR },
    targets: { ...entry.targets, tenantId },
    changes: entry.changes === null ? null : { ...(before && { before }), ...(after && { after }) },
    source: null,
  };
}
