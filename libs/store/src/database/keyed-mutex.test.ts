import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { withKeyedMutex } from './keyed-mutex.ts';
import type { Store } from './store.ts';

/** Tasks that the test ends. */
function startMutex() {
  const store = {} as Store;
  const begun: string[] = [];
  const ends = new Map<string, { end: () => void; fail: (error: Error) => void }>();
  const run = (key: string, name: string): Promise<string> =>
    withKeyedMutex(store, key, () => {
      begun.push(name);
      return new Promise((resolve, reject) => void ends.set(name, { end: () => resolve(name), fail: reject }));
    });
  return { run, begun, task: (name: string) => ends.get(name)! };
}

const outcomes = async (all: readonly Promise<string>[]): Promise<string[]> =>
  (await Promise.allSettled(all)).map((one) =>
    one.status === 'fulfilled' ? one.value : (one.reason as Error).message,
  );
const statementTimeout = (): Error =>
  Object.assign(new pg.DatabaseError('canceling statement due to statement timeout', 0, 'error'), { code: '57014' });

describe('withKeyedMutex', () => {
  test('runs tasks of one key in order, and tasks of other keys concurrently', async () => {
    const { run, begun, task } = startMutex();
    const all = ['one', 'two', 'three'].map((name) => run('busy', name));
    const other = run('quiet', 'other');
    expect(begun).toEqual(['one', 'other']);
    task('other').end();
    expect(await other).toBe('other');
    task('one').end();
    await expect.poll(() => begun, { timeout: 20_000 }).toEqual(['one', 'other', 'two']);
    task('two').end();
    await expect.poll(() => begun, { timeout: 20_000 }).toEqual(['one', 'other', 'two', 'three']);
    task('three').end();
    expect(await Promise.all(all)).toEqual(['one', 'two', 'three']);
    void run('busy', 'four');
    expect(begun.at(-1)).toBe('four');
  });

  test('continues after a task that fails', async () => {
    const { run, begun, task } = startMutex();
    const all = outcomes(['one', 'two'].map((name) => run('busy', name)));
    task('one').fail(new pg.DatabaseError('value out of range', 0, 'error'));
    await expect.poll(() => begun, { timeout: 20_000 }).toEqual(['one', 'two']);
    task('two').end();
    expect(await all).toEqual(['value out of range', 'two']);
  });

  test.each([
    statementTimeout(),
    new Error('Query read timeout'),
    new Error('timeout exceeded when trying to connect'),
  ])('fails the tasks that were queued when a task with a timeout began, and no later ones: %s', async (error) => {
    const { run, begun, task } = startMutex();
    const one = run('busy', 'one');
    const early = outcomes(['two', 'three', 'four'].map((name) => run('busy', name)));
    task('one').end();
    await one;
    await expect.poll(() => begun, { timeout: 20_000 }).toEqual(['one', 'two']);
    const late = run('busy', 'five');
    task('two').fail(error);
    expect(await early).toEqual([error.message, error.message, error.message]);
    await expect.poll(() => begun, { timeout: 20_000 }).toEqual(['one', 'two', 'five']);
    task('five').end();
    expect(await late).toBe('five');
  });
});
