import type { Operation } from '../operation.ts';
import { AuditPage, ListAudit } from './audit.ts';

/** The media type of a whole audit log, one entry per line. */
export const NDJSON = 'application/x-ndjson';

export const AUDIT_OPERATIONS: readonly Operation[] = [
  {
    id: 'listAudit',
    method: 'get',
    path: '/v1/audit',
    tag: 'audit',
    scope: 'admin',
    whileSuspended: true,
    summary: 'List audit entries',
    description:
      'Every change and every read of full phone numbers requested with your keys, and what operators changed for you, newest first. With ' +
      '`accept: application/x-ndjson` the reply holds all entries that match, one per line.',
    query: ListAudit,
    reply: { status: 200, schema: AuditPage, also: [NDJSON] },
    reasons: [],
  },
];
