import { z } from 'zod';
import { endReason, id, instant, legKind, page } from '../fields.ts';

const legId = id('leg', 'The connection');
const participantId = id('part', 'Whose it is')
  .nullable()
  .meta({ description: 'Whose it is; null for the bridge.', examples: ['part_3q2-7wAAQkV1bWJlclBhcn'] });
const leg = { legId, kind: legKind, participantId };
const aLeg = { legId: 'leg_3q2-7wAAQkV1bWJlclBhcn', kind: 'inbound', participantId: 'part_3q2-7wAAQkV1bWJlclBhcn' };
const endpointId = id('ep', 'The endpoint');
const anEndpoint = { endpointId: 'ep_3q2-7wAAQkV1bWJlclBhcn' };

interface Told {
  /** When it is told. */
  readonly says: string;
  /** Its `data`. */
  readonly data: z.ZodObject;
  readonly example: Readonly<Record<string, unknown>>;
}

/** Every event that a tenant is told of, by its type: the one list, from which the OpenAPI document's webhooks are made, and to which a test holds what the conference tells. */
const EVENTS = {
  'session.live': { says: 'The first person has joined.', data: z.object({}), example: {} },
  'session.ending': {
    says: 'The end of a session is decided, and hang-ups are under way.',
    data: z.object({ reason: endReason }),
    example: { reason: 'browsers-left' },
  },
  'session.ended': {
    says: 'The provider has confirmed that every connection of the session is closed: nothing is charged any more.',
    data: z.object({ reason: endReason }),
    example: { reason: 'browsers-left' },
  },
  'leg.requested': { says: 'A connection is to be made.', data: z.object(leg), example: { ...aLeg, kind: 'outbound' } },
  'leg.dialling': {
    says: 'The provider was asked to make it.',
    data: z.object(leg),
    example: { ...aLeg, kind: 'outbound' },
  },
  'leg.ringing': { says: 'It rings.', data: z.object(leg), example: { ...aLeg, kind: 'outbound' } },
  'leg.answered': { says: 'It was picked up.', data: z.object(leg), example: aLeg },
  'leg.joined': { says: 'It is in the conference.', data: z.object(leg), example: aLeg },
  'leg.ending': { says: 'A hang-up is owed and not yet confirmed.', data: z.object(leg), example: aLeg },
  'leg.ended': {
    says: 'The provider was seen to have closed it.',
    data: z.object({
      ...leg,
      outcome: z
        .enum(['success', 'client', 'server', 'upstream', 'indeterminate'])
        .nullable()
        .meta({ description: 'How it ended, by whose doing.', examples: ['success'] }),
      reason: z
        .string()
        .nullable()
        .meta({ description: 'How it ended, in kebab case.', examples: ['completed'] }),
    }),
    example: { ...aLeg, outcome: 'success', reason: 'completed' },
  },
  'spend.warning': {
    says: 'Four fifths of a limit of money or minutes are used up. When all of it is, the session ends. Told once for each limit and month.',
    data: z.object({
      scope: z
        .enum(['room-spend', 'tenant-spend', 'tenant-minutes'])
        .meta({ description: 'Which limit.', examples: ['tenant-spend'] }),
      usedSeconds: z
        .int()
        .optional()
        .meta({ description: 'Of `tenant-minutes`: how much of it is used, in seconds.', examples: [48_000] }),
      allowedSeconds: z
        .int()
        .optional()
        .meta({ description: 'Of `tenant-minutes`: how much there is, in seconds.', examples: [60_000] }),
      usedMicro: z
        .string()
        .optional()
        .meta({
          description: 'Of the others: how much of it is used, in millionths of the currency’s unit.',
          examples: ['8000000'],
        }),
      allowedMicro: z
        .string()
        .optional()
        .meta({
          description: 'Of the others: how much there is, in millionths of the currency’s unit.',
          examples: ['10000000'],
        }),
      currency: z
        .string()
        .optional()
        .meta({ description: 'Of the others: ISO 4217.', examples: ['EUR'] }),
    }),
    example: { scope: 'tenant-spend', usedMicro: '8000000', allowedMicro: '10000000', currency: 'EUR' },
  },
  'fraud.warning': {
    says: 'Your calls to telephones look like a thief’s: one of the meters is past its first threshold. Past the second nobody is rung. Told once an hour for each meter.',
    data: z.object({
      meter: z.enum(['callsPerMinute', 'concurrent', 'toOneNumber', 'minutesPerDay', 'longestMinutes']).meta({
        description:
          'Which meter: calls asked for within a minute, calls that are up or ring, calls to one number within an hour, minutes within a day, minutes of the longest call.',
        examples: ['callsPerMinute'],
      }),
      measured: z.int().meta({ description: 'What it shows.', examples: [31] }),
      threshold: z.number().meta({ description: 'From what on it is told.', examples: [30] }),
    }),
    example: { meter: 'callsPerMinute', measured: 31, threshold: 30 },
  },
  'endpoint.ping': {
    says: 'You asked for it: `POST /v1/endpoints/{id}/ping`. Sent to that endpoint alone, whatever its types.',
    data: z.object({ endpointId }),
    example: anEndpoint,
  },
  'endpoint.disabled': {
    says: 'Nothing is sent to one of your endpoints any more. Told to the others.',
    data: z.object({
      endpointId,
      url: z.string().meta({ description: 'Where it was.', examples: ['https://example.com/events'] }),
      reason: z.enum(['gone', 'failing']).meta({
        description: '`gone`: it answered 410. `failing`: it took nothing for five days.',
        examples: ['failing'],
      }),
    }),
    example: { ...anEndpoint, url: 'https://example.com/events', reason: 'failing' },
  },
} as const satisfies Readonly<Record<string, Told>>;
export type EventType = keyof typeof EVENTS;
export const EVENT_TYPES = Object.keys(EVENTS) as [EventType, ...EventType[]];

