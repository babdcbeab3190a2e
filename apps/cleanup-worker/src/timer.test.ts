import { FakeClock } from '@partyline/testing/fake-clock';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { startTimer, startTimers } from './timer.ts';

/** No jitter. */
const middle = (below: number): number => below / 2;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('reports a run that throws and starts the next run', async () => {
  const errors: unknown[] = [];
  let runs = 0;
  const timer = startTimer({
    everyMs: 100,
    clock: new FakeClock(),
    random: middle,
    onError: (error) => errors.push(error),
    run: () => (++runs === 1 ? Promise.reject(new Error('Postgres is not available')) : Promise.resolve()),
  });
  await vi.advanceTimersByTimeAsync(350);
  expect(runs).toBe(3);
  expect(errors).toHaveLength(1);
  await timer.stop();
});

test('does not overlap runs, and reports a run that hangs', async () => {
  const clock = new FakeClock();
  let runs = 0;
  const timer = startTimer({
    everyMs: 100,
    clock,
    random: middle,
    onError: () => undefined,
    run: () => {
      runs += 1;
      return new Promise(() => undefined);
    },
  });
  await vi.advanceTimersByTimeAsync(1_000);
  expect(runs).toBe(1);
  timer.assertRunning(30_000);
  clock.advance({ seconds: 31 });
  expect(() => timer.assertRunning(30_000)).toThrow('no progress');
});

test('waits for the current run when stopped, and starts no other', async () => {
  let runs = 0;
  let finish = (): void => undefined;
  const timer = startTimer({
    everyMs: 100,
    clock: new FakeClock(),
    random: middle,
    onError: () => undefined,
    run: () => {
      runs += 1;
      return new Promise<void>((resolve) => (finish = resolve));
    },
  });
  await vi.advanceTimersByTimeAsync(150);
  let stopped = false;
  const stopping = timer.stop().then(() => (stopped = true));
  await vi.advanceTimersByTimeAsync(500);
  expect(stopped).toBe(false);
  finish();
  await stopping;
  await vi.advanceTimersByTimeAsync(500);
  expect(runs).toBe(1);
});

test('varies the pause by at most a tenth', async () => {
  for (const [random, earliest] of [
    [() => 0, 90],
    [(below: number) => below - 1, 109],
  ] as const) {
    let runs = 0;
    const timer = startTimer({
      everyMs: 100,
      clock: new FakeClock(),
      random,
      onError: () => undefined,
      run: async () => void (runs += 1),
    });
    await vi.advanceTimersByTimeAsync(earliest - 1);
    expect(runs).toBe(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(runs).toBe(1);
    await timer.stop();
  }
});

test('starts every timer of a table and names the one that failed', async () => {
  const failed: string[] = [];
  let runs = 0;
  const timers = startTimers(
    {
      slow: { everyMs: 200, run: () => Promise.reject(new Error('Postgres is not available')) },
      fast: { everyMs: 100, run: async () => void (runs += 1) },
    },
    { clock: new FakeClock(), random: middle, onError: (name) => failed.push(name) },
  );
  await vi.advanceTimersByTimeAsync(250);
  expect([runs, failed]).toEqual([2, ['slow']]);
  await Promise.all(Object.values(timers).map((timer) => timer.stop()));
  await vi.advanceTimersByTimeAsync(500);
  expect(runs).toBe(2);
});
