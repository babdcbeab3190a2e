import { openAccountVault } from '@partyline/conference/providers/account-vault';
import { createRpcHandlers } from '@partyline/conference/provider-rpc/handlers';
import { localKeyService } from '@partyline/conference/crypto/key-service';
import { createVendor, type VendorCredentials } from '@partyline/dev/stack/credentials';
import { accountBody } from '@partyline/dev/stack/own-account';
import { vendorAccount } from '@partyline/dev/stack/service-environment';
import { createAccountBuilder } from '@partyline/provider-registry/from-account';
import { systemClock } from '@partyline/runtime/system';
import { startEmulator, type RunningEmulator } from '@partyline/vonage-emulator/launch';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { agreeable, MASTER_KEYS, startStage, type Stage } from '../testing/test-harness.ts';

let emulator: RunningEmulator;
let stage: Stage;
beforeAll(async () => {
  emulator = await startEmulator({ limits: { enabled: false } });
  const buildAccount = createAccountBuilder(
    {
      VONAGE_API_HOST: emulator.url,
      VIDEO_API_HOST: emulator.url,
      SIP_HOST: 'sip.nexmo.com',
      VONAGE_APPLICATION_ID: '8f3d2b1c-9a47-4c1e-8e59-1f7f0b2a6c44',
    },
    { timeoutMs: 4_000 },
  );
  const jobs = { enqueue: async () => undefined, armHangUp: async () => undefined };
  const report = { count: () => undefined, observe: () => undefined, warn: () => undefined };
  stage = await startStage(
    (store) => {
      const vault = openAccountVault({ store, keys: localKeyService(MASTER_KEYS) });
      const orchestrator = createRpcHandlers({
        store,
        jobs,
        clock: systemClock,
        report,
        providers: () => Promise.reject(new Error('the platform’s account is not asked here')),
        accounts: { vault, build: (credentials, { old }) => buildAccount(credentials, old) },
      });
      return { ...agreeable, verifyAccount: (input) => orchestrator.verifyAccount(input) };
    },
    { answerWithinMs: 20_000 },
  );
});
afterAll(async () => {
  await stage.stop();
  await emulator.stop();
});

const PATH = '/v1/provider-accounts';
/** An account at the vendor, and the body that saves it. */
async function atVendor(
  mode: 'opentok' | 'unified' = 'unified',
): Promise<{ vendor: VendorCredentials; body: ReturnType<typeof accountBody> }> {
  const vendor = createVendor();
  await emulator.client.addAccount(vendorAccount(vendor, []));
  return { vendor, body: accountBody(mode, vendor) };
}
const secretsOf = ({
  accountSecret,
  signatureSecret,
  callbackSecret,
  projectSecret,
  privateKey,
}: VendorCredentials): string[] => [
  accountSecret,
  signatureSecret,
  callbackSecret,
  projectSecret,
  ...privateKey.split('\n').filter((line) => line.length === 64),
];
const counted = async (): Promise<number> => stage.store.prisma.provider_account.count({ where: { deleted_at: null } });

