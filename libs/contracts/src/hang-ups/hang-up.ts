import { z } from 'zod';
import { complete, id, instant, legKind, next, outcome, page } from '../fields.ts';

/** One request to the provider to close a leg. */
const HangUpAttempt = z
  .object({
    no: z
      .int()
      .min(1)
      .meta({ description: 'Counts from 1.', examples: [1] }),
    at: instant('When the attempt was recorded, before the request to the provider.'),
    outcome: z
      .enum(['accepted', 'rejected', 'already-closed', 'no-provider-id'])
      .nullable()
      .meta({
        description:
          '`accepted`: the provider accepted the request; the connection may still be open. `rejected`: the provider ' +
          'rejected it or did not answer; Partyline retries. `already-closed`: a look-up before the request showed ' +
          'that the connection is closed. `no-provider-id`: the provider has not named the connection yet. Null: the ' +
          'attempt is in progress, or its process died.',
        examples: ['accepted'],
      }),
    reason: z
      .string()
      .nullable()
      .meta({
        description: 'Why the request was rejected, in kebab case. Null otherwise.',
        examples: ['upstream-429'],
      }),
  })
  .meta({
    id: 'HangUpAttempt',
    description:
      'One request to the provider to close a connection. Partyline retries, at most 15 seconds apart, until the ' +
      'hang-up is confirmed.',
  });

/** A stored statement of the provider that a handle is closed. */
const HandleObservation = z
  .object({
    handle: z.enum(['media', 'voice']).meta({
      description: '`media`: the video connection. `voice`: the call. A bridge has both.',
      examples: ['voice'],
    }),
    source: z.enum(['callback', 'look-up']).meta({
      description: '`callback`: a signed webhook of the provider. `look-up`: the answer to a request of Partyline.',
      examples: ['callback'],
    }),
    outcome,
    reason: z
      .string()
      .nullable()
      .meta({ description: 'How the handle ended, in kebab case.', examples: ['completed'] }),
    at: instant('When Partyline stored the observation.'),
    providerAt: instant('When it happened, by the clock of the provider. Null if the provider did not say.').nullable(),
  })
  .meta({ id: 'HandleObservation', description: 'A statement of the provider that a handle is closed.' });

/** One entry of the ledger. */
export const HangUpEntry = z
  .object({
    legId: id('leg', 'The connection'),
    kind: legKind,
    roomId: id('room', 'The room'),
    sessionId: id('ses', 'The session'),
    requestedAt: instant('When the hang-up was requested.'),
    reason: z.string().meta({
      description: 'Why the hang-up was requested: the end reason of the session, or a reason of this connection.',
      examples: ['ended-by-tenant'],
    }),
    attemptCount: z
      .int()
      .min(0)
      .meta({ description: 'The number of attempts. 0: the connection ended before the first.', examples: [1] }),
    attempts: z.array(HangUpAttempt).meta({ description: 'The last 20 attempts, oldest first.' }),
    confirmedAt: instant('When the provider confirmed that every handle is closed. Null before.').nullable(),
    confirmedBy: HandleObservation.nullable().meta({
      description:
        'The observation that confirmed the hang-up. Null before, and for a call that was never placed at the ' +
        'provider.',
    }),
    observations: z
      .array(HandleObservation)
      .meta({ description: 'Every observation of a closed handle, oldest first.' }),
  })
  .meta({
    id: 'HangUpEntry',
    description: 'The hang-up of one connection: the request, the attempts, the observations and the confirmation.',
  });
export type HangUpEntry = z.output<typeof HangUpEntry>;

/** The query of `GET /v1/hang-ups`. */
export const ListHangUps = z.strictObject({
  state: z
    .enum(['unconfirmed', 'confirmed', 'all'], 'must be unconfirmed, confirmed or all')
    .default('all')
    .meta({
      description: 'Only hang-ups that are `unconfirmed` or `confirmed`. Default `all`.',
      examples: ['unconfirmed'],
    }),
  ...page('hang-ups', 'leg'),
});
export type ListHangUps = z.output<typeof ListHangUps>;

const hangUps = z.array(HangUpEntry).meta({ description: 'The last requested first.' });

/** The reply to `GET /v1/hang-ups`. */
export const HangUpPage = z
  .object({ hangUps, next: next('leg_3q2-7wAAQkV1bWJlclBhcn') })
  .meta({ id: 'HangUpPage', description: 'A page of the hang-up ledger.' });
export type HangUpPage = z.output<typeof HangUpPage>;

/** The reply to `GET /v1/sessions/{id}/hang-ups`. */
export const SessionHangUps = z
  .object({ hangUps, complete })
  .meta({ id: 'SessionHangUps', description: 'The hang-up ledger of a session.' });
export type SessionHangUps = z.output<typeof SessionHangUps>;
