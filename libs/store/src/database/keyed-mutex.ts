import pg from 'pg';
import type { Store } from './store.ts';

interface Waiter {
  readonly run: () => void;
  readonly fail: (error: unknown) => void;
}
type Queues = Map<string, Waiter[]>;

const queuesByStore = new WeakMap<Store, Queues>();

/**
 * Runs tasks under one key one after another, and tasks under different keys concurrently. Tasks
 * that need the same row queue here instead of each blocking a database connection. When a task
 * times out in Postgres, the tasks that were queued since its start fail with it, so that a task
 * waits for at most twice that time. A task must not await another under its own key.
 */
export async function withKeyedMutex<T>(store: Store, key: string, task: () => Promise<T>): Promise<T> {
  const queues = queuesByStore.get(store) ?? (new Map() as Queues);
  queuesByStore.set(store, queues);
  const queue = queues.get(key) ?? [];
  if (queues.has(key)) await new Promise<void>((run, fail) => queue.push({ run, fail }));
  else queues.set(key, queue);

  const queuedAtStart = queue.length;
  try {
    return await task();
  } catch (error) {
    if (isTimeout(error)) for (const { fail } of queue.splice(0, queuedAtStart)) fail(error);
    throw error;
  } finally {
    const next = queue.shift();
    if (next === undefined) queues.delete(key);
    else next.run();
  }
}

/** A statement or lock timeout, a connection that did not answer, or no free connection in time. */
const isTimeout = (error: unknown): boolean =>
  error instanceof pg.DatabaseError
    ? error.code === '57014' || error.code === '55P03'
    : error instanceof Error && /^(Query read timeout|timeout exceeded when trying to connect)/.test(error.message);
