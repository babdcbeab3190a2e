import { z } from 'zod';
import { complete, createdBetween, id, instant, label, numberKind, phoneNumber, page } from '../fields.ts';
import { Leg } from '../legs/leg.ts';
import { DialInNumber, languageWanted, numberFields } from '../numbers/number.ts';
import { Session, SessionStart } from '../sessions/session.ts';
import { Client } from '../participants/token.ts';

const clock = (description: string, example: number | null) =>
  z
    .int('must be a whole number of seconds')
    .min(1, 'must be at least 1 second')
    .max(86_400, 'must be at most 86400 seconds')
    .nullable()
    .meta({
      description: `${description} Whole seconds, 1 to 86400; null switches this clock off.`,
      examples: [example],
    });

/** The clocks by which a session ends itself; each ends it with its own reason. */
const clocks = {
  maxDurationSeconds: z
    .int('must be a whole number of seconds')
    .min(60, 'must be at least 60 seconds')
    .max(21_600, 'must be at most 21600 seconds, the longest call that the SIP interconnect carries')
    .meta({
      description:
        'The longest that a session may run, from its creation. Whole seconds, 60 to 21600 (6 hours). Cannot be switched off: every timer at the provider is derived from it.',
      examples: [14_400],
    }),
  neverUsedSeconds: clock('Ends a session that nobody ever joined.', 3_600),
  browsersLeftSeconds: clock('Ends the session when the last browser has left and phones remain.', 60),
  phonesLeftSeconds: clock('Ends the session when the last phone has left and browsers remain.', null),
  aloneSeconds: clock('Ends the session when one single person remains.', 600),
  emptySeconds: clock('Ends the session when everybody has left.', 30),
  hostLeftSeconds: clock('Ends the session when the last host has left.', 120),
};

const bridge = z.enum(['auto', 'always']).meta({
  description:
    'When browsers and phones are tied together: `auto`, as soon as both are there; `always`, as soon as anybody is.',
  examples: ['auto'],
});
/** The vendor's conversation holds 50 and turns the next one out, and one of them is the bridge. */
const MOST_PARTICIPANTS = 49;
const maxParticipants = z
  .int('must be a whole number')
  .min(2, 'must be at least 2')
  .max(MOST_PARTICIPANTS, `must be at most ${MOST_PARTICIPANTS}`)
  .meta({
    description: `How many people may be in a session at once, browsers and phones together. 2 to ${MOST_PARTICIPANTS}: the conference holds 50, and one of them is the bridge.`,
    examples: [MOST_PARTICIPANTS],
  });

const waitForHost = z.boolean('must be true or false').meta({
  description:
    'Whether callers and people who are rung wait until a host is in, with the operator’s music or in silence. Browsers are not held.',
  examples: [false],
});
const pinless = z.boolean('must be true or false').meta({
  description:
    'Whether who dials the number is let in without a PIN. Only on a number of your own, and for one room on it.',
  examples: [false],
});
const startsAt = instant('When the room opens: nobody can join before. Null: it is open.').nullable();
const endsAt = instant(
  'When the room closes: its session ends, and nobody can join after. Null: it does not close.',
).nullable();
const expiresAt = instant('When the room ends for good by itself. Null: not at a fixed time.').nullable();
const expireAfterDays = z
  .int('must be a whole number of days')
  .min(1, 'must be at least 1 day')
  .max(365, 'must be at most 365 days')
  .nullable()
  .meta({
    description: 'Ends the room for good when its last session has been over for so many days. 1 to 365; null: never.',
    examples: [30],
  });
const externalId = z
  .string()
  .min(1, 'must not be empty')
  .max(120, 'must have at most 120 characters')
  .regex(/^[\x21-\x7e]+$/, 'must be printable ASCII characters without spaces')
  .nullable()
  .meta({
    description:
      'Your own name for the room, to find it by; one active room can have it at a time. 1 to 120 printable ASCII characters.',
    examples: ['booking-4711'],
  });
const METADATA_BYTES = 2_048;
const metadata = z
  .record(
    z
      .string()
      .min(1, 'must not have an empty name')
      .max(64, 'must have names of at most 64 characters')
      .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'must have names of whole characters, without control characters'),
    z.string('must be strings').regex(/^[^\0\p{Cs}]*$/u, 'must hold whole characters, and no NUL'),
  )
  .refine(
    (values) => new TextEncoder().encode(JSON.stringify(values)).length <= METADATA_BYTES,
    `must be at most ${METADATA_BYTES} bytes of JSON`,
  )
  .meta({
    description:
      'What you like to keep with the room: names and strings, at most 2048 bytes of JSON. Shown to you alone.',
    examples: [{ team: 'sales' }],
  });

