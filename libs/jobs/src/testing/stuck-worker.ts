/**
 * A worker process that starts a job, reports it to the parent process, and never finishes it; the
 * test kills it. Arguments: Redis URL, key prefix.
 */
import { workerOptions } from '@partyline/runtime/redis';
import type { JobName } from '../catalogue.ts';
import { startWorkers, type Handlers } from '../work.ts';

const [, , url = '', prefix = ''] = process.argv;

const never = (): Promise<void> => {
  process.send?.('started');
  return new Promise(() => undefined);
};
const names: readonly JobName[] = [
  'settle-session',
  'open-bridge',
  'move-deadlines',
  'dial-out',
  'hang-up-session',
  'hang-up-leg',
];

startWorkers({
  connection: workerOptions(url),
  prefix,
  handlers: Object.fromEntries(names.map((name) => [name, never])) as unknown as Handlers,
  concurrency: { conference: 1, dial: 1, 'hang-up': 1 },
  now: () => Date.now(),
  onFailed: () => undefined,
  onError: () => undefined,
});
