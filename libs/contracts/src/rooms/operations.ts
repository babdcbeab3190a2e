import { LiveRoom } from '../legs/leg.ts';
import { badBody, badQuery, ended, noMoney, noRoom, notNow, roomLimit, type Operation } from '../operation.ts';
import { CreatedRoom, CreateRoom, EndedRoom, ListRooms, Room, RoomDetails, RoomPage, UpdateRoom } from './room.ts';

/** What is wrong with the settings of a room. */
const badSettings = `${badBody[422]} \`invalid-schedule\`: its times are in no order. \`not-dedicated\`: a room without PINs needs a number of your own.`;

export const ROOM_OPERATIONS: readonly Operation[] = [
  {
    id: 'createRoom',
    method: 'post',
    path: '/v1/rooms',
    tag: 'rooms',
    scope: 'rooms:write',
    summary: 'Create a room',
    description:
      'Creates a room with its PINs, its first session and a token for its first browser, a host’s: all of it, or nothing. One that opens later gets its session when somebody comes.',
    body: CreateRoom,
    reply: { status: 201, schema: CreatedRoom },
    problems: {
      ...noMoney,
      ...badBody,
      ...roomLimit,
      ...notNow,
      409: '`external-id-taken`: another active room has this `externalId`. `number-in-use`: the number leads to a room without a PIN.',
      422: `${badSettings} \`unknown-number\`: there is no such number that you may use.`,
      503: `${notNow[503]} \`no-numbers\`: the operator must add a dial-in number.`,
    },
  },
  {
    id: 'listRooms',
    method: 'get',
    path: '/v1/rooms',
    tag: 'rooms',
    scope: 'rooms:read',
    summary: 'List rooms',
    description:
      'Your rooms, newest first, a page at a time: in one state, of a time, by the beginning of their name, or by your own id for them. Rooms that you deleted are not among them.',
    query: ListRooms,
    reply: { status: 200, schema: RoomPage },
    problems: badQuery,
  },
  {
    id: 'getRoom',
    method: 'get',
    path: '/v1/rooms/{roomId}',
    tag: 'rooms',
    scope: 'rooms:read',
    summary: 'Look at a room',
    description:
      'The room, its PINs (for a key with `rooms:write`), its current or last session, and every connection of that session with its line in the hang-up ledger. Its `ETag` is good for an `If-Match`.',
    reply: { status: 200, schema: RoomDetails },
    problems: noRoom,
    versioned: true,
  },
  {
    id: 'updateRoom',
    method: 'patch',
    path: '/v1/rooms/{roomId}',
    tag: 'rooms',
    scope: 'rooms:write',
    summary: 'Change a room',
    description:
      'Changes what is named and leaves the rest. Times are good at once, for the running session too; people who were rung before keep the shorter of the two as the longest that the provider holds their call. With `If-Match` (the `ETag` that you read) it is done only if nobody has changed the room since; without, it is done anyway.',
    body: UpdateRoom,
    reply: { status: 200, schema: Room },
    problems: {
      ...noRoom,
      ...badBody,
      409: '`room-ended`: the room has ended. `external-id-taken`: another active room has this `externalId`. `number-in-use`: other rooms are on the number.',
      412: '`version-mismatch`: the room has another version than `If-Match` says.',
      422: badSettings,
    },
    versioned: true,
  },
  {
    id: 'deleteRoom',
    method: 'delete',
    path: '/v1/rooms/{roomId}',
    tag: 'rooms',
    scope: 'rooms:write',
    ends: true,
    summary: 'Delete a room',
    description:
      'Ends the room, if it has not ended, and takes it off your list. It can still be read by its id, for the proof of its hang-ups. Again: the same answer.',
    reply: { status: 202, schema: EndedRoom },
    problems: noRoom,
  },
  {
    id: 'observeRoom',
    method: 'get',
    path: '/v1/rooms/{roomId}/live',
    tag: 'rooms',
    scope: 'rooms:read',
    summary: 'Ask the provider what is up',
    description:
      'Asks the provider, now, which connections of the room’s session are up. For proof; to follow a room, poll its session’s events.',
    reply: { status: 200, schema: LiveRoom },
    problems: { ...noRoom, ...notNow },
  },
  {
    id: 'endRoom',
    method: 'post',
    path: '/v1/rooms/{roomId}/end',
    tag: 'rooms',
    scope: 'rooms:write',
    ends: true,
    summary: 'End a room',
    description:
      'Ends the room for good: its PIN lets nobody in any more, its session ends, and every connection is hung up and confirmed closed. Takes no body.',
    reply: { status: 202, schema: EndedRoom },
    problems: { ...noRoom, ...ended },
  },
];
