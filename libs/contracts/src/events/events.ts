import { z } from 'zod';
import { endReason, id, idFilter, instant, legKind, maskedNumber, page, role } from '../fields.ts';

const legId = id('leg', 'The connection');
const participantId = id('part', 'The participant')
  .nullable()
  .meta({ description: 'The participant. Null for a bridge.', examples: ['part_3q2-7wAAQkV1bWJlclBhcn'] });
const leg = {
  legId,
  kind: legKind,
  participantId,
  name: z
    .string()
    .nullable()
    .meta({
      description: 'The name of the participant at that time. Null for a bridge, and for an unknown browser.',
      examples: ['Ada'],
    }),
  role: role
    .nullable()
    .meta({ description: 'The role of the participant. Null for a bridge.', examples: ['participant'] }),
  number: maskedNumber('The phone number of the participant.'),
};
const legExample = {
  legId: 'leg_3q2-7wAAQkV1bWJlclBhcn',
  kind: 'inbound',
  participantId: 'part_3q2-7wAAQkV1bWJlclBhcn',
  name: 'Ada',
  role: 'participant',
  number: '+442*******18',
};
const person = {
  participantId: id('part', 'The participant'),
  name: z.string().meta({ description: 'The name of the participant after the change.', examples: ['Ada'] }),
  role,
  number: leg.number,
};
const personExample = {
  participantId: 'part_3q2-7wAAQkV1bWJlclBhcn',
  name: 'Ada',
  role: 'participant',
  number: '+442*******18',
};
/** A participant with the connection by which they joined. */
const connected = { ...person, legId, kind: legKind };
const room = {
  name: z.string().meta({ description: 'The name of the room.', examples: ['Weekly'] }),
  dialInNumber: z.string().meta({ description: 'The dial-in number of the room.', examples: ['+442079460018'] }),
  version: z.int().meta({ description: 'The version of the room after the change.', examples: [1] }),
};
const roomExample = { name: 'Weekly', dialInNumber: '+442079460018', version: 1 };
/** In the data of every event of a room. */
const externalId = z
  .string()
  .nullable()
  .meta({ description: 'Your own id of the room. Null if it has none.', examples: ['booking-4711'] });
const endpointId = id('ep', 'The endpoint');
const endpointExample = { endpointId: 'ep_3q2-7wAAQkV1bWJlclBhcn' };

interface EventDefinition {
  readonly description: string;
  readonly data: z.ZodObject;
  readonly example: Readonly<Record<string, unknown>>;
}

/**
 * Every type of event. The webhooks of the OpenAPI document are made from this list, and tests of
 * libs/conference compare the events that it emits with it.
 */
