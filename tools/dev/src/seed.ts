import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { PLATFORM_SIP } from '@partyline/domain/platform-account';
import { seed } from '@partyline/store/tenants/seed';
import { openStore } from '@partyline/store/database/store';
import { parseNumbers, type LinkedNumber } from './stack/service-environment.ts';

const HELP = `DATABASE_URL=... npm run seed -- --tenant NAME [--number NUMBERS] [--sip-number NUMBERS] [--env live]

Creates a tenant with its first API key, and adds shared dial-in numbers, each with its language, its country and
whether it is toll-free. What is left out is inferred from a new number, and unchanged for one that exists. The key is
printed once; only a hash of it is stored.

  --number      e.g. +12025550100=en-US,+4930555010=de-DE:DE,+18005550100=en-US:US:toll-free
  --sip-number  numbers of your own SIP trunk, beside those of VIDEO_MODE (docs/self-hosted.md)
  --env         the environment in the key: room-api accepts only keys of its own KEY_ENV (default: KEY_ENV, or live)`;

const { values } = parseArgs({
  options: {
    tenant: { type: 'string' },
    number: { type: 'string' },
    'sip-number': { type: 'string' },
    env: { type: 'string', default: process.env.KEY_ENV ?? 'live' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
const url = process.env.DATABASE_URL;
if (values.help || !values.tenant || !url) {
  console.log(values.help || values.tenant ? HELP : `--tenant is missing.\n\n${HELP}`);
  if (!url && !values.help) console.error('DATABASE_URL is not set.');
  process.exit(values.help ? 0 : 2);
}

const numbers = [
  ...readOrExit(values.number),
  ...readOrExit(values['sip-number']).map((number) => ({ ...number, accountId: PLATFORM_SIP })),
];
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
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
} finally {
  await store.close();
}

function readOrExit(text: string | undefined): LinkedNumber[] {
  try {
    return text === undefined ? [] : parseNumbers(text);
  } catch (error) {
    console.error((error as Error).message);
    return process.exit(2);
  }
}