/** The body of `POST /v1/rooms`. */
export const CreateRoom = z
  .strictObject({
    name: label('What the room is called; stands in the invitation.', 'Board meeting'),
    hostName: label('The name on the roster of the person who uses the token in the reply.', 'Ada').default('Host'),
    number: phoneNumber(
      'The dial-in number to use, one of `GET /v1/numbers`. Left out: one that is as `numberWanted` says, a shared one if there is.',
      '+12025550100',
    ).optional(),
    numberWanted: z
      .strictObject({
        country: numberFields.country.optional(),
        language: languageWanted('The language that it speaks.', 'de').optional(),
        tollFree: numberFields.tollFree.optional(),
        kind: numberKind.optional(),
      })
      .optional()
      .meta({
        description: 'Which kind of dial-in number to use; what is left out may be any.',
        examples: [{ country: 'DE' }],
      }),
    bridge: bridge.default('auto'),
    maxParticipants: maxParticipants.default(MOST_PARTICIPANTS),
    maxDurationSeconds: clocks.maxDurationSeconds.default(14_400),
    neverUsedSeconds: clocks.neverUsedSeconds.default(3_600),
    browsersLeftSeconds: clocks.browsersLeftSeconds.default(60),
    phonesLeftSeconds: clocks.phonesLeftSeconds.default(null),
    aloneSeconds: clocks.aloneSeconds.default(600),
    emptySeconds: clocks.emptySeconds.default(30),
    hostLeftSeconds: clocks.hostLeftSeconds.default(null),
    waitForHost: waitForHost.default(false),
    pinless: pinless.default(false),
    startsAt: startsAt.default(null),
    endsAt: endsAt.default(null),
    expiresAt: expiresAt.default(null),
    expireAfterDays: expireAfterDays.default(null),
    externalId: externalId.default(null),
    metadata: metadata.default({}),
  })
  .meta({ id: 'CreateRoom', description: 'A room to create. Only the name is needed.' });
export type CreateRoom = z.output<typeof CreateRoom>;

/** The body of `PATCH /v1/rooms/{id}`. */
export const UpdateRoom = z
  .strictObject({
    name: label('What the room is called; stands in the invitation.', 'Board meeting').optional(),
    bridge: bridge.optional(),
    maxParticipants: maxParticipants.optional(),
    maxDurationSeconds: clocks.maxDurationSeconds.optional(),
    neverUsedSeconds: clocks.neverUsedSeconds.optional(),
    browsersLeftSeconds: clocks.browsersLeftSeconds.optional(),
    phonesLeftSeconds: clocks.phonesLeftSeconds.optional(),
    aloneSeconds: clocks.aloneSeconds.optional(),
    emptySeconds: clocks.emptySeconds.optional(),
    hostLeftSeconds: clocks.hostLeftSeconds.optional(),
    waitForHost: waitForHost.optional(),
    pinless: pinless.optional(),
    startsAt: startsAt.optional(),
    endsAt: endsAt.optional(),
    expiresAt: expiresAt.optional(),
    expireAfterDays: expireAfterDays.optional(),
    externalId: externalId.optional(),
    metadata: metadata.optional(),
  })
  .meta({
    id: 'UpdateRoom',
    description: 'What is to change of a room; what is left out stays. `metadata` is replaced whole.',
  });
export type UpdateRoom = z.output<typeof UpdateRoom>;

/** A room as it stands. */
export const Room = z
  .object({
    id: id('room', 'The room'),
    name: z.string().meta({ description: 'What the room is called.', examples: ['Board meeting'] }),
    state: z.enum(['active', 'ended']).meta({
      description: '`active`: it can be joined, and holds one session after another. `ended`: for good.',
      examples: ['active'],
    }),
    number: phoneNumber('The number that callers dial.', '+12025550100'),
    bridge,
    maxParticipants,
    ...clocks,
    waitForHost,
    pinless,
    startsAt,
    endsAt,
    expiresAt,
    expireAfterDays,
    externalId,
    metadata,
    version: z
      .int()
      .min(1)
      .meta({ description: 'Counts the changes of the room; the same as its `ETag`.', examples: [1] }),
    createdAt: instant('When it was created.'),
    endedAt: instant('When it was ended; null while it is active.').nullable(),
  })
  .meta({
    id: 'Room',
    description: 'What a tenant creates: a name, a PIN on a number, and settings. Holds many sessions over time.',
  });
export type Room = z.output<typeof Room>;

const pin = z
  .string()
  .regex(/^\d{6,12}$/)
  .meta({
    description: 'What a caller keys, followed by the hash key. 6 to 12 digits, no two equal neighbours.',
    examples: ['407281935'],
  });
const pinSpaced = z
  .string()
  .meta({ description: 'The PIN in groups of three, to print or read out.', examples: ['407 281 935'] });
const hostPin = z
  .string()
  .regex(/^\d{6,12}$/)
  .meta({ description: 'What a host keys: the PIN that makes a caller a host.', examples: ['518293046'] });
const hostPinSpaced = z.string().meta({ description: 'The host’s PIN in groups of three.', examples: ['518 293 046'] });
const tapToCall = z.string().meta({
  description: 'A link that dials the number, waits, and keys the PIN, in one tap.',
  examples: ['tel:+12025550100,,407281935#'],
});

const numbers = z.array(DialInNumber).meta({ description: 'Every number on which the PIN is good, `number` first.' });