const EVENTS = {
  'room.created': { description: 'A room was created.', data: z.object(room), example: roomExample },
  'room.updated': {
    description: 'The settings of a room were changed.',
    data: z.object(room),
    example: { ...roomExample, version: 2 },
  },
  'room.ended': {
    description: 'A room ended: its PINs are no longer valid, and its session, if any, ends.',
    data: z.object({ reason: endReason }),
    example: { reason: 'ended-by-tenant' },
  },
  'room.deleted': {
    description: 'A room was removed from your lists. It ended before.',
    data: z.object({}),
    example: {},
  },
  'session.live': { description: 'The first participant has joined.', data: z.object({}), example: {} },
  'session.ending': {
    description: 'The session ends. Hang-ups are in progress.',
    data: z.object({ reason: endReason }),
    example: { reason: 'browsers-left' },
  },
  'session.ended': {
    description: 'The provider has confirmed that every connection of the session is closed. Charges have stopped.',
    data: z.object({ reason: endReason }),
    example: { reason: 'browsers-left' },
  },
  'leg.requested': {
    description: 'A connection was requested.',
    data: z.object(leg),
    example: { ...legExample, kind: 'outbound' },
  },
  'leg.dialling': {
    description: 'The provider was asked to place the call.',
    data: z.object(leg),
    example: { ...legExample, kind: 'outbound' },
  },
  'leg.ringing': { description: 'The phone rings.', data: z.object(leg), example: { ...legExample, kind: 'outbound' } },
  'leg.answered': { description: 'The call was answered.', data: z.object(leg), example: legExample },
  'leg.joined': { description: 'The connection joined the conference.', data: z.object(leg), example: legExample },
  'leg.ending': {
    description: 'A hang-up was requested and is not confirmed.',
    data: z.object(leg),
    example: legExample,
  },
  'leg.ended': {
    description: 'The provider has confirmed that the connection is closed.',
    data: z.object({
      ...leg,
      outcome: z
        .enum(['success', 'client', 'server', 'upstream', 'indeterminate'])
        .nullable()
        .meta({ description: 'How the connection ended.', examples: ['success'] }),
      reason: z
        .string()
        .nullable()
        .meta({
          description: 'The detailed reason, in kebab case. `removed` for a removed participant.',
          examples: ['completed'],
        }),
    }),
    example: { ...legExample, outcome: 'success', reason: 'completed' },
  },
  'participant.joined': {
    description: 'A participant joined the conference by their first connection.',
    data: z.object(connected),
    example: legExample,
  },
  'participant.left': {
    description: 'The provider has confirmed that the last connection of a participant is closed.',
    data: z.object({
      ...connected,
      reason: z
        .string()
        .nullable()
        .meta({
          description: 'How the connection ended, as in `leg.ended`. `removed` for a removed participant.',
          examples: ['completed'],
        }),
    }),
    example: { ...legExample, reason: 'completed' },
  },
  'participant.removed': {
    description: 'A participant was removed. Their connections are being hung up, and later ones will be.',
    data: z.object(person),
    example: personExample,
  },
  'participant.updated': {
    description: 'A participant was renamed, muted or unmuted.',
    data: z.object({
      ...person,
      muted: z.boolean().meta({ description: 'Whether the connection of the participant is muted.', examples: [true] }),
    }),
    example: { ...personExample, muted: true },
  },
  'spend.warning': {
    description:
      '80 % of a budget or of the minutes is used. At 100 % the session ends. Sent once per limit and month.',
    data: z.object({
      scope: z
        .enum(['room-spend', 'tenant-spend', 'tenant-minutes'])
        .meta({ description: 'The limit.', examples: ['tenant-spend'] }),
      usedSeconds: z
        .int()
        .optional()
        .meta({ description: 'For `tenant-minutes`: the used time in seconds.', examples: [48_000] }),
      allowedSeconds: z
        .int()
        .optional()
        .meta({ description: 'For `tenant-minutes`: the limit in seconds.', examples: [60_000] }),
      usedMicro: z
        .string()
        .optional()
        .meta({
          description: 'For the other limits: the used amount, in millionths of the currency unit.',
          examples: ['8000000'],
        }),
      allowedMicro: z
        .string()
        .optional()
        .meta({
          description: 'For the other limits: the limit, in millionths of the currency unit.',
          examples: ['10000000'],
        }),
      currency: z
        .string()
        .optional()
        .meta({ description: 'For the other limits: ISO 4217.', examples: ['EUR'] }),
    }),
    example: { scope: 'tenant-spend', usedMicro: '8000000', allowedMicro: '10000000', currency: 'EUR' },
  },
  'fraud.warning': {
    description:
      'A fraud meter of your outgoing calls is above its `warn` threshold. Above `critical`, calls are rejected. ' +
      'Sent once per hour and meter.',
    data: z.object({
      meter: z.enum(['callsPerMinute', 'concurrent', 'toOneNumber', 'minutesPerDay', 'longestMinutes']).meta({
        description:
          'The meter: calls per minute, concurrent calls, calls to one number per hour, minutes per day, or minutes ' +
          'of the longest call.',
        examples: ['callsPerMinute'],
      }),
      measured: z.int().meta({ description: 'The measured value.', examples: [31] }),
      threshold: z.number().meta({ description: 'The `warn` threshold.', examples: [30] }),
    }),
    example: { meter: 'callsPerMinute', measured: 31, threshold: 30 },
  },
  'endpoint.ping': {
    description: 'A test event, requested with `POST /v1/endpoints/{endpointId}/ping`. Sent only to that endpoint.',
    data: z.object({ endpointId }),
    example: endpointExample,
  },
  'endpoint.disabled': {
    description: 'One of your endpoints was disabled. Sent to your other endpoints.',
    data: z.object({
      endpointId,
      url: z.string().meta({ description: 'The URL of the endpoint.', examples: ['https://example.com/events'] }),
      reason: z.enum(['gone', 'failing']).meta({
        description: '`gone`: it answered 410. `failing`: it accepted no event for 5 days.',
        examples: ['failing'],
      }),
    }),
    example: { ...endpointExample, url: 'https://example.com/events', reason: 'failing' },
  },
} as const satisfies Readonly<Record<string, EventDefinition>>;
export type EventType = keyof typeof EVENTS;
export const EVENT_TYPES = Object.keys(EVENTS) as [EventType, ...EventType[]];

const seq = z
  .int()
  .min(1)
  .meta({
    description:
      'Counts from 1 without gaps: within the session, within the room for events without a session, or within the ' +
      'endpoint for `endpoint.` events.',
    examples: [1],
  });
