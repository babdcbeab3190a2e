import { noSession, type Operation } from '../operation.ts';
import { SessionEvents } from '../session.ts';

export const SESSION_OPERATIONS: readonly Operation[] = [
  {
    id: 'listSessionEvents', method: 'get', path: '/v1/sessions/{sessionId}/events', tag: 'sessions', scope: 'events:read', summary: 'See what happened in a session',
    description: 'Every event of a session, oldest first, numbered without a gap.', reply: { status: 200, schema: SessionEvents },
    problems: noSession,
  },
];
