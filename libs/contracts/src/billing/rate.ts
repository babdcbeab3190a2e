import { z } from 'zod';
import { currencyCode, page } from '../fields.ts';

const what = z
  .enum(
    ['inbound', 'outbound', 'bridge-voice', 'bridge-media', 'webrtc'],
    'must be inbound, outbound, bridge-voice, bridge-media or webrtc',
  )
  .meta({
    description:
      'A minute of what: `inbound`, a caller; `outbound`, somebody we rang; `bridge-voice` and `bridge-media`, the two sides of a bridge; `webrtc`, a browser.',
    examples: ['outbound'],
  });
const prefix = z
  .string()
  .regex(/^(\+[1-9]\d{0,14})?$/, 'must be a plus and the first digits of the numbers, or empty')
  .meta({
    description:
      'How the numbers begin: of `outbound` those that are rung, of `inbound` the dial-in numbers. The longest that fits decides; empty: all others.',
    examples: ['+4479'],
  });
// A million of the currency's unit: what runs for days must still be counted without overflow.
const microPerMinute = z
  .string('must be a whole number of millionths, as text')
  .regex(/^\d{1,12}$/, 'must be a whole number of millionths, as text, of at most 12 digits')
  .meta({
    description:
      'What a minute is taken to cost until the provider has said: millionths of the currency’s unit, as text.',
    examples: ['12000'],
  });
const currency = currencyCode('The currency.');

/** One line of the operator's price list. */
export const Rate = z
  .object({ what, prefix, currency: z.string().meta({ description: 'ISO 4217.', examples: ['EUR'] }), microPerMinute })
  .meta({ id: 'Rate', description: 'What a minute is taken to cost.' });
export type Rate = z.output<typeof Rate>;

const byNumber = (kind: string): boolean => kind === 'inbound' || kind === 'outbound';
const nameOf = (rate: { what: string; prefix: string; currency: string }): string =>
  `${rate.what} ${rate.prefix} ${rate.currency}`;

const RateChange = z
  .strictObject({
    what,
    prefix: prefix.default(''),
    currency,
    microPerMinute: microPerMinute.nullable().meta({
      description:
        'What a minute is taken to cost, in millionths of the currency’s unit, as text; null: the line is taken out.',
      examples: ['12000'],
    }),
  })
  .refine((rate) => rate.prefix === '' || byNumber(rate.what), {
    path: ['prefix'],
    message: 'must be empty: only inbound and outbound go by a number',
  })
  .meta({ id: 'RateChange', description: 'A line of the price list to set, or to take out.' });

/** The body of `PATCH /v1/operator/rates`. */
export const UpdateRates = z
  .strictObject({
    rates: z
      .array(RateChange)
      .min(1, 'must name at least one rate')
      .max(500, 'must name at most 500 rates')
      .superRefine((rates, context) => {
        const seen = new Set<string>();
        for (const [at, rate] of rates.entries()) {
          if (seen.has(nameOf(rate)))
            context.addIssue({
              code: 'custom',
              path: [at],
              message: 'names the same what, prefix and currency as one before',
            });
          seen.add(nameOf(rate));
        }
      })
      .meta({ description: 'At most 500; those that are not named stay.' }),
  })
  .meta({ id: 'UpdateRates', description: 'Lines of the price list to set or to take out: all of them, or none.' });
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
      'must be the `next` of the page before',
    )
    .optional()
    .meta({ description: 'Where to go on: the `next` of the page before.', examples: ['outbound.EUR.4479'] }),
});
export type ListRates = z.output<typeof ListRates>;

/** The reply to `GET /v1/operator/rates`. */
export const RatePage = z
  .object({
    rates: z.array(Rate).meta({ description: 'In the order of what, currency and prefix.' }),
    next: z
      .string()
      .nullable()
      .meta({
        description: 'Give this as `after` to get the next page; null on the last.',
        examples: ['outbound.EUR.4479'],
      }),
  })
  .meta({ id: 'RatePage', description: 'A page of the price list.' });
export type RatePage = z.output<typeof RatePage>;

/** The reply to `PATCH /v1/operator/rates`. */
export const Rates = z
  .object({
    rates: z
      .array(Rate)
      .meta({ description: 'Those that were named, as they are now; without those that were taken out.' }),
  })
  .meta({ id: 'Rates', description: 'What was changed of the price list.' });
export type Rates = z.output<typeof Rates>;
