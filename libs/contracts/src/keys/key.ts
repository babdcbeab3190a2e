import { z } from 'zod';
import { instant, label, next, page } from '../fields.ts';
import { SCOPES } from '../operation.ts';

const keyId = z.string().meta({
  description: 'The id of the key: the part between the environment and the secret.',
  examples: ['9f86d081884c7d659a2feaa0c55ad015'],
});

/** The scopes of a key. */
export const Scopes = z
  .array(z.enum(SCOPES, `must be one of ${SCOPES.join(', ')}`))
  .min(1, 'must have at least one scope')
  .max(SCOPES.length, 'must not repeat a scope')
  .refine((scopes) => new Set(scopes).size === scopes.length, 'must not repeat a scope')
  .meta({
    description: 'The scopes of the key. The reference names the scope of each operation; `admin` includes all.',
    examples: [['rooms:read', 'rooms:write']],
  });

/** The body of `POST /v1/keys`. */
export const CreateKey = z
  .strictObject({
    label: label('The purpose of the key, as the list of keys shows it.', 'Back office'),
    scopes: Scopes,
    expiresAt: instant(
      'When the key expires, in the future and not after the key that creates it. Left out or null: with that key.',
    )
      .nullable()
      .default(null),
  })
  .meta({
    id: 'CreateKey',
    examples: [{ label: 'Back office', scopes: ['rooms:read', 'events:read'] }],
    description: 'A key to create. It can have only scopes of the key that creates it.',
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
          'How long the previous key stays valid. Whole seconds, 0 (it expires at once) to 2592000 (30 days); ' +
          'default 86400 (1 day).',
        examples: [86_400],
      }),
  })
  .meta({
    id: 'RotateKey',
    examples: [{ overlapSeconds: 86_400 }],
    description: 'How to rotate a key. No field is required.',
  });
export type RotateKey = z.output<typeof RotateKey>;

/** A key as the API shows it, without its secret. */
export const Key = z
  .object({
    id: keyId,
    label: z.string().meta({ description: 'The purpose of the key.', examples: ['Back office'] }),
    scopes: z
      .array(z.string())
      .meta({ description: 'The scopes of the key.', examples: [['rooms:read', 'rooms:write']] }),
    state: z.enum(['live', 'expired', 'revoked']).meta({
      description: '`live`: valid. `expired`: invalid since `expiresAt`. `revoked`: invalid permanently.',
      examples: ['live'],
    }),
    createdAt: instant('When the key was created.'),
    expiresAt: instant('When the key expires. Null: it does not expire.').nullable(),
    revokedAt: instant('When the key was revoked. Null if it is not.').nullable(),
    lastUsedAt: instant('When the key was last used, to the minute. Null: never.').nullable(),
  })
  .meta({ id: 'Key', description: 'An API key. Only a hash of its secret is stored.' });
export type Key = z.output<typeof Key>;

const secretKey = z.string().meta({
  description: 'The complete key. Shown only once.',
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
  .meta({ id: 'RotatedKey', description: 'The new key, and the previous key with its expiry.' });
export type RotatedKey = z.output<typeof RotatedKey>;

/** The query of `GET /v1/keys`. */
export const ListKeys = z.strictObject({
  limit: page('keys', 'key').limit,
  after: z
    .string()
    .regex(/^[A-Za-z0-9]{1,40}$/, 'must be the `next` of the previous page')
    .optional()
    .meta({
      description: 'The `next` of the previous page.',
      examples: ['9f86d081884c7d659a2feaa0c55ad015'],
    }),
});
export type ListKeys = z.output<typeof ListKeys>;

/** The reply to `GET /v1/keys`. */
export const KeyPage = z
  .object({
    keys: z.array(Key).meta({ description: 'Newest first, including expired and revoked keys.' }),
    next: next('9f86d081884c7d659a2feaa0c55ad015'),
  })
  .meta({ id: 'KeyPage', description: 'A page of API keys.' });
export type KeyPage = z.output<typeof KeyPage>;
