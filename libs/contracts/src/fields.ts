import { LEG_KINDS, LEG_STATES } from '@partyline/domain/leg';
import { END_REASONS, SESSION_STATES } from '@partyline/domain/session';
import { OUTCOMES } from '@partyline/domain/verdict';
import { z } from 'zod';

/*
 * Fields that several schemas share. Every field has a description with its unit and range, and an
 * example: the OpenAPI document, the reference and the SDK are made from them.
 */

/** An opaque id: `<prefix>_<22 URL-safe characters>`. */
export const id = (prefix: string, what: string) =>
  z.string().meta({
    description: `${what}. Opaque; starts with \`${prefix}_\`.`,
    examples: [`${prefix}_3q2-7wAAQkV1bWJlclBhcn`],
  });

/**
 * An id in a query. The pattern excludes text that Postgres rejects.
 * @param thing what the id names, with an article: "a room"
 */
export const idFilter = (prefix: string, thing: string, description: string) =>
  z
    .string()
    .regex(new RegExp(`^${prefix}_[\\w-]{1,64}$`), `must be the id of ${thing}`)
    .optional()
    .meta({ description, examples: [`${prefix}_3q2-7wAAQkV1bWJlclBhcn`] });

/** RFC 3339, section 5.6, also allows a lower-case `t` and `z`. */
const DATETIME = new RegExp(z.regexes.datetime({ offset: true }).source, 'i');
/** In UTC. Postgres has no year 0, and RFC 3339 none after 9999. */
const FIRST_INSTANT_MS = Date.UTC(1970, 0);
const LAST_INSTANT_MS = Date.UTC(10_000, 0) - 1;

/** RFC 3339. Requests can have any offset; replies are in UTC with milliseconds. */
export const instant = (description: string) =>
  z.iso
    // The types of zod lack `pattern`, which its checks read.
    .datetime({ offset: true, pattern: DATETIME, abort: true } as { offset: true })
    .overwrite((text) => text.toUpperCase())
    .refine((text) => {
      const ms = Date.parse(text);
      return ms >= FIRST_INSTANT_MS && ms <= LAST_INSTANT_MS;
    }, 'must be a time from 1970 to 9999, in UTC')
    .meta({ description: `${description} RFC 3339.`, examples: ['2026-05-04T09:30:00.000Z'] });

/** No control characters and no lone surrogates: Postgres and screen readers fail on them. */
export const ONE_LINE = [/^[^\p{Cc}\p{Cs}]*$/u, 'must be one line without control characters'] as const;

/** A name that people read. */
export const label = (description: string, example: string) =>
  z
    .string()
    .trim()
    .min(1, 'must not be empty')
    .max(120, 'must have at most 120 characters')
    .regex(...ONE_LINE)
    .meta({ description: `${description} 1 to 120 characters, one line.`, examples: [example] });

/** A phone number in E.164 format: a plus, the country code, at most 15 digits. */
export const phoneNumber = (description: string, example: string) =>
  z
    .string()
    .regex(/^\+[1-9]\d{6,14}$/, 'must be in E.164 format: a plus, the country code and the number, without spaces')
    .meta({ description: `${description} E.164.`, examples: [example] });

/** A person's phone number as the API shows it. */
export const maskedNumber = (description: string) =>
  z
    .string()
    .nullable()
    .meta({
      description: `${description} Masked: the first four characters and the last two. Null if there is none.`,
      examples: ['+442******18'],
    });

export const sessionState = z.enum(SESSION_STATES).meta({
  description:
    '`open`: no participant has joined. `live`: a participant has joined. `ending`: hang-ups are in progress. ' +
    '`ended`: the provider has confirmed that every connection is closed.',
  examples: ['live'],
});

export const legKind = z.enum(LEG_KINDS).meta({
  description:
    '`bridge`: the SIP call that connects the video session and the phone conference. `inbound`: a caller. ' +
    '`outbound`: a phone that Partyline called. `webrtc`: a browser.',
  examples: ['inbound'],
});

