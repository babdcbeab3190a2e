import { seededRandomInt } from '@partyline/testing/seeded';
import { describe, expect, it } from 'vitest';
import { FrameClock, type Timers } from './frame-clock.ts';

/** Virtual time. `lateMs` delays each timer, as a busy process does. */
function virtualTimers(lateMs: () => number = () => 0) {
  let now = 1_000;
  const pending = new Map<number, { at: number; callback: () => void }>();
  let nextId = 0;
  const timers: Timers = {
    now: () => now,
    setTimer: (ms, callback) => {
      const id = nextId++;
      pending.set(id, { at: now + ms, callback });
      return () => pending.delete(id);
    },
  };
  return {
    timers,
    pending,
    advance(ms: number) {
      const end = now + ms;
      for (;;) {
        const [next] = [...pending].toSorted(([, a], [, b]) => a.at - b.at);
        if (!next || next[1].at > end) break;
        pending.delete(next[0]);
        now = Math.max(now, next[1].at) + lateMs();
        next[1].callback();
      }
      now = Math.max(now, end);
    },
  };
}

const failOn = (error: unknown): never => {
  throw error;
};

describe('FrameClock', () => {
  it('calls each listener once every 20 ms', () => {
    const time = virtualTimers();
    const clock = new FrameClock(time.timers, failOn);
    const frames: number[][] = [[], []];
    clock.add((frame) => frames[0]?.push(frame));
    clock.add((frame) => frames[1]?.push(frame));
    time.advance(100);
    expect(frames).toEqual([
      [1, 2, 3, 4, 5],
      [1, 2, 3, 4, 5],
    ]);
  });

  it('does not drift when timers are late', () => {
    const random = seededRandomInt(1);
    const time = virtualTimers(() => random(15) + 0.3);
    const clock = new FrameClock(time.timers, failOn);
    let count = 0;
    clock.add(() => count++);
    time.advance(3_600_000);
    expect(count).toBeGreaterThanOrEqual(3_600_000 / 20 - 1);
    expect(count).toBeLessThanOrEqual(3_600_000 / 20 + 1);
  });

  it('makes up for at most five frames, and counts those that it skips', () => {
    const late = [0, 0, 200];
    const time = virtualTimers(() => late.shift() ?? 0);
    const clock = new FrameClock(time.timers, failOn);
    const frames: number[] = [];
    clock.add((frame) => frames.push(frame));
    time.advance(300);
    expect(frames).toEqual([1, 2, 9, 10, 11, 12, 13, 14, 15]);
  });

  it('runs only while it has listeners', () => {
    const time = virtualTimers();
    const clock = new FrameClock(time.timers, failOn);
    expect(time.pending.size).toBe(0);
    const [removeFirst, removeSecond] = [clock.add(() => undefined), clock.add(() => undefined)];
    removeFirst();
    time.advance(50);
    expect(time.pending.size).toBe(1);
    removeSecond();
    removeSecond();
    expect(time.pending.size).toBe(0);
    const frames: number[] = [];
    time.advance(1_000);
    clock.add((frame) => frames.push(frame));
    time.advance(40);
    // The time without listeners is not made up for.
    expect(frames).toEqual([3, 4]);
  });

  it('stops at once when a listener removes the last one', () => {
    const time = virtualTimers(() => 60);
    const clock = new FrameClock(time.timers, failOn);
    let count = 0;
    const remove = clock.add(() => {
      count++;
      remove();
    });
    time.advance(1_000);
    expect(count).toBe(1);
    expect(time.pending.size).toBe(0);
  });

  it('ticks once per frame when the last listener replaces itself', () => {
    const time = virtualTimers();
    const clock = new FrameClock(time.timers, failOn);
    let count = 0;
    const remove = clock.add(() => {
      remove();
      clock.add(() => count++);
    });
    time.advance(20);
    expect(time.pending.size).toBe(1);
    time.advance(100);
    expect(count).toBe(5);
  });

  it('runs the other listeners when one throws', () => {
    const time = virtualTimers();
    const errors: unknown[] = [];
    const clock = new FrameClock(time.timers, (error) => errors.push(error));
    const failure = new Error('of one call');
    let count = 0;
    clock.add(() => {
      throw failure;
    });
    clock.add(() => count++);
    time.advance(40);
    expect([count, errors]).toEqual([2, [failure, failure]]);
  });

  it('keeps 50 frames a second on the real clock', async () => {
    const timers: Timers = {
      now: () => performance.now(),
      setTimer: (ms, callback) => {
        const timer = setTimeout(callback, ms);
        return () => clearTimeout(timer);
      },
    };
    const clock = new FrameClock(timers, failOn);
    const start = performance.now();
    const last = await new Promise<number>((resolve) => {
      const remove = clock.add((frame) => {
        if (frame < 25) return;
        remove();
        resolve(performance.now() - start);
      });
    });
    // A busy machine may be late, but the clock is never early.
    expect(last).toBeGreaterThanOrEqual(25 * 20 - 2);
  });
});
