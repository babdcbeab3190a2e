import { z } from 'zod';
import { complete, createdBetween, id, instant, label, next, numberKind, page, phoneNumber } from '../fields.ts';
import { Leg } from '../legs/leg.ts';
import { DialInNumber, languageFilter, numberFields } from '../numbers/number.ts';
import { Client } from '../participants/token.ts';
import { hostPin, hostPinSpaced, pin, pinSpaced, tapToCall } from '../pins/pin.ts';
import { Session, SessionStart } from '../sessions/session.ts';

const timer = (description: string, example: number | null) =>
  z
    .int('must be a whole number of seconds')
    .min(1, 'must be at least 1 second')
    .max(86_400, 'must be at most 86400 seconds')
    .nullable()
    .meta({
      description: `${description} Whole seconds, 1 to 86400. Null disables this timer.`,
      examples: [example],
    });

/** Timers that end a session, each with its own reason. */
const timers = {
  maxDurationSeconds: z
    .int('must be a whole number of seconds')
    .min(60, 'must be at least 60 seconds')
    .max(21_600, 'must be at most 21600 seconds, the longest call of the SIP interconnect')
    .meta({
      description:
        'The maximum duration of a session, from its creation. Whole seconds, 60 to 21600 (6 hours). It cannot be ' +
        'disabled.',
      examples: [14_400],
    }),
  neverUsedSeconds: timer('Ends a session that no participant has joined.', 3_600),
  browsersLeftSeconds: timer('Ends the session after the last browser has left, while phones remain.', 60),
  phonesLeftSeconds: timer('Ends the session after the last phone has left, while browsers remain.', null),
  aloneSeconds: timer('Ends the session while only one participant remains.', 600),
  emptySeconds: timer('Ends the session after all participants have left.', 30),
  hostLeftSeconds: timer('Ends the session after the last host has left.', 120),
};

const bridge = z.enum(['auto', 'always']).meta({
  description:
    'When the video session and the phone conference are connected. `auto`: when both have participants. ' +
    '`always`: when the first participant joins.',
  examples: ['auto'],
});
/** A conversation of the provider has at most 50 members, and the bridge is one of them. */
const MAX_PARTICIPANTS = 49;
const maxParticipants = z
  .int('must be a whole number')
  .min(2, 'must be at least 2')
  .max(MAX_PARTICIPANTS, `must be at most ${MAX_PARTICIPANTS}`)
  .meta({
    description: `The maximum number of participants in a session, browsers and phones. 2 to ${MAX_PARTICIPANTS}.`,
    examples: [MAX_PARTICIPANTS],
  });

const waitForHost = z.boolean('must be true or false').meta({
  description:
    'Callers and called participants hear hold music, or silence, until a host joins. Browsers join immediately.',
  examples: [false],
});
const pinless = z.boolean('must be true or false').meta({
  description: 'Callers join without a PIN. Needs a dedicated number that no other room uses.',
  examples: [false],
});
const startsAt = instant('When the room opens. Participants cannot join before. Null: it is open.').nullable();
const endsAt = instant(
  'When the room closes: its session ends, and participants cannot join. Null: it does not close.',
).nullable();
const expiresAt = instant('When the room ends permanently. Null: at no fixed time.').nullable();
const expireAfterDays = z
  .int('must be a whole number of days')
  .min(1, 'must be at least 1 day')
  .max(365, 'must be at most 365 days')
  .nullable()
  .meta({
    description: 'Ends the room this many days after the end of its last session. 1 to 365. Null: never.',
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
      'Your own id of the room. Only one active room can have it. 1 to 120 printable ASCII characters without spaces.',
    examples: ['booking-4711'],
  });
const METADATA_BYTES = 2_048;
const metadata = z
  .record(
    z
      .string()
      .min(1, 'must not have an empty name')
      .max(64, 'must have names of at most 64 characters')
      .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'must have names without control characters'),
    z.string().regex(/^[^\0\p{Cs}]*$/u, 'must not contain NUL or a lone surrogate'),
  )
  .refine(
    (values) => new TextEncoder().encode(JSON.stringify(values)).length <= METADATA_BYTES,
    `must be at most ${METADATA_BYTES} bytes of JSON`,
  )
  .meta({
    description: 'Your own names and values, at most 2048 bytes of JSON. Only you can read them.',
    examples: [{ team: 'sales' }],
  });

