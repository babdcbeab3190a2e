import { z } from 'zod';
import {
  complete,
  createdBetween,
  endReason,
  id,
  idFilter,
  instant,
  next,
  page,
  phoneNumber,
  sessionState,
} from '../fields.ts';
import { Leg } from '../legs/leg.ts';

const dueAt = instant('When the session ends by itself if nothing changes.');

/** A session in the reply that creates a room. */
export const SessionStart = z
  .object({ id: id('ses', 'The session'), state: sessionState, dueAt })
  .meta({ id: 'SessionStart', description: 'A new session.' });

/** One meeting in a room. */
export const Session = z
  .object({
    id: id('ses', 'The session'),
    roomId: id('room', 'The room'),
    state: sessionState,
    createdAt: instant('When the session was opened.'),
    liveAt: instant('When the first participant joined. Null before.').nullable(),
    endingAt: instant('When the session started to end. Null before.').nullable(),
    endedAt: instant('When the provider had confirmed every hang-up. Null before.').nullable(),
    endReason: endReason.nullable().meta({
      description: 'Why the session ended, the first reason. Null while it runs.',
      examples: ['browsers-left'],
    }),
    dueAt,
    dueReason: endReason.meta({ description: 'The end reason at `dueAt`.', examples: ['max-duration'] }),
  })
  .meta({ id: 'Session', description: 'One meeting in a room.' });
export type Session = z.output<typeof Session>;

/** The query of `GET /v1/sessions`. */
export const ListSessions = z.strictObject({
  roomId: idFilter('room', 'a room', 'Only sessions of this room.'),
  state: z
    .enum(sessionState.options, 'must be open, live, ending or ended')
    .optional()
    .meta({ description: 'Only sessions in this state.', examples: ['live'] }),
  ...createdBetween,
  ...page('sessions', 'ses'),
});
export type ListSessions = z.output<typeof ListSessions>;

/** The reply to `GET /v1/sessions`. */
export const SessionPage = z
  .object({
    sessions: z.array(Session).meta({ description: 'Newest first.' }),
    next: next('ses_3q2-7wAAQkV1bWJlclBhcn'),
  })
  .meta({ id: 'SessionPage', description: 'A page of sessions.' });
export type SessionPage = z.output<typeof SessionPage>;

/** The reply to `GET /v1/sessions/{id}/legs`. */
export const SessionLegs = z
  .object({ legs: z.array(Leg).meta({ description: 'Oldest first.' }), complete })
  .meta({ id: 'SessionLegs', description: 'The connections of a session, with their hang-ups.' });
export type SessionLegs = z.output<typeof SessionLegs>;

/** The reply to `POST /v1/sessions/{id}/end`. */
export const EndedSession = z
  .object({
    state: z.enum(['ending', 'ended']).meta({
      description: '`ending`: hang-ups are in progress. `ended`: every connection is closed.',
      examples: ['ending'],
    }),
    decided: z.boolean().meta({
      description: 'True if this request ended the session. False if it was ending already, for its first reason.',
      examples: [true],
    }),
  })
  .meta({
    id: 'EndedSession',
    description: 'The state of the end. A session is `ended` when the provider has confirmed every hang-up.',
  });
export type EndedSession = z.output<typeof EndedSession>;

/** A phone connection with its full number. */
export const SessionCaller = z
  .object({
    legId: id('leg', 'The connection'),
    participantId: id('part', 'The participant').nullable(),
    kind: z.enum(['inbound', 'outbound']).meta({
      description: '`inbound`: a caller. `outbound`: a phone that Partyline called.',
      examples: ['inbound'],
    }),
    number: phoneNumber('The full phone number.', '+442079460018'),
    createdAt: instant('When the connection was created.'),
  })
  .meta({ id: 'SessionCaller', description: 'A phone connection with the full phone number.' });
export type SessionCaller = z.output<typeof SessionCaller>;

/** The reply to `GET /v1/sessions/{id}/callers`. */
export const SessionCallers = z
  .object({
    callers: z
      .array(SessionCaller)
      .meta({ description: 'Oldest first. Callers who withhold their number are left out.' }),
    complete,
  })
  .meta({ id: 'SessionCallers', description: 'The full phone numbers of a session.' });
export type SessionCallers = z.output<typeof SessionCallers>;

/** An event of a session. */
export const SessionEvent = z
  .object({
    id: z.string().meta({
      description: 'The event. The same id in every list and stream, and as `webhook-id`. Opaque; starts with `evt_`.',
      examples: ['evt_3q2-7wAAQkV1bWJlclBhcn_1'],
    }),
    seq: z
      .int()
      .min(1)
      .meta({ description: 'Counts from 1 within the session, without gaps.', examples: [1] }),
    type: z.string().meta({
      description:
        '`session.live`, `session.ending`, `session.ended`, `leg.` and the new state of the connection, ' +
        '`spend.warning` or `fraud.warning`.',
      examples: ['leg.joined'],
    }),
    at: instant('When the change was committed. Never earlier than the previous event.'),
    data: z.record(z.string(), z.unknown()).meta({
      description:
        'For a connection: `legId`, `kind`, `participantId`, and at its end `outcome` and `reason`. For the end of a ' +
        'session: `reason`. For a warning: the limit or the meter.',
      examples: [
        { legId: 'leg_3q2-7wAAQkV1bWJlclBhcn', kind: 'inbound', participantId: 'part_3q2-7wAAQkV1bWJlclBhcn' },
      ],
    }),
  })
  .meta({
    id: 'SessionEvent',
    description: 'An event of a session, committed together with the change itself.',
  });
export type SessionEvent = z.output<typeof SessionEvent>;

/** The reply to `GET /v1/sessions/{id}/events`. */
export const SessionEvents = z
  .object({ events: z.array(SessionEvent).meta({ description: 'Oldest first.' }), complete })
  .meta({ id: 'SessionEvents', description: 'The events of a session.' });
export type SessionEvents = z.output<typeof SessionEvents>;
