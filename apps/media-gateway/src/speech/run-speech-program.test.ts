import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { runSpeechProgram } from './run-speech-program.ts';
import type { SpeechProgram } from './speech-programs.ts';

const setTimer = (ms: number, callback: () => void): (() => void) => {
  const timer = setTimeout(callback, ms);
  return () => clearTimeout(timer);
};

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'partyline-run-speech-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const shell = (script: string, exchange: SpeechProgram['exchange'] = 'pipes', env = {}): SpeechProgram => ({
  id: 'command:en:secret-key',
  command: '/bin/sh',
  args: ['-c', script],
  env,
  exchange,
});
const run = (program: SpeechProgram, text: string, timeoutMs = 30_000): Promise<Buffer> =>
  runSpeechProgram(program, text, { setTimer, timeoutMs });

describe('runSpeechProgram', () => {
  it('gives the text on standard input, and returns standard output', async () => {
    expect((await run(shell('cat'), 'Grüße <b> $(id) `id` -v x')).toString()).toBe('Grüße <b> $(id) `id` -v x');
  });

  it('gives the text in a file, and returns the file that the program writes', async () => {
    expect((await run(shell('cat text text > speech.wav', 'files'), 'ab')).toString()).toBe('abab');
  });

  it('removes the folder of the files, also after a failure', async () => {
    const script = `pwd > ${folder}/where; exit 1`;
    await expect(run(shell(script, 'files'), 'a')).rejects.toMatchObject({ reason: 'failed' });
    expect(existsSync(readFileSync(join(folder, 'where'), 'utf8').trim())).toBe(false);
  });

  it('passes no secrets of this process on', async () => {
    vi.stubEnv('PARTYLINE_TEST_SECRET', 'hunter2');
    const environment = (await run(shell('env', 'pipes', { TTS_LANGUAGE: 'de-DE' }), '')).toString();
    expect(environment).toContain('TTS_LANGUAGE=de-DE');
    expect(environment).not.toContain('hunter2');
  });

  it('accepts a program that does not read its input', async () => {
    expect((await run(shell('printf sound'), 'a'.repeat(1_000_000))).toString()).toBe('sound');
  });

  it.each([
    ['ends with an error', shell('echo "some text" >&2; exit 3'), 'failed', 'command:en ended with code 3'],
    ['is killed', shell('kill -9 $$'), 'failed', 'command:en ended with SIGKILL'],
    ['is not installed', { ...shell(''), command: '/no/such/program' }, 'failed', 'command:en cannot be started'],
    ['writes no file', shell('true', 'files'), 'failed', 'command:en wrote no file'],
    ['writes without end', shell('yes'), 'no-audio', 'command:en wrote more than 24 MB'],
  ] as const)('reports a program that %s', async (_what, program, reason, message) => {
    const error: unknown = await run(program, 'some text').catch((failure: unknown) => failure);
    expect(error).toMatchObject({ name: 'SpeechError', reason, message: `The speech program ${message}` });
    expect(JSON.stringify(error)).not.toMatch(/some text|secret-key/);
  });

  it('kills a program and all that it started at the time limit', async () => {
    const script = `sleep 1000 & echo $! > ${folder}/pid; sleep 1000 | cat`;
    await expect(run(shell(script), 'a', 300)).rejects.toMatchObject({ reason: 'timeout' });
    const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'));
    await expect.poll(() => existsSync(`/proc/${pid}`) && !isZombie(pid)).toBe(false);
  });
});

/** In a container without an init process, ended orphans stay in the process table. */
function isZombie(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return true;
  }
}
