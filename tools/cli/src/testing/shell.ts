import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MAIN = new URL('../main.ts', import.meta.url).pathname;

interface RunResult {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface Shell {
  readonly home: string;
  readonly start: (args: readonly string[]) => ChildProcessWithoutNullStreams;
  readonly run: (
    args: readonly string[],
    options?: { env?: Record<string, string>; input?: string },
  ) => Promise<RunResult>;
}

/**
 * Runs the real command in a child process, with an empty home folder and no inherited environment
 * but PATH.
 */
export function openShell(env: Readonly<Record<string, string>> = {}): Shell {
  const home = mkdtempSync(join(tmpdir(), 'partyline-cli-'));
  const start = (args: readonly string[], extraEnv: Record<string, string> = {}): ChildProcessWithoutNullStreams =>
    spawn(process.execPath, ['--conditions=@partyline/source', MAIN, ...args], {
      env: { PATH: process.env['PATH'], HOME: home, ...env, ...extraEnv },
    });
  return {
    home,
    start,
    run: (args, options = {}) =>
      new Promise((resolve, reject) => {
        const child = start(args, options.env);
        let [out, err] = ['', ''];
        child.stdout.on('data', (bytes: Buffer) => (out += bytes.toString()));
        child.stderr.on('data', (bytes: Buffer) => (err += bytes.toString()));
        child.on('error', reject);
        child.on('close', (code) => resolve({ code, out, err }));
        child.stdin.end(options.input ?? '');
      }),
  };
}

/** Splits a line into words as a shell does, with quotes and variables. */
export function splitWords(line: string, variables: Readonly<Record<string, string>>): string[] {
  const expand = (text: string): string =>
    text.replaceAll(/\$(\w+)/g, (_, name: string) => variables[name] ?? `unset-${name}`);
  return [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(
    ([, single, double, bare]) => single ?? expand(double ?? bare ?? ''),
  );
}
