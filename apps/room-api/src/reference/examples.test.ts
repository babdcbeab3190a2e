import { globSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { EVENT_TYPES } from '@partyline/contracts/events/events';
import { OPERATIONS } from '@partyline/contracts/operations';
import { createProviderCredentials } from '@partyline/dev/stack/credentials';
import { buildAccountBody } from '@partyline/dev/stack/own-account';
import { REASONS } from '@partyline/domain/reasons';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { acceptingProvider, startTestHarness, type TestHarness } from '../testing/test-harness.ts';

/** The examples of docs/api.md, as requests to a running API. */
const page = await readFile(new URL('../../../../docs/api.md', import.meta.url), 'utf8');
const examples = [...page.matchAll(/```sh\n([^`]+)```/g)].map(([, example = '']) => example.trim());

let harness: TestHarness;
beforeAll(async () => {
  harness = await startTestHarness(() => acceptingProvider);
});
afterAll(() => harness.stop());

/** The files that the examples send. */
const files: Readonly<Record<string, string>> = {
  'account.json': JSON.stringify(buildAccountBody('unified', createProviderCredentials())),
  'rotate.json': JSON.stringify({ voice: { signatureSecret: 's'.repeat(32) }, overlapSeconds: 3_600 }),
};

/**
 * Parses a curl command as a shell would: quotes, variables, and the options that the page uses.
 * Throws on others.
 */
function readCurl(
  command: string,
  variables: Readonly<Record<string, string>>,
): { method: string; url: string; headers: Record<string, string>; body?: string } {
  const expand = (text: string): string =>
    text.replaceAll(/\$(\w+)/g, (_, name: string) => variables[name] ?? `unset ${name}`);
  const [curl, ...words] = [...command.matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"]+)+/g)].map(([word]) =>
    word.replaceAll(
      /'([^']*)'|"([^"]*)"|([^'"]+)/g,
      (_, single?: string, double?: string, bare?: string) => single ?? expand(double ?? bare ?? ''),
    ),
  );
  expect(curl).toBe('curl');
  let [method, url, body]: (string | undefined)[] = [];
  const headers: Record<string, string> = {};
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (word === '-s') continue;
    if (word === '-X') method = words.shift();
    else if (word === '-d') {
      const given = words.shift() ?? '';
      body = given.startsWith('@') ? files[given.slice(1)] : given;
    } else if (word === '-H') {
      const [name = '', value = ''] = words.shift()?.split(': ') ?? [];
      headers[name.toLowerCase()] = value;
    } else if (word.startsWith('http')) url = word;
    else throw new Error(`unknown option ${word}`);
  }
  return {
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    url: url ?? '',
    headers,
    ...(body === undefined ? {} : { body }),
  };
}

/** Evaluates a jq path: names, indexes, and slices to the end. */
const pick = (from: unknown, path: string): string =>
  String(
    [...path.matchAll(/\.(\w+)|\[(\d+)(:)?\]/g)].reduce(
      (value, [, name, index, slice]) =>
        slice === undefined
          ? (value as Record<string, unknown>)[name ?? index ?? '']
          : String(value).slice(Number(index)),
      from,
    ),
  );

let numbers = 0;

describe('docs/api.md', () => {
  it.each(examples)('runs %s', async (example) => {
    const { body: made } = await harness.request('POST', '/v1/rooms', { body: { name: 'Room' } });
    const { body: pin } = await harness.request('POST', `/v1/rooms/${made.room.id}/pins`, { body: { name: 'Ada' } });
    await harness.store.prisma.endpoint.deleteMany();
    await harness.store.prisma.provider_account.deleteMany();
    const {
      body: { endpoint },
    } = await harness.request('POST', '/v1/endpoints', { body: { url: 'https://example.com/events' } });
    const { body: ping } = await harness.request('POST', `/v1/endpoints/${endpoint.id}/ping`);
    const number = `1312555${String(1000 + (numbers += 1))}`;
    await harness.request('POST', '/v1/operator/numbers', { body: { number: `+${number}` } });
    const variables = {
      API: harness.url,
      KEY: harness.keys.ours,
      OPERATOR_KEY: harness.keys.operator,
      ROOM: made.room.id,
      SESSION: made.session.id,
      ENDPOINT: endpoint.id,
      DELIVERY: ping.deliveryId,
      PARTICIPANT: pin.participantId,
      PIN: pin.id,
      NUMBER: number,
      SINCE: new Date(Date.now() - 60_000).toISOString(),
    };
    // Created only where an example needs it: a tenant has at most 50 keys.
    if (example.includes('$KEY_ID'))
      Object.assign(variables, {
        KEY_ID: (await harness.request('POST', '/v1/keys', { body: { label: 'Key', scopes: ['rooms:read'] } })).body
          .apiKey.id,
      });
    if (example.includes('$ACCOUNT'))
      Object.assign(variables, {
        ACCOUNT: (
          await harness.request('POST', '/v1/provider-accounts', {
            body: buildAccountBody('unified', createProviderCredentials()),
          })
        ).body.id,
      });
    if (example.includes('$SIP_ACCOUNT'))
      Object.assign(variables, {
        SIP_ACCOUNT: (await harness.request('POST', '/v1/sip-accounts', { body: { label: 'Phone' } })).body.sipAccount
          .id,
      });
    if (example.includes('$TENANT')) {
      const { body: tenant } = await harness.request('POST', '/v1/operator/tenants', { body: { name: 'Tenant' } });
      await harness.request('POST', `/v1/operator/tenants/${tenant.tenant.id}/suspend`);
      Object.assign(variables, { TENANT: tenant.tenant.id });
    }
    const { method, url, headers, body } = readCurl(example, variables);
    expect(url.startsWith(harness.url)).toBe(true);
    // By the harness's own way, so that the reply is held to the contract.
    const reply = await harness.request(method, url.slice(harness.url.length), {
      key: headers.authorization?.replace('Bearer ', '') ?? null,
      body,
      type: headers['content-type'] ?? null,
      headers: Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'authorization')),
    });
    expect(reply.status).toBeLessThan(300);
  });

  it('runs as a whole, with the variables of its first lines', async () => {
    const variables: Record<string, string> = {
      API: harness.url,
      KEY: harness.keys.ours,
      OPERATOR_KEY: harness.keys.operator,
      SINCE: new Date(Date.now() - 60_000).toISOString(),
    };
    const run = async (example: string) => {
      const { method, url, headers, body } = readCurl(example, variables);
      const { status, body: reply } = await harness.request(method, url.slice(harness.url.length), {
        key: headers.authorization?.replace('Bearer ', '') ?? null,
        body,
        type: headers['content-type'] ?? null,
        headers: Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'authorization')),
      });
      expect([example, status < 300, reply]).toEqual([example, true, reply]);
      return reply;
    };
    const [, setting = ''] = /```bash\n([^`]+)```/.exec(page) ?? [];
    for (const [, name = '', example = '', path = ''] of setting.matchAll(
      /^(\w+)=\$\((curl .*) \| jq -r '?([^']*?)'?\)$/gm,
    ))
      variables[name] = pick(await run(example), path);
    expect(Object.keys(variables)).toHaveLength(13);
    // Deletes what the single examples created.
    await harness.store.prisma.api_key.deleteMany({ where: { label: 'Key' } });
    await harness.store.prisma.dial_in_number.deleteMany({ where: { e164: '+12025550199' } });
    await harness.store.prisma.provider_account.deleteMany();
    for (const example of examples) {
      // The example before it resumed the tenant.
      if (/-X DELETE .*tenants/.test(example))
        await harness.request('POST', `/v1/operator/tenants/${variables.TENANT}/suspend`);
      const reply = await run(example);
      // The page uses the id of the new account as ACCOUNT.
      if (example.includes('-d @account.json')) variables.ACCOUNT = reply.id;
      if (example.includes('/v1/sip-accounts" ') && example.includes(' -d '))
        variables.SIP_ACCOUNT = reply.sipAccount.id;
    }
  });

  it('has an example for every operation', () => {
    const shown = examples.map((example) => {
      const { method, url } = readCurl(example, {
        API: 'http://api',
        ROOM: '{roomId}',
        SESSION: '{sessionId}',
        ENDPOINT: '{endpointId}',
        DELIVERY: '{deliveryId}',
        KEY_ID: '{keyId}',
        TENANT: '{tenantId}',
        PARTICIPANT: '{participantId}',
        PIN: '{pinId}',
        NUMBER: '{number}',
        ACCOUNT: '{accountId}',
        SIP_ACCOUNT: '{sipAccountId}',
      });
      return `${method} ${url.replace('http://api', '').replace(/\?.*/, '')}`;
    });
    expect(shown.toSorted()).toEqual(
      OPERATIONS.map(({ method, path }) => `${method.toUpperCase()} ${path}`).toSorted(),
    );
  });
});

