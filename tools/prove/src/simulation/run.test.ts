import { expect, it } from 'vitest';
import { runSimulation } from './run.ts';

const SMALL = { days: 1, traffic: { meetingsPerDay: 20, openMs: 1_800_000 } };

it('gives one trace per seed, also when it yields to the event loop after each event', async () => {
  const [first, second, yielding, other] = [
    await runSimulation({ seed: 7, ...SMALL }),
    await runSimulation({ seed: 7, ...SMALL }),
    await runSimulation({ seed: 7, ...SMALL, yieldAfterEvents: true }),
    await runSimulation({ seed: 8, ...SMALL }),
  ];
  expect(first.legs).toBeGreaterThan(50);
  expect(second.hash).toBe(first.hash);
  expect(yielding.hash).toBe(first.hash);
  expect(other.hash).not.toBe(first.hash);
});

it('detects leaked legs when no sweep runs', async () => {
  const runs = [];
  for (const seed of [1, 2, 3])
    runs.push(
      await runSimulation({
        seed,
        ...SMALL,
        traffic: { meetingsPerDay: 60, openMs: 3_600_000 },
        sweeps: { reconcile: false, inventory: false },
      }),
    );
  expect(runs.reduce((sum, run) => sum + run.leakedLegs, 0)).toBeGreaterThan(0);
});
