import { createOperatorKey } from './stack/credentials.ts';

/** Makes an operator's key: what to keep, and what the configuration is given. */
const HELP = `npm run operator-key -- NAME

Prints a key for the operator's part of the API (docs/operators.md), and what room-api is to be told of it: only a hash, so nobody can read the key off the
configuration. NAME says in the audit log whose it was: letters and digits, 40 at most.`;

const [name, ...more] = process.argv.slice(2);
if (name === '--help' || name === '-h') console.log(HELP);
else if (name === undefined || more.length > 0 || !/^[A-Za-z0-9]{1,40}$/.test(name)) {
  console.error(
    name === undefined
      ? `NAME is missing.\n\n${HELP}`
      : `«${[name, ...more].join(' ')}» is no name: letters and digits, 40 at most.`,
  );
  process.exitCode = 2;
} else {
  const { key, entry } = createOperatorKey(name);
  console.log(`the key, shown this once:    ${key}`);
  console.log(`for OPERATOR_KEYS (several: with commas between):    ${entry}`);
}
