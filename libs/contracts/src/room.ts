import { z } from 'zod';
import { id, instant, label, phoneNumber, page } from './fields.ts';
import { Leg } from './leg.ts';
import { Session, SessionStart } from './session.ts';
import { Client } from './token.ts';

const clock = (description: string, example: number | null) =>
  z.int('must be a whole number of seconds').min(1, 'must be at least 1 second').max(86_400, 'must be at most 86400 seconds').nullable().meta({ description: `${description} Whole seconds, 1 to 86400; null switches this clock off.`, examples: [example] });

/** The clocks by which a session ends itself; each ends it with its own reason. */
const clocks = {
  maxDurationSeconds: z
    .int('must be a whole number of seconds')
    .min(60, 'must be at least 60 seconds')
    .max(21_600, 'must be at most 21600 seconds, the longest call that the SIP interconnect carries')
    .meta({ description: 'The longest that a session may run, from its creation. Whole seconds, 60 to 21600 (6 hours). Cannot be switched off: every timer at the provider is derived from it.', examples: [14_400] }),
  neverUsedSeconds: clock('Ends a session that nobody ever joined.', 3_600),
  browsersLeftSeconds: clock('Ends the session when the last browser has left and phones remain.', 60),
  phonesLeftSeconds: clock('Ends the session when the last phone has left and browsers remain.', null),
  aloneSeconds: clock('Ends the session when one single person remains.', 600),
  emptySeconds: clock('Ends the session when everybody has left.', 30),
};

const bridge = z.enum(['auto', 'always']).meta({ description: 'When browsers and phones are tied together: `auto`, as soon as both are there; `always`, as soon as anybody is.', examples: ['auto'] });
const maxParticipants = z.int('must be a whole number').min(2, 'must be at least 2').max(50, 'must be at most 50').meta({ description: 'How many people may be in a session at once, browsers and phones together. 2 to 50.', examples: [50] });

/** The body of `POST /v1/rooms`. */
export const CreateRoom = z
  .strictObject({
    name: label('What the room is called; stands in the invitation.', 'Board meeting'),
    hostName: label('The name on the roster of the person who uses the token in the reply.', 'Ada').default('Host'),
    number: phoneNumber('The dial-in number to use; it must be one of the platform’s. Left out: a shared one.', '+12025550100').optional(),
    bridge: bridge.default('auto'),
    maxParticipants: maxParticipants.default(50),
    maxDurationSeconds: clocks.maxDurationSeconds.default(14_400),
    neverUsedSeconds: clocks.neverUsedSeconds.default(3_600),
    browsersLeftSeconds: clocks.browsersLeftSeconds.default(60),
    phonesLeftSeconds: clocks.phonesLeftSeconds.default(null),
    aloneSeconds: clocks.aloneSeconds.default(600),
    emptySeconds: clocks.emptySeconds.default(30),
  })
  .meta({ id: 'CreateRoom', description: 'A room to create. Only the name is needed.' });
export type CreateRoom = z.output<typeof CreateRoom>;

/** A room as it stands. */
export const Room = z
  .object({
    id: id('room', 'The room'),
    name: z.string().meta({ description: 'What the room is called.', examples: ['Board meeting'] }),
    state: z.enum(['active', 'ended']).meta({ description: '`active`: it can be joined, and holds one session after another. `ended`: for good.', examples: ['active'] }),
    number: phoneNumber('The number that callers dial.', '+12025550100'),
    bridge,
    maxParticipants,
    ...clocks,
    createdAt: instant('When it was created.'),
    endedAt: instant('When it was ended; null while it is active.').nullable(),
  })
  .meta({ id: 'Room', description: 'What a tenant creates: a name, a PIN on a number, and settings. Holds many sessions over time.' });
export type Room = z.output<typeof Room>;

const pin = z.string().regex(/^\d{6,12}$/).meta({ description: 'What a caller keys, followed by the hash key. 6 to 12 digits, no two equal neighbours.', examples: ['407281935'] });
const pinSpaced = z.string().meta({ description: 'The PIN in groups of three, to print or read out.', examples: ['407 281 935'] });
const tapToCall = z.string().meta({ description: 'A link that dials the number, waits, and keys the PIN, in one tap.', examples: ['tel:+12025550100,,407281935#'] });

