import { z } from 'zod';
import { instant, label, page } from '../fields.ts';
import { SCOPES } from '../operation.ts';

const keyId = z.string().meta({
  description: 'The key’s id: the part of the key between its environment and its secret.',
  examples: ['9f86d081884c7d659a2feaa0c55ad015'],
});

/** What a key may do. */
export const Scopes = z
  .array(z.enum(SCOPES, `must be one of ${SCOPES.join(', ')}`))
  .min(1, 'must name at least one scope')
  .max(SCOPES.length, 'must name no scope twice')
  .refine((scopes) => new Set(scopes).size === scopes.length, 'must name no scope twice')
  .meta({
    description: 'What the key may do: each operation in the reference names its scope, and `admin` has all.',
    examples: [['rooms:read', 'rooms:write']],
  });

/** The body of `POST /v1/keys`. */
export const CreateKey = z
  .strictObject({
    label: label('What the key is for; stands in the list of keys.', 'Back office'),
    scopes: Scopes,
    expiresAt: instant(
      'When it stops being good; it must be in the future. Left out or null: it is good until it is revoked.',
    )
      .nullable()
      .default(null),
  })
  .meta({
    id: 'CreateKey',
    description: 'A key to create. It can be given no scope that the key you ask with has not.',
  });
export type CreateKey = z.output<typeof CreateKey>;

/** The body of `POST /v1/keys/{id}/rotate`. */
export const RotateKey = z
  .strictObject({
    overlapSeconds: z
      .int('must be a whole number of seconds')
      .min(0, 'must be at least 0')
      .max(2_592_000, 'must be at most 2592000 (30 days)')
      .default(86_400)
      .meta({
        description:
          'For how long the old key stays good, so that all who use it can change over. Whole seconds, 0 (it is over at once) to 2592000 (30 days); default 86400, a day.',
        examples: [86_400],
      }),
  })
  .meta({ id: 'RotateKey', description: 'How to replace a key. Nothing is needed.' });
export type RotateKey = z.output<typeof RotateKey>;

/** A key as it is shown: without its secret. */
export const Key = z
  .object({
    id: keyId,
    label: z.string().meta({ description: 'What it is for.', examples: ['Back office'] }),
    scopes: z.array(z.string()).meta({ description: 'What it may do.', examples: [['rooms:read', 'rooms:write']] }),
    state: z.enum(['live', 'expired', 'revoked']).meta({
      description: '`live`: good. `expired`: over since `expiresAt`. `revoked`: ended for good.',
      examples: ['live'],
    }),
    createdAt: instant('When it was created.'),
    expiresAt: instant('When it stops being good; null: not by itself.').nullable(),
    revokedAt: instant('When it was revoked; null while it is not.').nullable(),
    lastUsedAt: instant('When it was last used, to the minute; null: never.').nullable(),
  })
  .meta({ id: 'Key', description: 'An API key. Of its secret only a hash is kept.' });
export type Key = z.output<typeof Key>;

const secretKey = z.string().meta({
  description: 'The whole key. Shown this once; nobody can have it again.',
  examples: ['pl_live_9f86d081884c7d659a2feaa0c55ad015_nVaaDrdyk6G1R2h6n2pPqvQkF3xJr1M8yqXWzG7t0Yk'],
});

/** The reply to `POST /v1/keys`. */
export const CreatedKey = z
  .object({ apiKey: Key, key: secretKey })
  .meta({ id: 'CreatedKey', description: 'A new API key.' });
export type CreatedKey = z.output<typeof CreatedKey>;

/** The reply to `POST /v1/keys/{id}/rotate`. */
export const RotatedKey = z
  .object({ apiKey: Key, key: secretKey, old: Key })
  .meta({ id: 'RotatedKey', description: 'The new key, and the old one with when it stops being good.' });
export type RotatedKey = z.output<typeof RotatedKey>;

/** The query of `GET /v1/keys`. */
export const ListKeys = z.strictObject({
  limit: page('keys', 'key').limit,
  after: z
    .string()
    .regex(/^[A-Za-z0-9]{1,40}$/, 'must be the `next` of the page before')
    .optional()
    .meta({
      description: 'Where to go on: the `next` of the page before.',
      examples: ['9f86d081884c7d659a2feaa0c55ad015'],
    }),
});
export type ListKeys = z.output<typeof ListKeys>;

/** The reply to `GET /v1/keys`. */
export const KeyPage = z
  .object({
    keys: z.array(Key).meta({ description: 'Newest first, those that are over too.' }),
    next: z
      .string()
      .nullable()
      .meta({
        description: 'Give this as `after` to get the next page; null on the last.',
        examples: ['9f86d081884c7d659a2feaa0c55ad015'],
      }),
  })
  .meta({ id: 'KeyPage', description: 'A page of API keys.' });
export type KeyPage = z.output<typeof KeyPage>;
