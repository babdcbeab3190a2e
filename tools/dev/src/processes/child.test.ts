import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { startChild } from './child.ts';
import { createProcesses } from './processes.ts';
import { waitUntilReady } from './readiness.ts';

const node = process.execPath;
const saysReadyAndStays = "console.log('ready'); setInterval(() => {}, 1000);";

/** Resolves when the process with this id is gone; the test's own time limit bounds it. A zombie nobody reaps counts as gone. */
async function untilGone(pid: number): Promise<'gone'> {
  for (;;) {
    const ps = spawn('ps', ['-o', 'stat=', '-p', String(pid)]);
    let state = '';
    ps.stdout.on('data', (chunk: Buffer) => (state += chunk.toString()));
    await once(ps, 'close');
    if (state.trim() === '' || state.startsWith('Z')) return 'gone';
  }
}

test('a child ends when its parent is killed, though nobody could stop it', async () => {
  const source = `
    const { startChild } = await import(${JSON.stringify(new URL('child.ts', import.meta.url).href)});
    const child = startChild({ name: 'orphan', command: process.execPath, args: ['-e', ${JSON.stringify(saysReadyAndStays)}] });
    child.onLine(() => console.log(String(child.pid)));
  `;
  const parent = spawn(node, ['--input-type=module', '-e', source], { stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    const [line] = (await once(createInterface({ input: parent.stdout }), 'line')) as [string];
    const orphan = Number(line);
    // Throws when there is no such process: it must live before its end can prove anything.
    process.kill(orphan, 0);
    parent.kill('SIGKILL');
    expect(await untilGone(orphan)).toBe('gone');
  } finally {
    parent.kill('SIGKILL');
  }
});

test('a child that ignores the stop signal is killed after the bound', async () => {
  const child = startChild({
    name: 'stubborn',
    command: node,
    args: ['-e', `process.on('SIGTERM', () => {}); ${saysReadyAndStays}`],
    stopWithinMs: 50,
  });
  await waitUntilReady(child, { line: /ready/ });
  await child.stop();
  expect(await child.ended).toEqual({ code: null, signal: 'SIGKILL' });
  expect(child.running).toBe(false);
});

test('a child that ends before it is ready is reported with its last words', async () => {
  const child = startChild({
    name: 'broken',
    command: node,
    args: ['-e', "console.error('no such table'); process.exit(7)"],
  });
  await expect(waitUntilReady(child, { line: /ready/ })).rejects.toThrow(
    /broken ended before it was ready \(exit code 7\)[^]*no such table/,
  );
});

test('a program that does not exist is reported', async () => {
  const child = startChild({ name: 'absent', command: '/no/such/program' });
  await expect(waitUntilReady(child, { line: /ready/ })).rejects.toThrow(/absent ended before it was ready/);
});

test('processes stop in the reverse order, all of them, even when one refuses', async () => {
  const order: string[] = [];
  const processes = createProcesses(() => undefined);
  const thing = (name: string, stop = () => Promise.resolve()) => ({
    name,
    async stop() {
      order.push(name);
      await stop();
    },
  });
  processes.add(thing('first'));
  processes.add(thing('second', () => Promise.reject(new Error('refuses'))));
  processes.add(thing('third'));
  await expect(processes.stopAll()).rejects.toThrow('did not stop cleanly');
  expect(order).toEqual(['third', 'second', 'first']);
});
