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
  AcceptedByProvider,
  Token,
  UpdateParticipantData,
} from '../generated/types.gen.ts';
import { createPagedList, type PagedList } from '../paged-list.ts';

export const participants = (client: Client) => ({
  /**
   * Dials out to a phone. Returns before the call is answered; the roster and the events show the
   * outcome.
   */
  dial: (roomId: string, participant: AddParticipantData['body'], options?: CallOptions): Promise<AddedParticipant> =>
    addParticipant({ ...toRequestOptions(client, options), path: { roomId }, body: participant }),
  /** Issues a token for another browser. */
  token: (roomId: string, participant: IssueTokenData['body'], options?: CallOptions): Promise<Token> =>
    issueToken({ ...toRequestOptions(client, options), path: { roomId }, body: participant }),
  /**
   * The expected, connected and disconnected participants, in the order in which they were added.
   */
  list: (
    roomId: string,
    query: NonNullable<ListParticipantsData['query']> = {},
    options?: CallOptions,
  ): PagedList<Roster, Participant> =>
    createPagedList(
      query,
      (pageQuery) => listParticipants({ ...toRequestOptions(client, options), path: { roomId }, query: pageQuery }),
      (page) => page.participants,
    ),
  get: (participantId: string, options?: CallOptions): Promise<Participant> =>
    getParticipant({ ...toRequestOptions(client, options), path: { participantId } }),
  /** Changes the name on the roster. */
  update: (participantId: string, change: UpdateParticipantData['body'], options?: CallOptions): Promise<Participant> =>
    updateParticipant({ ...toRequestOptions(client, options), path: { participantId }, body: change }),
  /** Hangs up the participant's connections and rejects later ones with the same token. */
  remove: (participantId: string, options?: CallOptions): Promise<RemovedParticipant> =>
    removeParticipant({ ...toRequestOptions(client, options), path: { participantId } }),
  mute: (
    participantId: string,
    settings: MuteParticipantData['body'],
    options?: CallOptions,
  ): Promise<AcceptedByProvider> =>
    muteParticipant({ ...toRequestOptions(client, options), path: { participantId }, body: settings }),
  /** Sends DTMF digits to a participant on the phone. */
  sendDigits: (
    participantId: string,
    keys: SendDigitsData['body'],
    options?: CallOptions,
  ): Promise<AcceptedByProvider> =>
    sendDigits({ ...toRequestOptions(client, options), path: { participantId }, body: keys }),
});
