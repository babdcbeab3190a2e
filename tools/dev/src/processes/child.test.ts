import { execa } from 'execa';
import { expect, test, vi } from 'vitest';
import { startChild } from './child.ts';
import { createProcesses } from './processes.ts';
import { waitUntilReady } from './readiness.ts';

const node = process.execPath;
const printReadyAndStay = "console.log('ready'); setInterval(() => {}, 1000);";

/**
 * Waits until a process has ended; a zombie counts as ended. The test's own time limit bounds the
 * wait.
 */
async function waitForExit(pid: number): Promise<'ended'> {
  for (;;) {
    const { stdout: state } = await execa('ps', ['-o', 'stat=', '-p', String(pid)], { reject: false });
    if (state.trim() === '' || state.startsWith('Z')) return 'ended';
  }
}

test('a child ends when its parent is killed by SIGKILL', async () => {
  const source = `
    const { startChild } = await import(${JSON.stringify(new URL('child.ts', import.meta.url).href)});
    const args = ['-e', ${JSON.stringify(printReadyAndStay)}];
    const child = startChild({ name: 'orphan', command: process.execPath, args });
    child.onLine(() => console.log(String(child.pid)));
  `;
  const parent = execa(node, ['--input-type=module', '-e', source], {
    stdin: 'ignore',
    stderr: 'ignore',
    buffer: false,
    reject: false,
  });
  try {
    const { value: line } = await parent.iterable().next();
    const orphanPid = Number(line);
    // Throws if the process does not exist: it must run before the parent is killed.
    process.kill(orphanPid, 0);
    parent.kill('SIGKILL');
    expect(await waitForExit(orphanPid)).toBe('ended');
  } finally {
    parent.kill('SIGKILL');
  }
});

/** Runs a process in the background, prints its pid, and stays. */
const FORK_AND_STAY = 'sleep 600 & echo $!; wait';

test('the forks of a child with killsGroup end with it, however it ends', async () => {
  for (const end of ['SIGKILL', 'SIGTERM'] as const) {
    const child = startChild({
      name: 'forking',
      command: '/bin/sh',
      args: ['-c', FORK_AND_STAY],
      killsGroup: true,
    });
    await waitUntilReady(child, { line: /^\d+$/ });
    const fork = Number(child.tail());
    process.kill(fork, 0);
    child.kill(end);
    expect(await child.ended).toEqual({ code: null, signal: end });
    expect(await waitForExit(fork)).toBe('ended');
  }
});

/** Waits until a process is in a state of `ps`, such as T for stopped. */
async function waitForState(pid: number, isState: (state: string) => boolean): Promise<void> {
  await expect
    .poll(async () => {
      const { stdout } = await execa('ps', ['-o', 'stat=', '-p', String(pid)], { reject: false });
      return isState(stdout.trim());
    })
    .toBe(true);
}

test('the forks of a child with killsGroup stop and continue with it, and end while they are stopped', async () => {
  const child = startChild({ name: 'forking', command: '/bin/sh', args: ['-c', FORK_AND_STAY], killsGroup: true });
  await waitUntilReady(child, { line: /^\d+$/ });
  const processes = [child.pid, Number(child.tail())];
  child.kill('SIGSTOP');
  for (const pid of processes) await waitForState(pid, (state) => state.startsWith('T'));
  child.kill('SIGCONT');
  for (const pid of processes) await waitForState(pid, (state) => state.startsWith('S'));
  child.kill('SIGSTOP');
  await child.stop();
  for (const pid of processes) expect(await waitForExit(pid)).toBe('ended');
});

test('the forks of a child with killsGroup stop where no ps is found', async () => {
  const child = startChild({ name: 'forking', command: '/bin/sh', args: ['-c', FORK_AND_STAY], killsGroup: true });
  await waitUntilReady(child, { line: /^\d+$/ });
  vi.stubEnv('PATH', '');
  try {
    expect(() => child.kill('SIGSTOP')).not.toThrow();
  } finally {
    vi.unstubAllEnvs();
  }
  for (const pid of [child.pid, Number(child.tail())]) await waitForState(pid, (state) => state.startsWith('T'));
  await child.stop();
});

test.each([
  ['run', ''],
  ['are stopped', "child.kill('SIGSTOP');"],
])('the forks of a child with killsGroup that %s end when their grandparent is killed by SIGKILL', async (_, stop) => {
  const source = `
    const { startChild } = await import(${JSON.stringify(new URL('child.ts', import.meta.url).href)});
    // The child dies of SIGTERM, and its fork ignores it.
    const args = ['-c', ${JSON.stringify(`(trap '' TERM; ${FORK_AND_STAY}) & wait`)}];
    const child = startChild({ name: 'forking', command: '/bin/sh', args, killsGroup: true });
    child.onLine((line) => {
      ${stop}
      console.log(line);
    });
  `;
  const parent = execa(node, ['--input-type=module', '-e', source], {
    stdin: 'ignore',
    stderr: 'ignore',
    buffer: false,
    reject: false,
  });
  try {
    const { value: line } = await parent.iterable().next();
    const fork = Number(line);
    process.kill(fork, 0);
    parent.kill('SIGKILL');
    expect(await waitForExit(fork)).toBe('ended');
  } finally {
    parent.kill('SIGKILL');
  }
});

test('a child that ignores the stop signal is killed after the bound', async () => {
  const child = startChild({
    name: 'stubborn',
    command: node,
    args: ['-e', `process.on('SIGTERM', () => {}); ${printReadyAndStay}`],
    stopTimeoutMs: 50,
  });
  await waitUntilReady(child, { line: /ready/ });
  await child.stop();
  expect(await child.ended).toEqual({ code: null, signal: 'SIGKILL' });
  expect(child.isRunning).toBe(false);
});

test('waitUntilReady rejects with the last output of a child that ends before it is ready', async () => {
  const child = startChild({
    name: 'broken',
    command: node,
    args: ['-e', "console.error('no such table'); process.exit(7)"],
  });
  await expect(waitUntilReady(child, { line: /ready/ })).rejects.toThrow(
    /broken ended before it was ready \(exit code 7\)[^]*no such table/,
  );
});

test('waitUntilReady rejects for a program that does not exist', async () => {
  const child = startChild({ name: 'absent', command: '/no/such/program' });
  await expect(waitUntilReady(child, { line: /ready/ })).rejects.toThrow(/absent ended before it was ready/);
});

test('stopAll stops everything in reverse order, even after a failure', async () => {
  const order: string[] = [];
  const processes = createProcesses(() => undefined);
  const createStoppable = (name: string, stop = () => Promise.resolve()) => ({
    name,
    async stop() {
      order.push(name);
      await stop();
    },
  });
  processes.add(createStoppable('first'));
  processes.add(createStoppable('second', () => Promise.reject(new Error('failed'))));
  processes.add(createStoppable('third'));
  await expect(processes.stopAll()).rejects.toThrow('did not stop cleanly');
  expect(order).toEqual(['third', 'second', 'first']);
});
