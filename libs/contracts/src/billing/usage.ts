import { z } from 'zod';
import {
  exactAmount,
  id,
  idFilter,
  instant,
  legKind,
  maskedNumber,
  microAmount,
  next,
  page,
  phoneNumber,
} from '../fields.ts';

const currency = z.string().meta({ description: 'ISO 4217.', examples: ['EUR'] });
const direction = legKind.meta({
  description:
    '`inbound`: a caller. `outbound`: a called phone. `webrtc`: a browser. `bridge`: the connection between the ' +
    'video session and the phone conference.',
  examples: ['inbound'],
});
const number = phoneNumber('The dial-in number that was called, or that placed the call.', '+12025550100').nullable();
const seconds = z
  .int()
  .min(0)
  .meta({
    description:
      'The duration. For a call: the seconds that the provider charges. For a video connection: the seconds from its ' +
      'creation to its end.',
    examples: [1_260],
  });

const GROUPS = ['day', 'room', 'number', 'direction'] as const;

/** The query of `GET /v1/usage`. */
export const GetUsage = z.strictObject({
  group: z
    .string()
    .regex(
      /^(day|room|number|direction)(,(day|room|number|direction)){0,3}$/,
      'must be one or more of day, room, number and direction, separated by commas',
    )
    .default('day')
    .meta({
      description:
        'How usage is summed: one or more of `day` (UTC), `room`, `number` and `direction`, separated by commas. ' +
        'Default `day`.',
      examples: ['day,direction'],
    })
    .transform((text) => GROUPS.filter((group) => text.split(',').includes(group))),
  from: instant('Connections that ended at or after this time. Default: the start of this month, UTC.').optional(),
  to: instant('Connections that ended before this time. Default: now.').optional(),
});
export type GetUsage = z.output<typeof GetUsage>;

/** The usage of one group in one currency. */
export const UsageRow = z
  .object({
    day: z.iso
      .date()
      .optional()
      .meta({
        description:
          'The day, UTC, on which the connections ended. This and the next three fields appear only if `group` has ' +
          'them.',
        examples: ['2026-05-04'],
      }),
    roomId: id('room', 'The room').optional(),
    number: number.optional(),
    direction: direction.optional(),
    currency,
    records: z
      .int()
      .min(1)
      .meta({
        description: 'The number of call detail records. A bridge has two, every other connection one.',
        examples: [3],
      }),
    seconds,
    price: exactAmount('The price that the provider has reported: the exact sum.', '0.17850025'),
    priceMicro: microAmount('`price`, rounded once.', '178500'),
    estimateMicro: microAmount(
      'The price by the rates of the operator, for connections without a reported price.',
      '105000',
    ),
  })
  .meta({ id: 'UsageRow', description: 'The usage of one group.' });
export type UsageRow = z.output<typeof UsageRow>;

/** The reply to `GET /v1/usage`. */
export const Usage = z
  .object({
    from: instant('The start of the period.'),
    to: instant('The end of the period.'),
    rows: z.array(UsageRow).meta({ description: 'One row for each group and currency, in the order of the groups.' }),
  })
  .meta({ id: 'Usage', description: 'Usage: seconds and costs.' });
export type Usage = z.output<typeof Usage>;

/** The query of `GET /v1/cdrs`. */
export const ListCdrs = z.strictObject({
  roomId: idFilter('room', 'a room', 'Only records of this room.'),
  sessionId: idFilter('ses', 'a session', 'Only records of this session.'),
  legId: idFilter('leg', 'a connection', 'Only records of this connection.'),
  ...page('records', 'cdr'),
});
export type ListCdrs = z.output<typeof ListCdrs>;

/** A call detail record. */
export const Cdr = z
  .object({
    id: id('cdr', 'The record'),
    legId: id('leg', 'The connection'),
    side: z.enum(['media', 'voice']).meta({
      description: '`voice`: a call. `media`: a connection to the video session. A bridge has both.',
      examples: ['voice'],
    }),
    direction,
    roomId: id('room', 'The room').nullable(),
    sessionId: id('ses', 'The session').nullable(),
    number,
    remote: maskedNumber('The phone number of the other party.'),
    startedAt: instant(
      'When charging started, by the clock of the provider. Null if the call was not answered.',
    ).nullable(),
    endedAt: instant('When it ended, by the clock of the provider.'),
    seconds,
    rate: exactAmount('The price per minute of the provider. Null until it is reported.', '0.0085').nullable(),
    rateMicro: microAmount('`rate`, rounded.', '8500').nullable(),
    price: exactAmount(
      'The price of the provider. Null until it is reported, and for connections that the provider does not charge ' +
        'per call.',
      '0.17850025',
    ).nullable(),
    priceMicro: microAmount('`price`, rounded.', '178500').nullable(),
    estimateMicro: microAmount('The price by the rates of the operator.', '210000'),
    currency,
  })
  .meta({ id: 'Cdr', description: 'The charge of one handle of an ended connection.' });
export type Cdr = z.output<typeof Cdr>;

/** The reply to `GET /v1/cdrs`. */
export const CdrPage = z
  .object({
    cdrs: z.array(Cdr).meta({ description: 'The last ended first.' }),
    next: next('cdr_3q2-7wAAQkV1bWJlclBhcn_voice'),
  })
  .meta({ id: 'CdrPage', description: 'A page of call detail records.' });
export type CdrPage = z.output<typeof CdrPage>;

/** The query of `GET /v1/spend`. */
export const GetSpend = z.strictObject({ roomId: idFilter('room', 'a room', 'Includes the budget of this room.') });
export type GetSpend = z.output<typeof GetSpend>;

/** The body of `PUT /v1/rooms/{id}/spend-limit`. */
export const LimitRoomSpend = z
  .strictObject({
    maxSpendMicro: microAmount('The budget of the room.', '5000000')
      .nullable()
      .meta({
        description:
          'The total budget of the room, in millionths of your currency unit, as text. Null: no budget of its own.',
        examples: ['5000000'],
      }),
  })
  .meta({ id: 'LimitRoomSpend', examples: [{ maxSpendMicro: '5000000' }], description: 'The budget of a room.' });
export type LimitRoomSpend = z.output<typeof LimitRoomSpend>;

const SpendLimit = z
  .object({
    scope: z.enum(['tenant-spend', 'tenant-minutes', 'room-spend']).meta({
      description:
        '`tenant-spend` (millionths of the currency unit) and `tenant-minutes` (seconds) apply to a calendar month, ' +
        'UTC. `room-spend` (millionths) applies to the whole life of the room.',
      examples: ['room-spend'],
    }),
    used: z.string().meta({
      description:
        'The used amount, as text. A running connection counts by the rates of the operator, and for at least a ' +
        'minute.',
      examples: ['1200000'],
    }),
    allowed: z.string().meta({ description: 'The limit, as text.', examples: ['5000000'] }),
    currency,
    state: z.enum(['under', 'near', 'spent']).meta({
      description: '`near`: 80 % is used. `spent`: the limit is used, and running sessions are ended.',
      examples: ['under'],
    }),
  })
  .meta({ id: 'SpendLimit', description: 'A limit of money or minutes, and its use.' });

/** The reply to `GET /v1/spend` and to `PUT /v1/rooms/{id}/spend-limit`. */
export const Spend = z
  .object({
    limits: z
      .array(SpendLimit)
      .meta({ description: 'Only limits that are set: `tenant-spend` first, then `tenant-minutes` and `room-spend`.' }),
  })
  .meta({ id: 'Spend', description: 'Limits of money and minutes, and their use.' });
export type Spend = z.output<typeof Spend>;
