import { randomBytes, randomInt } from 'node:crypto';
import { Writable } from 'node:stream';
import { OPERATIONS } from '@partyline/contracts/operations';
import { createProviderCredentials } from '@partyline/dev/stack/credentials';
import { buildAccountBody } from '@partyline/dev/stack/own-account';
import { ProviderError } from '@partyline/provider-contract/provider-error';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { acceptingProvider, generateKey, startTestHarness, type TestHarness } from './testing/test-harness.ts';

/**
 * No secret may appear in a log or in the audit log, in any operation and after any failure. Each
 * canary is a unique secret, PIN, phone number or key. All of them are sent through every
 * operation, in valid and in invalid places.
 */
const canaries = new Set<string>();
const addCanary = (text: string): string => {
  canaries.add(text);
  return text;
};
const createSecret = (): string => addCanary(randomBytes(32).toString('base64url'));
/** A unique number that may be dialled. Its digits without the plus are the canary. */
const createPhone = (): string => `+${addCanary(`44794600${String(randomInt(10_000)).padStart(4, '0')}`)}`;
/**
 * Credentials of an account, all of them canaries. The lines of the key are separate canaries,
 * since a log could contain a part of it.
 */
function createAccount(): ReturnType<typeof buildAccountBody> {
  const credentials = createProviderCredentials();
  for (const each of [
    credentials.accountSecret,
    credentials.signatureSecret,
    credentials.callbackSecret,
    credentials.projectSecret,
    ...credentials.privateKey
      .split('\n')
      .filter((line) => line.length === 64)
      .slice(1, 4),
  ])
    addCanary(each);
  return buildAccountBody('opentok', credentials);
}
const createPin = (): string => addCanary(String(randomInt(100_000_000, 999_999_999)));

let lines = '';
const log = new Writable({
  write(chunk: Buffer, _encoding, done) {
    lines += chunk.toString();
    done();
  },
});

/** While set, every provider call fails with this error. */
let failure: (() => Error) | undefined;
let harness: TestHarness;
beforeAll(async () => {
  const failing = <T extends (...args: never[]) => unknown>(real: T): T =>
    ((...args: never[]) => (failure === undefined ? real(...args) : Promise.reject(failure()))) as T;
  harness = await startTestHarness(
    () =>
      Object.fromEntries(
        Object.entries(acceptingProvider).map(([name, real]) => [name, failing(real as (...args: never[]) => unknown)]),
      ) as unknown as typeof acceptingProvider,
    { logTo: log },
  );
  for (const key of Object.values(harness.keys)) addCanary(key.slice(-43));
});
afterAll(() => harness.stop());

/** Secrets in replies are canaries too. */
function collectSecrets(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [name, each] of Object.entries(value)) {
    if (typeof each !== 'string') collectSecrets(each);
    else if (name === 'key') addCanary(each.slice(-43));
    else if (['pin', 'hostPin', 'pinSpaced', 'hostPinSpaced', 'secret', 'token'].includes(name)) addCanary(each);
  }
}

/**
 * Like `harness.request`, without the check against the contract: many requests match no operation.
 */