const seq = z
  .int()
  .min(1)
  .meta({
    description: 'Counts from 1 within the session (or the endpoint, for an event about one), without a gap.',
    examples: [1],
  });
const ofSession = { roomId: id('room', 'Its room'), sessionId: id('ses', 'Its session') };
const eventId = z.string().meta({
  description:
    'The event, the same wherever and however often it is told: also its `webhook-id`. Opaque; starts with `evt_`.',
  examples: ['evt_3q2-7wAAQkV1bWJlclBhcn_1'],
});
const at = instant(
  'When the change was made, by our clock; within a session never earlier than that of the event before.',
);

/** `session.live` → `SessionLiveEvent`. */
const nameOf = (type: string): string =>
  `${type.replaceAll(/(?:^|\.)(\w)/g, (_, letter: string) => letter.toUpperCase())}Event`;

/** The whole of each type's event, as it is sent. */
export const EVENT_SCHEMAS: Readonly<Record<EventType, z.ZodObject>> = Object.fromEntries(
  EVENT_TYPES.map((type) => {
    const about = type.startsWith('endpoint.')
      ? {
          roomId: z.null().meta({ description: 'It is about no room.', examples: [null] }),
          sessionId: z.null().meta({ description: 'It is about no session.', examples: [null] }),
        }
      : ofSession;
    const { says, data, example } = EVENTS[type];
    return [
      type,
      z
        .object({
          id: eventId,
          type: z.literal(type).meta({ description: 'What happened.', examples: [type] }),
          ...about,
          seq,
          at,
          data: data.meta({ description: 'What it is about.', examples: [example] }),
        })
        .meta({ id: nameOf(type), description: says }),
    ];
  }),
) as unknown as Record<EventType, z.ZodObject>;

