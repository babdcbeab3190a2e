import { parseArgs } from 'node:util';
import { buildApps } from './build.ts';
import { describeStack } from './describe.ts';
import { untilInterrupted } from './processes.ts';
import type { Mode } from './service-environment.ts';
import { startStack, type Stack } from './stack.ts';

const { values } = parseArgs({ options: { mode: { type: 'string', default: 'unified' }, keep: { type: 'boolean', default: false } } });
if (values.mode !== 'opentok' && values.mode !== 'unified') {
  throw new Error(`--mode is opentok or unified, not «${values.mode}». Usage: npm start -- [--mode opentok|unified] [--keep]`);
}

const log = (line: string): void => console.error(line);
// While things still start, leaving is enough: every child ends when this process does.
const interrupted = untilInterrupted();
let isUp = false;
void interrupted.then(() => {
  if (!isUp) process.exit(130);
});
const stack = await up(values.mode);
isUp = true;

async function up(mode: Mode): Promise<Stack> {
  log('building …');
  await buildApps({ log });
  return startStack({ mode, keep: values.keep, log });
}

console.log(describeStack(stack, values.mode));

await interrupted;
log('stopping …');
await stack.stop();
log('everything has ended');
