import { toRequestOptions, type CallOptions } from '../call.ts';
import type { Client } from '../generated/client/index.ts';
import {
  endSession,
  getSession,
  listSessionEvents,
  listSessionHangUps,
  listSessionLegs,
  listSessions,
  readTimeline,
} from '../generated/sdk.gen.ts';
import type {
  EndedSession,
  ListSessionsData,
  Session,
  SessionEvents,
  SessionHangUps,
  SessionLegs,
  SessionPage,
  Timeline,
} from '../generated/types.gen.ts';
import { createPagedList, type PagedList } from '../paged-list.ts';

export const sessions = (client: Client) => ({
  /** Yours, newest first. */
  list: (query: NonNullable<ListSessionsData['query']> = {}, options?: CallOptions): PagedList<SessionPage, Session> =>
    createPagedList(
      query,
      (asked) => listSessions({ ...toRequestOptions(client, options), query: asked }),
      (page) => page.sessions,
    ),
  get: (sessionId: string, options?: CallOptions): Promise<Session> =>
    getSession({ ...toRequestOptions(client, options), path: { sessionId } }),
  /** Every connection, oldest first. */
  legs: (sessionId: string, options?: CallOptions): Promise<SessionLegs> =>
    listSessionLegs({ ...toRequestOptions(client, options), path: { sessionId } }),
  /** Ends this meeting; the room stays. */
  end: (sessionId: string, options?: CallOptions): Promise<EndedSession> =>
    endSession({ ...toRequestOptions(client, options), path: { sessionId } }),
  /** Every event of a session, oldest first, numbered without a gap. */
  events: (sessionId: string, options?: CallOptions): Promise<SessionEvents> =>
    listSessionEvents({ ...toRequestOptions(client, options), path: { sessionId } }),
  /** Events, connections, attempts to hang up and what the provider was seen to say, in the order of time. */
  timeline: (sessionId: string, options?: CallOptions): Promise<Timeline> =>
    readTimeline({ ...toRequestOptions(client, options), path: { sessionId } }),
  /** The proof that it is hung up: each connection with every attempt and what the provider was seen to say. */
  hangUps: (sessionId: string, options?: CallOptions): Promise<SessionHangUps> =>
    listSessionHangUps({ ...toRequestOptions(client, options), path: { sessionId } }),
});