/** The body of `POST /v1/rooms`. */
export const CreateRoom = z
  .strictObject({
    name: label('The name of the room, also in the invitation.', 'Board meeting'),
    hostName: label('The name of the participant that uses the token in the reply.', 'Ada').default('Host'),
    number: phoneNumber(
      'The dial-in number, one of `GET /v1/numbers`. Left out: a number that matches `numberWanted`, preferably a ' +
        'shared one.',
      '+12025550100',
    ).optional(),
    numberWanted: z
      .strictObject({
        country: numberFields.country.optional(),
        language: languageFilter('The language of the prompts.', 'de').optional(),
        tollFree: numberFields.tollFree.optional(),
        kind: numberKind.optional(),
      })
      .optional()
      .meta({
        description: 'Properties that the dial-in number must have.',
        examples: [{ country: 'DE' }],
      }),
    bridge: bridge.default('auto'),
    maxParticipants: maxParticipants.default(MAX_PARTICIPANTS),
    maxDurationSeconds: timers.maxDurationSeconds.default(14_400),
    neverUsedSeconds: timers.neverUsedSeconds.default(3_600),
    browsersLeftSeconds: timers.browsersLeftSeconds.default(60),
    phonesLeftSeconds: timers.phonesLeftSeconds.default(null),
    aloneSeconds: timers.aloneSeconds.default(600),
    emptySeconds: timers.emptySeconds.default(30),
    hostLeftSeconds: timers.hostLeftSeconds.default(null),
    waitForHost: waitForHost.default(false),
    pinless: pinless.default(false),
    startsAt: startsAt.default(null),
    endsAt: endsAt.default(null),
    expiresAt: expiresAt.default(null),
    expireAfterDays: expireAfterDays.default(null),
    externalId: externalId.default(null),
    metadata: metadata.default({}),
  })
  .meta({
    id: 'CreateRoom',
    examples: [
      {
        name: 'Board meeting',
        hostName: 'Ada',
        maxParticipants: 10,
        aloneSeconds: 300,
        externalId: 'booking-4711',
        metadata: { team: 'sales' },
      },
    ],
    description: 'A room to create. Only `name` is required.',
  });
export type CreateRoom = z.output<typeof CreateRoom>;

/** The body of `PATCH /v1/rooms/{id}`. */
export const UpdateRoom = z
  .strictObject({
    name: label('The name of the room, also in the invitation.', 'Board meeting').optional(),
    bridge: bridge.optional(),
    maxParticipants: maxParticipants.optional(),
    maxDurationSeconds: timers.maxDurationSeconds.optional(),
    neverUsedSeconds: timers.neverUsedSeconds.optional(),
    browsersLeftSeconds: timers.browsersLeftSeconds.optional(),
    phonesLeftSeconds: timers.phonesLeftSeconds.optional(),
    aloneSeconds: timers.aloneSeconds.optional(),
    emptySeconds: timers.emptySeconds.optional(),
    hostLeftSeconds: timers.hostLeftSeconds.optional(),
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
    examples: [{ waitForHost: true, hostLeftSeconds: 120 }],
    description: 'The settings to change. `metadata` is replaced as a whole.',
  });
export type UpdateRoom = z.output<typeof UpdateRoom>;

/** A room as the API shows it. */
export const Room = z
  .object({
    id: id('room', 'The room'),
    name: z.string().meta({ description: 'The name of the room.', examples: ['Board meeting'] }),
    state: z.enum(['active', 'ended']).meta({
      description: '`active`: participants can join. `ended`: ended permanently.',
      examples: ['active'],
    }),
    number: phoneNumber('The dial-in number.', '+12025550100'),
    bridge,
    maxParticipants,
    ...timers,
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
      .meta({ description: 'Increases with each change. Equal to the `ETag`.', examples: [1] }),
    createdAt: instant('When the room was created.'),
    endedAt: instant('When the room ended. Null while it is active.').nullable(),
  })
  .meta({
    id: 'Room',
    description: 'A name, PINs on a dial-in number, and settings. A room has one session after another.',
  });
export type Room = z.output<typeof Room>;

const numbers = z
  .array(DialInNumber)
  .meta({ description: 'Every number on which the PINs are valid, `number` first.' });
const SHOWN_UNTIL_ENDED = 'Null after the room has ended, and for keys without the scope `rooms:write`.';