/** One event of each type, to show. */
export const exampleOf = (type: EventType): Record<string, unknown> => {
  const about = type.startsWith('endpoint.')
    ? { roomId: null, sessionId: null }
    : { roomId: 'room_3q2-7wAAQkV1bWJlclBhcn', sessionId: 'ses_3q2-7wAAQkV1bWJlclBhcn' };
  return {
    id: 'evt_3q2-7wAAQkV1bWJlclBhcn_4',
    type,
    ...about,
    seq: 4,
    at: '2026-05-04T09:30:00.000Z',
    data: EVENTS[type].example,
  };
};

/** An event of any type. */
export const Event = z
  .object({
    id: eventId,
    type: z
      .string()
      .meta({ description: 'What happened; each type is described under webhooks.', examples: ['leg.joined'] }),
    roomId: ofSession.roomId
      .nullable()
      .meta({ description: 'Its room; null for what is about none.', examples: ['room_3q2-7wAAQkV1bWJlclBhcn'] }),
    sessionId: ofSession.sessionId
      .nullable()
      .meta({ description: 'Its session; null for what is about none.', examples: ['ses_3q2-7wAAQkV1bWJlclBhcn'] }),
    seq,
    at,
    data: z.record(z.string(), z.unknown()).meta({ description: 'What it is about, by its type.', examples: [aLeg] }),
  })
  .meta({
    id: 'Event',
    description: 'Something that happened, as it is told everywhere: in pages, in the stream, and to your endpoints.',
  });
export type Event = z.output<typeof Event>;

/** The types that are wanted. */
export const eventTypes = z.enum(EVENT_TYPES, `must be one of ${EVENT_TYPES.join(', ')}`);

/** The query of `GET /v1/events`. */
export const ListEvents = z.strictObject({
  types: z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(eventTypes))
    .optional()
    .meta({
      description: `Only events of these types, with commas between: ${EVENT_TYPES.join(', ')}. Left out: all.`,
      examples: ['session.ended,leg.ended'],
    }),
  limit: page('events', 'evt').limit,
  after: page('events', 'evt').after.meta({
    description:
      'An event’s id: only those after it. For a stream the header `Last-Event-ID` says the same, and goes before it.',
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
          'Give this as `after` to get what comes next; null when there is nothing more now. Keep the last one that you got, and ask with it again later.',
        examples: ['evt_3q2-7wAAQkV1bWJlclBhcn_1'],
      }),
  })
  .meta({ id: 'EventPage', description: 'A page of your events, in the one order in which all of them are told.' });
export type EventPage = z.output<typeof EventPage>;

/** Something on a session's timeline. */
export const TimelineItem = z
  .object({
    at: instant('When, by our clock.'),
    source: z.enum(['event', 'leg', 'hang-up', 'observation']).meta({
      description:
        '`event`: what you were told. `leg`: a connection came to a state. `hang-up`: the provider was asked to close it. `observation`: what the provider was seen to say of it.',
      examples: ['leg'],
    }),
    what: z.string().meta({
      description: 'What happened: an event’s type, a state, `asked`, or the phase that was seen.',
      examples: ['answered'],
    }),
    legId: legId.nullable().meta({
      description: 'Which connection it is about; null for the session itself.',
      examples: ['leg_3q2-7wAAQkV1bWJlclBhcn'],
    }),
    detail: z
      .record(z.string(), z.unknown())
      .meta({ description: 'More of it, by its source.', examples: [{ kind: 'inbound' }] }),
  })
  .meta({ id: 'TimelineItem', description: 'Something that happened in a session, from whichever of our books.' });
export type TimelineItem = z.output<typeof TimelineItem>;

/** The reply to `GET /v1/sessions/{id}/timeline`. */
export const Timeline = z
  .object({
    items: z.array(TimelineItem).meta({ description: 'Oldest first; at most 5000.' }),
    complete: z.boolean().meta({ description: 'False when there was more.', examples: [true] }),
    eventsGone: z
      .int()
      .min(0)
      .meta({
        description:
          'So many of its events are not among them, because they are kept for 30 days. Everything else is kept.',
        examples: [0],
      }),
  })
  .meta({ id: 'Timeline', description: 'All that is known of a session, in the order of time.' });
export type Timeline = z.output<typeof Timeline>;
