import { z } from 'zod';
import { complete, id, instant, legKind, outcome, page } from '../fields.ts';

/** One time that the provider was asked to close a leg. */
const HangUpAttempt = z
  .object({
    no: z
      .int()
      .min(1)
      .meta({ description: 'Counts from 1.', examples: [1] }),
    at: instant('When it was begun; written down before the provider was asked.'),
    outcome: z
      .enum(['accepted', 'rejected', 'already-closed', 'no-provider-id'])
      .nullable()
      .meta({
        description:
          '`accepted`: the provider accepted it, which does not mean that it is done. `rejected`: it did not, or gave no answer; it is asked again. `already-closed`: a look just before asking showed the leg closed. `no-provider-id`: the provider had not named the connection yet. Null: the answer is out, or whoever asked died before it came.',
        examples: ['accepted'],
      }),
    reason: z
      .string()
      .nullable()
      .meta({ description: 'Why it was refused, in kebab case; null when it was not.', examples: ['vendor-429'] }),
  })
  .meta({
    id: 'HangUpAttempt',
    description:
      'One time that the provider was asked to close a leg. Attempts go on without end, at most 15 seconds apart, until the leg is confirmed closed.',
  });

/** That the provider was seen to have closed one side of a leg. */
const Closing = z
  .object({
    handle: z.enum(['media', 'voice']).meta({
      description: 'Which side: `media`, the video connection, or `voice`, the call. A bridge has both.',
      examples: ['voice'],
    }),
    source: z.enum(['callback', 'look-up']).meta({
      description: '`callback`: a signed event of the provider’s. `look-up`: we asked, and it said so.',
      examples: ['callback'],
    }),
    outcome,
    reason: z
      .string()
      .nullable()
      .meta({ description: 'How it ended, in kebab case.', examples: ['completed'] }),
    at: instant('When we stored it.'),
    providerAt: instant('When it happened by the provider’s clock; null when the provider did not say.').nullable(),
  })
  .meta({ id: 'Closing', description: 'That the provider was seen to have closed one side of a leg.' });

/** One line of the ledger, whole. */
export const HangUpLine = z
  .object({
    legId: id('leg', 'The leg'),
    kind: legKind,
    roomId: id('room', 'Its room'),
    sessionId: id('ses', 'Its session'),
    owedAt: instant('Since when the leg should be down.'),
    reason: z.string().meta({
      description: 'Why: the reason that its session ended with, or what became of this leg alone.',
      examples: ['ended-by-tenant'],
    }),
    asks: z
      .int()
      .min(0)
      .meta({ description: 'How many attempts there were. 0: the leg ended before it was asked to.', examples: [1] }),
    attempts: z.array(HangUpAttempt).meta({ description: 'The last 20 attempts, oldest first.' }),
    confirmedAt: instant('When the provider was seen to have closed every side of it; null until then.').nullable(),
    confirmedBy: Closing.nullable().meta({
      description:
        'The observation that confirmed it; null until then, and for a dial that the provider never made, of which there is nothing to be seen.',
    }),
    closings: z
      .array(Closing)
      .meta({ description: 'Every side that was seen closed, oldest first; the last of them confirmed the whole.' }),
  })
  .meta({
    id: 'HangUpLine',
    description:
      'A leg’s line in the hang-up ledger: when it was owed, how often and when it was asked for last, and what proves that it is done.',
  });
export type HangUpLine = z.output<typeof HangUpLine>;

/** The query of `GET /v1/hang-ups`. */
export const ListHangUps = z.strictObject({
  state: z
    .enum(['unconfirmed', 'confirmed', 'all'], 'must be unconfirmed, confirmed or all')
    .default('all')
    .meta({
      description:
        '`unconfirmed`: those that the provider was not yet seen to have done. `confirmed`: the others. Default `all`.',
      examples: ['unconfirmed'],
    }),
  ...page('lines', 'leg'),
});
export type ListHangUps = z.output<typeof ListHangUps>;

const hangUps = z.array(HangUpLine).meta({ description: 'Those owed last come first.' });

/** The reply to `GET /v1/hang-ups`. */
export const HangUpPage = z
  .object({
    hangUps,
    next: z
      .string()
      .nullable()
      .meta({
        description: 'Give this as `after` to get the next page; null on the last.',
        examples: ['leg_3q2-7wAAQkV1bWJlclBhcn'],
      }),
  })
  .meta({ id: 'HangUpPage', description: 'A page of the hang-up ledger.' });
export type HangUpPage = z.output<typeof HangUpPage>;

/** The reply to `GET /v1/sessions/{id}/hang-ups`. */
export const SessionHangUps = z
  .object({ hangUps, complete })
  .meta({ id: 'SessionHangUps', description: 'A session’s lines of the hang-up ledger.' });
export type SessionHangUps = z.output<typeof SessionHangUps>;