describe('a tenant’s own account', () => {
  it.each(['opentok', 'unified'] as const)(
    'of %s is tried out, kept, shown without its secrets, and has addresses of its own',
    async (mode) => {
      const { vendor, body } = await atVendor(mode);
      const made = await stage.ask('POST', PATH, { body });
      expect([made.status, made.body]).toEqual([
        201,
        {
          id: expect.stringMatching(/^acct_/) as string,
          label: 'Our own account',
          voice: { kind: 'vonage', apiKey: `****${vendor.accountKey.slice(-4)}`, applicationId: vendor.applicationId },
          video: { kind: mode, apiKey: mode === 'opentok' ? `****${vendor.projectKey.slice(-4)}` : null },
          version: 1,
          verifiedAt: expect.any(String) as string,
          oldSecretsUntil: null,
          addresses: {
            answer: `https://hooks.test/v1/accounts/${made.body.id}/voice/answer`,
            events: `https://hooks.test/v1/accounts/${made.body.id}/voice/events`,
            videoEvents: `https://hooks.test/v1/accounts/${made.body.id}/video/events`,
          },
          numbers: [],
          createdAt: expect.any(String) as string,
        },
      ]);
      expect((await stage.ask('GET', `${PATH}/${made.body.id}`)).body).toEqual(made.body);
      expect((await stage.ask('GET', PATH)).body.accounts).toContainEqual(made.body);
      expect((await stage.ask('PATCH', `${PATH}/${made.body.id}`, { body: { label: 'Sales' } })).body).toEqual({
        ...made.body,
        label: 'Sales',
      });
      const rotated = await stage.ask('POST', `${PATH}/${made.body.id}/rotate`, {
        body: { voice: { signatureSecret: 'n'.repeat(32) }, overlapSeconds: 3_600 },
      });
      expect(rotated.body).toMatchObject({ version: 2, oldSecretsUntil: expect.any(String) as string });
      const verified = await stage.ask('POST', `${PATH}/${made.body.id}/verify`);
      expect(Date.parse(verified.body.verifiedAt)).toBeGreaterThanOrEqual(Date.parse(made.body.verifiedAt));

      // In no row, in clear: neither the account's, nor the audit log's, nor that of a request that was to be done once.
      const once = { 'idempotency-key': `save ${mode}` };
      const { vendor: second, body: secondBody } = await atVendor(mode);
      const first = await stage.ask('POST', PATH, { body: secondBody, headers: once });
      const again = await stage.ask('POST', PATH, { body: secondBody, headers: once });
      expect([first.status, again.status, again.headers.get('idempotency-replayed'), again.body]).toEqual([
        201,
        201,
        'true',
        first.body,
      ]);
      const written = await everyRow();
      for (const secret of [...secretsOf(vendor), ...secretsOf(second)])
        expect(
          written.includes(secret) ||
            written.includes(Buffer.from(secret).toString('hex')) ||
            written.includes(Buffer.from(secret).toString('base64').slice(0, 40)),
        ).toBe(false);
    },
  );

  it('that the provider refuses is not kept', async () => {
    const { body } = await atVendor('opentok');
    const before = await counted();
    const refused = await stage.ask('POST', PATH, { body: { ...body, video: { ...body.video, apiSecret: 'wrong' } } });
    expect([refused.status, refused.body.reason, refused.body.errors]).toEqual([
      422,
      'provider-account-rejected',
      [{ pointer: '/video', detail: expect.any(String) as string }],
    ]);
    const unknown = await stage.ask('POST', PATH, {
      body: { ...body, voice: { ...body.voice, applicationId: crypto.randomUUID() } },
    });
    expect([unknown.status, unknown.body.reason, unknown.body.errors[0].pointer]).toEqual([
      422,
      'provider-account-rejected',
      '/voice',
    ]);
    expect(await counted()).toBe(before);
  });

  it('is one for its application, and not another tenant’s too', async () => {
    const { body } = await atVendor();
    expect((await stage.ask('POST', PATH, { body })).status).toBe(201);
    for (const key of [stage.keys.ours, stage.keys.theirs]) {
      const again = await stage.ask('POST', PATH, { body, key });
      expect([again.status, again.body.reason]).toEqual([409, 'application-taken']);
    }
  });

  it('is nothing to another tenant, and to a key without the scope admin', async () => {
    const { body } = await atVendor();
    const { body: made } = await stage.ask('POST', PATH, { body });
    const own = `${PATH}/${made.id}`;
    const asks: [string, string, object?][] = [
      ['GET', own],
      ['PATCH', own, { label: 'Mine' }],
      ['POST', `${own}/rotate`, { callbackSecret: 'n'.repeat(32) }],
      ['POST', `${own}/verify`],
      ['DELETE', own],
    ];
    for (const [method, path, given] of asks) {
      const reply = await stage.ask(method, path, { key: stage.keys.theirs, body: given });
      expect([method, path, reply.status, reply.body.reason]).toEqual([
        method,
        path,
        404,
        'provider-account-not-found',
      ]);
    }
    expect(
      (await stage.ask('GET', PATH, { key: stage.keys.theirs })).body.accounts.map(({ id }: { id: string }) => id),
    ).not.toContain(made.id);
    const { body: weak } = await stage.ask('POST', '/v1/keys', {
      body: { label: 'Weak', scopes: ['rooms:write', 'calls:write', 'keys:write'] },
    });
    expect((await stage.ask('GET', PATH, { key: weak.key })).body.reason).toBe('scope-missing');
    expect((await stage.ask('GET', own)).body).toEqual(made);
  });

  it('has numbers, which their tenant sees, and is then not deleted', async () => {
    const { body } = await atVendor();
    const { body: made } = await stage.ask('POST', PATH, { body });
    const number = '+13125550199';
    const created = await stage.ask('POST', '/v1/operator/numbers', {
      body: { number, tenantId: 'ten_ours', providerAccountId: made.id },
    });
    expect(created.body).toMatchObject({ providerAccountId: made.id, tenantId: 'ten_ours' });
    expect((await stage.ask('GET', `${PATH}/${made.id}`)).body.numbers).toEqual([number]);
    expect((await stage.ask('GET', '/v1/numbers?kind=dedicated')).body.numbers).toContainEqual(
      expect.objectContaining({ number, providerAccountId: made.id }),
    );
    const used = await stage.ask('DELETE', `${PATH}/${made.id}`);
    expect([used.status, used.body.reason]).toEqual([409, 'provider-account-in-use']);
    const at = `/v1/operator/numbers/${number.slice(1)}`;
    for (const [change, status, reason] of [
      [{ tenantId: 'ten_theirs', providerAccountId: made.id }, 404, 'provider-account-not-found'],
      [{ tenantId: null, providerAccountId: made.id }, 422, 'number-not-dedicated'],
      [{ providerAccountId: 'acct_none' }, 404, 'provider-account-not-found'],
    ] as const) {
      const reply = await stage.ask('PATCH', at, { body: change });
      expect([reply.status, reply.body.reason]).toEqual([status, reason]);
    }
    const { body: room } = await stage.ask('POST', '/v1/rooms', { body: { name: 'Here', number } });
    expect((await stage.ask('PATCH', at, { body: { providerAccountId: null } })).body.reason).toBe('number-has-rooms');
    await stage.ask('POST', `/v1/rooms/${room.room.id}/end`);
    expect((await stage.ask('PATCH', at, { body: { tenantId: null } })).body).toMatchObject({
      tenantId: null,
      providerAccountId: null,
    });
    // The session is over when its legs are; it has none.
    await expect
      .poll(async () => (await stage.ask('GET', `/v1/sessions/${room.session.id}`)).body.state, { timeout: 20_000 })
      .toBe('ended');
    expect((await stage.ask('DELETE', `${PATH}/${made.id}`)).body).toEqual({ id: made.id });
    expect((await stage.ask('GET', `${PATH}/${made.id}`)).status).toBe(404);
    expect(await stage.store.prisma.provider_account.findUniqueOrThrow({ where: { id: made.id } })).toMatchObject({
      sealed: null,
      old_sealed: null,
    });
    // Its application may be an account again.
    expect((await stage.ask('POST', PATH, { body })).status).toBe(201);
  });

  it('stands in the audit log by what was changed, and by nothing that opens anything', async () => {
    const { vendor, body } = await atVendor();
    const { body: made } = await stage.ask('POST', PATH, { body });
    await stage.ask('POST', `${PATH}/${made.id}/rotate`, { body: { callbackSecret: 'r'.repeat(32) } });
    const { body: log } = await stage.ask('GET', '/v1/audit?limit=2');
    expect(
      log.entries.map(({ operation, changes }: { operation: string; changes: unknown }) => [operation, changes]),
    ).toEqual([
      ['rotateProviderAccount', { after: { version: 2, oldSecretsUntil: expect.any(String) as string } }],
      [
        'createProviderAccount',
        { after: { id: made.id, label: 'Our own account', voice: 'vonage', video: 'unified', version: 1 } },
      ],
    ]);
    for (const secret of [...secretsOf(vendor), 'r'.repeat(32)]) expect(JSON.stringify(log)).not.toContain(secret);
  });
});

