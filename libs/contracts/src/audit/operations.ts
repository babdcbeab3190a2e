import { AuditPage, ListAudit } from './audit.ts';
import { badQuery, type Operation } from '../operation.ts';

/** The media type in which an audit log is had whole, a line for each entry. */
export const NDJSON = 'application/x-ndjson';

export const AUDIT_OPERATIONS: readonly Operation[] = [
  {
    id: 'listAudit',
    method: 'get',
    path: '/v1/audit',
    tag: 'audit',
    scope: 'admin',
    whileSuspended: true,
    summary: 'See who changed what',
    description:
      'Every change that was asked for with a key of yours, and what operators did to you, newest first, a page at a time; asked with `accept: application/x-ndjson`, all that the filters let through, an entry a line.',
    query: ListAudit,
    reply: { status: 200, schema: AuditPage, also: [NDJSON] },
    problems: badQuery,
  },
];
