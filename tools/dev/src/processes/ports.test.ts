import { expect, test } from 'vitest';
import { findFreePort, reserveMediaPorts } from './ports.ts';

test('findFreePort returns different ports below the ephemeral range to concurrent callers', async () => {
  const ports = await Promise.all(Array.from({ length: 200 }, findFreePort));
  expect(new Set(ports).size).toBe(200);
  expect(ports.every((port) => port >= 20_000 && port < 32_000)).toBe(true);
});

test('reserveMediaPorts returns windows without a common port, until their release', async () => {
  const windows = await Promise.all([150, 600, 100, 600, 1_800].map(reserveMediaPorts));
  try {
    expect(windows.map(({ first, last }) => last - first + 1)).toEqual([200, 600, 100, 600, 1_800]);
    const ordered = windows.toSorted((one, other) => one.first - other.first);
    for (const [index, { first }] of ordered.entries()) expect(first).toBeGreaterThan(ordered[index - 1]?.last ?? 0);
    await expect(reserveMediaPorts(14_000)).rejects.toThrow(/No 14000 consecutive media ports are free/);
  } finally {
    for (const window of windows) window.release();
  }
});
