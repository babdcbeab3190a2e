import { z } from 'zod';
import { id, idAsked, instant, legKind, maskedNumber, micro, page, phoneNumber } from '../fields.ts';

const currency = z.string().meta({ description: 'ISO 4217.', examples: ['EUR'] });
const direction = legKind.meta({
  description:
    'What kind of connection: `inbound`: a caller. `outbound`: somebody we rang. `webrtc`: a browser. `bridge`: what ties both together.',
  examples: ['inbound'],
});
const number = phoneNumber('The dial-in number that was called, or called from.', '+12025550100').nullable();
const seconds = z
  .int()
  .min(0)
  .meta({
    description:
      'How long it lasted: of a telephone call the seconds that the provider charges for, of a connection to the video session those from its making to its end.',
    examples: [1_260],
  });

const GROUPS = ['day', 'room', 'number', 'direction'] as const;

/** The query of `GET /v1/usage`. */
export const GetUsage = z.strictObject({
  group: z
    .string()
    .regex(
      /^(day|room|number|direction)(,(day|room|number|direction)){0,3}$/,
      'must name day, room, number or direction, or some of them with commas between',
    )
    .default('day')
    .transform((text) => GROUPS.filter((group) => text.split(',').includes(group)))
    .meta({
      description:
        'By what it is summed up: `day` (UTC), `room`, `number`, `direction`, or some of them with commas between. Default `day`.',
      examples: ['day,direction'],
    }),
  from: instant(
    'Connections that ended at this moment or later. Default: the beginning of this month, UTC.',
  ).optional(),
  to: instant('Connections that ended before this moment. Default: now.').optional(),
});
export type GetUsage = z.output<typeof GetUsage>;

/** What was used, of one group and one currency. */
export const UsageRow = z
  .object({
    day: z.iso
      .date()
      .optional()
      .meta({
        description: 'The day, UTC, on which the connections ended. Only when grouped by it, like the next three.',
        examples: ['2026-05-04'],
      }),
    roomId: id('room', 'The room').optional(),
    number: number.optional(),
    direction: direction.optional(),
    currency,
    records: z
      .int()
      .min(1)
      .meta({ description: 'How many sides of connections: a bridge has two, everything else one.', examples: [3] }),
    seconds,
    priceMicro: micro('What the provider has said that they cost.', '178500'),
    estimateMicro: micro(
      'What those cost by the operator’s rates of which the provider has not said it (yet).',
      '105000',
    ),
  })
  .meta({ id: 'UsageRow', description: 'A sum of usage.' });
export type UsageRow = z.output<typeof UsageRow>;

/** The reply to `GET /v1/usage`. */
export const Usage = z
  .object({
    from: instant('From when on.'),
    to: instant('Until when.'),
    rows: z.array(UsageRow).meta({ description: 'A row for each group and currency, in the order of the groups.' }),
  })
  .meta({ id: 'Usage', description: 'What was used: seconds, and what they cost.' });
export type Usage = z.output<typeof Usage>;

/** The query of `GET /v1/cdrs`. */
export const ListCdrs = z.strictObject({
  roomId: idAsked('room', 'a room', 'Only of this room.'),
  sessionId: idAsked('ses', 'a session', 'Only of this session.'),
  legId: idAsked('leg', 'a connection', 'Only of this connection.'),
  ...page('records', 'cdr'),
});
export type ListCdrs = z.output<typeof ListCdrs>;

/** A call detail record. */
export const Cdr = z
  .object({
    id: id('cdr', 'The record'),
    legId: id('leg', 'The connection'),
    side: z.enum(['media', 'voice']).meta({
      description:
        'Which side of it: `voice`, a telephone call; `media`, a connection to the video session. A bridge has both.',
      examples: ['voice'],
    }),
    direction,
    roomId: id('room', 'The room').nullable(),
    sessionId: id('ses', 'The session').nullable(),
    number,
    remote: maskedNumber('Who was on the other end.'),
    startedAt: instant('When the charge began, by the provider’s clock; null when nobody answered.').nullable(),
    endedAt: instant('When it ended, by the provider’s clock.'),
    seconds,
    rateMicro: micro('What the provider takes for a minute; null until it says so.', '8500').nullable(),
    priceMicro: micro(
      'What it takes for all; null until it says so, and for what it charges elsewhere than by the call.',
      '178500',
    ).nullable(),
    estimateMicro: micro('The same by the operator’s rates.', '210000'),
    currency,
  })
  .meta({ id: 'Cdr', description: 'What one side of a connection that is over is charged.' });
export type Cdr = z.output<typeof Cdr>;

/** The reply to `GET /v1/cdrs`. */
export const CdrPage = z
  .object({
    cdrs: z.array(Cdr).meta({ description: 'Those that ended last come first.' }),
    next: z
      .string()
      .nullable()
      .meta({
        description: 'Give this as `after` to get the next page; null on the last.',
        examples: ['cdr_3q2-7wAAQkV1bWJlclBhcn_voice'],
      }),
  })
  .meta({ id: 'CdrPage', description: 'A page of call detail records.' });
export type CdrPage = z.output<typeof CdrPage>;

/** The query of `GET /v1/spend`. */
export const GetSpend = z.strictObject({ roomId: idAsked('room', 'a room', 'With the limit of this room.') });
export type GetSpend = z.output<typeof GetSpend>;

/** The body of `PUT /v1/rooms/{id}/spend-limit`. */
export const LimitRoomSpend = z
  .strictObject({
    maxSpendMicro: micro('What the room may cost, ever.', '5000000')
      .nullable()
      .meta({
        description:
          'What the room may cost, ever: millionths of your currency’s unit, as text; null: no limit of its own.',
        examples: ['5000000'],
      }),
  })
  .meta({ id: 'LimitRoomSpend', description: 'A room’s own limit of money.' });
export type LimitRoomSpend = z.output<typeof LimitRoomSpend>;

const SpendLimit = z
  .object({
    scope: z.enum(['tenant-spend', 'tenant-minutes', 'room-spend']).meta({
      description:
        'Whose limit, of what: `tenant-spend` (millionths of the currency’s unit) and `tenant-minutes` (seconds) are for a calendar month, UTC; `room-spend` (millionths) is for ever.',
      examples: ['room-spend'],
    }),
    used: z.string().meta({
      description:
        'How much is used, as text. What is up counts at the operator’s rates, with its first minute from the beginning.',
      examples: ['1200000'],
    }),
    allowed: z.string().meta({ description: 'How much there is, as text.', examples: ['5000000'] }),
    currency,
    state: z.enum(['under', 'near', 'spent']).meta({
      description: '`near`: four fifths are used. `spent`: nothing is left, and what is up is ended.',
      examples: ['under'],
    }),
  })
  .meta({ id: 'SpendLimit', description: 'A limit of money or minutes, and how much of it is used.' });

/** The reply to `GET /v1/spend` and to `PUT /v1/rooms/{id}/spend-limit`. */
export const Spend = z
  .object({ limits: z.array(SpendLimit).meta({ description: 'Only what has a limit is listed.' }) })
  .meta({ id: 'Spend', description: 'Limits of money and minutes, as they stand now.' });
export type Spend = z.output<typeof Spend>;
