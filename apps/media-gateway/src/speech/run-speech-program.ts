import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Timers } from '../audio/frame-clock.ts';
import { SpeechError } from './speech-error.ts';
import type { SpeechProgram } from './speech-programs.ts';

/** Two minutes of stereo at 48 kHz. */
const MAX_OUTPUT_BYTES = 24_000_000;

/** What a speech program may take over from this process: no secrets. */
const INHERITED = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TMPDIR', 'LD_LIBRARY_PATH', 'ESPEAK_DATA_PATH'] as const;

/**
 * Runs a speech program, and returns the WAV file that it makes. At the time limit, the program and
 * all that it started are killed. What it prints as errors is discarded: it may repeat the text.
 * @throws SpeechError `failed` or `timeout`
 */
export async function runSpeechProgram(
  program: SpeechProgram,
  text: string,
  { setTimer, timeoutMs }: { setTimer: Timers['setTimer']; timeoutMs: number },
): Promise<Buffer> {
  if (program.exchange === 'pipes') return runChild(program, { input: text, setTimer, timeoutMs });
  const folder = await mkdtemp(join(tmpdir(), 'partyline-speech-'));
  try {
    await writeFile(join(folder, 'text'), text);
    await runChild(program, { input: '', cwd: folder, setTimer, timeoutMs });
    const output = join(folder, 'speech.wav');
    if ((await stat(output)).size > MAX_OUTPUT_BYTES) throw tooLong(program);
    return await readFile(output);
  } catch (error) {
    if (error instanceof SpeechError) throw error;
    throw new SpeechError('failed', `${nameOf(program)} wrote no file`, { cause: error });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The operator's command may contain a key, so the message does not repeat it. */
const nameOf = ({ id }: SpeechProgram): string => `The speech program ${id.split(':', 2).join(':')}`;
const tooLong = (program: SpeechProgram): SpeechError =>
  new SpeechError('no-audio', `${nameOf(program)} wrote more than ${MAX_OUTPUT_BYTES / 1e6} MB`);

interface ChildOptions {
  readonly input: string;
  readonly cwd?: string;
  readonly setTimer: Timers['setTimer'];
  readonly timeoutMs: number;
}

function runChild(program: SpeechProgram, { input, cwd, setTimer, timeoutMs }: ChildOptions): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const inherited = Object.fromEntries(INHERITED.map((name) => [name, process.env[name]]));
    // A process group of its own, so that the programs of a shell command end with it.
    const child = spawn(program.command, program.args, {
      ...(cwd === undefined ? {} : { cwd }),
      env: { ...inherited, ...program.env },
      stdio: ['pipe', 'pipe', 'ignore'],
      detached: true,
    });
    const output: Buffer[] = [];
    let bytes = 0;
    const fail = (error: SpeechError): void => {
      cancel();
      reject(error);
    };
    const kill = (error: SpeechError): void => {
      killGroup(child.pid);
      fail(error);
    };
    const cancel = setTimer(timeoutMs, () =>
      kill(new SpeechError('timeout', `${nameOf(program)} took more than ${timeoutMs} ms`)),
    );
    child.stdout.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > MAX_OUTPUT_BYTES) kill(tooLong(program));
      else output.push(chunk);
    });
    child.on('error', (cause) => fail(new SpeechError('failed', `${nameOf(program)} cannot be started`, { cause })));
    child.on('close', (code, signal) => {
      if (code !== 0)
        return fail(new SpeechError('failed', `${nameOf(program)} ended with ${signal ?? `code ${String(code)}`}`));
      cancel();
      resolve(Buffer.concat(output));
    });
    // A program that ends without reading its input breaks the pipe; its exit code tells why.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}
