import type { AuditEntry } from '@partyline/contracts/audit';
import type { EntryRow } from '@partyline/store/audit';

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
