import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import type { Result as Events } from './events/bench.ts';
import type { Result as Rooms } from './rooms/bench.ts';
import type { Result as SelfHosted } from './self-hosted/bench.ts';
import type { Result } from './webhooks/report.ts';

const bench = (...args: string[]): Promise<{ stdout: string; stderr: string }> =>
  promisify(execFile)(
    process.execPath,
    ['--conditions=@partyline/source', join(import.meta.dirname, 'main.ts'), ...args],
    { timeout: 280_000 },
  );

// The figures depend on the machine. The tests check that every reply is right and every figure is
// there.
test('the webhooks bench gets right replies only and reports all figures', { timeout: 300_000 }, async () => {
  const { stdout } = await bench(
    'webhooks',
    '--seconds',
    '1',
    '--rounds',
    '1',
    '--pins',
    '1000',
    '--connections',
    '8',
    '--json',
  );
  const result = JSON.parse(stdout) as Result;
  expect(result).toMatchObject({
    bench: 'webhooks',
    errors: 0,
    options: { seconds: 1, rounds: 1, pins: 1_000, connections: 8 },
  });
  for (const phases of Object.values(result.servers))
    for (const { requests } of Object.values(phases)) expect(requests).toBeGreaterThan(0);
});

test('the rooms bench creates every room and reports all figures', { timeout: 300_000 }, async () => {
  const { stdout } = await bench('rooms', '--seconds', '2', '--rounds', '1', '--connections', '4', '--json');
  const { servers, ...result } = JSON.parse(stdout) as Rooms;
  expect(result).toMatchObject({ bench: 'rooms', errors: 0, options: { seconds: 2, rounds: 1, connections: 4 } });
  for (const { requests, p99Ms } of Object.values(servers)) expect([requests > 0, p99Ms > 0]).toEqual([true, true]);
});

test(
  'the events bench delivers every event to every endpoint and reports all figures',
  { timeout: 300_000 },
  async () => {
    const { stdout } = await bench('events', '--seconds', '0.2', '--rounds', '1', '--json');
    const { servers, ...result } = JSON.parse(stdout) as Events;
    expect(result).toMatchObject({ bench: 'events', errors: 0, endpoints: 10 });
    for (const { events } of Object.values(servers)) expect(events).toBeGreaterThanOrEqual(20);
  },
);

test('wrong arguments exit with 2 and print the help', async () => {
  await expect(bench('webhooks', '--rounds', 'many')).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--rounds must be a number from 1 to 1000, not "many"') as string,
  });
  await expect(bench('fan-out')).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining('Name one bench: webhooks') as string,
  });
});

test(
  'the self-hosted bench reports all figures, and its calls leave nothing behind',
  { timeout: 300_000 },
  async () => {
    const { stdout } = await bench(
      'self-hosted',
      '--seconds',
      '1',
      '--rounds',
      '1',
      '--calls',
      '5',
      '--churn',
      '20',
      '--json',
    );
    const result = JSON.parse(stdout) as SelfHosted;
    expect(result).toMatchObject({ bench: 'self-hosted', churn: { calls: 20, left: false } });
    expect(result.firstSound.map(({ calls }) => calls)).toEqual([1, 5]);
    for (const { p50Ms, p99Ms } of result.firstSound) expect(p99Ms).toBeGreaterThanOrEqual(p50Ms);
    expect(Math.min(result.callsPerCore, result.janusAloneCallsPerCore, result.ratio)).toBeGreaterThan(0);
  },
);
