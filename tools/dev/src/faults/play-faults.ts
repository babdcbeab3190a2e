import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault, Stage } from './faults.ts';
import type { Stack } from '../stack/stack.ts';

/** One fault that was played. */
export interface Played {
  readonly fault: Fault;
  readonly target: string;
  /** Milliseconds since 1970. */
  readonly from: number;
  /** When it was over; it lasts when absent. */
  until?: number;
}

/** Plays faults on a stack, and ends them. */
export interface FaultPlayer {
  /** All that were ever played, oldest first. */
  readonly played: readonly Played[];
  /** May it be played now, or does one that lasts hold the same thing? */
  free(fault: Fault, target: string): boolean;
  /** Plays one; `over` resolves when it has ended, after `forMs` or with `endAll`. */
  play(fault: Fault, target: string, forMs: number | null): Promise<{ played: Played; over: Promise<void> }>;
  /** Ends all that last, now. */
  endAll(): Promise<void>;
}

/** @param onError told of a fault that could not be ended: the stack is then not as it was */
export function createFaultPlayer(stack: Stack, onError: (error: Error) => void): FaultPlayer {
  const stage: Stage = { stack, vendorRules: new Set() };
  const played: Played[] = [];
  const lasting = new Map<string, { end: AbortController; over: Promise<void> }>();
  return {
    played,
    free: (fault, target) => fault.holds(stack, target).every((thing) => !lasting.has(thing)),
    async play(fault, target, forMs) {
      const held = fault.holds(stack, target);
      const end = new AbortController();
      let finished = (): void => undefined;
      const over = new Promise<void>((resolve) => (finished = resolve));
      for (const thing of held) lasting.set(thing, { end, over });
      const release = (): void => {
        for (const thing of held) lasting.delete(thing);
        finished();
      };
      const one: Played = { fault, target, from: Date.now() };
      let undo: () => Promise<void>;
      try {
        undo = await fault.play(stage, target);
      } catch (error) {
        release();
        throw error;
      }
      played.push(one);
      const ending = async (): Promise<void> => {
        try {
          if (forMs !== null) await sleep(forMs, undefined, { signal: end.signal }).catch(() => undefined);
          await undo();
        } catch (error) {
          onError(new Error(`${fault.name} on ${target} could not be ended`, { cause: error }));
        } finally {
          one.until = Date.now();
          release();
        }
      };
      void ending();
      return { played: one, over };
    },
    async endAll() {
      const all = [...lasting.values()];
      for (const { end } of all) end.abort();
      await Promise.all(all.map(({ over }) => over));
    },
  };
}
