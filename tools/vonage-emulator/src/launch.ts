/** Runs the emulator as a child process, for tests, demos and benchmarks. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { EmulatorConfigInput } from './config.ts';
import { EmulatorClient } from './control-client.ts';

export interface RunningEmulator {
  /** For example http://127.0.0.1:40123. Pass it to the SDKs as apiUrl, apiHost and videoHost. */
  url: string;
  client: EmulatorClient;
  pid: number;
  /** Stops the process. Resolves when it has exited. */
  stop(): Promise<void>;
}

/** Beside this file: `main.ts` in the source, `main.js` in the package. */
const MAIN = fileURLToPath(new URL(`./main${extname(import.meta.url)}`, import.meta.url));

/**
 * Starts an emulator on a free port (or `config.port`). The child reads its configuration from
 * stdin and exits when that pipe closes, so that a killed parent leaves no orphan process.
 */
export async function startEmulator(config: EmulatorConfigInput = {}): Promise<RunningEmulator> {
  const child = spawn(process.execPath, [MAIN, '--config', '-'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    // Own process group: Ctrl-C must not stop the emulator before its clients have hung up.
    detached: true,
  });
  const exited = once(child, 'exit');
  child.stdin.on('error', () => undefined);
  child.stdin.write(`${JSON.stringify(config)}\n`);

  const lines = createInterface({ input: child.stdout });
  const listening = new Promise<string>((resolve, reject) => {
    lines.once('line', (line) => resolve((JSON.parse(line) as { listening: string }).listening));
    child.once('exit', (code) => reject(new Error(`vonage-emulator exited before it listened (code ${code})`)));
    child.once('error', reject);
  });
  const url = await listening;

  return {
    url,
    client: new EmulatorClient(url),
    pid: child.pid ?? 0,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      await exited;
    },
  };
}
