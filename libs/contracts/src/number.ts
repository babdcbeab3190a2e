import { z } from 'zod';
import { flag, numberKind, phoneNumber } from './fields.ts';

/** What is said of a dial-in number. */
export const numberFields = {
  country: z.string().regex(/^[A-Z]{2}$/, 'must be two capital letters, ISO 3166-1').meta({ description: 'The country that it is in. ISO 3166-1, two letters.', examples: ['US'] }),
  language: z.string().regex(/^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$/, 'must be a language tag, for example en-US').max(35, 'must be a language tag, for example en-US').meta({ description: 'The language it answers in. BCP 47.', examples: ['en-US'] }),
  tollFree: z.boolean('must be true or false').meta({ description: 'Whether the caller pays nothing.', examples: [false] }),
};

/** A number on which a room's PIN is good. */
export const DialInNumber = z
  .object({ number: phoneNumber('The number to dial.', '+12025550100'), language: z.string().meta({ description: 'The language it answers in. BCP 47.', examples: ['en-US'] }) })
  .meta({ id: 'DialInNumber', description: 'A number on which the room’s PIN is good.' });

/** A number that a tenant may create rooms on. */
export const UsableNumber = z
  .object({
    number: phoneNumber('The number to dial.', '+12025550100'),
    kind: numberKind,
    country: numberFields.country.nullable().meta({ description: 'The country that it is in, ISO 3166-1; null when nobody said.', examples: ['US'] }),
    language: z.string().meta({ description: 'The language it answers in. BCP 47.', examples: ['en-US'] }),
    tollFree: numberFields.tollFree,
  })
  .meta({ id: 'UsableNumber', description: 'A dial-in number on which rooms can be created.' });
export type UsableNumber = z.output<typeof UsableNumber>;

/** The query of `GET /v1/numbers`. */
export const ListNumbers = z.strictObject({
  country: numberFields.country.optional(),
  language: z.string().max(35, 'must be a language tag').regex(/^[\w-]+$/, 'must be a language tag').optional().meta({ description: 'Only those that answer in it. BCP 47; a language alone is any of its variants.', examples: ['en'] }),
  tollFree: flag('Only those that cost the caller nothing, or only the others.'),
  kind: numberKind.optional(),
});
export type ListNumbers = z.output<typeof ListNumbers>;

/** The reply to `GET /v1/numbers`. */
export const Numbers = z.object({ numbers: z.array(UsableNumber).meta({ description: 'Your own first, then the shared ones; each by its number.' }) }).meta({ id: 'Numbers', description: 'The dial-in numbers that you may create rooms on.' });
export type Numbers = z.output<typeof Numbers>;
