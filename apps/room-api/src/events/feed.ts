import { tellEvent } from '@partyline/conference/endpoints/deliver-events';
import { VerdictError } from '@partyline/domain/verdict';
import { systemSleep } from '@partyline/runtime/system';
import { lastEventUpTo, listEvents, tenantsWithEvents, type OutboxRow } from '@partyline/store/events/outbox';
import type { Store } from '@partyline/store/database/store';
import { openHorizon } from './horizon.ts';
import { MOST_STREAMS, type StreamPlaces } from './stream-places.ts';

interface Wanted {
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
   * A stream of server-sent events, which ends when `gone` says that nobody listens any more, within a heartbeat of when `mayStill` says no, after ten minutes,
   * or when the feed is closed. Throws `too-many-streams` (429) when the tenant has ten of them, `stopping` (503) when the feed is closed.
   */
  follow(
    tenantId: string,
    wanted: Wanted,
    gone: AbortSignal,
    mayStill: () => Promise<boolean>,
  ): Promise<AsyncIterable<string>>;
  /** Ends every stream, and takes no more. */
  close(): Promise<void>;
}

export interface FeedOptions {
  readonly store: Store;
  readonly places: StreamPlaces;
  /** Names streams. */
  readonly nextId: () => string;
  readonly now: () => Date;
  readonly onError: (error: unknown) => void;
  /** Other times than in service only in tests. */
  readonly everyMs?: number;
  readonly heartbeatMs?: number;
  readonly lifeMs?: number;
}

/** The place before the first event, where whoever had none yet goes on: what came since is all that there is. */
export const START = 'start';

const PAGE = 100;
/** Heartbeats for which a stream's place is held: one or two may be missed. */
const HELD_BEATS = 3;
const SETTLE_MS = 1_000;
const SETTLE_LOOK_MS = 20;

interface Stream {
  readonly id: string;
  readonly tenantId: string;
  readonly mayStill: () => Promise<boolean>;
  wake: () => void;
  end: () => void;
  /** When it is to be looked at next whether it may go on. */
  checkAt: number;
}

export function openEventFeed({
  store,
  places,
  nextId,
  now,
  onError,
  everyMs = 300,
  heartbeatMs = 15_000,
  lifeMs = 600_000,
}: FeedOptions): EventFeed {
  const horizon = openHorizon(store, now);
  const streams = new Set<Stream>();
  const closing = new AbortController();
  let looking: Promise<void> | null = null;

  const nextCheck = (): number => now().getTime() + heartbeatMs;

  /** Holds a stream's place, and ends it when whoever listens is not let in any more. */
  async function check(stream: Stream): Promise<void> {
    stream.checkAt = Infinity;
    try {
      await places.take(stream.tenantId, stream.id, heartbeatMs * HELD_BEATS);
      if (!(await stream.mayStill())) stream.end();
    } catch (error) {
      onError(error);
    }
    stream.checkAt = nextCheck();
  }

  /** One look for all streams, as long as there are any. */
  async function lookOut(): Promise<void> {
    const checks = new Set<Promise<void>>();
    while (streams.size > 0 && !closing.signal.aborted) {
      for (const stream of [...streams].filter(({ checkAt }) => checkAt <= now().getTime())) {
        const checking = check(stream).finally(() => checks.delete(checking));
        checks.add(checking);
      }
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
    await Promise.all(checks);
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
    try {
      let cursor = after ?? (await settle());
      // Who begins with what comes next learns where that is, or a connection that ends before the first event would lose those that come until the next one.
      const place =
        after === null ? `id: ${(await lastEventUpTo(store, stream.tenantId, String(cursor))) ?? START}\n` : '';
      yield `retry: 1000\n${place}\n`;
      while (!over.aborted) {
        // Before it looks: what settles in the meantime is not slept through.
        const woken = wakeOf(stream, over, heartbeatMs);
        const upTo = horizon.settled;
        const rows =
          upTo > cursor
            ? await listEvents(store, stream.tenantId, {
                after: String(cursor),
                upTo: String(upTo),
                types,
                limit: PAGE,
              })
            : [];
        for (const row of rows) {
          // Whoever reads slowly may have lost the right to on the way.
          if (over.aborted) return;
          yield writeEvent(row);
        }
        if (rows.length === PAGE) cursor = BigInt(rows.at(-1)!.id);
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
    async read(tenantId, { after, types, limit }) {
      const upTo = await settle();
      // One more than is shown tells whether there is a next page.
      const rows = await listEvents(store, tenantId, {
        after: after === null ? null : String(after),
        upTo: String(upTo),
        types,
        limit: limit + 1,
      });
      return { rows: rows.slice(0, limit), more: rows.length > limit };
    },
    async follow(tenantId, wanted, gone, mayStill) {
      if (closing.signal.aborted)
        throw new VerdictError('upstream', 'stopping', 'This server is being stopped.', {
          fix: 'Connect again: another takes over.',
          retryAfterMs: 1_000,
        });
      const ended = new AbortController();
      const over = AbortSignal.any([ended.signal, gone, closing.signal, AbortSignal.timeout(lifeMs)]);
      const stream: Stream = {
        id: nextId(),
        tenantId,
        mayStill,
        wake: () => undefined,
        end: () => ended.abort(),
        checkAt: nextCheck(),
      };
      // Counted before it is asked of Redis: what is alone here must hold too.
      const here = [...streams].filter((each) => each.tenantId === tenantId).length;
      streams.add(stream);
      const leave = (): void => {
        if (streams.delete(stream)) void places.giveBack(tenantId, stream.id);
      };
      // Not when what is told ends: whoever goes before the first word never began to read.
      over.addEventListener('abort', leave, { once: true });
      if (here >= MOST_STREAMS || !(await places.take(tenantId, stream.id, heartbeatMs * HELD_BEATS))) {
        stream.end();
        throw new VerdictError('client', 'too-many-streams', `${MOST_STREAMS} streams of yours are open.`, {
          fix: 'Close one, or share one among those who listen.',
          retryAfterMs: 5_000,
        });
      }
      if (over.aborted) leave();
      looking ??= lookOut().finally(() => (looking = null));
      return tell(stream, wanted, over);
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
