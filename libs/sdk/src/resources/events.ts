import { callWith, type CallOptions } from '../call.ts';
import type { PartylineEvent } from '../event.ts';
import type { Client } from '../generated/client/index.ts';
import { listEvents } from '../generated/sdk.gen.ts';
import type { Event, EventPage, ListEventsData } from '../generated/types.gen.ts';
import { listing, type Listing } from '../listing.ts';
import { follow, type StreamOptions, type Wire } from '../stream.ts';

export const events = (client: Client, wire: Wire) => ({
  /** Every event of yours, oldest first. */
  list: (query: NonNullable<ListEventsData['query']> = {}, options?: CallOptions): Listing<EventPage, Event> =>
    listing(
      query,
      (asked) => listEvents({ ...callWith(client, options), query: asked }),
      (page) => page.events,
    ),
  /**
   * Events as they happen, from the one after `after` on, or from now. Does not end by itself: a stream that breaks is opened again where it was, so that no
   * event is missed and none comes twice. Ends when `signal` fires; throws what will not get better by trying (a key that does not hold, an `after` that is not yours).
   */
  stream: (options: StreamOptions = {}): AsyncGenerator<PartylineEvent, void> => follow(wire, options),
});
