import { fork } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';

interface Progress {
  readonly rounds: number;
  readonly cpuMs: number;
}

/** Each round logs 20 lines and one warning. */
const ROUNDS = 100;
/** A round takes about 1 ms of CPU time; a busy loop would take far more. */
const MAX_CPU_MS_PER_ROUND = 30;

test('a service with closed output pipes keeps running, uses no extra CPU time, and ends on SIGTERM', async () => {
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
          ended.then(([code, signal]) => Promise.reject(new Error(`The child ended: ${String(code ?? signal)}`))),
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
    expect((after.cpuMs - before.cpuMs) / ROUNDS).toBeLessThan(MAX_CPU_MS_PER_ROUND);
    child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
  } finally {
    child.kill('SIGKILL');
  }
});