const alwaysNull = z.null().meta({ description: 'Always null.', examples: [null] });
const ofSession = { roomId: id('room', 'The room'), sessionId: id('ses', 'The session') };
/** Also emitted in a room that never had a session. */
const ABOUT_PARTICIPANT: ReadonlySet<string> = new Set(['participant.removed', 'participant.updated']);

function sessionOf(type: string): z.ZodType {
  if (type.startsWith('endpoint.') || type.startsWith('room.')) return alwaysNull;
  if (!ABOUT_PARTICIPANT.has(type)) return ofSession.sessionId;
  return ofSession.sessionId.nullable().meta({
    description: 'The session. Null if the room never had one.',
    examples: ['ses_3q2-7wAAQkV1bWJlclBhcn'],
  });
}
const eventId = z.string().meta({
  description:
    'The event. The same id in every list, stream and delivery, and as `webhook-id`. Opaque; starts with `evt_`.',
  examples: ['evt_3q2-7wAAQkV1bWJlclBhcn_1'],
});
const at = instant('When the change was committed. Within a session never earlier than the previous event.');

/** `session.live` becomes `SessionLiveEvent`. */
const nameOf = (type: string): string =>
  `${type.replaceAll(/(?:^|\.)(\w)/g, (_, letter: string) => letter.toUpperCase())}Event`;

const exampleData = (type: EventType): Readonly<Record<string, unknown>> => ({
  ...EVENTS[type].example,
  ...(type.startsWith('endpoint.') ? {} : { externalId: 'booking-4711' }),
});

/** The schema of each type of event, as it is sent. */
export const EVENT_SCHEMAS: Readonly<Record<EventType, z.ZodObject>> = Object.fromEntries(
  EVENT_TYPES.map((type) => {
    const isOfEndpoint = type.startsWith('endpoint.');
    const about = {
      roomId: isOfEndpoint ? alwaysNull : ofSession.roomId,
      sessionId: sessionOf(type),
    };
    const { description, data }: EventDefinition = EVENTS[type];
    return [
      type,
      z
        .object({
          id: eventId,
          type: z.literal(type).meta({ description: 'The type of the event.', examples: [type] }),
          ...about,
          seq,
          at,
          data: (isOfEndpoint ? data : data.extend({ externalId })).meta({
            description: 'The details.',
            examples: [exampleData(type)],
          }),
        })
        .meta({ id: nameOf(type), description }),
    ];
  }),
) as unknown as Record<EventType, z.ZodObject>;

/** An example of each type of event. */
export const exampleOf = (type: EventType): Record<string, unknown> => {
  const isOfEndpoint = type.startsWith('endpoint.');
  const about = {
    roomId: isOfEndpoint ? null : 'room_3q2-7wAAQkV1bWJlclBhcn',
    sessionId: isOfEndpoint || type.startsWith('room.') ? null : 'ses_3q2-7wAAQkV1bWJlclBhcn',
  };
  return {
    id: 'evt_3q2-7wAAQkV1bWJlclBhcn_4',
    type,
    ...about,
    seq: 4,
    at: '2026-05-04T09:30:00.000Z',
    data: exampleData(type),
  };
};

/** An event of any type. */
export const Event = z
  .object({
    id: eventId,
    type: z
      .string()
      .meta({ description: 'The type. Each type is described under webhooks.', examples: ['leg.joined'] }),
    roomId: ofSession.roomId
      .nullable()
      .meta({ description: 'The room. Null for `endpoint.` events.', examples: ['room_3q2-7wAAQkV1bWJlclBhcn'] }),
    sessionId: ofSession.sessionId.nullable().meta({
      description: 'The session. Null for `room.` and `endpoint.` events, and in a room that never had a session.',
      examples: ['ses_3q2-7wAAQkV1bWJlclBhcn'],
    }),
    seq,
    at,
    data: z
      .record(z.string(), z.unknown())
      .meta({ description: 'The details, which depend on the type.', examples: [legExample] }),
  })
  .meta({
    id: 'Event',
    description: 'An event, as it is listed, streamed and delivered.',
  });
export type Event = z.output<typeof Event>;

/** A filter by type. */
export const eventTypes = z.enum(EVENT_TYPES, `must be one of ${EVENT_TYPES.join(', ')}`);

