import { callWith, type CallOptions } from '../call.ts';
import type { Client } from '../generated/client/index.ts';
import { addParticipant, issueToken, listParticipants } from '../generated/sdk.gen.ts';
import type { AddedParticipant, AddParticipantData, IssueTokenData, Roster, Token } from '../generated/types.gen.ts';

export const participants = (client: Client) => ({
  /** Rings a phone and brings it in. The answer comes at once; watch the roster or the events for what becomes of it. */
  dial: (roomId: string, whom: AddParticipantData['body'], options?: CallOptions): Promise<AddedParticipant> => addParticipant({ ...callWith(client, options), path: { roomId }, body: whom }),
  /** A token for one more browser. */
  token: (roomId: string, person: IssueTokenData['body'], options?: CallOptions): Promise<Token> => issueToken({ ...callWith(client, options), path: { roomId }, body: person }),
  /** Who is there, was, or is awaited. */
  list: (roomId: string, options?: CallOptions): Promise<Roster> => listParticipants({ ...callWith(client, options), path: { roomId } }),
});
