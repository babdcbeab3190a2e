import { z } from 'zod';
import { id, instant, label, legState, maskedNumber, next, outcome, page, role } from '../fields.ts';

/** The body of `POST /v1/rooms/{id}/participants`. */
export const AddParticipant = z
  .strictObject({
    // The pattern is documentation only: dialling out rejects a bad number with its own reason,
    // `not-e164`.
    phone: z.string('must be a phone number in E.164 format').meta({
      description: 'The phone number to call. E.164: a plus, the country code and the number, without spaces.',
      pattern: String.raw`^\+[1-9]\d{6,14}$`,
      examples: ['+442079460018'],
    }),
    name: label('The name in the roster. Left out: the masked number.', 'Charles').optional(),
    role: role.default('participant'),
  })
  .meta({
    id: 'AddParticipant',
    examples: [{ phone: '+442079460018', name: 'Charles' }],
    description: 'A phone to call.',
  });
export type AddParticipant = z.output<typeof AddParticipant>;

/** The reply to `POST /v1/rooms/{id}/participants`. */
export const AddedParticipant = z
  .object({
    participantId: id('part', 'The participant'),
    legId: id('leg', 'The call'),
    sessionId: id('ses', 'The session that the participant joins'),
    expectedAt: instant('When the call is expected to be placed, after those that wait before it'),
  })
  .meta({
    id: 'AddedParticipant',
    description: 'The call is queued. The roster shows its state.',
  });
export type AddedParticipant = z.output<typeof AddedParticipant>;

/** A participant in the roster. */
export const Participant = z
  .object({
    id: id('part', 'The participant'),
    roomId: id('room', 'The room'),
    name: z.string().meta({
      description: 'The name that you gave; `Caller` for a participant who dialled in without a personal PIN.',
      examples: ['Ada'],
    }),
    kind: z.enum(['browser', 'caller', 'dialled']).meta({
      description: '`browser`: joins with a token. `caller`: dials in. `dialled`: Partyline calls the phone.',
      examples: ['caller'],
    }),
    role,
    state: z.enum(['invited', ...legState.options]).meta({
      description: '`invited`: not connected yet. Otherwise the state of the connection.',
      examples: ['joined'],
    }),
    number: maskedNumber('The phone number of the participant.'),
    legId: id('leg', 'The connection')
      .nullable()
      .meta({
        description: 'The connection. Null before the first one.',
        examples: ['leg_3q2-7wAAQkV1bWJlclBhcn'],
      }),
    muted: z.boolean().meta({ description: 'True if you muted the participant.', examples: [false] }),
    joinedAt: instant('When the participant joined the conference. Null before.').nullable(),
    leftAt: instant(
      'When the connection was confirmed closed, or the participant removed before it. Null before.',
    ).nullable(),
    outcome,
    reason: z
      .string()
      .nullable()
      .meta({
        description:
          'How the connection ended, in kebab case: `removed`, or for example `replaced`, if Partyline hung up this ' +
          'participant alone, otherwise what the provider reported. Null before.',
        examples: ['busy'],
      }),
  })
  .meta({ id: 'Participant', description: 'A participant in the roster.' });
export type Participant = z.output<typeof Participant>;

/** The body of `PATCH /v1/participants/{id}`. */
export const UpdateParticipant = z
  .strictObject({ name: label('The name in the roster.', 'Charles') })
  .meta({ id: 'UpdateParticipant', examples: [{ name: 'Charles B.' }], description: 'The new name of a participant.' });
export type UpdateParticipant = z.output<typeof UpdateParticipant>;

/** The body of `POST /v1/participants/{id}/mute`. */
export const MuteParticipant = z
  .strictObject({
    muted: z.boolean('must be true or false').meta({ description: 'True to mute, false to unmute.', examples: [true] }),
  })
  .meta({ id: 'MuteParticipant', examples: [{ muted: true }], description: 'Whether the participant is muted.' });
export type MuteParticipant = z.output<typeof MuteParticipant>;

/** The body of `POST /v1/participants/{id}/dtmf`. */
export const SendDigits = z
  .strictObject({
    digits: z
      .string()
      .regex(/^[0-9*#p]{1,64}$/, 'must be 1 to 64 of 0-9, *, # and p (a pause of half a second)')
      .meta({
        description: 'The keys: 0-9, *, #, and p for a pause of half a second. 1 to 64.',
        examples: ['1p23#'],
      }),
  })
  .meta({
    id: 'SendDigits',
    examples: [{ digits: '1p23#' }],
    description: 'Keys to send to a participant on a phone.',
  });
export type SendDigits = z.output<typeof SendDigits>;

/** The reply to `POST /v1/participants/{id}/mute` and `.../dtmf`. */
export const AcceptedByProvider = z
  .object({ legId: id('leg', 'The connection of the participant') })
  .meta({ id: 'AcceptedByProvider', description: 'The provider has accepted the request.' });
export type AcceptedByProvider = z.output<typeof AcceptedByProvider>;

/** The reply to `DELETE /v1/participants/{id}`. */
export const RemovedParticipant = z
  .object({
    legIds: z.array(z.string()).meta({
      description: 'The connections that are being hung up. Empty if there were none.',
      examples: [['leg_3q2-7wAAQkV1bWJlclBhcn']],
    }),
  })
  .meta({
    id: 'RemovedParticipant',
    description: 'A removed participant. The hang-up ledger shows when each connection is confirmed closed.',
  });
export type RemovedParticipant = z.output<typeof RemovedParticipant>;

/** The query of `GET /v1/rooms/{id}/participants`. */
export const ListParticipants = z.strictObject(page('participants', 'part'));
export type ListParticipants = z.output<typeof ListParticipants>;

/** The reply to `GET /v1/rooms/{id}/participants`. */
export const Roster = z
  .object({
    participants: z
      .array(Participant)
      .meta({ description: 'The participants of the current or last session, in the order in which they were added.' }),
    next: next('part_3q2-7wAAQkV1bWJlclBhcn'),
  })
  .meta({ id: 'Roster', description: 'A page of participants.' });
export type Roster = z.output<typeof Roster>;
