import { z } from 'zod';
import { flag, instant, numberKind, page, phoneNumber } from '../fields.ts';

/** What is said of a dial-in number. */
export const numberFields = {
  country: z
    .string()
    .regex(/^[A-Z]{2}$/, 'must be two capital letters, ISO 3166-1')
    .meta({ description: 'The country that it is in. ISO 3166-1, two letters.', examples: ['US'] }),
  language: z
    .string()
    .regex(/^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$/, 'must be a language tag, for example en-US')
    .max(35, 'must be a language tag, for example en-US')
    .meta({ description: 'The language it answers in. BCP 47.', examples: ['en-US'] }),
  tollFree: z
    .boolean('must be true or false')
    .meta({ description: 'Whether the caller pays nothing.', examples: [false] }),
};

const providerAccountId = z
  .string()
  .regex(/^acct_[\w-]{1,64}$/, 'must be a provider account’s id')
  .nullable()
  .meta({
    description:
      'The account of its tenant’s own in which the rooms on it live, with all their calls; null: the platform’s.',
    examples: ['acct_3q2-7wAAQkV1bWJlclBhcn'],
  });
/** A language that is asked for. */
export const languageWanted = (description: string, example: string) =>
  z
    .string()
    .max(35, 'must be a language tag')
    .regex(/^[\w-]+$/, 'must be a language tag')
    .meta({ description: `${description} BCP 47; a language alone is any of its variants.`, examples: [example] });

/** A number on which a room's PIN is good. */
export const DialInNumber = z
  .object({
    number: phoneNumber('The number to dial.', '+12025550100'),
    language: z.string().meta({ description: 'The language it answers in. BCP 47.', examples: ['en-US'] }),
  })
  .meta({ id: 'DialInNumber', description: 'A number on which the room’s PIN is good.' });

/** A number that a tenant may create rooms on. */
export const UsableNumber = z
  .object({
    number: phoneNumber('The number to dial.', '+12025550100'),
    kind: numberKind,
    country: numberFields.country
      .nullable()
      .meta({ description: 'The country that it is in, ISO 3166-1; null when nobody said.', examples: ['US'] }),
    language: z.string().meta({ description: 'The language it answers in. BCP 47.', examples: ['en-US'] }),
    tollFree: numberFields.tollFree,
    providerAccountId,
  })
  .meta({ id: 'UsableNumber', description: 'A dial-in number on which rooms can be created.' });
export type UsableNumber = z.output<typeof UsableNumber>;

/** The query of `GET /v1/numbers`. */
export const ListNumbers = z.strictObject({
  country: numberFields.country.optional(),
  language: languageWanted('Only those that answer in it.', 'en').optional(),
  tollFree: flag('Only those that cost the caller nothing, or only the others.'),
  kind: numberKind.optional(),
});
export type ListNumbers = z.output<typeof ListNumbers>;

/** The reply to `GET /v1/numbers`. */
export const Numbers = z
  .object({
    numbers: z.array(UsableNumber).meta({ description: 'Your own first, then the shared ones; each by its number.' }),
  })
  .meta({ id: 'Numbers', description: 'The dial-in numbers that you may create rooms on.' });
export type Numbers = z.output<typeof Numbers>;

const tenantId = z
  .string()
  .regex(/^ten_[\w-]{1,64}$/, 'must be a tenant’s id')
  .nullable()
  .meta({ description: 'The one tenant who may use it; null: all may.', examples: ['ten_3q2-7wAAQkV1bWJlclBhcn'] });

/** How its callers are guarded until their PIN was right. */
const guard = {
  guarded: z.boolean('must be true or false').meta({
    description:
      'Whether callers who are not yet admitted are counted and held back. Only to be false where nobody unknown can call.',
    examples: [true],
  }),
  maxUnadmitted: z
    .int('must be a whole number')
    .min(1, 'must be at least 1')
    .max(10_000, 'must be at most 10000')
    .meta({
      description: 'How many callers may be asked for a PIN at once; the next hears that it is busy. 1 to 10000.',
      examples: [10],
    }),
};

/** The body of `POST /v1/operator/numbers`. */
export const CreateNumber = z
  .strictObject({
    number: phoneNumber('The number.', '+12025550100'),
    language: numberFields.language.default('en-US'),
    country: numberFields.country.nullable().default(null),
    tollFree: numberFields.tollFree.default(false),
    tenantId: tenantId.default(null),
    providerAccountId: providerAccountId.default(null),
    guarded: guard.guarded.default(true),
    maxUnadmitted: guard.maxUnadmitted.default(10),
  })
  .meta({ id: 'CreateNumber', description: 'A dial-in number to add. Only the number is needed.' });
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
    providerAccountId: providerAccountId.optional(),
  })
  .meta({ id: 'UpdateNumber', description: 'What is to change of a dial-in number; what is left out stays.' });
export type UpdateNumber = z.output<typeof UpdateNumber>;

/** A number as operators see it. */
export const OperatorNumber = UsableNumber.extend({
  tenantId,
  ...guard,
  slowUntil: instant(
    'Until when it is in slow mode, since too many wrong PINs were keyed; null: it is not.',
  ).nullable(),
}).meta({ id: 'OperatorNumber', description: 'A dial-in number of the platform.' });
export type OperatorNumber = z.output<typeof OperatorNumber>;

/** The query of `GET /v1/operator/numbers`. */
export const ListAllNumbers = z.strictObject({
  tenantId: z
    .string()
    .regex(/^ten_[\w-]{1,64}$/, 'must be a tenant’s id')
    .optional()
    .meta({ description: 'Only those of this tenant alone.', examples: ['ten_3q2-7wAAQkV1bWJlclBhcn'] }),
  ...page('numbers', 'num'),
  after: phoneNumber('Where to go on: the `next` of the page before.', '+12025550100').optional(),
});
export type ListAllNumbers = z.output<typeof ListAllNumbers>;

/** The reply to `GET /v1/operator/numbers`. */
export const NumberPage = z
  .object({
    numbers: z.array(OperatorNumber).meta({ description: 'In the order of their digits.' }),
    next: z
      .string()
      .nullable()
      .meta({
        description: 'Give this as `after` to get the next page (its plus as `%2B`); null on the last.',
        examples: ['+12025550100'],
      }),
  })
  .meta({ id: 'NumberPage', description: 'A page of dial-in numbers.' });
export type NumberPage = z.output<typeof NumberPage>;

/** The reply to `DELETE /v1/operator/numbers/{number}`. */
export const DeletedNumber = z
  .object({ number: phoneNumber('The number that is gone.', '+12025550100') })
  .meta({ id: 'DeletedNumber', description: 'A dial-in number that was taken away.' });
export type DeletedNumber = z.output<typeof DeletedNumber>;
