import { toRequestOptions, type CallOptions } from '../call.ts';
import type { PartylineEvent } from '../event.ts';
import type { Client } from '../generated/client/index.ts';
import { createStreamToken, listEvents } from '../generated/sdk.gen.ts';
import type { CreateStreamTokenData, Event, EventPage, ListEventsData, StreamToken } from '../generated/types.gen.ts';
import { createPagedList, type PagedList } from '../paged-list.ts';
import { streamEvents, type StreamOptions, type StreamTransport } from '../stream.ts';

export const events = (client: Client, transport: StreamTransport) => ({
  /** All events of the tenant, oldest first. */
  list: (query: NonNullable<ListEventsData['query']> = {}, options?: CallOptions): PagedList<EventPage, Event> =>
    createPagedList(
      query,
      (pageQuery) => listEvents({ ...toRequestOptions(client, options), query: pageQuery }),
      (page) => page.events,
    ),
  /**
   * A token with which a browser can follow events for a few minutes, of one room or of certain
   * types.
   */
  createStreamToken: (limits: CreateStreamTokenData['body'] = {}, options?: CallOptions): Promise<StreamToken> =>
    createStreamToken({ ...toRequestOptions(client, options), body: limits }),
  /**
   * Yields events as they happen, after `after` or from now on. Reconnects after the last event, so
   * none is lost or duplicated. Ends when `signal` is aborted; throws on errors that a retry cannot
   * solve (invalid key or `after`).
   */
  stream: (options: StreamOptions = {}): AsyncGenerator<PartylineEvent, void> => streamEvents(transport, options),
});
