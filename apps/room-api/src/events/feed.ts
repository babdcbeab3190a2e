import { toPublicEvent } from '@partyline/conference/endpoints/deliver-events';
import { VerdictError } from '@partyline/domain/verdict';
import { systemSleep } from '@partyline/runtime/system';
import { findLastEventId, listEvents, listTenantsWithEvents, type OutboxRow } from '@partyline/store/events/outbox';
import type { Store } from '@partyline/store/database/store';
import { openHorizon } from './horizon.ts';
import { MAX_STREAMS, type StreamSlots } from './stream-slots.ts';

interface EventSelection {
  /** The position in the outbox after which to start. Null: now. */
  readonly after: bigint | null;
  /** Empty: all types. */
  readonly types: readonly string[];
  /** Null: all rooms. */
  readonly roomId: string | null;
}

/** Events of tenants, streamed and in pages, in the same order. One feed per process. */
export interface EventFeed {
  /** Reads a page. `more`: further events exist. */
  read(
    tenantId: string,
    wanted: EventSelection & { readonly limit: number },
  ): Promise<{ rows: OutboxRow[]; more: boolean }>;
  /**
   * Opens a stream of server-sent events. It ends when `disconnected` is aborted, within a
   * heartbeat after `isStillAuthorized` returns false, after 10 minutes, or when the feed is
   * closed.
   * @throws VerdictError `too-many-streams` (429) above 10 streams of a tenant, `stopping` (503)
   *   after the feed was closed
   */
  openStream(
    tenantId: string,
    wanted: EventSelection,
    disconnected: AbortSignal,
    isStillAuthorized: () => Promise<boolean>,
  ): Promise<AsyncIterable<string>>;
  /** Ends every stream and rejects new ones. */
  close(): Promise<void>;
}

export interface FeedOptions {
  readonly store: Store;
  readonly slots: StreamSlots;
  /** Ids of streams. */
  readonly nextId: () => string;
  readonly now: () => Date;
  readonly onError: (error: unknown) => void;
  /** Only tests change the defaults of these. */
  readonly pollMs?: number;
  readonly heartbeatMs?: number;
  readonly maxStreamMs?: number;
}

/** The `Last-Event-ID` before the first event. */
export const START_OF_EVENTS = 'start';

const PAGE_SIZE = 100;
/** A slot is reserved for this many heartbeats, so that one or two can be missed. */
const SLOT_HEARTBEATS = 3;
const MAX_SETTLE_MS = 1_000;
const SETTLE_POLL_MS = 20;

interface Stream {
  readonly id: string;
  readonly tenantId: string;
  readonly isStillAuthorized: () => Promise<boolean>;
  wake: () => void;
  end: () => void;
  /** When the next check of slot and authorization is due, in milliseconds. */
  checkAt: number;
}

