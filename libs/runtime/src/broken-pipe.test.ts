import { fork } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';

interface Progress {
  readonly rounds: number;
  readonly cpuMs: number;
}

/** 20 lines and a warning each. */
const ROUNDS = 100;
/** A round costs about a millisecond; one that spins costs all there is. */
const MOST_MS_A_ROUND = 30;

test('a service whose log nobody reads any more goes on, costs no more than before, and ends when it is told to', async () => {
  const child = fork(new URL('testing/chatty-child.ts', import.meta.url), {
    execArgv: ['--conditions=@partyline/source'],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const ended = once(child, 'exit');
  try {
    const progress = async (rounds: number): Promise<Progress> => {
      for (;;) {
        const [message] = (await Promise.race([
          once(child, 'message'),
          ended.then(([code, signal]) => Promise.reject(new Error(`it ended: ${String(code ?? signal)}`))),
        ])) as [Progress];
        if (message.rounds >= rounds) return message;
      }
    };
    child.stdout?.resume();
    child.stderr?.resume();
    const before = await progress(5);
    child.stdout?.destroy();
    child.stderr?.destroy();
    const after = await progress(before.rounds + ROUNDS);
    expect((after.cpuMs - before.cpuMs) / ROUNDS).toBeLessThan(MOST_MS_A_ROUND);
    child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
  } finally {
    child.kill('SIGKILL');
  }
});