/** The body of `POST /v1/events/stream-tokens`. */
export const CreateStreamToken = z
  .strictObject({
    roomId: idFilter('room', 'a room', 'Only events of this room. Left out: events of all rooms.'),
    types: z
      .array(eventTypes)
      .max(50, 'must not repeat a type')
      .default([])
      .meta({ description: 'Only events of these types. Empty: all types.', examples: [['session.ended']] }),
    expiresInSeconds: z
      .int('must be a whole number of seconds')
      .min(10, 'must be at least 10 seconds')
      .max(600, 'must be at most 600 seconds (10 minutes)')
      .default(300)
      .meta({
        description: 'How long requests with the token are accepted. Whole seconds, 10 to 600; default 300.',
        examples: [300],
      }),
  })
  .meta({
    id: 'CreateStreamToken',
    examples: [{ types: ['session.live', 'session.ended'], expiresInSeconds: 300 }],
    description: 'A stream token to create. No field is required.',
  });
export type CreateStreamToken = z.output<typeof CreateStreamToken>;

/** The reply to `POST /v1/events/stream-tokens`. */
export const StreamToken = z
  .object({
    token: z.string().meta({
      description: 'The token. Send it as `streamToken` in the query or as `Authorization: Bearer`.',
      examples: ['plst_q83vASNFZ4mrze8BI0VniavN7wEjRWeJ'],
    }),
    expiresAt: instant('When requests with the token are rejected. An open stream continues.'),
  })
  .meta({ id: 'StreamToken', description: 'A token for the event stream of a browser.' });
export type StreamToken = z.output<typeof StreamToken>;

/** The query of `GET /v1/events`. */
export const ListEvents = z.strictObject({
  types: z
    .string()
    .meta({
      description: `Only events of these types, separated by commas: ${EVENT_TYPES.join(', ')}. Left out: all types.`,
      examples: ['session.ended,leg.ended'],
    })
    .transform((text) => text.split(','))
    .pipe(z.array(eventTypes))
    .optional(),
  roomId: idFilter('room', 'a room', 'Only events of this room.'),
  streamToken: z
    .string()
    .regex(/^plst_[\w-]{20,1000}$/, 'must be a stream token')
    .optional()
    .meta({
      description: 'A stream token instead of a key: an `EventSource` can send no header.',
      examples: ['plst_q83vASNFZ4mrze8BI0VniavN7wEjRWeJ'],
    }),
  limit: page('events', 'evt').limit,
  after: z
    .string()
    .regex(/^evt_[\w-]{1,64}$/, 'must be the id of an event')
    .optional()
    .meta({
      description:
        'The id of an event: only later events. In a stream the header `Last-Event-ID` has priority over it.',
      examples: ['evt_3q2-7wAAQkV1bWJlclBhcn_1'],
    }),
});
export type ListEvents = z.output<typeof ListEvents>;

/** The reply to `GET /v1/events`. */
export const EventPage = z
  .object({
    events: z.array(Event).meta({ description: 'Oldest first.' }),
    next: z
      .string()
      .nullable()
      .meta({
        description:
          'Send this as `after` to get the next page. Null if there are no later events now: continue later after ' +
          'the last event that you have.',
        examples: ['evt_3q2-7wAAQkV1bWJlclBhcn_1'],
      }),
  })
  .meta({ id: 'EventPage', description: 'A page of your events, in the order of the stream.' });
export type EventPage = z.output<typeof EventPage>;

/** An item of a session's timeline. */
export const TimelineItem = z
  .object({
    at: instant('When it was recorded.'),
    source: z.enum(['event', 'leg', 'hang-up', 'observation']).meta({
      description:
        '`event`: an event. `leg`: a new state of a connection. `hang-up`: an attempt to hang up. `observation`: a ' +
        'statement of the provider.',
      examples: ['leg'],
    }),
    what: z.string().meta({
      description: 'The type of the event, the state, `attempt`, or the observed phase.',
      examples: ['answered'],
    }),
    legId: legId.nullable().meta({
      description: 'The connection. Null for the session itself.',
      examples: ['leg_3q2-7wAAQkV1bWJlclBhcn'],
    }),
    detail: z
      .record(z.string(), z.unknown())
      .meta({ description: 'Details, which depend on the source.', examples: [{ kind: 'inbound' }] }),
  })
  .meta({ id: 'TimelineItem', description: 'An item of the timeline.' });
export type TimelineItem = z.output<typeof TimelineItem>;

/** The reply to `GET /v1/sessions/{id}/timeline`. */
export const Timeline = z
  .object({
    items: z.array(TimelineItem).meta({ description: 'Oldest first, at most 5000.' }),
    complete: z.boolean().meta({ description: 'False if the list was cut.', examples: [true] }),
    eventsGone: z
      .int()
      .min(0)
      .meta({
        description: 'The number of missing events: events are retained for 30 days. All other items are retained.',
        examples: [0],
      }),
  })
  .meta({ id: 'Timeline', description: 'Everything that is recorded about a session, in order of time.' });
export type Timeline = z.output<typeof Timeline>;
