import { describe, expect, it } from 'vitest';
import { createChangeNotifier } from './change-notifier.ts';
import { createRealClock, createVirtualClock } from './clock.ts';

const settle = (): Promise<void> => createChangeNotifier().waitUntilIdle();

describe('createVirtualClock', () => {
  it('runs timers in due order, and timers due at the same time in creation order', async () => {
    const clock = createVirtualClock(0);
    const ran: string[] = [];
    clock.after(20, () => ran.push('late'));
    clock.after(10, () => {
      ran.push('first');
      clock.after(5, () => ran.push('added'));
    });
    clock.after(10, () => ran.push('second'));
    await clock.advance(20, settle);
    expect(ran).toEqual(['first', 'second', 'added', 'late']);
    expect(clock.now()).toBe(20);
  });

  it('runs a chain of delays in one advance', async () => {
    const clock = createVirtualClock(0);
    let hours = 0;
    const chain = async (): Promise<void> => {
      for (; hours < 6; hours += 1) await clock.delay(3_600_000);
    };
    const ended = chain();
    await clock.advance(6 * 3_600_000, settle);
    await ended;
    expect(hours).toBe(6);
  });

  it('drops cancelled timers, and ends a delay when its signal aborts', async () => {
    const clock = createVirtualClock(0);
    clock.after(1, () => expect.fail('cancelled'))();
    const control = new AbortController();
    const delay = clock.delay(1_000, control.signal);
    control.abort();
    await delay;
    expect(clock.countTimers()).toBe(0);
    await clock.advance(5, settle);
  });
});

describe('createRealClock', () => {
  it('rejects advance', async () => {
    await expect(createRealClock().advance(1, settle)).rejects.toThrow(/real/);
  });
});
