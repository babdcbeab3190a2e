import type { Operation } from '../operation.ts';
import { HangUpPage, ListHangUps, SessionHangUps } from './hang-up.ts';

export const HANG_UP_OPERATIONS: readonly Operation[] = [
  {
    id: 'listHangUps',
    method: 'get',
    path: '/v1/hang-ups',
    tag: 'hang-ups',
    scope: 'rooms:read',
    whileSuspended: true,
    summary: 'List hang-ups',
    description:
      'The hang-ups of all your connections, the last requested first, with every attempt and every observation of ' +
      'the provider.',
    query: ListHangUps,
    reply: { status: 200, schema: HangUpPage },
    reasons: [],
  },
  {
    id: 'listSessionHangUps',
    method: 'get',
    path: '/v1/sessions/{sessionId}/hang-ups',
    tag: 'hang-ups',
    scope: 'rooms:read',
    whileSuspended: true,
    summary: 'List the hang-ups of a session',
    description: 'The hang-ups of one session. When the session has ended, each of them is confirmed.',
    reply: { status: 200, schema: SessionHangUps },
    reasons: ['session-not-found'],
  },
];
