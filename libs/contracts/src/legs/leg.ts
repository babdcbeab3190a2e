import { z } from 'zod';
import { id, instant, legKind, legState, maskedNumber, outcome } from '../fields.ts';

/** The hang-up of a leg, in short. */
const HangUp = z
  .object({
    requestedAt: instant('When the hang-up was requested. Null while the connection may stay open.').nullable(),
    reason: z
      .string()
      .nullable()
      .meta({ description: 'Why the hang-up was requested. Null before.', examples: ['ended-by-tenant'] }),
    lastAttemptAt: instant(
      'When the provider was last asked to hang up. Null before, or if a retry is due.',
    ).nullable(),
    attemptCount: z
      .int()
      .min(0)
      .meta({ description: 'How many times the provider was asked to hang up.', examples: [1] }),
    confirmedAt: instant('When the provider confirmed that every handle is closed. Null before.').nullable(),
  })
  .meta({
    id: 'HangUp',
    description: 'The hang-up of a connection. Charges have stopped for certain only when `confirmedAt` is set.',
  });

/** One billable connection. */
export const Leg = z
  .object({
    id: id('leg', 'The connection'),
    kind: legKind,
    state: legState,
    participantId: id('part', 'The participant')
      .nullable()
      .meta({ description: 'The participant. Null for a bridge.', examples: ['part_3q2-7wAAQkV1bWJlclBhcn'] }),
    number: maskedNumber('The phone number of the other party.'),
    createdAt: instant('When the connection was requested or came in.'),
    answeredAt: instant('When the call was answered. Null before.').nullable(),
    joinedAt: instant('When the connection joined the conference. Null before.').nullable(),
    endedAt: instant('When the connection was confirmed closed. Null while it is open.').nullable(),
    outcome,
    reason: z
      .string()
      .nullable()
      .meta({
        description: 'How the connection ended, in kebab case. Null while it is open.',
        examples: ['completed'],
      }),
    hangUp: HangUp,
  })
  .meta({ id: 'Leg', description: 'One billable connection of a session.' });
export type Leg = z.output<typeof Leg>;

/** A leg and its state at the provider. */
const LiveLeg = z
  .object({
    legId: id('leg', 'The connection'),
    kind: legKind,
    state: legState,
    mediaUp: z
      .boolean()
      .nullable()
      .meta({
        description:
          'True if the video connection is live at the provider. Null: it has none, or the state is unknown.',
        examples: [true],
      }),
    voiceUp: z
      .boolean()
      .nullable()
      .meta({
        description: 'True if the call is live at the provider. Null: it has none, or the state is unknown.',
        examples: [true],
      }),
  })
  .meta({ id: 'LiveLeg', description: 'A connection with its state in Partyline and at the provider.' });
type LiveLeg = z.output<typeof LiveLeg>;

/** The reply to `GET /v1/rooms/{id}/live`. */
export const LiveRoom = z
  .object({ legs: z.array(LiveLeg).meta({ description: 'Every connection that has not ended, oldest first.' }) })
  .meta({ id: 'LiveRoom', description: 'The connections of a room as the provider reports them now.' });
export type LiveRoom = z.output<typeof LiveRoom>;
