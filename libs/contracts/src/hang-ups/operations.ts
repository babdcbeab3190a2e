import { HangUpPage, ListHangUps, SessionHangUps } from './hang-up.ts';
import { badQuery, noSession, type Operation } from '../operation.ts';

export const HANG_UP_OPERATIONS: readonly Operation[] = [
  {
    id: 'listHangUps',
    method: 'get',
    path: '/v1/hang-ups',
    tag: 'hang-ups',
    scope: 'rooms:read',
    whileSuspended: true,
    summary: 'See every hang-up',
    description:
      'Your connections that are or were to be hung up, those owed last first, a page at a time: each with every attempt and with what the provider was seen to say.',
    query: ListHangUps,
    reply: { status: 200, schema: HangUpPage },
    problems: badQuery,
  },
  {
    id: 'listSessionHangUps',
    method: 'get',
    path: '/v1/sessions/{sessionId}/hang-ups',
    tag: 'hang-ups',
    scope: 'rooms:read',
    whileSuspended: true,
    summary: 'See a session’s hang-ups',
    description:
      'The same for all connections of one session: once it has ended, each line says when it was confirmed and by what.',
    reply: { status: 200, schema: SessionHangUps },
    problems: noSession,
  },
];