/** The reply to `POST /v1/rooms`: everything that is needed to meet, at once. */
export const CreatedRoom = z
  .object({
    room: Room,
    session: SessionStart.nullable().meta({
      description:
        'Its first session; null for a room that opens later (`startsAt`), whose session is opened by who comes first.',
    }),
    client: Client.nullable().meta({
      description: 'What the first browser, a host’s, needs; null for a room that opens later: ask for a token then.',
    }),
    participantId: id('part', 'The roster entry of whoever uses the token')
      .nullable()
      .meta({
        description: 'The roster entry of whoever uses the token; null for a room that opens later.',
        examples: ['part_3q2-7wAAQkV1bWJlclBhcn'],
      }),
    pin,
    pinSpaced,
    hostPin,
    hostPinSpaced,
    number: phoneNumber('The number to dial.', '+12025550100'),
    numbers,
    tapToCall,
    invitation: z.string().meta({
      description: 'A few lines to send to people, in the number’s language (English, German, French or Spanish).',
      examples: ['Board meeting\nPhone: +12025550100\nPIN: 407 281 935 #\nOne tap: tel:+12025550100,,407281935#'],
    }),
  })
  .meta({
    id: 'CreatedRoom',
    description: 'A new room with its first session, a token for its first browser, and how to dial in.',
  });
export type CreatedRoom = z.output<typeof CreatedRoom>;

/** The reply to `GET /v1/rooms/{id}`. */
export const RoomDetails = z
  .object({
    room: Room,
    session: Session.nullable().meta({
      description: 'The current session, or the last one when none is running; null when there never was one.',
    }),
    legs: z.array(Leg).meta({
      description: 'The connections of that session, oldest first, each with its line in the hang-up ledger.',
    }),
    complete,
    pin: pin.nullable().meta({
      description:
        'What a caller keys; null once the room has ended, and, like all that holds a PIN, for a key without the scope `rooms:write`.',
      examples: ['407281935'],
    }),
    pinSpaced: pinSpaced
      .nullable()
      .meta({ description: 'The PIN in groups of three; null once the room has ended.', examples: ['407 281 935'] }),
    hostPin: hostPin
      .nullable()
      .meta({ description: 'What a host keys; null once the room has ended.', examples: ['518293046'] }),
    hostPinSpaced: hostPinSpaced.nullable().meta({
      description: 'The host’s PIN in groups of three; null once the room has ended.',
      examples: ['518 293 046'],
    }),
    number: phoneNumber('The number to dial.', '+12025550100'),
    numbers,
    tapToCall: tapToCall.nullable().meta({
      description: 'A link that dials and keys the PIN in one tap; null once the room has ended.',
      examples: ['tel:+12025550100,,407281935#'],
    }),
  })
  .meta({ id: 'RoomDetails', description: 'A room with its current or last session.' });
export type RoomDetails = z.output<typeof RoomDetails>;

/** The query of `GET /v1/rooms`. */
export const ListRooms = z.strictObject({
  state: z
    .enum(['active', 'ended'], 'must be active or ended')
    .optional()
    .meta({ description: 'Only these. Left out: both.', examples: ['active'] }),
  externalId: z
    .string()
    .min(1, 'must not be empty')
    .max(120, 'must have at most 120 characters')
    .regex(/^[^\0]*$/, 'must not hold NUL')
    .optional()
    .meta({ description: 'Only those with this external id.', examples: ['booking-4711'] }),
  name: z
    .string()
    .min(1, 'must not be empty')
    .max(120, 'must have at most 120 characters')
    .regex(/^[^\0]*$/, 'must not hold NUL')
    .optional()
    .meta({ description: 'Only those whose name begins so.', examples: ['Board'] }),
  ...createdBetween,
  ...page('rooms', 'room'),
});
export type ListRooms = z.output<typeof ListRooms>;

/** The reply to `GET /v1/rooms`. */
export const RoomPage = z
  .object({
    rooms: z.array(Room).meta({ description: 'Newest first.' }),
    next: z
      .string()
      .nullable()
      .meta({
        description: 'Give this as `after` to get the next page; null on the last.',
        examples: ['room_3q2-7wAAQkV1bWJlclBhcn'],
      }),
  })
  .meta({ id: 'RoomPage', description: 'A page of rooms.' });
export type RoomPage = z.output<typeof RoomPage>;

/** The reply to `POST /v1/rooms/{id}/end`. */
export const EndedRoom = z
  .object({
    state: z.enum(['ending', 'ended']).meta({
      description: '`ending`: hang-ups are under way. `ended`: there was nothing left to hang up.',
      examples: ['ending'],
    }),
    decided: z.boolean().meta({
      description:
        'Whether this request decided it; false when the session was ending already, whose first reason stands.',
      examples: [true],
    }),
    sessionId: id('ses', 'The session that ends')
      .nullable()
      .meta({
        description: 'The session that ends; null when the room never had one.',
        examples: ['ses_3q2-7wAAQkV1bWJlclBhcn'],
      }),
  })
  .meta({
    id: 'EndedRoom',
    description:
      'What ending a room has set off. Watch it with GET /v1/rooms/{id}: the session is `ended` once the provider has confirmed every leg closed.',
  });
export type EndedRoom = z.output<typeof EndedRoom>;
