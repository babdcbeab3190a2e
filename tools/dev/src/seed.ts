import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { seed } from '@partyline/store/seed';
import { openStore } from '@partyline/store/store';
import { readNumbers } from './service-environment.ts';

const HELP = `DATABASE_URL=… npm run seed -- --tenant NAME [--number +12025550100=en-US[,…]] [--env live]

Creates a tenant with its first API key, and adds dial-in numbers with the languages they answer in. The key is printed once and kept
nowhere: only a hash of it is stored.`;

const { values } = parseArgs({ options: { tenant: { type: 'string' }, number: { type: 'string' }, env: { type: 'string', default: 'live' }, help: { type: 'boolean', short: 'h', default: false } } });
const url = process.env.DATABASE_URL;
if (values.help || !values.tenant || !url) {
  console.log(values.help || values.tenant ? HELP : `--tenant is missing\n\n${HELP}`);
  if (!url && !values.help) console.error('DATABASE_URL is not set.');
  process.exit(values.help ? 0 : 2);
}

const apiKey = `pl_${values.env}_${randomBytes(6).toString('hex')}_${randomBytes(32).toString('base64url')}`;
const store = openStore({ url, max: 1, onError: (error) => console.error(error.message) });
try {
  await seed(store, { tenantId: `ten_${randomBytes(16).toString('base64url')}`, tenantName: values.tenant, apiKey, numbers: values.number ? readNumbers(values.number) : [] });
  console.log(apiKey);
} finally {
  await store.close();
}
