import { z } from 'zod';
import { currencyCode, next, page } from '../fields.ts';

const what = z
  .enum(
    ['inbound', 'outbound', 'bridge-voice', 'bridge-media', 'webrtc'],
    'must be inbound, outbound, bridge-voice, bridge-media or webrtc',
  )
  .meta({
    description:
      'What is charged per minute. `inbound`: a caller. `outbound`: a called phone. `bridge-voice` and ' +
      '`bridge-media`: the two handles of a bridge. `webrtc`: a browser.',
    examples: ['outbound'],
  });
const prefix = z
  .string()
  .regex(/^(\+[1-9]\d{0,14})?$/, 'must be empty, or a plus and the first digits of the numbers')
  .meta({
    description:
      'The first digits of the numbers: of called numbers for `outbound`, of dial-in numbers for `inbound`. The ' +
      'longest match applies. Empty: all other numbers.',
    examples: ['+4479'],
  });
// At most a million currency units, so that a call of several days does not overflow.
const microPerMinute = z
  .string('must be a whole number of millionths, as text')
  .regex(/^\d{1,12}$/, 'must be a whole number of millionths, as text, with at most 12 digits')
  .meta({
    description: 'The estimated price per minute, in millionths of the currency unit, as text.',
    examples: ['12000'],
  });
const currency = currencyCode('The currency.');

/** One rate of the operator's price list. */
export const Rate = z
  .object({ what, prefix, currency: z.string().meta({ description: 'ISO 4217.', examples: ['EUR'] }), microPerMinute })
  .meta({ id: 'Rate', description: 'An estimated price per minute, used until the provider reports the price.' });
export type Rate = z.output<typeof Rate>;

const dependsOnNumber = (kind: string): boolean => kind === 'inbound' || kind === 'outbound';
const keyOf = (rate: { what: string; prefix: string; currency: string }): string =>
  `${rate.what} ${rate.prefix} ${rate.currency}`;

const RateChange = z
  .strictObject({
    what,
    prefix: prefix.default(''),
    currency,
    microPerMinute: microPerMinute.nullable().meta({
      description:
        'The estimated price per minute, in millionths of the currency unit, as text. Null: the rate is deleted.',
      examples: ['12000'],
    }),
  })
  .refine((rate) => rate.prefix === '' || dependsOnNumber(rate.what), {
    path: ['prefix'],
    message: 'must be empty: only inbound and outbound depend on a number',
  })
  .meta({ id: 'RateChange', description: 'A rate to set or delete.' });

/** The body of `PATCH /v1/operator/rates`. */
export const UpdateRates = z
  .strictObject({
    rates: z
      .array(RateChange)
      .min(1, 'must have at least one rate')
      .max(500, 'must have at most 500 rates')
      .superRefine((rates, context) => {
        const seen = new Set<string>();
        for (const [at, rate] of rates.entries()) {
          if (seen.has(keyOf(rate)))
            context.addIssue({
              code: 'custom',
              path: [at],
              message: 'repeats what, prefix and currency of an earlier rate',
            });
          seen.add(keyOf(rate));
        }
      })
      .meta({ description: 'At most 500 rates. Other rates do not change.' }),
  })
  .meta({
    id: 'UpdateRates',
    examples: [{ rates: [{ what: 'outbound', prefix: '+4479', currency: 'EUR', microPerMinute: '12000' }] }],
    description: 'Rates to set or delete. Either all of them are changed or none.',
  });
export type UpdateRates = z.output<typeof UpdateRates>;

/** The query of `GET /v1/operator/rates`. */
export const ListRates = z.strictObject({
  what: what.optional(),
  currency: currency.optional(),
  ...page('rates', 'rate'),
  after: z
    .string()
    .regex(
      /^(inbound|outbound|bridge-voice|bridge-media|webrtc)\.[A-Z]{3}\.\d{0,15}$/,
      'must be the `next` of the previous page',
    )
    .optional()
    .meta({ description: 'The `next` of the previous page.', examples: ['outbound.EUR.4479'] }),
});
export type ListRates = z.output<typeof ListRates>;

/** The reply to `GET /v1/operator/rates`. */
export const RatePage = z
  .object({
    rates: z.array(Rate).meta({ description: 'Ordered by `what`, `currency` and `prefix`.' }),
    next: next('outbound.EUR.4479'),
  })
  .meta({ id: 'RatePage', description: 'A page of the price list.' });
export type RatePage = z.output<typeof RatePage>;

/** The reply to `PATCH /v1/operator/rates`. */
export const Rates = z
  .object({
    rates: z.array(Rate).meta({ description: 'The changed rates, without the deleted ones.' }),
  })
  .meta({ id: 'Rates', description: 'The changed rates.' });
export type Rates = z.output<typeof Rates>;
