import { badBody, endedOrFull, legLimit, noRoom, notNow, type Operation } from '../operation.ts';
import { AddedParticipant, AddParticipant, Roster } from '../participant.ts';
import { Token, TokenRequest } from '../token.ts';

export const PARTICIPANT_OPERATIONS: readonly Operation[] = [
  {
    id: 'issueToken', method: 'post', path: '/v1/rooms/{roomId}/tokens', tag: 'participants', scope: 'rooms:write', summary: 'Let one more browser in',
    description: 'A client token for one more browser. When the room’s last session is over this opens its next one.',
    body: TokenRequest, reply: { status: 201, schema: Token }, problems: { ...noRoom, ...endedOrFull, ...badBody, ...legLimit, ...notNow },
  },
  {
    id: 'addParticipant', method: 'post', path: '/v1/rooms/{roomId}/participants', tag: 'participants', scope: 'calls:write', summary: 'Ring somebody',
    description: 'Decides that a phone is rung and brought into the room, and replies at once; ringing, answered and failed are told apart on the roster and in the session’s events.',
    body: AddParticipant, reply: { status: 202, schema: AddedParticipant }, problems: { ...noRoom, ...endedOrFull, ...badBody, ...legLimit },
  },
  {
    id: 'listParticipants', method: 'get', path: '/v1/rooms/{roomId}/participants', tag: 'participants', scope: 'rooms:read', summary: 'See who is there',
    description: 'The roster of the current or last session.', reply: { status: 200, schema: Roster }, problems: noRoom,
  },
];
