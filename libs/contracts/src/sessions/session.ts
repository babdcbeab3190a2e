import { z } from 'zod';
import { complete, createdBetween, endReason, id, idAsked, instant, page, sessionState } from '../fields.ts';
import { Leg } from '../legs/leg.ts';

const dueAt = instant('When it ends by itself if nothing changes.');

/** A session in the reply that creates a room. */
export const SessionStart = z
  .object({ id: id('ses', 'The session'), state: sessionState, dueAt })
  .meta({ id: 'SessionStart', description: 'A session that has just been opened.' });

/** One meeting in a room. */
export const Session = z
  .object({
    id: id('ses', 'The session'),
    roomId: id('room', 'Its room'),
    state: sessionState,
    createdAt: instant('When it was opened.'),
    liveAt: instant('When the first person joined; null before.').nullable(),
    endingAt: instant('When its end was decided; null before.').nullable(),
    endedAt: instant('When the provider had confirmed every leg closed; null before.').nullable(),
    endReason: endReason
      .nullable()
      .meta({ description: 'Why it ended; null while it runs. The first reason stands.', examples: ['browsers-left'] }),
    dueAt,
    dueReason: endReason.meta({ description: 'The reason it would then end with.', examples: ['max-duration'] }),
  })
  .meta({ id: 'Session', description: 'One meeting in a room.' });
export type Session = z.output<typeof Session>;

/** The query of `GET /v1/sessions`. */
export const ListSessions = z.strictObject({
  roomId: idAsked('room', 'a room', 'Only those of this room.'),
  state: z
    .enum(sessionState.options, 'must be open, live, ending or ended')
    .optional()
    .meta({ description: 'Only those in this state.', examples: ['live'] }),
  ...createdBetween,
  ...page('sessions', 'ses'),
});
export type ListSessions = z.output<typeof ListSessions>;

/** The reply to `GET /v1/sessions`. */
export const SessionPage = z
  .object({
    sessions: z.array(Session).meta({ description: 'Newest first.' }),
    next: z
      .string()
      .nullable()
      .meta({
        description: 'Give this as `after` to get the next page; null on the last.',
        examples: ['ses_3q2-7wAAQkV1bWJlclBhcn'],
      }),
  })
  .meta({ id: 'SessionPage', description: 'A page of sessions.' });
export type SessionPage = z.output<typeof SessionPage>;

/** The reply to `GET /v1/sessions/{id}/legs`. */
export const SessionLegs = z
  .object({ legs: z.array(Leg).meta({ description: 'Oldest first.' }), complete })
  .meta({ id: 'SessionLegs', description: 'Every connection of a session, with its line in the hang-up ledger.' });
export type SessionLegs = z.output<typeof SessionLegs>;

/** The reply to `POST /v1/sessions/{id}/end`. */
export const EndedSession = z
  .object({
    state: z.enum(['ending', 'ended']).meta({
      description: '`ending`: hang-ups are under way. `ended`: there was nothing left to hang up.',
      examples: ['ending'],
    }),
    decided: z.boolean().meta({
      description: 'Whether this request decided it; false when it was ending already, whose first reason stands.',
      examples: [true],
    }),
  })
  .meta({
    id: 'EndedSession',
    description: 'What ending a session has set off. It is `ended` once the provider has confirmed every leg closed.',
  });
export type EndedSession = z.output<typeof EndedSession>;

/** Something that happened in a session. */
export const SessionEvent = z
  .object({
    id: z.string().meta({
      description:
        'The event, the same wherever it is told: here, and as `id` and `webhook-id` of what is sent to your own address. Opaque; starts with `evt_`.',
      examples: ['evt_3q2-7wAAQkV1bWJlclBhcn_1'],
    }),
    seq: z
      .int()
      .min(1)
      .meta({ description: 'Counts from 1 within the session, without a gap.', examples: [1] }),
    type: z.string().meta({
      description:
        'What happened: `session.live`, `session.ending`, `session.ended`, `leg.` and the state that the leg is now in, `spend.warning` or `fraud.warning`.',
      examples: ['leg.joined'],
    }),
    at: instant('When the change was made, by our clock; never earlier than that of the event before.'),
    data: z.record(z.string(), z.unknown()).meta({
      description:
        'What it is about: of a leg its `legId`, `kind` and `participantId`, and when it ended `outcome` and `reason`; of a session’s end its `reason`; of a warning the limit or the meter.',
      examples: [
        { legId: 'leg_3q2-7wAAQkV1bWJlclBhcn', kind: 'inbound', participantId: 'part_3q2-7wAAQkV1bWJlclBhcn' },
      ],
    }),
  })
  .meta({
    id: 'SessionEvent',
    description: 'Something that happened in a session, committed together with the change itself.',
  });
export type SessionEvent = z.output<typeof SessionEvent>;

/** The reply to `GET /v1/sessions/{id}/events`. */
export const SessionEvents = z
  .object({ events: z.array(SessionEvent).meta({ description: 'Oldest first.' }), complete })
  .meta({ id: 'SessionEvents', description: 'All that has happened in a session so far.' });
export type SessionEvents = z.output<typeof SessionEvents>;
