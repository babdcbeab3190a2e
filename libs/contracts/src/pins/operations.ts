import type { Operation } from '../operation.ts';
import { CreatedPin, CreatePin, DeletedPin, Pins, RotatedPins } from './pin.ts';

export const PIN_OPERATIONS: readonly Operation[] = [
  {
    id: 'createPin',
    method: 'post',
    path: '/v1/rooms/{roomId}/pins',
    tag: 'pins',
    scope: 'rooms:write',
    summary: 'Create a personal PIN',
    description:
      'Creates a PIN for one participant, with a name and a role. A caller with this PIN appears in the roster under ' +
      'this name. The PIN is shown only once.',
    body: CreatePin,
    reply: { status: 201, schema: CreatedPin },
    reasons: ['room-not-found', 'room-ended', 'too-many-pins'],
  },
  {
    id: 'listPins',
    method: 'get',
    path: '/v1/rooms/{roomId}/pins',
    tag: 'pins',
    scope: 'rooms:read',
    summary: 'List personal PINs',
    description: 'The owners of personal PINs in a room, without the PINs.',
    reply: { status: 200, schema: Pins },
    reasons: ['room-not-found'],
  },
  {
    id: 'deletePin',
    method: 'delete',
    path: '/v1/rooms/{roomId}/pins/{pinId}',
    tag: 'pins',
    scope: 'rooms:write',
    summary: 'Delete a personal PIN',
    description:
      'The PIN stops working. A participant who is connected stays connected. The digits are not used again for a day.',
    reply: { status: 200, schema: DeletedPin },
    reasons: ['pin-not-found', 'room-not-found'],
  },
  {
    id: 'rotatePins',
    method: 'post',
    path: '/v1/rooms/{roomId}/pins/rotate',
    tag: 'pins',
    scope: 'rooms:write',
    summary: 'Rotate the PINs of a room',
    description:
      'Replaces the two PINs of the room, for callers and for hosts. The previous PINs stop working; personal PINs ' +
      'do not change. The request has no body.',
    reply: { status: 200, schema: RotatedPins },
    reasons: ['room-not-found', 'room-ended'],
  },
];