export const legState = z.enum(LEG_STATES).meta({
  description:
    'The state of the connection. `ending`: a hang-up is requested and not confirmed. ' +
    '`ended`: the provider has confirmed that it is closed.',
  examples: ['joined'],
});

export const outcome = z
  .enum(OUTCOMES)
  .nullable()
  .meta({
    description:
      'How the connection ended: normally (`success`), or because of the other party (`client`), of Partyline ' +
      '(`server`), of the provider (`upstream`), or unknown (`indeterminate`). Null while it is open.',
    examples: ['success'],
  });

export const endReason = z.enum(END_REASONS).meta({
  description:
    'Why the session ends: a request, a timer of the room, its schedule, the provider, or an exhausted budget.',
  examples: ['ended-by-tenant'],
});

/** Query fields: the period in which something was created. */
export const createdBetween = {
  createdAfter: instant('Only what was created at or after this time.').optional(),
  createdBefore: instant('Only what was created before this time.').optional(),
};

/** An amount of money, as text, so that no program rounds it. */
export const microAmount = (description: string, example: string) =>
  z
    .string('must be a whole number of millionths, as text')
    .regex(/^\d{1,18}$/, 'must be a whole number of millionths, as text')
    .meta({
      description: `${description} In millionths of the currency unit, as text: "1000000" is 1 EUR.`,
      examples: [example],
    });

/** An exact amount in a reply, in the currency's unit. */
export const exactAmount = (description: string, example: string) =>
  z.string().meta({
    description: `${description} In the currency unit, exactly as charged, as text.`,
    examples: [example],
  });

const CURRENCIES: ReadonlySet<string> = new Set(Intl.supportedValuesOf('currency'));

/** A currency in a request; replies need no such check. */
export const currencyCode = (description: string) =>
  z
    .string()
    .regex(/^[A-Z]{3}$/, { message: 'must be three capital letters (ISO 4217)', abort: true })
    .refine((code) => CURRENCIES.has(code), 'must be a currency of ISO 4217, for example EUR')
    .meta({ description: `${description} ISO 4217.`, examples: ['EUR'] });

export const numberKind = z.enum(['shared', 'dedicated'], 'must be shared or dedicated').meta({
  description: '`shared`: rooms of all tenants use the number. `dedicated`: only your rooms use it.',
  examples: ['shared'],
});

export const role = z.enum(['participant', 'host'], 'must be participant or host').meta({
  description: '`host`: starts a room that waits for its host; the session can end when the last host leaves.',
  examples: ['participant'],
});

/** A boolean in a query. */
export const flag = (description: string) =>
  z
    .enum(['true', 'false'], 'must be true or false')
    .meta({ description, examples: ['true'] })
    .transform((value) => value === 'true')
    .optional();

/** The bound of lists without pages. */
export const MAX_SESSION_ITEMS = 5_000;
export const complete = z
  .boolean()
  .meta({ description: `False if the list was cut at ${MAX_SESSION_ITEMS} items.`, examples: [true] });

/**
 * The query fields of a list with pages.
 * @param things what the list holds, in the plural
 * @param prefix of the ids that `after` names
 */
export const page = (things: string, prefix: string) => ({
  limit: z.coerce
    .number('must be a whole number')
    .int('must be a whole number')
    .min(1, 'must be at least 1')
    .max(100, 'must be at most 100')
    .default(20)
    .meta({ description: `The maximum number of ${things} in the reply. 1 to 100, default 20.`, examples: [20] }),
  after: z
    .string()
    .regex(new RegExp(`^${prefix}_[\\w-]{1,64}$`), 'must be the `next` of the previous page')
    .optional()
    .meta({ description: 'The `next` of the previous page.', examples: [`${prefix}_3q2-7wAAQkV1bWJlclBhcn`] }),
});

/** The reply field that leads to the next page. */
export const next = (example: string) =>
  z
    .string()
    .nullable()
    .meta({ description: 'Send this as `after` to get the next page. Null on the last page.', examples: [example] });
