import { randomUUID } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { EVENT_TYPES } from '@partyline/contracts/events/events';
import { OPERATIONS } from '@partyline/contracts/operations';
import { createVendor } from '@partyline/dev/stack/credentials';
import { accountBody } from '@partyline/dev/stack/own-account';
import { STATUS } from '@partyline/runtime/problem';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { agreeable, startStage, type Stage } from '../testing/test-harness.ts';

/** docs/api.md, held to what the API does. */
const page = await readFile(new URL('../../../../docs/api.md', import.meta.url), 'utf8');
const examples = [...page.matchAll(/```sh\n([^`]+)```/g)].map(([, example = '']) => example.trim());

let stage: Stage;
beforeAll(async () => {
  stage = await startStage(() => agreeable);
});
afterAll(() => stage.stop());

/** What the page reads from files: credentials do not belong on a command line. */
const files: Readonly<Record<string, string>> = {
  'account.json': JSON.stringify(accountBody('unified', createVendor())),
  'rotate.json': JSON.stringify({ voice: { signatureSecret: 's'.repeat(32) }, overlapSeconds: 3_600 }),
};

/** What a shell would make of a curl command: quotes and variables, and of curl's options those that the page uses. Throws on any other. */
function readCurl(
  command: string,
  variables: Readonly<Record<string, string>>,
): { method: string; url: string; headers: Record<string, string>; body?: string } {
  const expand = (text: string): string =>
    text
      .replaceAll('$(uuidgen)', randomUUID())
      .replaceAll(/\$(\w+)/g, (_, name: string) => variables[name] ?? `unset ${name}`);
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
    else throw new Error(`what is ${word}?`);
  }
  return {
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    url: url ?? '',
    headers,
    ...(body === undefined ? {} : { body }),
  };
}

/** What jq would give: names, places in a list, and text from a place on. */
const pick = (from: unknown, path: string): string =>
  String(
    [...path.matchAll(/\.(\w+)|\[(\d+)(:)?\]/g)].reduce(
      (value, [, name, place, on]) =>
        on === undefined ? (value as Record<string, unknown>)[name ?? place ?? ''] : String(value).slice(Number(place)),
      from,
    ),
  );

let numbers = 0;

describe('docs/api.md', () => {
  it.each(examples)('%s works', async (example) => {
    const { body: made } = await stage.ask('POST', '/v1/rooms', { body: { name: 'Room' } });
    const { body: pin } = await stage.ask('POST', `/v1/rooms/${made.room.id}/pins`, { body: { name: 'Ada' } });
    await stage.store.prisma.endpoint.deleteMany();
    await stage.store.prisma.provider_account.deleteMany();
    const {
      body: { endpoint },
    } = await stage.ask('POST', '/v1/endpoints', { body: { url: 'https://example.com/events' } });
    const { body: ping } = await stage.ask('POST', `/v1/endpoints/${endpoint.id}/ping`);
    const number = `1312555${String(1000 + (numbers += 1))}`;
    await stage.ask('POST', '/v1/operator/numbers', { body: { number: `+${number}` } });
    const variables = {
      API: stage.url,
      KEY: stage.keys.ours,
      OPERATOR_KEY: stage.keys.operator,
      ROOM: made.room.id,
      SESSION: made.session.id,
      ENDPOINT: endpoint.id,
      DELIVERY: ping.deliveryId,
      PARTICIPANT: pin.participantId,
      PIN: pin.id,
      NUMBER: number,
      SINCE: new Date(Date.now() - 60_000).toISOString(),
    };
    // Only where they are needed: there may be 50 keys.
    if (example.includes('$KEY_ID'))
      Object.assign(variables, {
        KEY_ID: (await stage.ask('POST', '/v1/keys', { body: { label: 'Key', scopes: ['rooms:read'] } })).body.apiKey
          .id,
      });
    if (example.includes('$ACCOUNT'))
      Object.assign(variables, {
        ACCOUNT: (await stage.ask('POST', '/v1/provider-accounts', { body: accountBody('unified', createVendor()) }))
          .body.id,
      });
    if (example.includes('$TENANT')) {
      const { body: tenant } = await stage.ask('POST', '/v1/operator/tenants', { body: { name: 'Tenant' } });
      await stage.ask('POST', `/v1/operator/tenants/${tenant.tenant.id}/suspend`);
      Object.assign(variables, { TENANT: tenant.tenant.id });
    }
    const { method, url, headers, body } = readCurl(example, variables);
    expect(url.startsWith(stage.url)).toBe(true);
    // By the stage's own way, so that the reply is held to the contract.
    const reply = await stage.ask(method, url.slice(stage.url.length), {
      key: headers.authorization?.replace('Bearer ', '') ?? null,
      body,
      type: headers['content-type'] ?? null,
      headers: Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'authorization')),
    });
    expect(reply.status).toBeLessThan(300);
  });

  it('runs from its top to its end, with what its first lines set', async () => {
    const variables: Record<string, string> = {
      API: stage.url,
      KEY: stage.keys.ours,
      OPERATOR_KEY: stage.keys.operator,
      SINCE: new Date(Date.now() - 60_000).toISOString(),
    };
    const run = async (example: string) => {
      const { method, url, headers, body } = readCurl(example, variables);
      const { status, body: reply } = await stage.ask(method, url.slice(stage.url.length), {
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
    // What the examples made when they ran one by one.
    await stage.store.prisma.api_key.deleteMany({ where: { label: 'Key' } });
    await stage.store.prisma.dial_in_number.deleteMany({ where: { e164: '+12025550199' } });
    await stage.store.prisma.provider_account.deleteMany();
    for (const example of examples) {
      // Of the two before it, the second let it go on.
      if (/-X DELETE .*tenants/.test(example))
        await stage.ask('POST', `/v1/operator/tenants/${variables.TENANT}/suspend`);
      const reply = await run(example);
      // As the page says: the account that was just saved.
      if (example.includes('-d @account.json')) variables.ACCOUNT = reply.id;
    }
  });

  it('has an example of every operation', () => {
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
      });
      return `${method} ${url.replace('http://api', '').replace(/\?.*/, '')}`;
    });
    expect(shown.toSorted()).toEqual(
      OPERATIONS.map(({ method, path }) => `${method.toUpperCase()} ${path}`).toSorted(),
    );
  });

  it('has a line for every reason, with its status', () => {
    const listed = new Map(
      [...page.matchAll(/^\| (\d{3}) +\| `([\w-]+)` +\|/gm)].map(([, status, reason]) => [reason, Number(status)]),
    );
    const tenants = Object.entries(STATUS).filter(([reason]) => !reason.startsWith('webhook-'));
    expect(Object.fromEntries(listed)).toEqual({ ...Object.fromEntries(tenants), 'internal-error': 500 });
    for (const reason of Object.keys(STATUS)) expect(page).toContain(`\`${reason}\``);
  });
});

it('every reason is looked for by a test of what gives it', () => {
  const root = new URL('../../../../', import.meta.url).pathname;
  const tests = globSync(['apps/*/src/**/*.test.ts', 'libs/{conference,store,providers}/**/src/**/*.test.ts'], {
    cwd: root,
    exclude: (path) => path.includes('node_modules') || path.includes('/reference/'),
  });
  const text = tests.map((path) => readFileSync(root + path, 'utf8')).join('\n');
  expect(tests.length).toBeGreaterThan(50);
  expect(Object.keys(STATUS).filter((reason) => !new RegExp(`[^\\w-]${reason}[^\\w-]`).test(text))).toEqual([]);
});

it('docs/events.md tells of every type of event', async () => {
  const told = await readFile(new URL('../../../../docs/events.md', import.meta.url), 'utf8');
  expect(EVENT_TYPES.filter((type) => !told.includes(`\`${type}\``))).toEqual([]);
});
