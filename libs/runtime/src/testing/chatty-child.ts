/**
 * A process that logs and warns until SIGTERM, and reports its rounds and CPU time to the parent
 * process.
 */
import { openLogger } from '../logging.ts';

const log = openLogger({ service: 'chatty', level: 'info' });
let rounds = 0;
const timer = setInterval(() => {
  for (let i = 0; i < 20; i++) log.info({ rounds, i }, 'another line');
  process.emitWarning(`round ${rounds}`);
  rounds += 1;
  const { user, system } = process.cpuUsage();
  process.send?.({ rounds, cpuMs: (user + system) / 1000 });
}, 5);
process.once('SIGTERM', () => {
  clearInterval(timer);
  log.info('stopped');
  process.exit(0);
});
