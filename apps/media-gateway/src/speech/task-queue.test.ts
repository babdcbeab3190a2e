import { describe, expect, it } from 'vitest';
import { TaskQueue } from './task-queue.ts';

describe('TaskQueue', () => {
  it('runs the tasks in order, never more than its limit at once, also after failures', async () => {
    const queue = new TaskQueue(2);
    const started: number[] = [];
    let [running, most] = [0, 0];
    const results = await Promise.allSettled(
      Array.from({ length: 10 }, (_, i) =>
        queue.run(async () => {
          started.push(i);
          most = Math.max(most, ++running);
          await Promise.resolve();
          running--;
          if (i % 3 === 0) throw new Error('failed');
          return i;
        }),
      ),
    );
    expect(started).toEqual([...Array(10).keys()]);
    expect(most).toBe(2);
    expect(results.map(({ status }) => status === 'fulfilled')).toEqual(started.map((i) => i % 3 !== 0));
    expect(queue.waiting).toBe(0);
  });

  it('counts the waiting tasks', async () => {
    const queue = new TaskQueue(1);
    const { promise, resolve } = Promise.withResolvers<void>();
    const tasks = [1, 2, 3].map(() => queue.run(() => promise));
    expect(queue.waiting).toBe(2);
    resolve();
    await Promise.all(tasks);
    expect(queue.waiting).toBe(0);
  });
});
