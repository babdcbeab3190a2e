import { describe, expect, it } from 'vitest';
import { createBoard } from './board.ts';
import { realClock, virtualClock } from './clock.ts';

const settled = (): Promise<void> => createBoard().settled();

describe('the virtual clock', () => {
  it('runs timers in the order they fall due, those of one moment in the order they were set', async () => {
    const clock = virtualClock(0);
    const ran: string[] = [];
    clock.after(20, () => ran.push('late'));
    clock.after(10, () => {
      ran.push('first');
      clock.after(5, () => ran.push('added'));
    });
    clock.after(10, () => ran.push('second'));
    await clock.advance(20, settled);
    expect(ran).toEqual(['first', 'second', 'added', 'late']);
    expect(clock.now()).toBe(20);
  });

  it('lets a chain of delays run its course in one advance', async () => {
    const clock = virtualClock(0);
    let hours = 0;
    const chain = async (): Promise<void> => {
      for (; hours < 6; hours += 1) await clock.delay(3_600_000);
    };
    const ended = chain();
    await clock.advance(6 * 3_600_000, settled);
    await ended;
    expect(hours).toBe(6);
  });

  it('forgets cancelled timers, and ends a delay when its signal aborts', async () => {
    const clock = virtualClock(0);
    clock.after(1, () => expect.fail('cancelled'))();
    const control = new AbortController();
    const delay = clock.delay(1_000, control.signal);
    control.abort();
    await delay;
    expect(clock.pending()).toBe(0);
    await clock.advance(5, settled);
  });

  it('cannot be pushed when it is real', async () => {
    await expect(realClock().advance(1, settled)).rejects.toThrow(/real/);
  });
});
