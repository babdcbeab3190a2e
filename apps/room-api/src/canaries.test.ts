import { randomBytes, randomInt } from 'node:crypto';
import { Writable } from 'node:stream';
import { OPERATIONS } from '@partyline/contracts/operations';
import { createVendor } from '@partyline/dev/stack/credentials';
import { accountBody } from '@partyline/dev/stack/own-account';
import { ProviderError } from '@partyline/provider-contract/provider-error';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { agreeable, newKey, startStage, type Stage } from './testing/test-harness.ts';

/**
 * Nothing that is secret may come to stand in a log or in the audit log, whatever is done with it and whatever goes wrong meanwhile. Each canary is a secret, a
 * PIN, a phone number or a key that is there once; all of them are sent through every operation, where they belong and where they do not.
 */
const canaries = new Set<string>();
const noted = (text: string): string => {
  canaries.add(text);
  return text;
};
const secret = (): string => noted(randomBytes(32).toString('base64url'));
/** Numbers that may be rung, each different; the digits alone must not be seen either. */
const phone = (): string => `+${noted(`44794600${String(randomInt(10_000)).padStart(4, '0')}`)}`;
/** Credentials of an account, every one of them a canary. A key's lines are looked for one by one: it could be cut anywhere. */
function account(): ReturnType<typeof accountBody> {
  const vendor = createVendor();
  for (const each of [
    vendor.accountSecret,
    vendor.signatureSecret,
    vendor.callbackSecret,
    vendor.projectSecret,
    ...vendor.privateKey
      .split('\n')
      .filter((line) => line.length === 64)
      .slice(1, 4),
  ])
    noted(each);
  return accountBody('opentok', vendor);
}
const pin = (): string => noted(String(randomInt(100_000_000, 999_999_999)));

let lines = '';
const log = new Writable({
  write(chunk: Buffer, _encoding, done) {
    lines += chunk.toString();
    done();
  },
});

/** While set, what the provider says to everything. */
let failure: (() => Error) | undefined;
let stage: Stage;
beforeAll(async () => {
  const failing = <T extends (...args: never[]) => unknown>(real: T): T =>
    ((...args: never[]) => (failure === undefined ? real(...args) : Promise.reject(failure()))) as T;
  stage = await startStage(
    () =>
      Object.fromEntries(
        Object.entries(agreeable).map(([name, real]) => [name, failing(real as (...args: never[]) => unknown)]),
      ) as unknown as typeof agreeable,
    { logTo: log },
  );
  for (const key of Object.values(stage.keys)) noted(key.slice(-43));
});
afterAll(() => stage.stop());

/** Secrets in replies are canaries too. */
function collect(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [name, each] of Object.entries(value)) {
    if (typeof each !== 'string') collect(each);
    else if (name === 'key') noted(each.slice(-43));
    else if (['pin', 'hostPin', 'pinSpaced', 'hostPinSpaced', 'secret', 'token'].includes(name)) noted(each);
  }
}

