import { z } from 'zod';
import { id, instant, legKind, legState, maskedNumber, outcome } from '../fields.ts';

/** When a hang-up was owed, asked for and confirmed. */
const HangUp = z
  .object({
    owedAt: instant('Since when the leg should be down; null while it may stay.').nullable(),
    reason: z
      .string()
      .nullable()
      .meta({ description: 'Why it is owed; null while it is not.', examples: ['ended-by-tenant'] }),
    askedAt: instant(
      'When the provider was last asked to close it; null when it was not, or is to be asked again at once.',
    ).nullable(),
    asks: z
      .int()
      .min(0)
      .meta({ description: 'How often the provider was asked.', examples: [1] }),
    confirmedAt: instant('When the provider was seen to have closed every side of it; null until then.').nullable(),
  })
  .meta({
    id: 'HangUp',
    description:
      'A leg’s line in the hang-up ledger. Asked is not done: only `confirmedAt` says that nothing is charged any more.',
  });

/** One billable connection. */
export const Leg = z
  .object({
    id: id('leg', 'The leg'),
    kind: legKind,
    state: legState,
    participantId: id('part', 'Whose it is')
      .nullable()
      .meta({ description: 'Whose it is; null for the bridge.', examples: ['part_3q2-7wAAQkV1bWJlclBhcn'] }),
    number: maskedNumber('The other end’s phone number.'),
    createdAt: instant('When it was decided or came in.'),
    answeredAt: instant('When it was picked up; null before.').nullable(),
    joinedAt: instant('When it was in the conference; null before.').nullable(),
    endedAt: instant('When it was seen closed; null while it is up.').nullable(),
    outcome,
    reason: z
      .string()
      .nullable()
      .meta({ description: 'How it ended, in kebab case; null while it is up.', examples: ['completed'] }),
    hangUp: HangUp,
  })
  .meta({ id: 'Leg', description: 'One billable connection of a session.' });
export type Leg = z.output<typeof Leg>;

/** A leg as the provider itself sees it now. */
const LiveLeg = z
  .object({
    legId: id('leg', 'The leg'),
    kind: legKind,
    state: legState,
    mediaUp: z
      .boolean()
      .nullable()
      .meta({
        description: 'Does the provider say that its video side is up? Null: it has none, or it cannot be asked.',
        examples: [true],
      }),
    voiceUp: z
      .boolean()
      .nullable()
      .meta({
        description: 'Does the provider say that its call is up? Null: it has none, or it cannot be asked.',
        examples: [true],
      }),
  })
  .meta({ id: 'LiveLeg', description: 'What our row says of a leg, beside what the provider says of it now.' });
type LiveLeg = z.output<typeof LiveLeg>;

/** The reply to `GET /v1/rooms/{id}/live`. */
export const LiveRoom = z
  .object({ legs: z.array(LiveLeg).meta({ description: 'Every leg that has not ended.' }) })
  .meta({ id: 'LiveRoom', description: 'A room’s connections as the provider sees them at this moment.' });
export type LiveRoom = z.output<typeof LiveRoom>;
