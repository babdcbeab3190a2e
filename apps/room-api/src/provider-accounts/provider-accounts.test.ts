import { providerDeps } from '@partyline/provider-contract/testing/provider-deps';
import { openAccountVault } from '@partyline/conference/providers/account-vault';
import { createRpcHandlers } from '@partyline/conference/provider-rpc/handlers';
import { localKeyService } from '@partyline/conference/crypto/key-service';
import { createProviderCredentials, type ProviderCredentials } from '@partyline/dev/stack/credentials';
import { buildAccountBody } from '@partyline/dev/stack/own-account';
import { buildEmulatorAccount } from '@partyline/dev/stack/service-environment';
import { createAccountBuilder } from '@partyline/provider-registry/from-account';
import { systemClock } from '@partyline/runtime/system';
import { startEmulator, type RunningEmulator } from '@partyline/vonage-emulator/launch';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { acceptingProvider, MASTER_KEYS, startTestHarness, type TestHarness } from '../testing/test-harness.ts';

let emulator: RunningEmulator;
let harness: TestHarness;
beforeAll(async () => {
  emulator = await startEmulator({ limits: { enabled: false } });
  const buildAccount = createAccountBuilder(
    {
      VONAGE_API_HOST: emulator.url,
      VIDEO_API_HOST: emulator.url,
      VONAGE_REGION_HOSTS: { eu: emulator.url },
      SIP_HOST: 'sip.nexmo.com',
      VONAGE_APPLICATION_ID: '8f3d2b1c-9a47-4c1e-8e59-1f7f0b2a6c44',
    },
    providerDeps(4_000),
    () => undefined,
  );
  const jobs = {
    enqueue: async () => undefined,
    armHangUp: async () => undefined,
    assertReachable: async () => undefined,
  };
  const report = { count: () => undefined, observe: () => undefined, warn: () => undefined };
  harness = await startTestHarness(
    (store) => {
      const vault = openAccountVault({ store, keys: localKeyService(MASTER_KEYS) });
      const orchestrator = createRpcHandlers({
        store,
        jobs,
        clock: systemClock,
        report,
        providers: () => Promise.reject(new Error('these tests do not use the platform account')),
        accounts: { vault, build: buildAccount },
      });
      return { ...acceptingProvider, verifyAccount: (input) => orchestrator.verifyAccount(input) };
    },
    { rpcTimeoutMs: 20_000 },
  );
});
afterAll(async () => {
  await harness.stop();
  await emulator.stop();
});

const PATH = '/v1/provider-accounts';
/** Creates an account at the provider. Returns its credentials and the body that saves it. */
async function createAtProvider(
  mode: 'opentok' | 'unified' = 'unified',
): Promise<{ credentials: ProviderCredentials; body: ReturnType<typeof buildAccountBody> }> {
  const credentials = createProviderCredentials();
  await emulator.client.addAccount(buildEmulatorAccount(credentials, []));
  return { credentials, body: buildAccountBody(mode, credentials) };
}
const listSecrets = ({
  accountSecret,
  signatureSecret,
  callbackSecret,
  projectSecret,
  privateKey,
}: ProviderCredentials): string[] => [
  accountSecret,
  signatureSecret,
  callbackSecret,
  projectSecret,
  ...privateKey.split('\n').filter((line) => line.length === 64),
];
const countAccounts = async (): Promise<number> =>
  harness.store.prisma.provider_account.count({ where: { deleted_at: null } });

