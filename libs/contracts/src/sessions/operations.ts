import type { Operation } from '../operation.ts';
import { EndedSession, ListSessions, Session, SessionEvents, SessionLegs, SessionPage } from './session.ts';

export const SESSION_OPERATIONS: readonly Operation[] = [
  {
    id: 'listSessions',
    method: 'get',
    path: '/v1/sessions',
    tag: 'sessions',
    scope: 'rooms:read',
    summary: 'List sessions',
    description: 'Your sessions, newest first. You can filter by room, state and creation time.',
    query: ListSessions,
    reply: { status: 200, schema: SessionPage },
    reasons: [],
  },
  {
    id: 'getSession',
    method: 'get',
    path: '/v1/sessions/{sessionId}',
    tag: 'sessions',
    scope: 'rooms:read',
    summary: 'Get a session',
    description: 'One session: its state, its times, and why it ended or will end.',
    reply: { status: 200, schema: Session },
    reasons: ['session-not-found'],
  },
  {
    id: 'listSessionLegs',
    method: 'get',
    path: '/v1/sessions/{sessionId}/legs',
    tag: 'sessions',
    scope: 'rooms:read',
    summary: 'List the connections of a session',
    description: 'Every connection of the session with its hang-up, oldest first.',
    reply: { status: 200, schema: SessionLegs },
    reasons: ['session-not-found'],
  },
  {
    id: 'endSession',
    method: 'post',
    path: '/v1/sessions/{sessionId}/end',
    tag: 'sessions',
    scope: 'rooms:write',
    ends: true,
    summary: 'End a session',
    description:
      'Ends the session and hangs up every connection. The room stays active: the next participant who joins opens ' +
      'its next session. A repeated request returns the current state. The request has no body.',
    reply: { status: 202, schema: EndedSession },
    reasons: ['session-not-found'],
  },
  {
    id: 'listSessionEvents',
    method: 'get',
    path: '/v1/sessions/{sessionId}/events',
    tag: 'sessions',
    scope: 'events:read',
    summary: 'List the events of a session',
    description: 'The events of a session, oldest first, numbered without gaps.',
    reply: { status: 200, schema: SessionEvents },
    reasons: ['session-not-found'],
  },
];
