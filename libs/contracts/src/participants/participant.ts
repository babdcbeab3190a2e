import { z } from 'zod';
import { id, instant, label, legState, maskedNumber, outcome, page, role } from '../fields.ts';

/** The body of `POST /v1/rooms/{id}/participants`. */
export const AddParticipant = z
  .strictObject({
    // Whether it is a number is a rule of dialling out, which refuses it with a reason of its own (`not-e164`); here it is only told.
    phone: z.string('must be a phone number in E.164 form').meta({
      description: 'The number to ring. E.164: a plus, the country code and the number, without spaces.',
      pattern: String.raw`^\+[1-9]\d{6,14}$`,
      examples: ['+442079460018'],
    }),
    name: label('The name on the roster. Left out: the masked number.', 'Charles').optional(),
    role: role.default('participant'),
  })
  .meta({ id: 'AddParticipant', description: 'Somebody to ring and bring in.' });
export type AddParticipant = z.output<typeof AddParticipant>;

/** The reply to `POST /v1/rooms/{id}/participants`. */
export const AddedParticipant = z
  .object({
    participantId: id('part', 'The roster entry'),
    legId: id('leg', 'The call; its state tells ringing, answered and failed apart'),
    sessionId: id('ses', 'The session it is brought into'),
  })
  .meta({
    id: 'AddedParticipant',
    description: 'The call is decided and will be placed; watch the roster for what becomes of it.',
  });
export type AddedParticipant = z.output<typeof AddedParticipant>;

/** A person on the roster. */
export const Participant = z
  .object({
    id: id('part', 'The roster entry'),
    roomId: id('room', 'Their room'),
    name: z.string().meta({
      description: 'The name, as the tenant gave it; `Caller` for somebody who dialled in.',
      examples: ['Ada'],
    }),
    kind: z.enum(['browser', 'caller', 'dialled']).meta({
      description: '`browser`: was given a token. `caller`: dialled in. `dialled`: we rang them.',
      examples: ['caller'],
    }),
    role,
    state: z.enum(['invited', ...legState.options]).meta({
      description: '`invited`: has a token and has not used it. Otherwise the state of their connection.',
      examples: ['joined'],
    }),
    number: maskedNumber('Their phone number.'),
    legId: id('leg', 'Their connection')
      .nullable()
      .meta({ description: 'Their connection; null before there is one.', examples: ['leg_3q2-7wAAQkV1bWJlclBhcn'] }),
    muted: z.boolean().meta({ description: 'Whether we muted them.', examples: [false] }),
    joinedAt: instant('When they were in the conference; null before.').nullable(),
    leftAt: instant('When their connection was seen closed; null before.').nullable(),
    outcome,
    reason: z
      .string()
      .nullable()
      .meta({ description: 'How their connection ended, in kebab case; null before.', examples: ['busy'] }),
  })
  .meta({ id: 'Participant', description: 'A person as the roster shows them.' });
export type Participant = z.output<typeof Participant>;

/** The body of `PATCH /v1/participants/{id}`. */
export const UpdateParticipant = z
  .strictObject({ name: label('The name on the roster.', 'Charles') })
  .meta({ id: 'UpdateParticipant', description: 'Another name for somebody.' });
export type UpdateParticipant = z.output<typeof UpdateParticipant>;

/** The body of `POST /v1/participants/{id}/mute`. */
export const MuteParticipant = z
  .strictObject({
    muted: z.boolean('must be true or false').meta({ description: 'Whether they are to be silent.', examples: [true] }),
  })
  .meta({ id: 'MuteParticipant', description: 'Whether somebody is to be silent.' });
export type MuteParticipant = z.output<typeof MuteParticipant>;

/** The body of `POST /v1/participants/{id}/dtmf`. */
export const SendDigits = z
  .strictObject({
    digits: z
      .string('must be keys')
      .regex(/^[0-9*#p]{1,64}$/, 'must be 1 to 64 of 0-9, *, # and p (a pause of half a second)')
      .meta({
        description: 'The keys to press: 0-9, *, #, and p for a pause of half a second. 1 to 64.',
        examples: ['1p23#'],
      }),
  })
  .meta({
    id: 'SendDigits',
    description: 'Keys to press for somebody on the telephone, as into another company’s menu.',
  });
export type SendDigits = z.output<typeof SendDigits>;

/** The reply to `POST /v1/participants/{id}/mute` and `…/dtmf`. */
export const TakenByProvider = z
  .object({ legId: id('leg', 'The connection that the provider was asked to do it to') })
  .meta({ id: 'TakenByProvider', description: 'The provider has taken it.' });
export type TakenByProvider = z.output<typeof TakenByProvider>;

/** The reply to `DELETE /v1/participants/{id}`. */
export const RemovedParticipant = z
  .object({
    legIds: z.array(z.string()).meta({
      description: 'Their connections, which are being hung up; none: they had none.',
      examples: [['leg_3q2-7wAAQkV1bWJlclBhcn']],
    }),
  })
  .meta({
    id: 'RemovedParticipant',
    description: 'Somebody who was sent out. The hang-up ledger says when their connections were confirmed closed.',
  });
export type RemovedParticipant = z.output<typeof RemovedParticipant>;

/** The query of `GET /v1/rooms/{id}/participants`. */
export const ListParticipants = z.strictObject(page('people', 'part'));
export type ListParticipants = z.output<typeof ListParticipants>;

/** The reply to `GET /v1/rooms/{id}/participants`. */
export const Roster = z
  .object({
    participants: z
      .array(Participant)
      .meta({ description: 'Of the current or last session, in the order in which they were added.' }),
    next: z
      .string()
      .nullable()
      .meta({
        description: 'Give this as `after` to get the next page; null on the last.',
        examples: ['part_3q2-7wAAQkV1bWJlclBhcn'],
      }),
  })
  .meta({ id: 'Roster', description: 'A page of who is, was or will be in the room.' });
export type Roster = z.output<typeof Roster>;
