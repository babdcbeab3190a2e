import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { seed } from '@partyline/store/tenants/seed';
import { openStore } from '@partyline/store/database/store';
import { readNumbers, type LinkedNumber } from './stack/service-environment.ts';

const HELP = `DATABASE_URL=… npm run seed -- --tenant NAME [--number +12025550100=en-US[:US][:toll-free][,…]] [--env live]

Creates a tenant with its first API key, and adds dial-in numbers that all tenants share: each with the language it answers in, the country that
it is in, and whether its callers pay nothing. The key is printed once and kept nowhere: only a hash of it is stored.

  --env   what the key names as its environment: room-api takes those of its own KEY_ENV alone (default: KEY_ENV, or live)`;

const { values } = parseArgs({
  options: {
    tenant: { type: 'string' },
    number: { type: 'string' },
    env: { type: 'string', default: process.env.KEY_ENV ?? 'live' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
const url = process.env.DATABASE_URL;
if (values.help || !values.tenant || !url) {
  console.log(values.help || values.tenant ? HELP : `--tenant is missing\n\n${HELP}`);
  if (!url && !values.help) console.error('DATABASE_URL is not set.');
  process.exit(values.help ? 0 : 2);
}

const numbers = readOrExit(values.number);
const apiKey = `pl_${values.env}_${randomBytes(6).toString('hex')}_${randomBytes(32).toString('base64url')}`;
const store = openStore({ url, max: 1, onError: (error) => console.error(error.message) });
try {
  await seed(store, {
    tenantId: `ten_${randomBytes(16).toString('base64url')}`,
    tenantName: values.tenant,
    apiKey,
    numbers,
  });
  console.log(apiKey);
} finally {
  await store.close();
}

function readOrExit(text: string | undefined): LinkedNumber[] {
  try {
    return text === undefined ? [] : readNumbers(text);
  } catch (error) {
    console.error((error as Error).message);
    return process.exit(2);
  }
}
