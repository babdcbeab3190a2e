import { badBody, badQuery, endedOrFull, legLimit, noMoney, noRoom, notNow, type Operation } from '../operation.ts';
import { AddedParticipant, AddParticipant, ListParticipants, MuteParticipant, Participant, RemovedParticipant, Roster, SendDigits, TakenByProvider, UpdateParticipant } from '../participant.ts';
import { Token, TokenRequest } from '../token.ts';

const noParticipant = { 404: '`participant-not-found`: there is no such participant, or it is another tenant’s.' };
const notThere = { 409: '`participant-not-there`: they are not connected now. `not-supported`: the provider cannot do this to their connection. `provider-account-gone`: the account that they are at was deleted.' };

export const PARTICIPANT_OPERATIONS: readonly Operation[] = [
  {
    id: 'issueToken', method: 'post', path: '/v1/rooms/{roomId}/tokens', tag: 'participants', scope: 'rooms:write', summary: 'Let one more browser in',
    description: 'A client token for one more browser. When the room’s last session is over this opens its next one.',
    body: TokenRequest, reply: { status: 201, schema: Token }, problems: { ...noMoney, ...noRoom, ...endedOrFull, ...badBody, ...legLimit, ...notNow },
  },
  {
    id: 'addParticipant', method: 'post', path: '/v1/rooms/{roomId}/participants', tag: 'participants', scope: 'calls:write', summary: 'Ring somebody',
    description: 'Decides that a phone is rung and brought into the room, and replies at once; ringing, answered and failed are told apart on the roster and in the session’s events.',
    body: AddParticipant, reply: { status: 202, schema: AddedParticipant },
    problems: {
      ...noMoney, ...noRoom, ...endedOrFull, ...badBody,
      403: '`destination-not-allowed`: numbers of this country may not be rung for you. `destination-premium`: nor any that cost more than an ordinary call, nor satellites.',
      422: `${badBody[422]} \`not-e164\`: the number is not in E.164 form. \`not-a-number\`: no country has such a number.`,
      429: `${legLimit[429]} \`limit-dial-outs\`: as many were rung within the last minute as may be. \`fraud-limit\`: your calls look like a thief’s; \`detail\` names the meter.`,
    },
  },
  {
    id: 'listParticipants', method: 'get', path: '/v1/rooms/{roomId}/participants', tag: 'participants', scope: 'rooms:read', summary: 'See who is there',
    description: 'The roster of the current or last session, a page at a time.', query: ListParticipants, reply: { status: 200, schema: Roster }, problems: { ...noRoom, ...badQuery },
  },
  { id: 'getParticipant', method: 'get', path: '/v1/participants/{participantId}', tag: 'participants', scope: 'rooms:read', summary: 'Look at somebody', description: 'One person with the state of their connection.', reply: { status: 200, schema: Participant }, problems: noParticipant },
  {
    id: 'updateParticipant', method: 'patch', path: '/v1/participants/{participantId}', tag: 'participants', scope: 'rooms:write', summary: 'Rename somebody', description: 'Gives somebody another name on the roster.',
    body: UpdateParticipant, reply: { status: 200, schema: Participant }, problems: { ...noParticipant, ...badBody },
  },
  {
    id: 'removeParticipant', method: 'delete', path: '/v1/participants/{participantId}', tag: 'participants', scope: 'calls:write', ends: true, summary: 'Send somebody out',
    description: 'Hangs somebody up, with the reason `removed`. A browser that comes back by the same token is hung up again; who knows a PIN can call again, unless you take that too.',
    reply: { status: 202, schema: RemovedParticipant }, problems: noParticipant,
  },
  {
    id: 'muteParticipant', method: 'post', path: '/v1/participants/{participantId}/mute', tag: 'participants', scope: 'calls:write', summary: 'Mute somebody',
    description: 'Makes somebody on the telephone silent for the others, or lets them speak again.', body: MuteParticipant, reply: { status: 200, schema: TakenByProvider }, problems: { ...noParticipant, ...notThere, ...badBody, ...notNow },
  },
  {
    id: 'sendDigits', method: 'post', path: '/v1/participants/{participantId}/dtmf', tag: 'participants', scope: 'calls:write', summary: 'Press keys for somebody',
    description: 'Plays the tones of keys to somebody on the telephone, as to a menu that was rung.', body: SendDigits, reply: { status: 200, schema: TakenByProvider }, problems: { ...noParticipant, ...notThere, ...badBody, ...notNow },
  },
];