const DialInNumber = z
  .object({
    number: phoneNumber('The number to dial.', '+12025550100'),
    language: z.string().meta({ description: 'The language it answers in. BCP 47.', examples: ['en-US'] }),
  })
  .meta({ id: 'DialInNumber', description: 'A number on which the room’s PIN is good.' });
const numbers = z.array(DialInNumber).meta({ description: 'Every number on which the PIN is good, `number` first.' });

/** The reply to `POST /v1/rooms`: everything that is needed to meet, at once. */
export const CreatedRoom = z
  .object({
    room: Room,
    session: SessionStart,
    client: Client,
    participantId: id('part', 'The roster entry of whoever uses the token'),
    pin,
    pinSpaced,
    number: phoneNumber('The number to dial.', '+12025550100'),
    numbers,
    tapToCall,
    invitation: z.string().meta({ description: 'A few lines to send to people, in the number’s language (English, German, French or Spanish).', examples: ['Board meeting\nPhone: +12025550100\nPIN: 407 281 935 #\nOne tap: tel:+12025550100,,407281935#'] }),
  })
  .meta({ id: 'CreatedRoom', description: 'A new room with its first session, a token for its first browser, and how to dial in.' });
export type CreatedRoom = z.output<typeof CreatedRoom>;

/** The reply to `GET /v1/rooms/{id}`. */
export const RoomDetails = z
  .object({
    room: Room,
    session: Session.nullable().meta({ description: 'The current session, or the last one when none is running; null when there never was one.' }),
    legs: z.array(Leg).meta({ description: 'Every connection of that session, oldest first, with its line in the hang-up ledger.' }),
    pin: pin.nullable().meta({ description: 'What a caller keys; null once the room has ended.', examples: ['407281935'] }),
    pinSpaced: pinSpaced.nullable().meta({ description: 'The PIN in groups of three; null once the room has ended.', examples: ['407 281 935'] }),
    number: phoneNumber('The number to dial.', '+12025550100'),
    numbers,
    tapToCall: tapToCall.nullable().meta({ description: 'A link that dials and keys the PIN in one tap; null once the room has ended.', examples: ['tel:+12025550100,,407281935#'] }),
  })
  .meta({ id: 'RoomDetails', description: 'A room with its current or last session.' });
export type RoomDetails = z.output<typeof RoomDetails>;

/** The query of `GET /v1/rooms`. */
export const ListRooms = z.strictObject({
  ...page('rooms', 'room'),
});
export type ListRooms = z.output<typeof ListRooms>;

/** The reply to `GET /v1/rooms`. */
export const RoomPage = z
  .object({
    rooms: z.array(Room).meta({ description: 'Newest first.' }),
    next: z.string().nullable().meta({ description: 'Give this as `after` to get the next page; null on the last.', examples: ['room_3q2-7wAAQkV1bWJlclBhcn'] }),
  })
  .meta({ id: 'RoomPage', description: 'A page of rooms.' });
export type RoomPage = z.output<typeof RoomPage>;

/** The reply to `POST /v1/rooms/{id}/end`. */
export const EndedRoom = z
  .object({
    state: z.enum(['ending', 'ended']).meta({ description: '`ending`: hang-ups are under way. `ended`: there was nothing left to hang up.', examples: ['ending'] }),
    decided: z.boolean().meta({ description: 'Whether this request decided it; false when the session was ending already, whose first reason stands.', examples: [true] }),
    sessionId: id('ses', 'The session that ends').nullable().meta({ description: 'The session that ends; null when the room never had one.', examples: ['ses_3q2-7wAAQkV1bWJlclBhcn'] }),
  })
  .meta({ id: 'EndedRoom', description: 'What ending a room has set off. Watch it with GET /v1/rooms/{id}: the session is `ended` once the provider has confirmed every leg closed.' });
export type EndedRoom = z.output<typeof EndedRoom>;
