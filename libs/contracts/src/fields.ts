import { z } from 'zod';

/*
 * The fields that more than one schema has. Each schema of the API says what it means, in which unit and range, and gives an example: the
 * OpenAPI document, the reference page and the SDK are made from these words.
 */

/** Unknown to a caller, opaque to everybody: `<prefix>_<22 URL-safe characters>`. */
export const id = (prefix: string, what: string) =>
  z.string().meta({
    description: `${what}. Opaque; starts with \`${prefix}_\`.`,
    examples: [`${prefix}_3q2-7wAAQkV1bWJlclBhcn`],
  });

/** An id in a query. Any other text might hold what the database refuses. @param thing what it is of, in a sentence */
export const idAsked = (prefix: string, thing: string, description: string) =>
  z
    .string()
    .regex(new RegExp(`^${prefix}_[\\w-]{1,64}$`), `must be ${thing}’s id`)
    .optional()
    .meta({ description, examples: [`${prefix}_3q2-7wAAQkV1bWJlclBhcn`] });

/** RFC 3339, UTC, milliseconds. */
export const instant = (description: string) =>
  z.iso.datetime().meta({ description: `${description} RFC 3339, UTC.`, examples: ['2026-05-04T09:30:00.000Z'] });

/** One line of whole characters: neither control characters nor half a surrogate pair, on which the database and a screen reader would both stumble. */
export const ONE_LINE = [
  /^[^\p{Cc}\p{Cs}]*$/u,
  'must be one line of whole characters, without control characters',
] as const;

/** What people are shown. */
export const label = (description: string, example: string) =>
  z
    .string()
    .trim()
    .min(1, 'must not be empty')
    .max(120, 'must have at most 120 characters')
    .regex(...ONE_LINE)
    .meta({ description: `${description} 1 to 120 characters, one line.`, examples: [example] });

/** A whole phone number: a plus, the country code, at most fifteen digits. */
export const phoneNumber = (description: string, example: string) =>
  z
    .string()
    .regex(/^\+[1-9]\d{6,14}$/, 'must be in E.164 form: a plus, the country code and the number, without spaces')
    .meta({ description: `${description} E.164.`, examples: [example] });

/** Somebody's number as the API shows it. */
export const maskedNumber = (description: string) =>
  z
    .string()
    .nullable()
    .meta({
      description: `${description} Masked: the first four characters and the last two. Null when there is none.`,
      examples: ['+442******18'],
    });

export const sessionState = z.enum(['open', 'live', 'ending', 'ended']).meta({
  description:
    '`open`: nobody has joined yet. `live`: somebody has. `ending`: its end is decided and hang-ups are under way. `ended`: the provider has confirmed that every leg is closed.',
  examples: ['live'],
});

export const legKind = z.enum(['bridge', 'inbound', 'outbound', 'webrtc']).meta({
  description:
    '`bridge`: the SIP call that ties the video session to the voice conference. `inbound`: a caller. `outbound`: somebody we rang. `webrtc`: a browser.',
  examples: ['inbound'],
});

export const legState = z.enum(['requested', 'dialling', 'ringing', 'answered', 'joined', 'ending', 'ended']).meta({
  description:
    'Where the connection is. `ending`: a hang-up is owed and not yet confirmed. `ended`: the provider was seen to have closed it.',
  examples: ['joined'],
});

export const outcome = z
  .enum(['success', 'client', 'server', 'upstream', 'indeterminate'])
  .nullable()
  .meta({ description: 'How it ended, by whose doing; null while it is up.', examples: ['success'] });

export const endReason = z
  .enum([
    'ended-by-tenant',
    'browsers-left',
    'phones-left',
    'host-left',
    'alone',
    'empty',
    'never-used',
    'max-duration',
    'schedule-ended',
    'room-expired',
    'provider-ended',
    'tenant-suspended',
    'spend-limit',
  ])
  .meta({
    description:
      'Why a session ends: a request, one of the room’s clocks, its schedule, the provider, or that the money for it is used up.',
    examples: ['ended-by-tenant'],
  });

/** Two fields of a query: from when on, and until when, something was made. */
export const createdBetween = {
  createdAfter: instant('Only what was created at this moment or later.').optional(),
  createdBefore: instant('Only what was created before this moment.').optional(),
};

/** Money as text, so that no program rounds it. */
export const micro = (description: string, example: string) =>
  z
    .string('must be a whole number of millionths, as text')
    .regex(/^\d{1,18}$/, 'must be a whole number of millionths, as text')
    .meta({
      description: `${description} Millionths of the currency’s unit, as text: 1000000 is one euro where the currency is EUR.`,
      examples: [example],
    });

const CURRENCIES: ReadonlySet<string> = new Set(Intl.supportedValuesOf('currency'));

/** A currency that there is, to be set; what is shown needs no such check. */
export const currencyCode = (description: string) =>
  z
    .string()
    .regex(/^[A-Z]{3}$/, { message: 'must be three capital letters (ISO 4217)', abort: true })
    .refine((code) => CURRENCIES.has(code), 'must be a currency of ISO 4217, for example EUR')
    .meta({ description: `${description} ISO 4217.`, examples: ['EUR'] });

export const numberKind = z.enum(['shared', 'dedicated'], 'must be shared or dedicated').meta({
  description: '`shared`: other tenants’ rooms are on it too. `dedicated`: yours alone.',
  examples: ['shared'],
});

export const role = z.enum(['participant', 'host'], 'must be participant or host').meta({
  description: '`host`: who is waited for where the room does so, and whose leaving can end the session.',
  examples: ['participant'],
});

/** A yes or no in a query. */
export const flag = (description: string) =>
  z
    .enum(['true', 'false'], 'must be true or false')
    .transform((value) => value === 'true')
    .optional()
    .meta({ description, examples: ['true'] });

/** Of what is given whole, so far as it is not endless. */
export const MOST_OF_SESSION = 5_000;
export const complete = z
  .boolean()
  .meta({ description: `False when there was more: at most ${MOST_OF_SESSION} are given.`, examples: [true] });

/** The query fields by which every list is paged. @param things what the list holds, in a sentence; @param prefix of the ids that `after` names */
export const page = (things: string, prefix: string) => ({
  limit: z.coerce
    .number('must be a whole number')
    .int('must be a whole number')
    .min(1, 'must be at least 1')
    .max(100, 'must be at most 100')
    .default(20)
    .meta({ description: `How many ${things} to give at most. 1 to 100, default 20.`, examples: [20] }),
  after: z
    .string()
    .regex(new RegExp(`^${prefix}_[\\w-]{1,64}$`), 'must be the `next` of the page before')
    .optional()
    .meta({
      description: 'Where to go on: the `next` of the page before.',
      examples: [`${prefix}_3q2-7wAAQkV1bWJlclBhcn`],
    }),
});
