import { badQuery, noSession, type Operation } from '../operation.ts';
import { EndedSession, ListSessions, Session, SessionEvents, SessionLegs, SessionPage } from '../session.ts';

export const SESSION_OPERATIONS: readonly Operation[] = [
  {
    id: 'listSessions', method: 'get', path: '/v1/sessions', tag: 'sessions', scope: 'rooms:read', summary: 'List sessions', description: 'Your sessions, newest first, a page at a time: of one room, in one state, or of a time.',
    query: ListSessions, reply: { status: 200, schema: SessionPage }, problems: badQuery,
  },
  { id: 'getSession', method: 'get', path: '/v1/sessions/{sessionId}', tag: 'sessions', scope: 'rooms:read', summary: 'Look at a session', description: 'One meeting in a room: its state, its times, and why it ended or will end.', reply: { status: 200, schema: Session }, problems: noSession },
  {
    id: 'listSessionLegs', method: 'get', path: '/v1/sessions/{sessionId}/legs', tag: 'sessions', scope: 'rooms:read', summary: 'See a session’s connections',
    description: 'Every connection of the session, oldest first, with its line in the hang-up ledger.', reply: { status: 200, schema: SessionLegs }, problems: noSession,
  },
  {
    id: 'endSession', method: 'post', path: '/v1/sessions/{sessionId}/end', tag: 'sessions', scope: 'rooms:write', ends: true, summary: 'End a session',
    description: 'Ends this meeting and hangs everybody up; the room stays, and who comes next opens its next session. Again: says how far it is. Takes no body.',
    reply: { status: 202, schema: EndedSession }, problems: noSession,
  },
  {
    id: 'listSessionEvents', method: 'get', path: '/v1/sessions/{sessionId}/events', tag: 'sessions', scope: 'events:read', summary: 'See what happened in a session',
    description: 'Every event of a session, oldest first, numbered without a gap.', reply: { status: 200, schema: SessionEvents },
    problems: noSession,
  },
];
