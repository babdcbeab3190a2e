import { badBody, ended, noRoom, type Operation } from '../operation.ts';
import { CreatedPin, CreatePin, DeletedPin, Pins, RotatedPins } from './pin.ts';

export const PIN_OPERATIONS: readonly Operation[] = [
  {
    id: 'createPin',
    method: 'post',
    path: '/v1/rooms/{roomId}/pins',
    tag: 'pins',
    scope: 'rooms:write',
    summary: 'Give somebody a PIN of their own',
    description:
      'A PIN for one person: who calls with it stands on the roster under this name, as a host or not. Shown once.',
    body: CreatePin,
    reply: { status: 201, schema: CreatedPin },
    problems: {
      ...noRoom,
      409: '`room-ended`: the room has ended. `too-many-pins`: 500 people have PINs of their own.',
      ...badBody,
    },
  },
  {
    id: 'listPins',
    method: 'get',
    path: '/v1/rooms/{roomId}/pins',
    tag: 'pins',
    scope: 'rooms:read',
    summary: 'See who has a PIN of their own',
    description: 'The people of a room with PINs of their own, without the PINs.',
    reply: { status: 200, schema: Pins },
    problems: noRoom,
  },
  {
    id: 'deletePin',
    method: 'delete',
    path: '/v1/rooms/{roomId}/pins/{pinId}',
    tag: 'pins',
    scope: 'rooms:write',
    summary: 'Take a PIN from somebody',
    description: 'The PIN lets nobody in from now on; who is in stays. It is given to nobody else for a day.',
    reply: { status: 200, schema: DeletedPin },
    problems: { 404: '`pin-not-found`: there is no such PIN in this room. `room-not-found`: there is no such room.' },
  },
  {
    id: 'rotatePins',
    method: 'post',
    path: '/v1/rooms/{roomId}/pins/rotate',
    tag: 'pins',
    scope: 'rooms:write',
    summary: 'Draw a room’s PINs anew',
    description:
      'Gives the room two new PINs, for callers and for hosts; the old ones let nobody in from now on. PINs of people stay. Takes no body.',
    reply: { status: 200, schema: RotatedPins },
    problems: { ...noRoom, ...ended },
  },
];
