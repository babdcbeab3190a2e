/** Where state changes are announced, so that a long poll can wait for a condition without asking again and again. */
import { nextTurn, wallAfter } from './clock.ts';

export interface Board {
  /** Something changed: conditions are looked at again. */
  changed(): void;
  /** The condition's first defined value, or undefined when `timeoutMs` of wall time ran out. */
  until<T>(condition: () => T | undefined, timeoutMs: number): Promise<T | undefined>;
  /** Counts work on the network, for `settled`. */
  busy<T>(work: Promise<T>): Promise<T>;
  /** When nothing is on the network and nothing runnable is left. */
  settled(): Promise<void>;
}

/** Creates an empty board. */
export function createBoard(): Board {
  const watchers = new Set<() => void>();
  let inFlight = 0;
  let looking = false;
  const board: Board = {
    changed() {
      // One look per turn, however many changes it brought: a condition may read the whole ledger.
      if (looking || watchers.size === 0) return;
      looking = true;
      void nextTurn().then(() => {
        looking = false;
        for (const watcher of watchers) watcher();
      });
    },
    until(condition, timeoutMs) {
      return new Promise((resolve) => {
        const first = condition();
        if (first !== undefined) return resolve(first);
        const finish = (value: ReturnType<typeof condition>): void => {
          cancel();
          watchers.delete(look);
          resolve(value);
        };
        const look = (): void => {
          const value = condition();
          if (value !== undefined) finish(value);
        };
        const cancel = wallAfter(timeoutMs, () => finish(undefined));
        watchers.add(look);
      });
    },
    async busy(work) {
      inFlight += 1;
      try {
        return await work;
      } finally {
        inFlight -= 1;
        board.changed();
      }
    },
    async settled() {
      // Two quiet turns: a reply that arrived may start the next request on the turn after.
      for (let quiet = 0; quiet < 2;) {
        await nextTurn();
        if (inFlight === 0) quiet += 1;
        else {
          quiet = 0;
          await board.until(() => (inFlight === 0 ? true : undefined), 60_000);
        }
      }
    },
  };
  return board;
}
