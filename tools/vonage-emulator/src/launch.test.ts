import { afterEach, describe, expect, it } from 'vitest';
import { startEmulator, type RunningEmulator } from './launch.ts';

let running: RunningEmulator | undefined;
afterEach(() => running?.stop());

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe('startEmulator', () => {
  it('listens on a free loopback port with a virtual clock, and exits on stop', async () => {
    running = await startEmulator({ clock: 'virtual' });
    expect(running.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    const { now } = await running.client.clock();
    expect(await running.client.advanceClock(60_000)).toEqual({ now: now + 60_000 });
    expect(await running.client.ledger()).toMatchObject({ legs: [], up: 0 });
    await running.stop();
    expect(isAlive(running.pid)).toBe(false);
  });

  it('rejects an invalid configuration', async () => {
    await expect(startEmulator({ port: -1 })).rejects.toThrow(/before it listened/);
  });
});