describe('provider account of a tenant', () => {
  it('has a region and a SIP domain of its own, whose user can be rotated', async () => {
    const { body } = await createAtProvider();
    const sip = { domain: 'example.sip-eu.vonage.com', username: 'partyline', password: 'p'.repeat(20) };
    const create = (voice: object) =>
      harness.request('POST', PATH, { body: { ...body, voice: { ...body.voice, ...voice } } });
    expect((await create({ region: 'us' })).body).toMatchObject({
      type: expect.stringContaining('region-not-available') as string,
      errors: [expect.objectContaining({ pointer: '/voice/region' })],
    });
    for (const [voice, field] of [
      [{ region: 'mars' }, '/voice/region'],
      [{ sip: { ...sip, domain: 'sip.example.com' } }, '/voice/sip/domain'],
      [{ sip: { ...sip, domain: 'localhost' } }, '/voice/sip/domain'],
      [{ sip: { ...sip, password: '' } }, '/voice/sip/password'],
    ] as const)
      expect([(await create(voice)).status, (await create(voice)).body.errors[0].pointer]).toEqual([422, field]);
    const made = await create({ region: 'eu', sip });
    expect([made.status, made.body.voice]).toMatchObject([201, { region: 'eu', sipDomain: sip.domain }]);
    expect(JSON.stringify(made.body)).not.toContain(sip.password);
    const rotate = (voice: object) => harness.request('POST', `${PATH}/${made.body.id}/rotate`, { body: { voice } });
    expect((await rotate({ region: 'eu', sip: { domain: sip.domain, password: 'q'.repeat(20) } })).body).toMatchObject({
      version: 2,
      voice: { region: 'eu', sipDomain: sip.domain },
    });
    for (const [voice, field] of [
      [{ region: 'ap', apiSecret: 'new' }, '/voice/region'],
      [{ sip: { domain: 'other.sip-eu.vonage.com', password: 'new' } }, '/voice/sip/domain'],
    ] as const)
      expect([(await rotate(voice)).status, (await rotate(voice)).body.errors[0].pointer]).toEqual([422, field]);
    expect((await readAllRows()).includes(sip.password)).toBe(false);
  });

  it.each(['opentok', 'unified'] as const)(
    'is verified, stored, shown without secrets, and has its own webhook URLs: %s',
    async (mode) => {
      const { credentials, body } = await createAtProvider(mode);
      const made = await harness.request('POST', PATH, { body });
      expect([made.status, made.body]).toEqual([
        201,
        {
          id: expect.stringMatching(/^acct_/) as string,
          label: 'Our own account',
          voice: {
            kind: 'vonage',
            apiKey: `****${credentials.accountKey.slice(-4)}`,
            applicationId: credentials.applicationId,
            region: null,
            sipDomain: null,
          },
          video: { kind: mode, apiKey: mode === 'opentok' ? `****${credentials.projectKey.slice(-4)}` : null },
          version: 1,
          verifiedAt: expect.any(String) as string,
          oldSecretsUntil: null,
          addresses: {
            answer: `https://hooks.test/v1/accounts/${made.body.id}/voice/answer`,
            fallbackAnswer: `https://hooks.test/v1/accounts/${made.body.id}/voice/fallback`,
            events: `https://hooks.test/v1/accounts/${made.body.id}/voice/events`,
            videoEvents: `https://hooks.test/v1/accounts/${made.body.id}/video/events`,
          },
          numbers: [],
          createdAt: expect.any(String) as string,
        },
      ]);
      expect((await harness.request('GET', `${PATH}/${made.body.id}`)).body).toEqual(made.body);
      expect((await harness.request('GET', PATH)).body.accounts).toContainEqual(made.body);
      expect((await harness.request('PATCH', `${PATH}/${made.body.id}`, { body: { label: 'Sales' } })).body).toEqual({
        ...made.body,
        label: 'Sales',
      });
      const rotated = await harness.request('POST', `${PATH}/${made.body.id}/rotate`, {
        body: { voice: { signatureSecret: 'n'.repeat(32) }, overlapSeconds: 3_600 },
      });
      expect(rotated.body).toMatchObject({ version: 2, oldSecretsUntil: expect.any(String) as string });
      const verified = await harness.request('POST', `${PATH}/${made.body.id}/verify`);
      expect(Date.parse(verified.body.verifiedAt)).toBeGreaterThanOrEqual(Date.parse(made.body.verifiedAt));

      // No row contains a secret in plain text: not the account, the audit log or the stored answer
      // of an idempotent request.
      const once = { 'idempotency-key': `save ${mode}` };
      const { credentials: second, body: secondBody } = await createAtProvider(mode);
      const first = await harness.request('POST', PATH, { body: secondBody, headers: once });
      const again = await harness.request('POST', PATH, { body: secondBody, headers: once });
      expect([first.status, again.status, again.headers.get('idempotency-replayed'), again.body]).toEqual([
        201,
        201,
        'true',
        first.body,
      ]);
      const written = await readAllRows();
      for (const secret of [...listSecrets(credentials), ...listSecrets(second)])
        expect(
          written.includes(secret) ||
            written.includes(Buffer.from(secret).toString('hex')) ||
            written.includes(Buffer.from(secret).toString('base64').slice(0, 40)),
        ).toBe(false);
    },
  );

  it('is not stored if the provider rejects it', async () => {
    const { body } = await createAtProvider('opentok');
    const before = await countAccounts();
    const rejected = await harness.request('POST', PATH, {
      body: { ...body, video: { ...body.video, apiSecret: 'wrong' } },
    });
    expect([rejected.status, rejected.body.reason, rejected.body.errors]).toEqual([
      422,
      'provider-account-rejected',
      [{ pointer: '/video', detail: expect.any(String) as string }],
    ]);
    const unknown = await harness.request('POST', PATH, {
      body: { ...body, voice: { ...body.voice, applicationId: crypto.randomUUID() } },
    });
    expect([unknown.status, unknown.body.reason, unknown.body.errors[0].pointer]).toEqual([
      422,
      'provider-account-rejected',
      '/voice',
    ]);
    expect(await countAccounts()).toBe(before);
  });

  it('is the only account of its application, over all tenants', async () => {
    const { body } = await createAtProvider();
    expect((await harness.request('POST', PATH, { body })).status).toBe(201);
    for (const key of [harness.keys.ours, harness.keys.theirs]) {
      const again = await harness.request('POST', PATH, { body, key });
      expect([again.status, again.body.reason]).toEqual([409, 'application-taken']);
    }
  });

  it('is not found for another tenant, and is forbidden for a key without the scope admin', async () => {
    const { body } = await createAtProvider();
    const { body: made } = await harness.request('POST', PATH, { body });
    const own = `${PATH}/${made.id}`;
    const requests: [string, string, object?][] = [
      ['GET', own],
      ['PATCH', own, { label: 'Mine' }],
      ['POST', `${own}/rotate`, { callbackSecret: 'n'.repeat(32) }],
      ['POST', `${own}/verify`],
      ['DELETE', own],
    ];
    for (const [method, path, given] of requests) {
      const reply = await harness.request(method, path, { key: harness.keys.theirs, body: given });
      expect([method, path, reply.status, reply.body.reason]).toEqual([
        method,
        path,
        404,
        'provider-account-not-found',
      ]);
    }
    expect(
      (await harness.request('GET', PATH, { key: harness.keys.theirs })).body.accounts.map(
        ({ id }: { id: string }) => id,
      ),
    ).not.toContain(made.id);
    const { body: weak } = await harness.request('POST', '/v1/keys', {
      body: { label: 'Weak', scopes: ['rooms:write', 'calls:write', 'keys:write'] },
    });
    expect((await harness.request('GET', PATH, { key: weak.key })).body.reason).toBe('scope-missing');
    expect((await harness.request('GET', own)).body).toEqual(made);
  });

  it('shows its numbers to the tenant, and cannot be deleted while it has any', async () => {
    const { body } = await createAtProvider();
    const { body: made } = await harness.request('POST', PATH, { body });
    const number = '+13125550199';
    const created = await harness.request('POST', '/v1/operator/numbers', {
      body: { number, tenantId: 'ten_ours', providerAccountId: made.id },
    });
    expect(created.body).toMatchObject({ providerAccountId: made.id, tenantId: 'ten_ours' });
    expect((await harness.request('GET', `${PATH}/${made.id}`)).body.numbers).toEqual([number]);
    expect((await harness.request('GET', '/v1/numbers?kind=dedicated')).body.numbers).toContainEqual(
      expect.objectContaining({ number, providerAccountId: made.id }),
    );
    const used = await harness.request('DELETE', `${PATH}/${made.id}`);
    expect([used.status, used.body.reason]).toEqual([409, 'provider-account-in-use']);
    const at = `/v1/operator/numbers/${number.slice(1)}`;
    for (const [change, status, reason] of [
      [{ tenantId: 'ten_theirs', providerAccountId: made.id }, 404, 'provider-account-not-found'],
      [{ tenantId: null, providerAccountId: made.id }, 422, 'number-not-dedicated'],
      [{ providerAccountId: 'acct_none' }, 404, 'provider-account-not-found'],
    ] as const) {
      const reply = await harness.request('PATCH', at, { body: change });
      expect([reply.status, reply.body.reason]).toEqual([status, reason]);
    }
    const { body: room } = await harness.request('POST', '/v1/rooms', { body: { name: 'Here', number } });
    expect((await harness.request('PATCH', at, { body: { providerAccountId: null } })).body.reason).toBe(
      'number-has-rooms',
    );
    await harness.request('POST', `/v1/rooms/${room.room.id}/end`);
    expect((await harness.request('PATCH', at, { body: { tenantId: null } })).body).toMatchObject({
      tenantId: null,
      providerAccountId: null,
    });
    // The session has no legs, so it ends.
    await expect
      .poll(async () => (await harness.request('GET', `/v1/sessions/${room.session.id}`)).body.state, {
        timeout: 20_000,
      })
      .toBe('ended');
    expect((await harness.request('DELETE', `${PATH}/${made.id}`)).body).toEqual({ id: made.id });
    expect((await harness.request('GET', `${PATH}/${made.id}`)).status).toBe(404);
    expect(await harness.store.prisma.provider_account.findUniqueOrThrow({ where: { id: made.id } })).toMatchObject({
      ciphertext: null,
      old_ciphertext: null,
    });
    // The application can be used for a new account.
    expect((await harness.request('POST', PATH, { body })).status).toBe(201);
  });

  it('appears in the audit log with its changes and without secrets', async () => {
    const { credentials, body } = await createAtProvider();
    const { body: made } = await harness.request('POST', PATH, { body });
    await harness.request('POST', `${PATH}/${made.id}/rotate`, { body: { callbackSecret: 'r'.repeat(32) } });
    const { body: log } = await harness.request('GET', '/v1/audit?limit=2');
    expect(
      log.entries.map(({ operation, changes }: { operation: string; changes: unknown }) => [operation, changes]),
    ).toEqual([
      ['rotateProviderAccount', { after: { version: 2, oldSecretsUntil: expect.any(String) as string } }],
      [
        'createProviderAccount',
        { after: { id: made.id, label: 'Our own account', voice: 'vonage', video: 'unified', version: 1 } },
      ],
    ]);
    for (const secret of [...listSecrets(credentials), 'r'.repeat(32)])
      expect(JSON.stringify(log)).not.toContain(secret);
  });
});

