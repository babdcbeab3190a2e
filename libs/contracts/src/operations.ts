import type { z } from 'zod';
import { HangUpPage, ListHangUps, SessionHangUps } from './hang-up.ts';
import { AddParticipant, AddedParticipant, Roster } from './participant.ts';
import { CreatedRoom, CreateRoom, EndedRoom, ListRooms, RoomDetails, RoomPage } from './room.ts';
import { LiveRoom } from './leg.ts';
import { SessionEvents } from './session.ts';
import { Token, TokenRequest } from './token.ts';

/** One thing that the API can be asked to do. */
export interface Operation {
  /** Unique; a method name for the SDK. */
  readonly id: string;
  readonly method: 'get' | 'post';
  /** With its parameters in braces, as OpenAPI has it. */
  readonly path: string;
  readonly tag: 'rooms' | 'participants' | 'sessions' | 'hang-ups';
  readonly summary: string;
  readonly description: string;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  readonly reply: { readonly status: 200 | 201 | 202; readonly schema: z.ZodType };
  /** Which problems it can give beside 401 and 500, by status: what each means here. */
  readonly problems: Readonly<Record<number, string>>;
}

const noRoom = { 404: 'There is no such room, or it is another tenant’s.' };
const noSession = { 404: 'There is no such session, or it is another tenant’s.' };
const ended = { 409: 'The room has ended.' };
const endedOrFull = { 409: 'The room has ended, or is full.' };
const badBody = { 413: 'The body is larger than 64 kB.', 415: 'The body is not JSON.', 422: 'The body is not as it should be; `errors` names every wrong field.' };
const notNow = { 502: 'The provider refused or was too busy.', 503: 'The provider cannot be asked just now; nothing was made. Try again after `Retry-After` seconds.', 504: 'The provider gave no answer.' };

/** The API, one entry per operation. The OpenAPI document is made from it, and a test holds the routes of room-api to it. */
export const OPERATIONS: readonly Operation[] = [
  {
    id: 'createRoom', method: 'post', path: '/v1/rooms', tag: 'rooms', summary: 'Create a room',
    description: 'Creates a room with its PIN, its first session and a token for its first browser: all of it, or nothing.',
    body: CreateRoom, reply: { status: 201, schema: CreatedRoom }, problems: { ...badBody, ...notNow },
  },
  {
    id: 'listRooms', method: 'get', path: '/v1/rooms', tag: 'rooms', summary: 'List rooms', description: 'Your rooms, newest first, a page at a time.',
    query: ListRooms, reply: { status: 200, schema: RoomPage }, problems: { 422: 'The query is not as it should be.' },
  },
  {
    id: 'getRoom', method: 'get', path: '/v1/rooms/{roomId}', tag: 'rooms', summary: 'Look at a room',
    description: 'The room, its PIN, its current or last session, and every connection of that session with its line in the hang-up ledger.',
    reply: { status: 200, schema: RoomDetails }, problems: noRoom,
  },
  {
    id: 'observeRoom', method: 'get', path: '/v1/rooms/{roomId}/live', tag: 'rooms', summary: 'Ask the provider what is up',
    description: 'Asks the provider, now, which connections of the room’s session are up. For proof; to follow a room, poll its session’s events.',
    reply: { status: 200, schema: LiveRoom }, problems: { ...noRoom, ...notNow },
  },
  {
    id: 'endRoom', method: 'post', path: '/v1/rooms/{roomId}/end', tag: 'rooms', summary: 'End a room',
    description: 'Ends the room for good: its PIN lets nobody in any more, its session ends, and every connection is hung up and confirmed closed. Takes no body.',
    reply: { status: 202, schema: EndedRoom }, problems: { ...noRoom, ...ended },
  },
  {
    id: 'issueToken', method: 'post', path: '/v1/rooms/{roomId}/tokens', tag: 'participants', summary: 'Let one more browser in',
    description: 'A client token for one more browser. When the room’s last session is over this opens its next one.',
    body: TokenRequest, reply: { status: 201, schema: Token }, problems: { ...noRoom, ...endedOrFull, ...badBody, ...notNow },
  },
  {
    id: 'addParticipant', method: 'post', path: '/v1/rooms/{roomId}/participants', tag: 'participants', summary: 'Ring somebody',
    description: 'Decides that a phone is rung and brought into the room, and replies at once; ringing, answered and failed are told apart on the roster and in the session’s events.',
    body: AddParticipant, reply: { status: 202, schema: AddedParticipant }, problems: { ...noRoom, ...endedOrFull, ...badBody },
  },
  {
    id: 'listParticipants', method: 'get', path: '/v1/rooms/{roomId}/participants', tag: 'participants', summary: 'See who is there',
    description: 'The roster of the current or last session.', reply: { status: 200, schema: Roster }, problems: noRoom,
  },
  {
    id: 'listSessionEvents', method: 'get', path: '/v1/sessions/{sessionId}/events', tag: 'sessions', summary: 'See what happened in a session',
    description: 'Every event of a session, oldest first, numbered without a gap.', reply: { status: 200, schema: SessionEvents },
    problems: noSession,
  },
  {
    id: 'listHangUps', method: 'get', path: '/v1/hang-ups', tag: 'hang-ups', summary: 'See every hang-up',
    description: 'Your connections that are or were to be hung up, those owed last first, a page at a time: each with every attempt and with what the provider was seen to say.',
    query: ListHangUps, reply: { status: 200, schema: HangUpPage }, problems: { 422: 'The query is not as it should be.' },
  },
  {
    id: 'listSessionHangUps', method: 'get', path: '/v1/sessions/{sessionId}/hang-ups', tag: 'hang-ups', summary: 'See a session’s hang-ups',
    description: 'The same for all connections of one session: once it has ended, each line says when it was confirmed and by what.',
    reply: { status: 200, schema: SessionHangUps }, problems: noSession,
  },
];