describe('a body that is not as it should be', () => {
  const { privateKey } = createVendor();
  it.each<[string, (body: ReturnType<typeof accountBody>) => object, string]>([
    ['no label', (body) => ({ ...body, label: undefined }), '/label'],
    [
      'a short signature secret',
      (body) => ({ ...body, voice: { ...body.voice, signatureSecret: 'hunter2' } }),
      '/voice/signatureSecret',
    ],
    ['a short callback secret', (body) => ({ ...body, callbackSecret: 'hunter2' }), '/callbackSecret'],
    [
      'an application that is no UUID',
      (body) => ({ ...body, voice: { ...body.voice, applicationId: 'hunter2' } }),
      '/voice/applicationId',
    ],
    [
      'a key that is none',
      (body) => ({ ...body, voice: { ...body.voice, privateKey: 'hunter2' } }),
      '/voice/privateKey',
    ],
    [
      'a key that is cut',
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
      'a host of its own',
      (body) => ({ ...body, voice: { ...body.voice, apiHost: 'http://169.254.169.254' } }),
      '/voice/apiHost',
    ],
    [
      'a secret with a line break',
      (body) => ({ ...body, voice: { ...body.voice, apiSecret: 'hunter2\nX: y' } }),
      '/voice/apiSecret',
    ],
  ])('%s: the field is named, and no value', async (_what, change, pointer) => {
    const before = await counted();
    const reply = await stage.ask('POST', PATH, { body: change(accountBody('unified', createVendor())) });
    expect([
      reply.status,
      reply.body.reason,
      reply.body.errors.map((error: { pointer: string }) => error.pointer),
    ]).toEqual([422, 'invalid-body', [pointer]]);
    expect(JSON.stringify(reply.body)).not.toContain('hunter2');
    expect(await counted()).toBe(before);
  });

  it('of a rotation: nothing new, or another account’s', async () => {
    const { body } = await atVendor();
    const { body: made } = await stage.ask('POST', PATH, { body });
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
      const reply = await stage.ask('POST', `${PATH}/${made.id}/rotate`, { body: given });
      expect([reply.status, reply.body.reason]).toEqual([status, reason]);
    }
    const refused = await stage.ask('POST', `${PATH}/${made.id}/rotate`, {
      body: { voice: { privateKey: createVendor().privateKey } },
    });
    expect([refused.status, refused.body.reason]).toEqual([422, 'provider-account-rejected']);
    expect((await stage.ask('GET', `${PATH}/${made.id}`)).body).toEqual(made);
  });
});

it('a platform without master keys says so, and works otherwise', async () => {
  const without = await startStage(() => agreeable, { masterKeys: null });
  try {
    const reply = await without.ask('POST', PATH, { body: accountBody('unified', createVendor()) });
    expect([reply.status, reply.body.reason]).toEqual([503, 'accounts-not-configured']);
    expect((await without.ask('GET', PATH)).body).toEqual({ accounts: [] });
    expect((await without.ask('POST', '/v1/rooms', { body: { name: 'Room' } })).status).toBe(201);
  } finally {
    await without.stop();
  }
});

/** Every column of every row of every table, as text. */
async function everyRow(): Promise<string> {
  const { rows: tables } = await stage.store.pool.query<{ name: string }>(
    `SELECT quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = 'public'`,
  );
  const texts = [];
  for (const { name } of tables)
    texts.push(
      ...(await stage.store.pool.query<{ row: string }>(`SELECT t::text AS row FROM ${name} t`)).rows.map(
        ({ row }) => row,
      ),
    );
  return texts.join('\n');
}
