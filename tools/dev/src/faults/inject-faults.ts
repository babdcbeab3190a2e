import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault, FaultContext } from './faults.ts';
import type { Stack } from '../stack/stack.ts';

/** One fault that was injected. */
export interface InjectedFault {
  readonly fault: Fault;
  readonly target: string;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** Milliseconds since 1970; absent while the fault is active. */
  endedAt?: number;
}

/** Injects faults into a stack, and ends them. */
export interface FaultInjector {
  /** All injected faults, oldest first. */
  readonly history: readonly InjectedFault[];
  /** Whether no active fault uses a resource of this one. */
  isAvailable(fault: Fault, target: string): boolean;
  /** Injects a fault. `ended` resolves when it has ended: after `durationMs`, or by `endAll`. */
  inject(
    fault: Fault,
    target: string,
    durationMs: number | null,
  ): Promise<{ entry: InjectedFault; ended: Promise<void> }>;
  /** Ends all active faults. */
  endAll(): Promise<void>;
}

/**
 * @param onError receives the error when a fault could not be ended, which leaves the stack changed
 */
export function createFaultInjector(stack: Stack, onError: (error: Error) => void): FaultInjector {
  const context: FaultContext = { stack, emulatorRules: new Set() };
  const history: InjectedFault[] = [];
  const active = new Map<string, { end: AbortController; ended: Promise<void> }>();
  return {
    history,
    isAvailable: (fault, target) => fault.listResources(stack, target).every((resource) => !active.has(resource)),
    async inject(fault, target, durationMs) {
      const resources = fault.listResources(stack, target);
      const end = new AbortController();
      const { promise: ended, resolve } = promiseWithResolver();
      for (const resource of resources) active.set(resource, { end, ended });
      const release = (): void => {
        for (const resource of resources) active.delete(resource);
        resolve();
      };
      const entry: InjectedFault = { fault, target, startedAt: Date.now() };
      let undo: () => Promise<void>;
      try {
        undo = await fault.inject(context, target);
      } catch (error) {
        release();
        throw error;
      }
      history.push(entry);
      const endLater = async (): Promise<void> => {
        try {
          if (durationMs !== null) await sleep(durationMs, undefined, { signal: end.signal }).catch(() => undefined);
          await undo();
        } catch (error) {
          onError(new Error(`${fault.name} on ${target} could not be ended`, { cause: error }));
        } finally {
          entry.endedAt = Date.now();
          release();
        }
      };
      void endLater();
      return { entry, ended };
    },
    async endAll() {
      const all = [...active.values()];
      for (const { end } of all) end.abort();
      await Promise.all(all.map(({ ended }) => ended));
    },
  };
}

function promiseWithResolver(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}