describe('invalid body', () => {
  const { privateKey } = createProviderCredentials();
  it.each<[string, (body: ReturnType<typeof buildAccountBody>) => object, string]>([
    ['no label', (body) => ({ ...body, label: undefined }), '/label'],
    [
      'a short signature secret',
      (body) => ({ ...body, voice: { ...body.voice, signatureSecret: 'hunter2' } }),
      '/voice/signatureSecret',
    ],
    ['a short callback secret', (body) => ({ ...body, callbackSecret: 'hunter2' }), '/callbackSecret'],
    [
      'an application id that is not a UUID',
      (body) => ({ ...body, voice: { ...body.voice, applicationId: 'hunter2' } }),
      '/voice/applicationId',
    ],
    [
      'a text that is not a key',
      (body) => ({ ...body, voice: { ...body.voice, privateKey: 'hunter2' } }),
      '/voice/privateKey',
    ],
    [
      'a truncated key',
      (body) => ({ ...body, voice: { ...body.voice, privateKey: privateKey.replace(/hunter2|.{64}\n/, '') } }),
      '/voice/privateKey',
    ],
    [
      'a PKCS#1 key',
      (body) => ({ ...body, voice: { ...body.voice, privateKey: privateKey.replaceAll('PRIVATE', 'RSA PRIVATE') } }),
      '/voice/privateKey',
    ],
    ['another telephone provider', (body) => ({ ...body, voice: { ...body.voice, kind: 'hunter2' } }), '/voice/kind'],
    ['another video provider', (body) => ({ ...body, video: { kind: 'hunter2' } }), '/video/kind'],
    [
      'a project without its secret',
      (body) => ({ ...body, video: { kind: 'opentok', apiKey: '123' } }),
      '/video/apiSecret',
    ],
    [
      'a project key with unified video',
      (body) => ({ ...body, video: { kind: 'unified', apiKey: '123' } }),
      '/video/apiKey',
    ],
    [
      'an API host',
      (body) => ({ ...body, voice: { ...body.voice, apiHost: 'http://169.254.169.254' } }),
      '/voice/apiHost',
    ],
    [
      'a secret with a line break',
      (body) => ({ ...body, voice: { ...body.voice, apiSecret: 'hunter2\nX: y' } }),
      '/voice/apiSecret',
    ],
  ])('is reported by field, without the value: %s', async (_what, change, pointer) => {
    const before = await countAccounts();
    const reply = await harness.request('POST', PATH, {
      body: change(buildAccountBody('unified', createProviderCredentials())),
    });
    expect([
      reply.status,
      reply.body.reason,
      reply.body.errors.map((error: { pointer: string }) => error.pointer),
    ]).toEqual([422, 'invalid-body', [pointer]]);
    expect(JSON.stringify(reply.body)).not.toContain('hunter2');
    expect(await countAccounts()).toBe(before);
  });

  it('of a rotation is rejected without new credentials or with those of another account', async () => {
    const { body } = await createAtProvider();
    const { body: made } = await harness.request('POST', PATH, { body });
    for (const [given, status, reason] of [
      [{}, 422, 'invalid-body'],
      [{ overlapSeconds: 5 }, 422, 'invalid-body'],
      [{ callbackSecret: 'n'.repeat(32), overlapSeconds: 604_801 }, 422, 'invalid-body'],
      [
        { voice: { applicationId: crypto.randomUUID() }, callbackSecret: 'n'.repeat(32) },
        422,
        'provider-account-differs',
      ],
    ] as const) {
      const reply = await harness.request('POST', `${PATH}/${made.id}/rotate`, { body: given });
      expect([reply.status, reply.body.reason]).toEqual([status, reason]);
    }
    const rejected = await harness.request('POST', `${PATH}/${made.id}/rotate`, {
      body: { voice: { privateKey: createProviderCredentials().privateKey } },
    });
    expect([rejected.status, rejected.body.reason]).toEqual([422, 'provider-account-rejected']);
    expect((await harness.request('GET', `${PATH}/${made.id}`)).body).toEqual(made);
  });
});

it('without master keys rejects accounts with 503, and everything else works', async () => {
  const without = await startTestHarness(() => acceptingProvider, { masterKeys: null });
  try {
    const reply = await without.request('POST', PATH, {
      body: buildAccountBody('unified', createProviderCredentials()),
    });
    expect([reply.status, reply.body.reason]).toEqual([503, 'accounts-not-configured']);
    expect((await without.request('GET', PATH)).body).toEqual({ accounts: [] });
    expect((await without.request('POST', '/v1/rooms', { body: { name: 'Room' } })).status).toBe(201);
  } finally {
    await without.stop();
  }
});

/** Every column of every row of every table, as text. */
async function readAllRows(): Promise<string> {
  const { rows: tables } = await harness.store.pool.query<{ name: string }>(
    `SELECT quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = 'public'`,
  );
  const texts = [];
  for (const { name } of tables)
    texts.push(
      ...(await harness.store.pool.query<{ row: string }>(`SELECT t::text AS row FROM ${name} t`)).rows.map(
        ({ row }) => row,
      ),
    );
  return texts.join('\n');
}
