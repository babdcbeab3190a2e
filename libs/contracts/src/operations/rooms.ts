import { LiveRoom } from '../leg.ts';
import { badBody, badQuery, ended, noRoom, notNow, type Operation } from '../operation.ts';
import { CreatedRoom, CreateRoom, EndedRoom, ListRooms, RoomDetails, RoomPage } from '../room.ts';

export const ROOM_OPERATIONS: readonly Operation[] = [
  {
    id: 'createRoom', method: 'post', path: '/v1/rooms', tag: 'rooms', scope: 'rooms:write', summary: 'Create a room',
    description: 'Creates a room with its PIN, its first session and a token for its first browser: all of it, or nothing.',
    body: CreateRoom, reply: { status: 201, schema: CreatedRoom }, problems: { ...badBody, ...notNow },
  },
  {
    id: 'listRooms', method: 'get', path: '/v1/rooms', tag: 'rooms', scope: 'rooms:read', summary: 'List rooms', description: 'Your rooms, newest first, a page at a time.',
    query: ListRooms, reply: { status: 200, schema: RoomPage }, problems: badQuery,
  },
  {
    id: 'getRoom', method: 'get', path: '/v1/rooms/{roomId}', tag: 'rooms', scope: 'rooms:read', summary: 'Look at a room',
    description: 'The room, its PIN, its current or last session, and every connection of that session with its line in the hang-up ledger.',
    reply: { status: 200, schema: RoomDetails }, problems: noRoom,
  },
  {
    id: 'observeRoom', method: 'get', path: '/v1/rooms/{roomId}/live', tag: 'rooms', scope: 'rooms:read', summary: 'Ask the provider what is up',
    description: 'Asks the provider, now, which connections of the room’s session are up. For proof; to follow a room, poll its session’s events.',
    reply: { status: 200, schema: LiveRoom }, problems: { ...noRoom, ...notNow },
  },
  {
    id: 'endRoom', method: 'post', path: '/v1/rooms/{roomId}/end', tag: 'rooms', scope: 'rooms:write', summary: 'End a room',
    description: 'Ends the room for good: its PIN lets nobody in any more, its session ends, and every connection is hung up and confirmed closed. Takes no body.',
    reply: { status: 202, schema: EndedRoom }, problems: { ...noRoom, ...ended },
  },
];