/** As the stage asks, but not held to the contract: much of this no operation says anything about. */
const ask: Stage['ask'] = async (
  method,
  path,
  {
    key = stage.keys[path.startsWith('/v1/operator/') ? 'operator' : 'ours'],
    body,
    type = 'application/json',
    headers = {},
  } = {},
) => {
  const reply = await fetch(stage.url + path, {
    method,
    headers: {
      ...headers,
      ...(key === null ? {} : { authorization: `Bearer ${key}` }),
      ...(body === undefined || type === null ? {} : { 'content-type': type }),
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await reply.text();
  const seen = {
    status: reply.status,
    headers: reply.headers,
    body: reply.headers.get('content-type')?.includes('json') ? (JSON.parse(text) as unknown) : text,
  };
  collect(seen.body);
  return seen;
};

/** Ids of things that there are, by the name of the parameter. */
async function prepare(): Promise<Record<string, string>> {
  const { body: room } = await ask('POST', '/v1/rooms', { body: { name: 'Room' } });
  const { body: rung } = await ask('POST', `/v1/rooms/${room.room.id}/participants`, {
    body: { phone: phone(), name: 'Charles' },
  });
  const { body: key } = await ask('POST', '/v1/keys', { body: { label: 'Key', scopes: ['rooms:read'] } });
  const { body: tenant } = await ask('POST', '/v1/operator/tenants', { body: { name: 'Tenant' } });
  const { body: own } = await ask('POST', '/v1/provider-accounts', { body: account() });
  return {
    accountId: own.id,
    roomId: room.room.id,
    sessionId: room.session.id,
    participantId: rung.participantId,
    keyId: key.apiKey.id,
    tenantId: tenant.tenant.id,
  };
}

/** A body that belongs: the least that most operations take, with canaries where there is a place for them. */
const BODIES: Readonly<Record<string, () => object>> = {
  createRoom: () => ({ name: 'Room' }),
  issueToken: () => ({ name: 'Grace' }),
  addParticipant: () => ({ phone: phone() }),
  createPin: () => ({ name: 'Ada' }),
  sendDtmf: () => ({ digits: pin() }),
  createKey: () => ({ label: 'Key', scopes: ['rooms:read'] }),
  createTenant: () => ({ name: 'Tenant' }),
  updateTenant: () => ({ name: 'Other' }),
  createEndpoint: () => ({ url: `https://example.com/${secret()}` }),
  createNumber: () => ({ number: phone() }),
  createProviderAccount: account,
  rotateProviderAccount: () => ({
    voice: { apiSecret: secret(), signatureSecret: secret(), privateKey: account().voice.privateKey },
    video: { apiSecret: secret() },
    callbackSecret: secret(),
  }),
  changeProviderAccount: () => ({ label: 'Own' }),
  updateRates: () => ({ rates: [{ what: 'inbound', prefix: phone(), currency: 'EUR', microPerMinute: '10000' }] }),
};

const fill = (path: string, value: (name: string) => string): string =>
  path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(value(name)));

async function everyOperation(): Promise<void> {
  const ids = await prepare();
  for (const { id, method, path, scope } of OPERATIONS) {
    const verb = method.toUpperCase();
    const key = scope === 'operator' ? stage.keys.operator : stage.keys.ours;
    const send = (address: string, given: Parameters<Stage['ask']>[2] = {}): Promise<unknown> =>
      ask(verb, address, { key, ...given });
    const good = fill(path, (name) => ids[name] ?? 'none');
    if (method !== 'get') {
      await send(good, {
        body: BODIES[id]?.() ?? {},
        headers: { 'idempotency-key': secret(), 'x-forwarded-for': phone(), 'user-agent': secret() },
      });
      // What does not belong: in fields that there are not, of the wrong kind, as no JSON, as another type.
      await send(good, {
        body: {
          phone: pin(),
          number: phone().slice(1),
          name: 7,
          pin: pin(),
          [secret()]: secret(),
          digits: { deep: secret() },
        },
      });
      await send(good, { body: `{"phone":"${phone()}","pin":"${pin()}"` });
      await send(good, { body: phone(), type: 'text/plain' });
    } else await send(`${good}?after=${secret()}&limit=${pin()}&phone=${encodeURIComponent(phone())}`);
    if (id.endsWith('ProviderAccount')) {
      const wrong = account();
      for (const body of [
        { ...wrong, voice: { ...wrong.voice, kind: secret(), privateKey: secret() } },
        { ...wrong, video: secret(), callbackSecret: 7 },
        { ...wrong.voice },
        JSON.stringify(wrong).slice(0, -1),
      ])
        if (method !== 'get') await send(good, { body });
    }
    for (const made of [pin, phone, secret])
      if (path.includes('{')) await send(fill(path, made), method === 'get' ? {} : { body: {} });
    for (const wrong of [newKey(), `plop_x_${secret()}`, secret(), `pl_live_x_${secret()}`, key.slice(0, -1)])
      await ask(verb, good, { key: noted(wrong), ...(method === 'get' ? {} : { body: {} }) });
  }
}

const inAudit = async (): Promise<string> =>
  (await stage.store.pool.query<{ row: string }>('SELECT to_jsonb(a)::text AS row FROM audit_entry a')).rows
    .map(({ row }) => row)
    .join('\n');

/** The canaries that are seen in a text; a PIN in groups of three is one too. */
const seenIn = (text: string): string[] => [...canaries].filter((canary) => text.includes(canary));

it('through every operation, nothing secret is logged', async () => {
  await everyOperation();
  const audit = await inAudit();
  expect(canaries.size).toBeGreaterThan(300);
  expect(audit.split('\n').length).toBeGreaterThan(50);
  expect([seenIn(lines), seenIn(audit)]).toEqual([[], []]);
});

it('credentials of accounts stand in no row in clear', async () => {
  const before = canaries.size;
  const body = account();
  const made = await ask('POST', '/v1/provider-accounts', { body, headers: { 'idempotency-key': 'keep it' } });
  await ask('POST', `/v1/provider-accounts/${made.body.id}/rotate`, {
    body: { callbackSecret: secret() },
    headers: { 'idempotency-key': 'keep that' },
  });
  const secrets = [...canaries].slice(before);
  const { rows: tables } = await stage.store.pool.query<{ name: string }>(
    `SELECT quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = 'public'`,
  );
  for (const { name } of tables) {
    const { rows } = await stage.store.pool.query<{ row: string }>(`SELECT t::text AS row FROM ${name} t`);
    // As it is, and as bytes are shown.
    const text = rows.map(({ row }) => row).join('\n');
    expect([
      name,
      secrets.filter((each) => text.includes(each) || text.includes(Buffer.from(each).toString('hex'))),
    ]).toEqual([name, []]);
  }
  expect(secrets.length).toBeGreaterThan(5);
  expect(JSON.stringify((await ask('GET', '/v1/provider-accounts')).body)).toContain(made.body.id);
  expect(secrets.filter((each) => JSON.stringify(made.body).includes(each))).toEqual([]);
});

it.each([
  ['the database refuses every statement', 'ALTER ROLE'],
  ['a table is gone', 'RENAME'],
] as const)('when %s, the errors that are logged hold nothing secret', async (_what, how) => {
  const ids = await prepare();
  const before = lines.length;
  const [break_, mend] =
    how === 'RENAME'
      ? ['ALTER TABLE participant RENAME TO gone', 'ALTER TABLE gone RENAME TO participant']
      : [
          'ALTER TABLE room ADD CONSTRAINT broken CHECK (false) NOT VALID; ALTER TABLE leg ADD CONSTRAINT broken CHECK (false) NOT VALID',
          'ALTER TABLE room DROP CONSTRAINT broken; ALTER TABLE leg DROP CONSTRAINT broken',
        ];
  await stage.store.pool.query(break_);
  try {
    await ask('POST', '/v1/rooms', { body: { name: 'Room' } });
    await ask('POST', `/v1/rooms/${ids['roomId']}/participants`, { body: { phone: phone(), name: 'Charles' } });
    await ask('POST', `/v1/rooms/${ids['roomId']}/tokens`, { body: { name: 'Grace' } });
  } finally {
    await stage.store.pool.query(mend);
  }
  const failed = lines
    .slice(before)
    .split('\n')
    .filter((line) => line.includes('a request failed'));
  // Whose request it was.
  expect(failed.map((line) => (JSON.parse(line) as { tenantId: string }).tenantId)).toEqual(
    failed.map(() => 'ten_ours'),
  );
  expect(failed).not.toEqual([]);
  expect([seenIn(lines), seenIn(await inAudit())]).toEqual([[], []]);
});

it('when the provider’s words hold a number, a token or a key, they are not logged', async () => {
  const ids = await prepare();
  const before = lines.length;
  const words = (): string => `no: ${phone()}, Bearer ${secret()}, PIN ${pin()}, pl_live_x_${secret()}`;
  for (const made of [
    () => new Error(words()),
    () => new ProviderError('refused', 'vendor-400', words()),
    () => new ProviderError('unknown', 'vendor-timeout', words()),
    () => Object.assign(new TypeError(words()), { body: words(), response: { headers: { authorization: words() } } }),
  ]) {
    failure = made;
    await ask('POST', '/v1/rooms', { body: { name: 'Room' } });
    await ask('POST', `/v1/rooms/${ids['roomId']}/tokens`, { body: { name: 'Grace' } });
    await ask('GET', `/v1/rooms/${ids['roomId']}/live`);
    await ask('POST', '/v1/provider-accounts', { body: account() });
    await ask('POST', `/v1/provider-accounts/${ids['accountId']}/rotate`, { body: { callbackSecret: secret() } });
    await ask('POST', `/v1/provider-accounts/${ids['accountId']}/verify`);
  }
  failure = undefined;
  expect(lines.length).toBeGreaterThan(before);
  expect([seenIn(lines), seenIn(await inAudit())]).toEqual([[], []]);
});

it('when Redis is away, logs a failed enqueue without secrets', async () => {
  const ids = await prepare();
  const before = lines.length;
  stage.redis.sever();
  try {
    await ask('POST', `/v1/rooms/${ids['roomId']}/participants`, { body: { phone: phone() } });
    await ask('POST', `/v1/rooms/${ids['roomId']}/tokens`, { body: { name: 'Grace' } });
  } finally {
    stage.redis.restore();
  }
  expect(lines.slice(before)).toContain('could not be enqueued');
  expect([seenIn(lines), seenIn(await inAudit())]).toEqual([[], []]);
});
