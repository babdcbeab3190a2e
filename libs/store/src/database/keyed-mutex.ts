import pg from 'pg';
import type { Store } from './store.ts';

interface Waiting {
  readonly go: () => void;
  readonly fail: (error: unknown) => void;
}
type Lines = Map<string, Waiting[]>;

const linesOf = new WeakMap<Store, Lines>();

/**
 * Does works under one key one after another, and works under different keys at the same time: what waits for the same row waits here, not on a connection each, so that it holds
 * one of them and nobody who wants another row waits for it. When one has waited for Postgres as long as it may, those who stood behind it all that time fail with it, so that
 * nobody waits for longer than twice that. A work must not wait for another under its own key.
 */
export async function withKeyedMutex<T>(store: Store, key: string, work: () => Promise<T>): Promise<T> {
  const lines = linesOf.get(store) ?? (new Map() as Lines);
  linesOf.set(store, lines);
  const line = lines.get(key) ?? [];
  if (lines.has(key)) await new Promise<void>((go, fail) => line.push({ go, fail }));
  else lines.set(key, line);

  const behind = line.length;
  try {
    return await work();
  } catch (error) {
    if (ranOutOfTime(error)) for (const { fail } of line.splice(0, behind)) fail(error);
    throw error;
  } finally {
    const next = line.shift();
    if (next === undefined) lines.delete(key);
    else next.go();
  }
}

/** A statement or a lock that took too long, or a connection that gave no answer or was not to be had. */
const ranOutOfTime = (error: unknown): boolean =>
  error instanceof pg.DatabaseError
    ? error.code === '57014' || error.code === '55P03'
    : error instanceof Error && /^(Query read timeout|timeout exceeded when trying to connect)/.test(error.message);
