import { createOperatorKey } from './stack/credentials.ts';

/** Creates an operator key, and its entry for the configuration. */
const HELP = `npm run operator-key -- NAME

Prints a new key for the operator's part of the API (docs/operators.md), and its entry for OPERATOR_KEYS of
room-api. The entry contains only a hash of the key. NAME identifies the key in the audit log: letters and
digits, at most 40.`;

const [name, ...more] = process.argv.slice(2);
if (name === '--help' || name === '-h') console.log(HELP);
else if (name === undefined || more.length > 0 || !/^[A-Za-z0-9]{1,40}$/.test(name)) {
  console.error(
    name === undefined
      ? `NAME is missing.\n\n${HELP}`
      : `Invalid NAME "${[name, ...more].join(' ')}". Use letters and digits, at most 40.`,
  );
  process.exitCode = 2;
} else {
  const { key, entry } = createOperatorKey(name);
  console.log(`Key (shown only once): ${key}`);
  console.log(`Entry for OPERATOR_KEYS (comma-separated list): ${entry}`);
}
