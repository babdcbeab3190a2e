import { fork } from 'node:child_process';
import { join } from 'node:path';
import type { Stoppable } from '@partyline/dev/processes/processes';
import type { LoadOrder, LoadReport, LoadSettings } from './protocol.ts';

export interface Generator extends Stoppable {
  /** Carries out one order; throws when a reply was wrong. */
  load(order: LoadOrder): Promise<{ requests: number; p50Ms: number; p99Ms: number }>;
}

export function startGenerator(settings: LoadSettings): Generator {
  const child = fork(join(import.meta.dirname, 'load.ts'), [JSON.stringify(settings)]);
  const ended = new Promise<never>((_, reject) => {
    child.once('exit', (code, signal) =>
      reject(new Error(`the load generator ended (${signal ?? `exit code ${code}`})`)),
    );
    child.once('error', reject);
  });
  ended.catch(() => undefined);
  return {
    name: 'load generator',
    async load(order) {
      const reported = new Promise<LoadReport>((resolve) =>
        child.once('message', (report) => resolve(report as LoadReport)),
      );
      child.send(order);
      const report = await Promise.race([reported, ended]);
      if ('error' in report) throw new Error(report.error);
      return report;
    },
    async stop() {
      child.kill();
      await ended.catch(() => undefined);
    },
  };
}
