import { EventPage, ListEvents, Timeline } from './events.ts';
import { badQuery, noSession, type Operation } from '../operation.ts';

export const EVENT_OPERATIONS: readonly Operation[] = [
  {
    id: 'listEvents',
    method: 'get',
    path: '/v1/events',
    tag: 'events',
    scope: 'events:read',
    summary: 'Read or follow your events',
    description:
      'Every event of yours of the last 30 days in one order, oldest first, a page at a time. With `Accept: text/event-stream`: as they happen, from the one after `Last-Event-ID` on (`start`: from the oldest), or from now; at most ten streams at once, each closed after ten minutes, so that you go on where you were.',
    query: ListEvents,
    reply: { status: 200, schema: EventPage, also: ['text/event-stream'] },
    problems: {
      ...badQuery,
      410: '`event-expired`: the event to go on after is older than 30 days.',
      429: '`too-many-streams`: ten streams of yours are open.',
      503: '`stopping`: this server is being stopped; another will answer.',
    },
  },
  {
    id: 'readTimeline',
    method: 'get',
    path: '/v1/sessions/{sessionId}/timeline',
    tag: 'events',
    scope: 'events:read',
    summary: 'See all that happened in a session',
    description:
      'A session’s events, what became of each connection, every attempt to hang up and all that the provider was seen to say, in the order of time.',
    reply: { status: 200, schema: Timeline },
    problems: noSession,
  },
];
