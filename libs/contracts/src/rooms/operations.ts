import { LiveRoom } from '../legs/leg.ts';
import type { Operation } from '../operation.ts';
import { CreatedRoom, CreateRoom, EndedRoom, ListRooms, Room, RoomDetails, RoomPage, UpdateRoom } from './room.ts';

export const ROOM_OPERATIONS: readonly Operation[] = [
  {
    id: 'createRoom',
    method: 'post',
    path: '/v1/rooms',
    tag: 'rooms',
    scope: 'rooms:write',
    summary: 'Create a room',
    description:
      'Creates a room with its PINs, its first session and a token for its first browser, which joins as a host. ' +
      'Either all of it is created or nothing. A room with `startsAt` in the future has no session until it opens ' +
      'and the first participant joins.',
    body: CreateRoom,
    reply: { status: 201, schema: CreatedRoom },
    asksProvider: true,
    reasons: [
      'spend-limit',
      'external-id-taken',
      'number-in-use',
      'invalid-schedule',
      'number-not-dedicated',
      'unknown-number',
      'limit-live-rooms',
      'limit-live-legs',
      'no-numbers',
    ],
  },
  {
    id: 'listRooms',
    method: 'get',
    path: '/v1/rooms',
    tag: 'rooms',
    scope: 'rooms:read',
    summary: 'List rooms',
    description:
      'Your rooms, newest first. You can filter by state, creation time, the start of the name, or external id. ' +
      'Deleted rooms are not listed.',
    query: ListRooms,
    reply: { status: 200, schema: RoomPage },
    reasons: [],
  },
  {
    id: 'getRoom',
    method: 'get',
    path: '/v1/rooms/{roomId}',
    tag: 'rooms',
    scope: 'rooms:read',
    summary: 'Get a room',
    description:
      'The room, its current or last session, and the connections of that session with their hang-ups. ' +
      'PINs are shown only to keys with `rooms:write`. Use the `ETag` for `If-Match`.',
    reply: { status: 200, schema: RoomDetails },
    reasons: ['room-not-found'],
    versioned: true,
  },
  {
    id: 'updateRoom',
    method: 'patch',
    path: '/v1/rooms/{roomId}',
    tag: 'rooms',
    scope: 'rooms:write',
    summary: 'Update a room',
    description:
      'Changes the given settings. If they have these values already, the version stays and no event is sent. ' +
      'Timers take effect at once, also for the running session; a call that is already placed, and a caller of a SIP ' +
      'number who is already in the conference, keep the shorter of ' +
      'the two maximum durations at the provider. With `If-Match` the room is changed only if it still has that ' +
      'version.',
    body: UpdateRoom,
    reply: { status: 200, schema: Room },
    reasons: [
      'room-not-found',
      'room-ended',
      'external-id-taken',
      'number-in-use',
      'version-mismatch',
      'invalid-schedule',
      'number-not-dedicated',
    ],
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
      'Ends the room, if it is active, and removes it from the list. You can still get it by its id, for the proof ' +
      'of its hang-ups. A repeated request has the same answer.',
    reply: { status: 202, schema: EndedRoom },
    reasons: ['room-not-found'],
  },
  {
    id: 'observeRoom',
    method: 'get',
    path: '/v1/rooms/{roomId}/live',
    tag: 'rooms',
    scope: 'rooms:read',
    summary: 'Get the live connections from the provider',
    description:
      'Asks the provider which connections of the current session are live. Use it as proof; to follow a room, read ' +
      'its events.',
    reply: { status: 200, schema: LiveRoom },
    asksProvider: true,
    reasons: ['room-not-found'],
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
      'Ends the room permanently: its PINs stop working, its session ends, and every connection is hung up. ' +
      'A repeated request returns the current state, with `decided: false`. The request has no body.',
    reply: { status: 202, schema: EndedRoom },
    reasons: ['room-not-found'],
  },
];