it('every reason of the catalogue is asserted by a test', () => {
  const root = new URL('../../../../', import.meta.url).pathname;
  const tests = globSync(['apps/*/src/**/*.test.ts', 'libs/{conference,runtime,store,providers}/**/src/**/*.test.ts'], {
    cwd: root,
    exclude: (path) => path.includes('node_modules') || path.includes('/reference/'),
  });
  const text = tests.map((path) => readFileSync(root + path, 'utf8')).join('\n');
  expect(tests.length).toBeGreaterThan(50);
  expect(Object.keys(REASONS).filter((reason) => !new RegExp(`[^\\w-]${reason}[^\\w-]`).test(text))).toEqual([]);
});

it('docs/events.md names every type of event', async () => {
  const eventsPage = await readFile(new URL('../../../../docs/events.md', import.meta.url), 'utf8');
  expect(EVENT_TYPES.filter((type) => !eventsPage.includes(`\`${type}\``))).toEqual([]);
});

it('docs/api.md names every group of types of event', async () => {
  const apiPage = await readFile(new URL('../../../../docs/api.md', import.meta.url), 'utf8');
  const item = /^- `type`: [^]*?(?=^- )/m.exec(apiPage)?.[0] ?? '';
  const groups = new Set(EVENT_TYPES.map((type) => type.split('.')[0]));
  expect([...groups].filter((group) => !item.includes(`\`${group}.`))).toEqual([]);
});