/** The reply to `POST /v1/rooms`. */
export const CreatedRoom = z
  .object({
    room: Room,
    session: SessionStart.nullable().meta({
      description: 'The first session. Null for a room with `startsAt` in the future.',
    }),
    client: Client.nullable().meta({
      description:
        'Credentials for the first browser, which joins as a host. Null for a room with `startsAt` in the future: ' +
        'request a token when it is open.',
    }),
    participantId: id('part', 'The participant that uses the token')
      .nullable()
      .meta({
        description: 'The participant that uses the token. Null for a room with `startsAt` in the future.',
        examples: ['part_3q2-7wAAQkV1bWJlclBhcn'],
      }),
    pin,
    pinSpaced,
    hostPin,
    hostPinSpaced,
    number: phoneNumber('The dial-in number.', '+12025550100'),
    numbers,
    tapToCall,
    invitation: z.string().meta({
      description: 'An invitation text in the language of the number (English, German, French or Spanish).',
      examples: ['Board meeting\nPhone: +12025550100\nPIN: 407 281 935 #\nOne tap: tel:+12025550100,,407281935'],
    }),
  })
  .meta({
    id: 'CreatedRoom',
    description: 'A new room with its first session, a token for its first browser, and the dial-in details.',
  });
export type CreatedRoom = z.output<typeof CreatedRoom>;

/** The reply to `GET /v1/rooms/{id}`. */
export const RoomDetails = z
  .object({
    room: Room,
    session: Session.nullable().meta({
      description: 'The current session, or the last one. Null if the room has had no session.',
    }),
    legs: z.array(Leg).meta({ description: 'The connections of that session, oldest first, with their hang-ups.' }),
    complete,
    pin: pin.nullable().meta({
      description: `The PIN for callers. ${SHOWN_UNTIL_ENDED}`,
      examples: ['407281935'],
    }),
    pinSpaced: pinSpaced
      .nullable()
      .meta({ description: `The PIN in groups of three. ${SHOWN_UNTIL_ENDED}`, examples: ['407 281 935'] }),
    hostPin: hostPin
      .nullable()
      .meta({ description: `The PIN for hosts. ${SHOWN_UNTIL_ENDED}`, examples: ['518293046'] }),
    hostPinSpaced: hostPinSpaced.nullable().meta({
      description: `The host PIN in groups of three. ${SHOWN_UNTIL_ENDED}`,
      examples: ['518 293 046'],
    }),
    number: phoneNumber('The dial-in number.', '+12025550100'),
    numbers,
    tapToCall: tapToCall.nullable().meta({
      description: `A link that dials the number and enters the PIN. ${SHOWN_UNTIL_ENDED}`,
      examples: ['tel:+12025550100,,407281935'],
    }),
  })
  .meta({ id: 'RoomDetails', description: 'A room with its current or last session.' });
export type RoomDetails = z.output<typeof RoomDetails>;

/** The query of `GET /v1/rooms`. */
export const ListRooms = z.strictObject({
  state: z
    .enum(['active', 'ended'], 'must be active or ended')
    .optional()
    .meta({ description: 'Only rooms in this state. Left out: both.', examples: ['active'] }),
  externalId: z
    .string()
    .min(1, 'must not be empty')
    .max(120, 'must have at most 120 characters')
    .regex(/^[^\0]*$/, 'must not contain NUL')
    .optional()
    .meta({ description: 'Only rooms with this external id.', examples: ['booking-4711'] }),
  name: z
    .string()
    .min(1, 'must not be empty')
    .max(120, 'must have at most 120 characters')
    .regex(/^[^\0]*$/, 'must not contain NUL')
    .optional()
    .meta({ description: 'Only rooms whose name starts with this text, in any case.', examples: ['Board'] }),
  ...createdBetween,
  ...page('rooms', 'room'),
});
export type ListRooms = z.output<typeof ListRooms>;

/** The reply to `GET /v1/rooms`. */
export const RoomPage = z
  .object({
    rooms: z.array(Room).meta({ description: 'Newest first.' }),
    next: next('room_3q2-7wAAQkV1bWJlclBhcn'),
  })
  .meta({ id: 'RoomPage', description: 'A page of rooms.' });
export type RoomPage = z.output<typeof RoomPage>;

/** The reply to `POST /v1/rooms/{id}/end`. */
export const EndedRoom = z
  .object({
    state: z.enum(['ending', 'ended']).meta({
      description: '`ending`: hang-ups are in progress. `ended`: every connection is closed.',
      examples: ['ending'],
    }),
    decided: z.boolean().meta({
      description:
        'True if this request ended the room. False if it was ending or had ended already, for its first reason.',
      examples: [true],
    }),
    sessionId: id('ses', 'The session that ends')
      .nullable()
      .meta({
        description: 'The session that ends. Null if the room has had no session.',
        examples: ['ses_3q2-7wAAQkV1bWJlclBhcn'],
      }),
  })
  .meta({
    id: 'EndedRoom',
    description:
      'The state of the end. `GET /v1/rooms/{roomId}` shows the session as `ended` when the provider has confirmed ' +
      'every hang-up.',
  });
export type EndedRoom = z.output<typeof EndedRoom>;
