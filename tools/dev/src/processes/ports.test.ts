import { expect, test } from 'vitest';
import { findFreePort } from './ports.ts';

test('findFreePort returns different ports below the ephemeral range to concurrent callers', async () => {
  const ports = await Promise.all(Array.from({ length: 200 }, findFreePort));
  expect(new Set(ports).size).toBe(200);
  expect(ports.every((port) => port >= 20_000 && port < 32_000)).toBe(true);
});
