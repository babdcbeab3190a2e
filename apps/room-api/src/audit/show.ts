import type { AuditEntry } from '@partyline/contracts/audit/audit';
import { SOME_OPERATOR, type EntryRow } from '@partyline/store/audit/audit';

/** An entry as the API shows it. */
export const showEntry = (row: EntryRow): AuditEntry => ({
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

/** What only operators see of a tenant. */
const OPERATORS_FIELDS: readonly string[] = ['name'];

/**
 * An entry as a tenant is shown it: its own as it is; of what an operator did to it neither who that is nor from where, and nothing of another tenant, who had or got
 * the same thing.
 */
export function showToTenant(row: EntryRow, tenantId: string): AuditEntry {
  const entry = showEntry(row);
  if (row.tenant_id !== null) return entry;
  const own = (fields: object | undefined): Record<string, unknown> | undefined =>
    fields &&
    Object.fromEntries(
      Object.entries(fields)
        .filter(([name]) => !OPERATORS_FIELDS.includes(name))
        .map(([name, value]) => [name, name === 'tenantId' && value !== tenantId ? null : (value as unknown)]),
    );
  const { before, after } = { before: own(entry.changes?.before), after: own(entry.changes?.after) };
  return {
    ...entry,
    actor: { kind: 'operator', id: SOME_OPERATOR },
    targets: { ...entry.targets, tenantId },
    changes: entry.changes === null ? null : { ...(before && { before }), ...(after && { after }) },
    source: null,
  };
}
