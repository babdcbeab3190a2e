import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { withKeyedMutex } from './keyed-mutex.ts';
import type { Store } from './store.ts';

/** Works that end when the test says so. */
function startMutex() {
  const store = {} as Store;
  const begun: string[] = [];
  const ends = new Map<string, { end: () => void; fail: (error: Error) => void }>();
  const ask = (key: string, name: string): Promise<string> =>
    withKeyedMutex(store, key, () => {
      begun.push(name);
      return new Promise((resolve, reject) => void ends.set(name, { end: () => resolve(name), fail: reject }));
    });
  return { ask, begun, of: (name: string) => ends.get(name)! };
}

const outcomes = async (all: readonly Promise<string>[]): Promise<string[]> =>
  (await Promise.allSettled(all)).map((one) =>
    one.status === 'fulfilled' ? one.value : (one.reason as Error).message,
  );
const tooSlow = (): Error =>
  Object.assign(new pg.DatabaseError('canceling statement due to statement timeout', 0, 'error'), { code: '57014' });

describe('works under one key', () => {
  test('are done one after another, in their order; those under another wait for none of them', async () => {
    const { ask, begun, of } = startMutex();
    const all = ['one', 'two', 'three'].map((name) => ask('busy', name));
    const other = ask('quiet', 'other');
    expect(begun).toEqual(['one', 'other']);
    of('other').end();
    expect(await other).toBe('other');
    of('one').end();
    await expect.poll(() => begun, { timeout: 20_000 }).toEqual(['one', 'other', 'two']);
    of('two').end();
    await expect.poll(() => begun, { timeout: 20_000 }).toEqual(['one', 'other', 'two', 'three']);
    of('three').end();
    expect(await Promise.all(all)).toEqual(['one', 'two', 'three']);
    void ask('busy', 'four');
    expect(begun.at(-1)).toBe('four');
  });

  test('fail each for itself', async () => {
    const { ask, begun, of } = startMutex();
    const all = outcomes(['one', 'two'].map((name) => ask('busy', name)));
    of('one').fail(new pg.DatabaseError('value out of range', 0, 'error'));
    await expect.poll(() => begun, { timeout: 20_000 }).toEqual(['one', 'two']);
    of('two').end();
    expect(await all).toEqual(['value out of range', 'two']);
  });

  test.each([tooSlow(), new Error('Query read timeout'), new Error('timeout exceeded when trying to connect')])(
    'fail with one that ran out of time when they waited as long as it did, and not when they came later: %s',
    async (error) => {
      const { ask, begun, of } = startMutex();
      const one = ask('busy', 'one');
      const early = outcomes(['two', 'three', 'four'].map((name) => ask('busy', name)));
      of('one').end();
      await one;
      await expect.poll(() => begun, { timeout: 20_000 }).toEqual(['one', 'two']);
      const late = ask('busy', 'five');
      of('two').fail(error);
      expect(await early).toEqual([error.message, error.message, error.message]);
      await expect.poll(() => begun, { timeout: 20_000 }).toEqual(['one', 'two', 'five']);
      of('five').end();
      expect(await late).toBe('five');
    },
  );
});
