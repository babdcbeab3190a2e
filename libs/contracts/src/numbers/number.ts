import { PLATFORM_SIP } from '@partyline/domain/platform-account';
import { z } from 'zod';
import { countryCode, languageTag } from '../iso.ts';
import { flag, instant, next, numberKind, page, phoneNumber } from '../fields.ts';

/** The properties of a dial-in number. */
export const numberFields = {
  country: countryCode().meta({ description: 'The country of the number. ISO 3166-1 alpha-2.', examples: ['US'] }),
  language: languageTag().meta({ description: 'The language of the prompts. BCP 47.', examples: ['en-US'] }),
  tollFree: z
    .boolean('must be true or false')
    .meta({ description: 'True if calls to the number are free for the caller.', examples: [false] }),
};

const providerAccountId = z
  .string()
  .nullable()
  .meta({
    description: 'The provider account of the tenant that rooms on this number use. Null: an account of the platform.',
    examples: ['acct_3q2-7wAAQkV1bWJlclBhcn'],
  });
/** As operators see it. */
const anyProviderAccountId = z
  .string()
  .regex(
    new RegExp(String.raw`^(${PLATFORM_SIP}|acct_[\w-]{1,64})$`),
    `must be the id of a provider account, or ${PLATFORM_SIP}`,
  )
  .nullable()
  .meta({
    description:
      'The provider account that rooms on this number use: one of its tenant, or `platform-sip` for the SIP trunk of ' +
      'the platform. Null: the account of the platform that `VIDEO_MODE` names.',
    examples: ['acct_3q2-7wAAQkV1bWJlclBhcn'],
  });

/** A filter by language. */
export const languageFilter = (description: string, example: string) =>
  languageTag().meta({
    description: `${description} BCP 47. A language without a region matches all its variants.`,
    examples: [example],
  });

/** A number on which the PINs of a room are valid. */
export const DialInNumber = z
  .object({
    number: phoneNumber('The dial-in number.', '+12025550100'),
    language: z.string().meta({ description: 'The language of the prompts. BCP 47.', examples: ['en-US'] }),
  })
  .meta({ id: 'DialInNumber', description: 'A dial-in number on which the PINs of the room are valid.' });

/** A number that a tenant can create rooms on. */
export const UsableNumber = z
  .object({
    number: phoneNumber('The dial-in number.', '+12025550100'),
    kind: numberKind,
    country: z
      .string()
      .nullable()
      .meta({ description: 'The country of the number, ISO 3166-1 alpha-2. Null: not specified.', examples: ['US'] }),
    language: z.string().meta({ description: 'The language of the prompts. BCP 47.', examples: ['en-US'] }),
    tollFree: numberFields.tollFree,
    providerAccountId,
  })
  .meta({ id: 'UsableNumber', description: 'A dial-in number that you can create rooms on.' });
export type UsableNumber = z.output<typeof UsableNumber>;

/** The query of `GET /v1/numbers`. */
export const ListNumbers = z.strictObject({
  country: numberFields.country.optional(),
  language: languageFilter('Only numbers with this language.', 'en').optional(),
  tollFree: flag('Only toll-free numbers, or only others.'),
  kind: numberKind.optional(),
});
export type ListNumbers = z.output<typeof ListNumbers>;

/** The reply to `GET /v1/numbers`. */
export const Numbers = z
  .object({
    numbers: z
      .array(UsableNumber)
      .meta({ description: 'Dedicated numbers first, then shared numbers, each in order of digits.' }),
  })
  .meta({ id: 'Numbers', description: 'The dial-in numbers that you can create rooms on.' });
export type Numbers = z.output<typeof Numbers>;

const tenantId = z
  .string()
  .regex(/^ten_[\w-]{1,64}$/, 'must be the id of a tenant')
  .nullable()
  .meta({
    description: 'The tenant of a dedicated number. Null: a shared number.',
    examples: ['ten_3q2-7wAAQkV1bWJlclBhcn'],
  });

/** Protection against callers without a PIN. */
const guard = {
  guarded: z.boolean('must be true or false').meta({
    description:
      'True if PIN attempts of unknown callers are limited. Set it to false only if the number accepts no unknown ' +
      'callers.',
    examples: [true],
  }),
  maxUnadmitted: z
    .int('must be a whole number')
    .min(1, 'must be at least 1')
    .max(10_000, 'must be at most 10000')
    .meta({
      description: 'The maximum number of callers at the PIN prompt. Further callers hear a busy message. 1 to 10000.',
      examples: [10],
    }),
  maxPerCallerId: z
    .int('must be a whole number')
    .min(1, 'must be at least 1')
    .max(10_000, 'must be at most 10000')
    .meta({
      description:
        'The maximum number of callers with the same caller id at the PIN prompt, for example of one telephone system. ' +
        'Callers without a valid caller id share half of `maxUnadmitted` instead. 1 to 10000.',
      examples: [5],
    }),
};