export function openEventFeed({
  store,
  slots,
  nextId,
  now,
  onError,
  pollMs = 300,
  heartbeatMs = 15_000,
  maxStreamMs = 600_000,
}: FeedOptions): EventFeed {
  const horizon = openHorizon(store, now);
  const streams = new Set<Stream>();
  const closing = new AbortController();
  let polling: Promise<void> | null = null;

  const nextCheck = (): number => now().getTime() + heartbeatMs;

  /** Renews the slot of a stream, and ends the stream if it is no longer authorized. */
  async function renewStream(stream: Stream): Promise<void> {
    stream.checkAt = Infinity;
    try {
      await slots.reserve(stream.tenantId, stream.id, heartbeatMs * SLOT_HEARTBEATS);
      if (!(await stream.isStillAuthorized())) stream.end();
    } catch (error) {
      onError(error);
    }
    stream.checkAt = nextCheck();
  }

  /** One poll for all streams, while there are any. */
  async function pollEvents(): Promise<void> {
    const checks = new Set<Promise<void>>();
    while (streams.size > 0 && !closing.signal.aborted) {
      for (const stream of [...streams].filter(({ checkAt }) => checkAt <= now().getTime())) {
        const checking = renewStream(stream).finally(() => checks.delete(checking));
        checks.add(checking);
      }
      try {
        const before = horizon.settled;
        await horizon.refresh();
        if (horizon.settled > before) {
          const tenants = [...new Set([...streams].map(({ tenantId }) => tenantId))];
          const tenantsToWake = new Set(
            await listTenantsWithEvents(store, tenants, { after: before, upTo: horizon.settled }),
          );
          for (const stream of streams) if (tenantsToWake.has(stream.tenantId)) stream.wake();
        }
      } catch (error) {
        onError(error);
      }
      await systemSleep(pollMs);
    }
    await Promise.all(checks);
  }

  /** Waits, at most `MAX_SETTLE_MS`, until every event that is visible now is settled. */
  async function settle(): Promise<bigint> {
    const last = await horizon.refresh();
    for (let waited = 0; horizon.settled < last && waited < MAX_SETTLE_MS; waited += SETTLE_POLL_MS) {
      await systemSleep(SETTLE_POLL_MS);
      await horizon.refresh();
    }
    return horizon.settled;
  }

  async function* streamEvents(
    stream: Stream,
    { after, types, roomId }: EventSelection,
    over: AbortSignal,
  ): AsyncGenerator<string> {
    try {
      let cursor = after ?? (await settle());
      // A stream that starts now sends its position first. Otherwise a connection that breaks
      // before the first event could not resume without a gap.
      const position =
        after === null
          ? `id: ${(await findLastEventId(store, stream.tenantId, String(cursor), roomId)) ?? START_OF_EVENTS}\n`
          : '';
      yield `retry: 1000\n${position}\n`;
      while (!over.aborted) {
        // Created before the query, so that events that settle meanwhile wake the stream.
        const woken = waitForWake(stream, over, heartbeatMs);
        const upTo = horizon.settled;
        const rows =
          upTo > cursor
            ? await listEvents(store, stream.tenantId, {
                after: String(cursor),
                upTo: String(upTo),
                types,
                roomId,
                limit: PAGE_SIZE,
              })
            : [];
        for (const row of rows) {
          // A slow client can have lost its authorization meanwhile.
          if (over.aborted) return;
          yield formatEvent(row);
        }
        if (rows.length === PAGE_SIZE) cursor = BigInt(rows.at(-1)!.id);
        else {
          cursor = upTo > cursor ? upTo : cursor;
          if ((await woken) === 'quiet') yield ': still here\n\n';
        }
      }
    } finally {
      stream.end();
    }
  }

  return {
    async read(tenantId, { after, types, roomId, limit }) {
      const upTo = await settle();
      // One row more than the page shows whether a next page exists.
      const rows = await listEvents(store, tenantId, {
        after: after === null ? null : String(after),
        upTo: String(upTo),
        types,
        roomId,
        limit: limit + 1,
      });
      return { rows: rows.slice(0, limit), more: rows.length > limit };
    },
    async openStream(tenantId, wanted, disconnected, isStillAuthorized) {
      if (closing.signal.aborted)
        throw new VerdictError('upstream', 'stopping', 'This server is shutting down.', {
          fix: 'Connect again: another server continues the stream.',
          retryAfterMs: 1_000,
        });
      const ended = new AbortController();
      const over = AbortSignal.any([ended.signal, disconnected, closing.signal, AbortSignal.timeout(maxStreamMs)]);
      const stream: Stream = {
        id: nextId(),
        tenantId,
        isStillAuthorized,
        wake: () => undefined,
        end: () => ended.abort(),
        checkAt: nextCheck(),
      };
      // Counted before the call to Redis, so that the limit of this replica also holds for
      // concurrent requests.
      const openHere = [...streams].filter((each) => each.tenantId === tenantId).length;
      streams.add(stream);
      const removeStream = (): void => {
        if (streams.delete(stream)) void slots.release(tenantId, stream.id);
      };
      // Not in the generator's `finally`: a client that disconnects early never starts the
      // generator.
      over.addEventListener('abort', removeStream, { once: true });
      if (openHere >= MAX_STREAMS || !(await slots.reserve(tenantId, stream.id, heartbeatMs * SLOT_HEARTBEATS))) {
        stream.end();
        throw new VerdictError('client', 'too-many-streams', `You have ${MAX_STREAMS} open streams.`, {
          fix: 'Close a stream, or share one.',
          retryAfterMs: 5_000,
        });
      }
      if (over.aborted) removeStream();
      polling ??= pollEvents().finally(() => (polling = null));
      return streamEvents(stream, wanted, over);
    },
    async close() {
      closing.abort();
      await polling;
    },
  };
}

/** Resolves when the stream is woken or over, or after `quietMs` without events. */
function waitForWake(stream: Stream, over: AbortSignal, quietMs: number): Promise<'woken' | 'quiet'> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => done('quiet'), quietMs);
    const done = (why: 'woken' | 'quiet'): void => {
      clearTimeout(timer);
      over.removeEventListener('abort', stop);
      resolve(why);
    };
    const stop = (): void => done('woken');
    stream.wake = stop;
    if (over.aborted) stop();
    else over.addEventListener('abort', stop);
  });
}

function formatEvent(row: OutboxRow): string {
  const event = toPublicEvent(row);
  return `id: ${event.id}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}
