import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { seed } from '@partyline/store/seed';
import { openStore } from '@partyline/store/store';
import { readNumbers } from './service-environment.ts';

const HELP = `DATABASE_URL=… npm run seed -- --tenant NAME [--number +12025550100=en-US[,…]] [--env live]
                               [--events-url https://receiver.example/events]

Creates a tenant with its first API key, and adds dial-in numbers with the languages they answer in. The key is printed once and kept
nowhere: only a hash of it is stored. The tenant's events are sent to --events-url; only an operator can choose it, and it may be an
address inside your own network.`;

const { values } = parseArgs({ options: { tenant: { type: 'string' }, number: { type: 'string' }, env: { type: 'string', default: 'live' }, 'events-url': { type: 'string' }, help: { type: 'boolean', short: 'h', default: false } } });
const url = process.env.DATABASE_URL;
if (values.help || !values.tenant || !url) {
  console.log(values.help || values.tenant ? HELP : `--tenant is missing\n\n${HELP}`);
  if (!url && !values.help) console.error('DATABASE_URL is not set.');
  process.exit(values.help ? 0 : 2);
}

const eventsUrl = values['events-url'];
if (eventsUrl !== undefined && !isUsable(eventsUrl)) {
  console.error('--events-url must be an http or https address without user name and password.');
  process.exit(2);
}

const apiKey = `pl_${values.env}_${randomBytes(6).toString('hex')}_${randomBytes(32).toString('base64url')}`;
const store = openStore({ url, max: 1, onError: (error) => console.error(error.message) });
try {
  await seed(store, { tenantId: `ten_${randomBytes(16).toString('base64url')}`, tenantName: values.tenant, apiKey, numbers: values.number ? readNumbers(values.number) : [], ...(eventsUrl === undefined ? {} : { eventsUrl }) });
  console.log(apiKey);
} finally {
  await store.close();
}

function isUsable(address: string): boolean {
  const parsed = URL.canParse(address) ? new URL(address) : null;
  return parsed !== null && /^https?:$/.test(parsed.protocol) && parsed.username === '' && parsed.password === '';
}
