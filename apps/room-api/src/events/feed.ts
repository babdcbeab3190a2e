import { tellEvent } from '@partyline/conference/deliver-events';
import { VerdictError } from '@partyline/domain/verdict';
import { systemSleep } from '@partyline/runtime/edges';
import { listEvents, tenantsWithEvents, type OutboxRow } from '@partyline/store/outbox';
import type { Store } from '@partyline/store/store';
import { openHorizon } from './horizon.ts';

export interface Wanted {
  /** Begins after this place; null: with what comes from now on. */
  readonly after: bigint | null;
  /** None: all. */
  readonly types: readonly string[];
}

/** Tenants' events as they happen, and in pages, both in the one order in which they were written. One for a process. */
export interface EventFeed {
  /** A page, and whether there is more. */
  read(tenantId: string, wanted: Wanted & { readonly limit: number }): Promise<{ rows: OutboxRow[]; more: boolean }>;
  /**
   * A stream of server-sent events, which ends when `gone` says that nobody listens any more, after ten minutes, or when the feed is closed. Throws
   * `too-many-streams` (429) when the tenant has ten of them here, `stopping` (503) when the feed is closed.
   */
  follow(tenantId: string, wanted: Wanted, gone: AbortSignal): AsyncIterable<string>;
  /** Ends every stream, and takes no more. */
  close(): Promise<void>;
}

export interface FeedOptions {
  readonly store: Store;
  readonly now: () => Date;
  readonly onError: (error: unknown) => void;
  /** Other times than in service only in tests. */
  readonly everyMs?: number;
  readonly heartbeatMs?: number;
  readonly lifeMs?: number;
}

const PAGE = 100;
const MOST_STREAMS = 10;
const SETTLE_MS = 1_000;
const SETTLE_LOOK_MS = 20;

interface Stream {
  readonly tenantId: string;
  wake: () => void;
}

export function openEventFeed({ store, now, onError, everyMs = 300, heartbeatMs = 15_000, lifeMs = 600_000 }: FeedOptions): EventFeed {
  const horizon = openHorizon(store, now);
  const streams = new Set<Stream>();
  const closing = new AbortController();
  let looking: Promise<void> | null = null;

  /** One look for all streams, as long as there are any. */
  async function lookOut(): Promise<void> {
    while (streams.size > 0 && !closing.signal.aborted) {
      try {
        const before = horizon.settled;
        await horizon.look();
        if (horizon.settled > before) {
          const tenants = [...new Set([...streams].map(({ tenantId }) => tenantId))];
          const told = new Set(await tenantsWithEvents(store, tenants, { after: before, upTo: horizon.settled }));
          for (const stream of streams) if (told.has(stream.tenantId)) stream.wake();
        }
      } catch (error) {
        onError(error);
      }
      await systemSleep(everyMs);
    }
  }

  /** Up to the last event that could be seen when it was asked, but for one that somebody takes long to commit. */
  async function settle(): Promise<bigint> {
    const last = await horizon.look();
    for (let waited = 0; horizon.settled < last && waited < SETTLE_MS; waited += SETTLE_LOOK_MS) {
      await systemSleep(SETTLE_LOOK_MS);
      await horizon.look();
    }
    return horizon.settled;
  }

  async function* tell(stream: Stream, { after, types }: Wanted, over: AbortSignal): AsyncGenerator<string> {
    looking ??= lookOut().finally(() => (looking = null));
    try {
      let cursor = after ?? (await settle());
      yield 'retry: 1000\n\n';
      while (!over.aborted) {
        // Before it looks: what settles in the meantime is not slept through.
        const woken = wakeOf(stream, over, heartbeatMs);
        const upTo = horizon.settled;
        const rows = upTo > cursor ? await listEvents(store, stream.tenantId, { after: String(cursor), upTo: String(upTo), types, limit: PAGE }) : [];
        for (const row of rows) yield writeEvent(row);
        if (rows.length === PAGE) cursor = BigInt(rows.at(-1)!.id);
        else {
          cursor = upTo > cursor ? upTo : cursor;
          if ((await woken) === 'quiet') yield ': still here\n\n';
        }
      }
    } finally {
      streams.delete(stream);
    }
  }

  return {
    async read(tenantId, { after, types, limit }) {
      const upTo = await settle();
      // One more than is shown tells whether there is a next page.
      const rows = await listEvents(store, tenantId, { after: String(after ?? 0n), upTo: String(upTo), types, limit: limit + 1 });
      return { rows: rows.slice(0, limit), more: rows.length > limit };
    },
    follow(tenantId, wanted, gone) {
      if (closing.signal.aborted) throw new VerdictError('upstream', 'stopping', 'This server is being stopped.', { fix: 'Connect again: another takes over.', retryAfterMs: 1_000 });
      if ([...streams].filter((each) => each.tenantId === tenantId).length >= MOST_STREAMS) {
        throw new VerdictError('client', 'too-many-streams', `${MOST_STREAMS} streams of yours are open.`, { fix: 'Close one, or share one among those who listen.', retryAfterMs: 5_000 });
      }
      const stream: Stream = { tenantId, wake: () => undefined };
      streams.add(stream);
      return tell(stream, wanted, AbortSignal.any([gone, closing.signal, AbortSignal.timeout(lifeMs)]));
    },
    async close() {
      closing.abort();
      await looking;
    },
  };
}

/** When there is something to read, when it is over, or after a while in which there was nothing. */
function wakeOf(stream: Stream, over: AbortSignal, quietMs: number): Promise<'woken' | 'quiet'> {
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

function writeEvent(row: OutboxRow): string {
  const event = tellEvent(row);
  return `id: ${event.id}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}
