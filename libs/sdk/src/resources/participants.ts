import { toRequestOptions, type CallOptions } from '../call.ts';
import type { Client } from '../generated/client/index.ts';
import {
  addParticipant,
  getParticipant,
  issueToken,
  listParticipants,
  muteParticipant,
  removeParticipant,
  sendDigits,
  updateParticipant,
} from '../generated/sdk.gen.ts';
import type {
  AddedParticipant,
  AddParticipantData,
  IssueTokenData,
  ListParticipantsData,
  MuteParticipantData,
  Participant,
  RemovedParticipant,
  Roster,
  SendDigitsData,
  TakenByProvider,
  Token,
  UpdateParticipantData,
} from '../generated/types.gen.ts';
import { createPagedList, type PagedList } from '../paged-list.ts';

export const participants = (client: Client) => ({
  /** Rings a phone and brings it in. The answer comes at once; watch the roster or the events for what becomes of it. */
  dial: (roomId: string, whom: AddParticipantData['body'], options?: CallOptions): Promise<AddedParticipant> =>
    addParticipant({ ...toRequestOptions(client, options), path: { roomId }, body: whom }),
  /** A token for one more browser. */
  token: (roomId: string, person: IssueTokenData['body'], options?: CallOptions): Promise<Token> =>
    issueToken({ ...toRequestOptions(client, options), path: { roomId }, body: person }),
  /** Who is there, was, or is awaited, in the order in which they were added. */
  list: (
    roomId: string,
    query: NonNullable<ListParticipantsData['query']> = {},
    options?: CallOptions,
  ): PagedList<Roster, Participant> =>
    createPagedList(
      query,
      (asked) => listParticipants({ ...toRequestOptions(client, options), path: { roomId }, query: asked }),
      (page) => page.participants,
    ),
  get: (participantId: string, options?: CallOptions): Promise<Participant> =>
    getParticipant({ ...toRequestOptions(client, options), path: { participantId } }),
  /** Gives somebody another name on the roster. */
  update: (participantId: string, change: UpdateParticipantData['body'], options?: CallOptions): Promise<Participant> =>
    updateParticipant({ ...toRequestOptions(client, options), path: { participantId }, body: change }),
  /** Out of the room: what they are connected by is hung up. */
  remove: (participantId: string, options?: CallOptions): Promise<RemovedParticipant> =>
    removeParticipant({ ...toRequestOptions(client, options), path: { participantId } }),
  mute: (participantId: string, how: MuteParticipantData['body'], options?: CallOptions): Promise<TakenByProvider> =>
    muteParticipant({ ...toRequestOptions(client, options), path: { participantId }, body: how }),
  /** Plays keys to whoever is on the telephone. */
  sendDigits: (participantId: string, keys: SendDigitsData['body'], options?: CallOptions): Promise<TakenByProvider> =>
    sendDigits({ ...toRequestOptions(client, options), path: { participantId }, body: keys }),
});