const sendRequest: TestHarness['request'] = async (
  method,
  path,
  {
    key = harness.keys[path.startsWith('/v1/operator/') ? 'operator' : 'ours'],
    body,
    type = 'application/json',
    headers = {},
  } = {},
) => {
  const reply = await fetch(harness.url + path, {
    method,
    headers: {
      ...headers,
      ...(key === null ? {} : { authorization: `Bearer ${key}` }),
      ...(body === undefined || type === null ? {} : { 'content-type': type }),
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await reply.text();
  const received = {
    status: reply.status,
    headers: reply.headers,
    body: reply.headers.get('content-type')?.includes('json') ? (JSON.parse(text) as unknown) : text,
  };
  collectSecrets(received.body);
  return received;
};

/** Creates one object of each kind. Returns their ids by the name of the path parameter. */
async function createObjects(): Promise<Record<string, string>> {
  const { body: room } = await sendRequest('POST', '/v1/rooms', { body: { name: 'Room' } });
  const { body: dialled } = await sendRequest('POST', `/v1/rooms/${room.room.id}/participants`, {
    body: { phone: createPhone(), name: 'Charles' },
  });
  const { body: key } = await sendRequest('POST', '/v1/keys', { body: { label: 'Key', scopes: ['rooms:read'] } });
  const { body: tenant } = await sendRequest('POST', '/v1/operator/tenants', { body: { name: 'Tenant' } });
  const { body: own } = await sendRequest('POST', '/v1/provider-accounts', { body: createAccount() });
  return {
    accountId: own.id,
    roomId: room.room.id,
    sessionId: room.session.id,
    participantId: dialled.participantId,
    keyId: key.apiKey.id,
    tenantId: tenant.tenant.id,
  };
}

/** A minimal valid body of each operation, with canaries in the fields that can hold them. */
const BODIES: Readonly<Record<string, () => object>> = {
  createRoom: () => ({ name: 'Room' }),
  issueToken: () => ({ name: 'Grace' }),
  addParticipant: () => ({ phone: createPhone() }),
  createPin: () => ({ name: 'Ada' }),
  sendDtmf: () => ({ digits: createPin() }),
  createKey: () => ({ label: 'Key', scopes: ['rooms:read'] }),
  createTenant: () => ({ name: 'Tenant' }),
  updateTenant: () => ({ name: 'Other' }),
  createEndpoint: () => ({ url: `https://example.com/${createSecret()}` }),
  createNumber: () => ({ number: createPhone() }),
  createProviderAccount: createAccount,
  rotateProviderAccount: () => ({
    voice: { apiSecret: createSecret(), signatureSecret: createSecret(), privateKey: createAccount().voice.privateKey },
    video: { apiSecret: createSecret() },
    callbackSecret: createSecret(),
  }),
  changeProviderAccount: () => ({ label: 'Own' }),
  updateRates: () => ({
    rates: [{ what: 'inbound', prefix: createPhone(), currency: 'EUR', microPerMinute: '10000' }],
  }),
};

const fillPath = (path: string, value: (name: string) => string): string =>
  path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(value(name)));

async function callEveryOperation(): Promise<void> {
  const ids = await createObjects();
  for (const { id, method, path, scope } of OPERATIONS) {
    const verb = method.toUpperCase();
    const key = scope === 'operator' ? harness.keys.operator : harness.keys.ours;
    const send = (address: string, given: Parameters<TestHarness['request']>[2] = {}): Promise<unknown> =>
      sendRequest(verb, address, { key, ...given });
    const validPath = fillPath(path, (name) => ids[name] ?? 'none');
    if (method !== 'get') {
      await send(validPath, {
        body: BODIES[id]?.() ?? {},
        headers: { 'idempotency-key': createSecret(), 'x-forwarded-for': createPhone(), 'user-agent': createSecret() },
      });
      // Invalid bodies: unknown fields, wrong types, broken JSON, another media type.
      await send(validPath, {
        body: {
          phone: createPin(),
          number: createPhone().slice(1),
          name: 7,
          pin: createPin(),
          [createSecret()]: createSecret(),
          digits: { deep: createSecret() },
        },
      });
      await send(validPath, { body: `{"phone":"${createPhone()}","pin":"${createPin()}"` });
      await send(validPath, { body: createPhone(), type: 'text/plain' });
    } else
      await send(
        `${validPath}?after=${createSecret()}&limit=${createPin()}&phone=${encodeURIComponent(createPhone())}`,
      );
    if (id.endsWith('ProviderAccount')) {
      const wrong = createAccount();
      for (const body of [
        { ...wrong, voice: { ...wrong.voice, kind: createSecret(), privateKey: createSecret() } },
        { ...wrong, video: createSecret(), callbackSecret: 7 },
        { ...wrong.voice },
        JSON.stringify(wrong).slice(0, -1),
      ])
        if (method !== 'get') await send(validPath, { body });
    }
    for (const made of [createPin, createPhone, createSecret])
      if (path.includes('{')) await send(fillPath(path, made), method === 'get' ? {} : { body: {} });
    for (const wrong of [
      generateKey(),
      `plop_x_${createSecret()}`,
      createSecret(),
      `pl_live_x_${createSecret()}`,
      key.slice(0, -1),
    ])
      await sendRequest(verb, validPath, { key: addCanary(wrong), ...(method === 'get' ? {} : { body: {} }) });
  }
}

const readAuditLog = async (): Promise<string> =>
  (await harness.store.pool.query<{ row: string }>('SELECT to_jsonb(a)::text AS row FROM audit_entry a')).rows
    .map(({ row }) => row)
    .join('\n');

/** The canaries that a text contains. */
const findCanaries = (text: string): string[] => [...canaries].filter((canary) => text.includes(canary));

it('logs no secret in any operation', async () => {
  await callEveryOperation();
  const audit = await readAuditLog();
  expect(canaries.size).toBeGreaterThan(300);
  expect(audit.split('\n').length).toBeGreaterThan(50);
  expect([findCanaries(lines), findCanaries(audit)]).toEqual([[], []]);
  // Some 1,500 requests, one after the other.
}, 300_000);

it('stores no credentials of accounts in plain text', async () => {
  const before = canaries.size;
  const body = createAccount();
  const made = await sendRequest('POST', '/v1/provider-accounts', { body, headers: { 'idempotency-key': 'create' } });
  await sendRequest('POST', `/v1/provider-accounts/${made.body.id}/rotate`, {
    body: { callbackSecret: createSecret() },
    headers: { 'idempotency-key': 'rotate' },
  });
  const secrets = [...canaries].slice(before);
  const { rows: tables } = await harness.store.pool.query<{ name: string }>(
    `SELECT quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = 'public'`,
  );
  for (const { name } of tables) {
    const { rows } = await harness.store.pool.query<{ row: string }>(`SELECT t::text AS row FROM ${name} t`);
    // As text, and in the form in which Postgres shows bytes.
    const text = rows.map(({ row }) => row).join('\n');
    expect([
      name,
      secrets.filter((each) => text.includes(each) || text.includes(Buffer.from(each).toString('hex'))),
    ]).toEqual([name, []]);
  }
  expect(secrets.length).toBeGreaterThan(5);
  expect(JSON.stringify((await sendRequest('GET', '/v1/provider-accounts')).body)).toContain(made.body.id);
  expect(secrets.filter((each) => JSON.stringify(made.body).includes(each))).toEqual([]);
});

it.each([
  ['the database rejects every insertion', 'ADD CONSTRAINT'],
  ['a table is missing', 'RENAME'],
] as const)('logs errors without secrets when %s', async (_what, how) => {
  const ids = await createObjects();
  const before = lines.length;
  const [breakSql, repairSql] =
    how === 'RENAME'
      ? ['ALTER TABLE participant RENAME TO gone', 'ALTER TABLE gone RENAME TO participant']
      : [
          `ALTER TABLE room ADD CONSTRAINT broken CHECK (false) NOT VALID;
           ALTER TABLE leg ADD CONSTRAINT broken CHECK (false) NOT VALID`,
          'ALTER TABLE room DROP CONSTRAINT broken; ALTER TABLE leg DROP CONSTRAINT broken',
        ];
  await harness.store.pool.query(breakSql);
  try {
    await sendRequest('POST', '/v1/rooms', { body: { name: 'Room' } });
    await sendRequest('POST', `/v1/rooms/${ids['roomId']}/participants`, {
      body: { phone: createPhone(), name: 'Charles' },
    });
    await sendRequest('POST', `/v1/rooms/${ids['roomId']}/tokens`, { body: { name: 'Grace' } });
  } finally {
    await harness.store.pool.query(repairSql);
  }
  const failed = lines
    .slice(before)
    .split('\n')
    .filter((line) => line.includes('a request failed'));
  // Each line names the tenant.
  expect(failed.map((line) => (JSON.parse(line) as { tenantId: string }).tenantId)).toEqual(
    failed.map(() => 'ten_ours'),
  );
  expect(failed).not.toEqual([]);
  expect([findCanaries(lines), findCanaries(await readAuditLog())]).toEqual([[], []]);
});

it('does not log a provider message that contains a number, a token or a key', async () => {
  const ids = await createObjects();
  const before = lines.length;
  const message = (): string =>
    `no: ${createPhone()}, Bearer ${createSecret()}, PIN ${createPin()}, pl_live_x_${createSecret()}`;
  for (const made of [
    () => new Error(message()),
    () => new ProviderError('refused', 'upstream-400', message()),
    () => new ProviderError('unknown', 'upstream-timeout', message()),
    () =>
      Object.assign(new TypeError(message()), { body: message(), response: { headers: { authorization: message() } } }),
  ]) {
    failure = made;
    await sendRequest('POST', '/v1/rooms', { body: { name: 'Room' } });
    await sendRequest('POST', `/v1/rooms/${ids['roomId']}/tokens`, { body: { name: 'Grace' } });
    await sendRequest('GET', `/v1/rooms/${ids['roomId']}/live`);
    await sendRequest('POST', '/v1/provider-accounts', { body: createAccount() });
    await sendRequest('POST', `/v1/provider-accounts/${ids['accountId']}/rotate`, {
      body: { callbackSecret: createSecret() },
    });
    await sendRequest('POST', `/v1/provider-accounts/${ids['accountId']}/verify`);
  }
  failure = undefined;
  expect(lines.length).toBeGreaterThan(before);
  expect([findCanaries(lines), findCanaries(await readAuditLog())]).toEqual([[], []]);
});

it('logs failed requests without secrets while Redis is unavailable', async () => {
  const ids = await createObjects();
  const before = lines.length;
  harness.redis.sever();
  try {
    await sendRequest('POST', `/v1/rooms/${ids['roomId']}/participants`, { body: { phone: createPhone() } });
    await sendRequest('POST', `/v1/rooms/${ids['roomId']}/tokens`, { body: { name: 'Grace' } });
  } finally {
    harness.redis.restore();
  }
  expect(lines.slice(before)).toContain('Calls cannot be placed at the moment.');
  expect(lines.slice(before)).toContain('The provider service cannot be reached.');
  expect([findCanaries(lines), findCanaries(await readAuditLog())]).toEqual([[], []]);
});