/** The body of `POST /v1/operator/numbers`. */
export const CreateNumber = z
  .strictObject({
    number: phoneNumber('The number.', '+12025550100'),
    language: numberFields.language.default('en-US'),
    country: numberFields.country
      .nullable()
      .optional()
      .meta({
        description:
          'The country of the number. ISO 3166-1 alpha-2. Left out: inferred from the number. Null: not specified.',
        examples: ['US'],
      }),
    tollFree: numberFields.tollFree.optional().meta({
      description: 'True if calls to the number are free for the caller. Left out: inferred from the number.',
      examples: [false],
    }),
    tenantId: tenantId.default(null),
    providerAccountId: anyProviderAccountId.default(null),
    guarded: guard.guarded.default(true),
    maxUnadmitted: guard.maxUnadmitted.default(10),
    maxPerCallerId: guard.maxPerCallerId.default(5),
  })
  .meta({
    id: 'CreateNumber',
    examples: [{ number: '+12025550199', language: 'en-US' }],
    description: 'A dial-in number to add. Only `number` is required.',
  });
export type CreateNumber = z.output<typeof CreateNumber>;

/** The body of `PATCH /v1/operator/numbers/{number}`. */
export const UpdateNumber = z
  .strictObject({
    language: numberFields.language.optional(),
    country: numberFields.country.nullable().optional(),
    tollFree: numberFields.tollFree.optional(),
    tenantId: tenantId.optional(),
    guarded: guard.guarded.optional(),
    maxUnadmitted: guard.maxUnadmitted.optional(),
    maxPerCallerId: guard.maxPerCallerId.optional(),
    providerAccountId: anyProviderAccountId.optional(),
  })
  .meta({
    id: 'UpdateNumber',
    examples: [{ language: 'en-GB', maxUnadmitted: 20 }],
    description: 'The properties to change.',
  });
export type UpdateNumber = z.output<typeof UpdateNumber>;

/** A number as operators see it. */
export const OperatorNumber = UsableNumber.extend({
  tenantId,
  providerAccountId: anyProviderAccountId,
  trunkHost: z
    .string()
    .nullable()
    .meta({
      description:
        'Where the outbound calls of the provider account go, if it is the SIP trunk of a tenant. The calls leave from the address ' +
        'of the platform: do not assign a number to an account that names the trunk of somebody else.',
      examples: ['sip.trunk.example'],
    }),
  ...guard,
  slowUntil: instant('Until when the number is in slow mode after too many wrong PINs. Null: it is not.').nullable(),
}).meta({ id: 'OperatorNumber', description: 'A dial-in number of the platform.' });
export type OperatorNumber = z.output<typeof OperatorNumber>;

/** The query of `GET /v1/operator/numbers`. */
export const ListAllNumbers = z.strictObject({
  tenantId: z
    .string()
    .regex(/^ten_[\w-]{1,64}$/, 'must be the id of a tenant')
    .optional()
    .meta({ description: 'Only dedicated numbers of this tenant.', examples: ['ten_3q2-7wAAQkV1bWJlclBhcn'] }),
  ...page('numbers', 'num'),
  after: phoneNumber('The `next` of the previous page.', '+12025550100').optional(),
});
export type ListAllNumbers = z.output<typeof ListAllNumbers>;

/** The reply to `GET /v1/operator/numbers`. */
export const NumberPage = z
  .object({
    numbers: z.array(OperatorNumber).meta({ description: 'In order of digits.' }),
    next: next('+12025550100').meta({
      description: 'Send this as `after`, with `%2B` for the plus, to get the next page. Null on the last page.',
      examples: ['+12025550100'],
    }),
  })
  .meta({ id: 'NumberPage', description: 'A page of dial-in numbers.' });
export type NumberPage = z.output<typeof NumberPage>;

/** The reply to `DELETE /v1/operator/numbers/{number}`. */
export const DeletedNumber = z
  .object({ number: phoneNumber('The deleted number.', '+12025550100') })
  .meta({ id: 'DeletedNumber', description: 'A deleted dial-in number.' });
export type DeletedNumber = z.output<typeof DeletedNumber>;
