import { readHorizon } from '@partyline/store/events/outbox';
import type { Store } from '@partyline/store/database/store';

/**
 * The settled part of the outbox: no event up to `settled` can still be committed. Never decreases.
 */
interface EventHorizon {
  readonly settled: bigint;
  /** Reads the database again. Returns the last visible event, which may not be settled yet. */
  refresh(): Promise<bigint>;
}

/**
 * Partyline's transactions end long before by their own limits. A foreign transaction on the same
 * server, for example an index build, must not delay events for longer.
 */
const MAX_WAIT_MS = 60_000;

export function openHorizon(store: Store, now: () => Date): EventHorizon {
  let settled = 0n;
  let waiting: { lastId: bigint; xid: bigint; since: number } | null = null;
  return {
    get settled() {
      return settled;
    },
    async refresh() {
      const { lastId, xid, oldest } = await readHorizon(store);
      const at = now().getTime();
      const advanceTo = (id: bigint): void => void (settled = id > settled ? id : settled);
      if (oldest >= xid) {
        advanceTo(lastId);
        waiting = null;
      } else {
        if (waiting !== null && (oldest >= waiting.xid || at - waiting.since > MAX_WAIT_MS)) {
          advanceTo(waiting.lastId);
          waiting = null;
        }
        waiting ??= { lastId, xid, since: at };
      }
      return lastId;
    },
  };
}
