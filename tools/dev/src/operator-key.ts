import { parseArgs } from 'node:util';
import { createOperatorKey } from './stack/credentials.ts';

const DAY_MS = 86_400_000;
const DEFAULT_DAYS = 365;

/** Creates an operator key, and its entry for the configuration. */
const HELP = `npm run operator-key -- NAME [--expires YYYY-MM-DD|never]

Prints a new key for the operator's part of the API (docs/operators.md), and its entry for OPERATOR_KEYS of
room-api. The entry contains only a hash of the key. NAME identifies the key in the audit log: letters and
digits, at most 40. The key is rejected from the day of --expires (UTC); default: in ${DEFAULT_DAYS} days.`;

/** The day of a time, in UTC. */
const toDay = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

/** Returns the arguments, or a sentence about the fault in them. */
function readArguments(now: number): { name: string; expires: string | null } | 'help' | { fault: string } {
  let parsed;
  try {
    parsed = parseArgs({
      allowPositionals: true,
      options: { expires: { type: 'string' }, help: { type: 'boolean', short: 'h', default: false } },
    });
  } catch (error) {
    return { fault: error instanceof Error ? error.message : String(error) };
  }
  const { positionals, values } = parsed;
  if (values.help) return 'help';
  const [name, ...more] = positionals;
  if (name === undefined) return { fault: 'NAME is missing.' };
  if (more.length > 0 || !/^[A-Za-z0-9]{1,40}$/.test(name))
    return { fault: `Invalid NAME "${positionals.join(' ')}". Use letters and digits, at most 40.` };
  const expires = values.expires ?? toDay(now + DEFAULT_DAYS * DAY_MS);
  if (expires === 'never') return { name, expires: null };
  const at = Date.parse(expires);
  if (!/^\d{4}-\d{2}-\d{2}$/.test(expires) || Number.isNaN(at) || at <= now)
    return {
      fault: `Invalid --expires "${expires}". Use a future day such as ${toDay(now + DEFAULT_DAYS * DAY_MS)}, or never.`,
    };
  return { name, expires };
}

const given = readArguments(Date.now());
if (given === 'help') console.log(HELP);
else if ('fault' in given) {
  console.error(`${given.fault}\n\n${HELP}`);
  process.exitCode = 2;
} else {
  const { key, entry } = createOperatorKey(given.name, given.expires);
  console.log(`Key (shown only once): ${key}`);
  console.log(`Entry for OPERATOR_KEYS (comma-separated list): ${entry}`);
  console.log(given.expires === null ? 'It never expires.' : `It expires on ${given.expires} (UTC).`);
}
