import { toRequestOptions, type CallOptions } from '../call.ts';
import type { PartylineEvent } from '../event.ts';
import type { Client } from '../generated/client/index.ts';
import { listEvents } from '../generated/sdk.gen.ts';
import type { Event, EventPage, ListEventsData } from '../generated/types.gen.ts';
import { createPagedList, type PagedList } from '../paged-list.ts';
import { streamEvents, type StreamOptions, type StreamTransport } from '../stream.ts';

export const events = (client: Client, wire: StreamTransport) => ({
  /** Every event of yours, oldest first. */
  list: (query: NonNullable<ListEventsData['query']> = {}, options?: CallOptions): PagedList<EventPage, Event> =>
    createPagedList(
      query,
      (asked) => listEvents({ ...toRequestOptions(client, options), query: asked }),
      (page) => page.events,
    ),
  /**
   * Events as they happen, from the one after `after` on, or from now. Does not end by itself: a stream that breaks is opened again where it was, so that no
   * event is missed and none comes twice. Ends when `signal` fires; throws what will not get better by trying (a key that does not hold, an `after` that is not yours).
   */
  stream: (options: StreamOptions = {}): AsyncGenerator<PartylineEvent, void> => streamEvents(wire, options),
});
