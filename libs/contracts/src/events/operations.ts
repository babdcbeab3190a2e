import type { Operation } from '../operation.ts';
import { CreateStreamToken, EventPage, ListEvents, StreamToken, Timeline } from './events.ts';

export const EVENT_OPERATIONS: readonly Operation[] = [
  {
    id: 'listEvents',
    method: 'get',
    path: '/v1/events',
    tag: 'events',
    scope: 'events:read',
    summary: 'List or stream events',
    description:
      'Your events of the last 30 days in one order, oldest first. With `Accept: text/event-stream`: a stream of new ' +
      'events, or of all events after `Last-Event-ID` (`start`: from the oldest). At most 10 streams at once. Each ' +
      'stream is closed after 10 minutes; reconnect with `Last-Event-ID` to continue.',
    query: ListEvents,
    streamToken: true,
    reply: { status: 200, schema: EventPage, also: ['text/event-stream'] },
    reasons: ['event-expired', 'too-many-streams', 'stopping'],
  },
  {
    id: 'createStreamToken',
    method: 'post',
    path: '/v1/events/stream-tokens',
    tag: 'events',
    scope: 'events:read',
    summary: 'Create a stream token',
    description:
      'A token with which a browser can list and stream events (`GET /v1/events`), and nothing else. It is valid for ' +
      'a few minutes, and no longer than the key that creates it; it can be limited to one room and to types of events.',
    body: CreateStreamToken,
    reply: { status: 201, schema: StreamToken },
    reasons: ['room-not-found'],
  },
  {
    id: 'readTimeline',
    method: 'get',
    path: '/v1/sessions/{sessionId}/timeline',
    tag: 'events',
    scope: 'events:read',
    summary: 'Get the timeline of a session',
    description:
      'The events of a session, the states of each connection, every attempt to hang up and every observation of the ' +
      'provider, in order of time.',
    reply: { status: 200, schema: Timeline },
    reasons: ['session-not-found'],
  },
];
