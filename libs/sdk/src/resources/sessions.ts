import { toRequestOptions, type CallOptions } from '../call.ts';
import type { Client } from '../generated/client/index.ts';
import {
  endSession,
  getSession,
  listSessionCallers,
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
  SessionCallers,
  SessionEvents,
  SessionHangUps,
  SessionLegs,
  SessionPage,
  Timeline,
} from '../generated/types.gen.ts';
import { createPagedList, type PagedList } from '../paged-list.ts';

export const sessions = (client: Client) => ({
  /** The sessions of the tenant, newest first. */
  list: (query: NonNullable<ListSessionsData['query']> = {}, options?: CallOptions): PagedList<SessionPage, Session> =>
    createPagedList(
      query,
      (pageQuery) => listSessions({ ...toRequestOptions(client, options), query: pageQuery }),
      (page) => page.sessions,
    ),
  get: (sessionId: string, options?: CallOptions): Promise<Session> =>
    getSession({ ...toRequestOptions(client, options), path: { sessionId } }),
  /** All connections, oldest first. */
  legs: (sessionId: string, options?: CallOptions): Promise<SessionLegs> =>
    listSessionLegs({ ...toRequestOptions(client, options), path: { sessionId } }),
  /**
   * The full phone numbers of the session. Needs the scope `callers:read`; each call is audited.
   */
  callers: (sessionId: string, options?: CallOptions): Promise<SessionCallers> =>
    listSessionCallers({ ...toRequestOptions(client, options), path: { sessionId } }),
  /** Ends the session. The room stays active. */
  end: (sessionId: string, options?: CallOptions): Promise<EndedSession> =>
    endSession({ ...toRequestOptions(client, options), path: { sessionId } }),
  /** All events of a session, oldest first, numbered without gaps. */
  events: (sessionId: string, options?: CallOptions): Promise<SessionEvents> =>
    listSessionEvents({ ...toRequestOptions(client, options), path: { sessionId } }),
  /** Events, connections, hang-up attempts and provider observations, in chronological order. */
  timeline: (sessionId: string, options?: CallOptions): Promise<Timeline> =>
    readTimeline({ ...toRequestOptions(client, options), path: { sessionId } }),
  /** The hang-up ledger: each connection with its hang-up attempts and provider observations. */
  hangUps: (sessionId: string, options?: CallOptions): Promise<SessionHangUps> =>
    listSessionHangUps({ ...toRequestOptions(client, options), path: { sessionId } }),
});
