import { callWith, type CallOptions } from '../call.ts';
import type { Client } from '../generated/client/index.ts';
import { listSessionEvents, listSessionHangUps } from '../generated/sdk.gen.ts';
import type { SessionEvents, SessionHangUps } from '../generated/types.gen.ts';

export const sessions = (client: Client) => ({
  /** Every event of a session, oldest first, numbered without a gap. */
  events: (sessionId: string, options?: CallOptions): Promise<SessionEvents> => listSessionEvents({ ...callWith(client, options), path: { sessionId } }),
  /** The proof that it is hung up: each connection with every attempt and what the provider was seen to say. */
  hangUps: (sessionId: string, options?: CallOptions): Promise<SessionHangUps> => listSessionHangUps({ ...callWith(client, options), path: { sessionId } }),
});
