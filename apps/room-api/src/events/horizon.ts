import { readHorizon } from '@partyline/store/events/outbox';
import type { Store } from '@partyline/store/database/store';

/** Up to where events are settled: none up to there can come any more. Only ever goes forward. */
interface EventHorizon {
  readonly settled: bigint;
  /** Looks again. Gives the last event that can be seen, which may be settled later. */
  look(): Promise<bigint>;
}

/** Our own transactions are ended by their limits long before. A stranger's in the same server (an index that is built) must not hold events up for longer. */
const LONGEST_MS = 60_000;

export function openHorizon(store: Store, now: () => Date): EventHorizon {
  let settled = 0n;
  let waiting: { lastId: bigint; xid: bigint; since: number } | null = null;
  return {
    get settled() {
      return settled;
    },
    async look() {
      const { lastId, xid, oldest } = await readHorizon(store);
      const at = now().getTime();
      const reach = (id: bigint): void => void (settled = id > settled ? id : settled);
      if (oldest >= xid) {
        reach(lastId);
        waiting = null;
      } else {
        if (waiting !== null && (oldest >= waiting.xid || at - waiting.since > LONGEST_MS)) {
          reach(waiting.lastId);
          waiting = null;
        }
        waiting ??= { lastId, xid, since: at };
      }
      return lastId;
    },
  };
}
