import { createHash, createHmac, randomUUID } from 'node:crypto';
import type { VonageCredentials } from '@partyline/provider-contract/account-credentials';
import { createProviderCredentials, type ProviderCredentials } from '@partyline/dev/stack/credentials';
import { buildEmulatorAccount } from '@partyline/dev/stack/service-environment';
import { dropOldCredentials } from '@partyline/store/provider-accounts/provider-accounts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createNumber } from '../numbers/create-number.ts';
import { deleteNumber } from '../numbers/delete-number.ts';
import { updateNumber } from '../numbers/update-number.ts';
import { createAccount, MAX_PROVIDER_ACCOUNTS } from './create-account.ts';
import { deleteAccount } from './delete-account.ts';
import { rotateAccount } from './rotate-account.ts';
import { verifyAccount } from './verify-account.ts';
import { deleteTenant } from '../tenants/delete-tenant.ts';
import { dialOut, requestDialOut } from '../legs/dial-out.ts';
import { endRoom } from '../rooms/end-room.ts';
import { suspendTenant } from '../tenants/suspend-tenant.ts';
import {
  executeSql,
  hangUpUntilDone,
  joinBrowser,
  openRoom,
  settleNow,
  until,
  untilLegs,
  type Meeting,
} from '../testing/meeting.ts';
import { addOwnAccount } from '../testing/add-own-account.ts';
import { reconcileUntilQuiet, resetHarness } from '../testing/pass-time.ts';
import { startTestHarness, type MediaKind, type TestHarness, type TestDeps } from '../testing/test-harness.ts';

const PHONE = '+447946000123';

let harness: TestHarness;
beforeAll(async () => {
  harness = await startTestHarness();
});
beforeEach(() => resetHarness(harness));
afterAll(() => harness.close());

const toVonageCredentials = (kind: MediaKind, own: ProviderCredentials): VonageCredentials => ({
  voice: {
    kind: 'vonage',
    apiKey: own.accountKey,
    apiSecret: own.accountSecret,
    applicationId: own.applicationId,
    privateKey: own.privateKey,
    signatureSecret: own.signatureSecret,
  },
  video: kind === 'opentok' ? { kind, apiKey: own.projectKey, apiSecret: own.projectSecret } : { kind },
  callbackSecret: own.callbackSecret,
});

const createOwnAccount = async (
  deps: TestDeps,
): Promise<{ id: string; number: string; credentials: ProviderCredentials }> => {
  const { accountId: id, ...own } = await addOwnAccount(harness, deps);
  return { id, ...own };
};

async function joinCaller(deps: TestDeps, meeting: Meeting, number: string): Promise<string> {
  const { client } = harness.emulator;
  const { id } = await client.dial({ from: '+447700900001', to: number });
  await client.awaitPrompt(id);
  await client.key(id, `${meeting.pin}#`);
  await client.awaitJoined(id);
  await untilLegs(harness, meeting, 'inbound', ['joined']);
  await settleNow(deps, meeting);
  return id;
}

async function dialPhone(deps: TestDeps, meeting: Meeting): Promise<void> {
  const { legId } = await requestDialOut(deps, meeting.tenantId, meeting.roomId, { phone: PHONE, name: 'Charles' });
  expect(await dialOut(deps, meeting.tenantId, legId)).toBe('dialled');
  await untilLegs(harness, meeting, 'outbound', ['joined']);
}

describe('createAccount', () => {
  it.each<[string, (valid: VonageCredentials, other: ProviderCredentials) => VonageCredentials, string]>([
    [
      'a private key of another application',
      (valid, other) => ({ ...valid, voice: { ...valid.voice, privateKey: other.privateKey } }),
      '/voice',
    ],
    [
      'an unknown application',
      (valid) => ({ ...valid, voice: { ...valid.voice, applicationId: randomUUID() } }),
      '/voice',
    ],
    [
      'a wrong project secret',
      (valid) => ({
        ...valid,
        video: { kind: 'opentok', apiKey: (valid.video as { apiKey: string }).apiKey, apiSecret: 'wrong' },
      }),
      '/video',
    ],
  ])('rejects %s, names the field and stores nothing', async (_title, change, field) => {
    const deps = harness.deps.opentok;
    const [own, other] = [createProviderCredentials(), createProviderCredentials()];
    await harness.emulator.client.addAccount(buildEmulatorAccount(own, []));
    await expect(
      createAccount(deps, deps.tenantId, { label: 'Own', ...change(toVonageCredentials('opentok', own), other) }),
    ).rejects.toMatchObject({ verdict: { outcome: 'client', reason: 'provider-account-rejected' }, field });
    expect(await harness.store.prisma.provider_account.count()).toBe(0);
  });

  it('distinguishes rejected credentials from a failing or busy provider', async () => {
    const deps = harness.deps.unified;
    const own = createProviderCredentials();
    await harness.emulator.client.addAccount(buildEmulatorAccount(own, []));
    for (const [fault, reason] of [
      ['429', 'upstream-429'],
      ['500', 'upstream-500'],
    ] as const) {
      await harness.emulator.client.setFaults({ rest: [{ route: 'list-calls', fault }] });
      await expect(
        createAccount(deps, deps.tenantId, { label: 'Own', ...toVonageCredentials('unified', own) }),
      ).rejects.toMatchObject({ verdict: { reason } });
    }
    expect(await harness.store.prisma.provider_account.count()).toBe(0);
  });

  it("rejects the application of another account or of the platform, and one with another system's calls", async () => {
    const deps = harness.deps.unified;
    const { credentials: own } = await createOwnAccount(deps);
    await harness.store.prisma.tenant.create({ data: { id: 'ten_other', name: 'Other' } });
    const create = (tenantId: string, credentials = toVonageCredentials('unified', own)) =>
      createAccount(deps, tenantId, { label: 'Other', ...credentials });
    for (const tenantId of [deps.tenantId, 'ten_other'])
      await expect(create(tenantId)).rejects.toMatchObject({ verdict: { reason: 'application-taken' } });
    const inUse = createProviderCredentials();
    // Another system answers the calls of this application, with a delay.
    const answerUrl = `${harness.webhooksUrl}/unified/v1/voice/answer`;
    await harness.emulator.client.addAccount({
      ...buildEmulatorAccount(inUse, ['+442079460888']),
      callbacks: { answerUrl, eventUrl: answerUrl, videoUrl: answerUrl },
    });
    let answer = (): void => undefined;
    harness.answerGate = new Promise((resolve) => {
      answer = resolve;
    });
    const { id: caller } = await harness.emulator.client.dial({ from: '+447700900001', to: '+442079460888' });
    await expect(create('ten_other', toVonageCredentials('unified', inUse))).rejects.toMatchObject({
      verdict: { reason: 'application-in-use' },
      field: '/voice/applicationId',
    });
    await harness.emulator.client.hangUp(caller);
    answer();
    const platform =
      (await harness.emulator.client.config()).applications.find(({ account }) => account === undefined)?.id ?? '';
    const valid = toVonageCredentials('unified', createProviderCredentials());
    await expect(
      create('ten_other', { ...valid, voice: { ...valid.voice, applicationId: platform } }),
    ).rejects.toMatchObject({ verdict: { reason: 'application-taken' } });
    expect(await harness.store.prisma.provider_account.count({ where: { tenant_id: 'ten_other' } })).toBe(0);
  });
});

/** Signs a webhook as the provider does. */
function signWebhook(
  own: ProviderCredentials,
  secret: string,
  body: object,
): { authorization: string; rawBody: Buffer } {
  const rawBody = Buffer.from(JSON.stringify(body));
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = {
    iat: Math.floor(Date.now() / 1000),
    jti: randomUUID(),
    iss: 'Vonage',
    payload_hash: createHash('sha256').update(rawBody).digest('hex'),
    api_key: own.accountKey,
    application_id: own.applicationId,
  };
  const head = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  return { authorization: `Bearer ${head}.${createHmac('sha256', secret).update(head).digest('base64url')}`, rawBody };
}

describe('rotateAccount', () => {
  /**
   * Whether the account accepts each signature: voice with the old and new secret, then media with
   * both.
   */
  const checkSignatures = async (
    deps: TestDeps,
    id: string,
    before: ProviderCredentials,
    after: ProviderCredentials,
  ): Promise<boolean[]> => {
    const { voice, media } = await deps.providers(id);
    const accepts = (provider: Pick<typeof voice, 'verifyCallback'>, secret: string): boolean =>
      provider.verifyCallback(signWebhook(before, secret, {}), new Date()).ok;
    return [
      accepts(voice, before.signatureSecret),
      accepts(voice, after.signatureSecret),
      accepts(media, before.callbackSecret),
      accepts(media, after.callbackSecret),
    ];
  };

  it('uses the new key at once, and accepts webhooks with the old secrets until the overlap ends', async () => {
    const deps = harness.deps.unified;
    const { id, number, credentials: before } = await createOwnAccount(deps);
    const after = createProviderCredentials();
    // The provider now accepts only the new key, and still signs webhooks with the old secrets.
    await harness.emulator.client.addAccount({
      ...buildEmulatorAccount(before, []),
      application: { id: before.applicationId, publicKey: after.publicKey },
    });
    await expect(verifyAccount(deps, deps.tenantId, id)).rejects.toMatchObject({
      verdict: { reason: 'provider-account-rejected' },
    });
    const meeting = await (async () => {
      const row = await rotateAccount(
        deps,
        deps.tenantId,
        id,
        {
          voice: { privateKey: after.privateKey, signatureSecret: after.signatureSecret, apiSecret: 'new' },
          callbackSecret: after.callbackSecret,
        },
        60,
      );
      expect([row.version, row.old_until !== null]).toEqual([2, true]);
      return openRoom(deps, { numberWanted: { number } });
    })();
    expect(await checkSignatures(deps, id, before, after)).toEqual([true, true, true, true]);
    // A caller, a browser and provider events, half of them signed with each set of secrets.
    await joinBrowser(harness, meeting);
    await joinCaller(deps, meeting, number);
    await harness.emulator.client.addAccount({
      ...buildEmulatorAccount(
        { ...before, signatureSecret: after.signatureSecret, callbackSecret: after.callbackSecret },
        [],
      ),
      application: { id: before.applicationId, publicKey: after.publicKey },
    });
    await dialPhone(deps, meeting);
    expect(harness.webhookErrors).toEqual([]);

    expect(await dropOldCredentials(harness.store)).toBe(0);
    await executeSql(harness, `UPDATE provider_account SET old_until = old_until - interval '61 seconds'`);
    expect(await checkSignatures(deps, id, before, after)).toEqual([false, true, false, true]);
    expect(await dropOldCredentials(harness.store)).toBe(1);
    expect(await checkSignatures(deps, id, before, after)).toEqual([false, true, false, true]);
    expect(await harness.store.prisma.provider_account.findUniqueOrThrow({ where: { id } })).toMatchObject({
      old_ciphertext: null,
      old_version: null,
      old_until: null,
      version: 2,
    });
    await endRoom(deps, meeting.tenantId, meeting.roomId);
    await hangUpUntilDone(harness, deps, meeting);
  });

  it('accepts only the new secrets at once without an overlap', async () => {
    const deps = harness.deps.unified;
    const { id, credentials: own } = await createOwnAccount(deps);
    const after = createProviderCredentials();
    expect(await checkSignatures(deps, id, own, after)).toEqual([true, false, true, false]);
    await rotateAccount(
      deps,
      deps.tenantId,
      id,
      { voice: { signatureSecret: after.signatureSecret }, callbackSecret: after.callbackSecret },
      0,
    );
    expect(await checkSignatures(deps, id, own, after)).toEqual([false, true, false, true]);
  });

  it('rejects credentials of another account', async () => {
    const deps = harness.deps.opentok;
    const { id } = await createOwnAccount(deps);
    for (const [change, field] of [
      [{ voice: { applicationId: randomUUID() } }, '/voice/applicationId'],
      [{ voice: { apiKey: 'other' } }, '/voice/apiKey'],
      [{ video: { apiKey: '1' } }, '/video/apiKey'],
      [{ video: { kind: 'unified' } }, '/video/kind'],
    ] as const) {
      await expect(
        rotateAccount(deps, deps.tenantId, id, { ...change, callbackSecret: 'n'.repeat(32) }, 60),
      ).rejects.toMatchObject({ verdict: { reason: 'provider-account-differs' }, field });
    }
    expect(await harness.store.prisma.provider_account.findUniqueOrThrow({ where: { id } })).toMatchObject({
      version: 1,
      old_ciphertext: null,
    });
  });

  it('changes nothing when the provider rejects the credentials, and reports concurrent rotations', async () => {
    const deps = harness.deps.unified;
    const { id, credentials: own } = await createOwnAccount(deps);
    await expect(
      rotateAccount(deps, deps.tenantId, id, { voice: { privateKey: createProviderCredentials().privateKey } }, 60),
    ).rejects.toMatchObject({ verdict: { reason: 'provider-account-rejected' } });
    expect(
      (await deps.providers(id)).voice.verifyCallback(signWebhook(own, own.signatureSecret, {}), new Date()).ok,
    ).toBe(true);
    const results = await Promise.allSettled(
      ['a', 'b'].map((letter) => rotateAccount(deps, deps.tenantId, id, { callbackSecret: letter.repeat(32) }, 60)),
    );
    const versions = results.map((result) =>
      result.status === 'fulfilled'
        ? result.value.version
        : (result.reason as { verdict: { reason: string } }).verdict.reason,
    );
    // The two rotations may also run one after the other.
    expect([
      [2, 'provider-account-changed'],
      ['provider-account-changed', 2],
      [2, 3],
      [3, 2],
    ]).toContainEqual(versions);
  });
});

describe('a provider account', () => {
  it('is deleted, with its credentials, only when no number, session or call uses it', async () => {
    const deps = harness.deps.unified;
    const { id, number } = await createOwnAccount(deps);
    const tryDelete = () => deleteAccount(deps, deps.tenantId, id);
    await expect(tryDelete()).rejects.toMatchObject({ verdict: { reason: 'provider-account-in-use' } });
    // A caller at the PIN prompt has no tenant yet, but a call at the account.
    const meeting = await openRoom(deps, { numberWanted: { number } });
    const { id: caller } = await harness.emulator.client.dial({ from: '+447700900001', to: number });
    await harness.emulator.client.awaitPrompt(caller);
    await expect(updateNumber(deps, number, { account_id: null })).rejects.toMatchObject({
      verdict: { reason: 'number-has-rooms' },
    });
    await endRoom(deps, meeting.tenantId, meeting.roomId);
    await hangUpUntilDone(harness, deps, meeting);
    await updateNumber(deps, number, { account_id: null });
    await expect(tryDelete()).rejects.toMatchObject({ verdict: { reason: 'provider-account-in-use' } });
    await suspendTenant(deps, deps.tenantId);
    await expect(deleteTenant(deps, deps.tenantId)).rejects.toMatchObject({
      verdict: { reason: 'tenant-has-numbers' },
    });
    await harness.emulator.client.hangUp(caller);
    await until(async () => harness.store.prisma.leg.count({ where: { state: { not: 'ended' } } }), 0);
    await tryDelete();
    expect(await harness.store.prisma.provider_account.findUniqueOrThrow({ where: { id } })).toMatchObject({
      ciphertext: null,
      old_ciphertext: null,
      deleted_at: expect.any(Date) as Date,
    });
    await expect(tryDelete()).rejects.toMatchObject({ verdict: { reason: 'provider-account-not-found' } });
    await expect(deps.providers(id)).rejects.toMatchObject({ verdict: { reason: 'provider-account-gone' } });
    await expect(updateNumber(deps, number, { account_id: id })).rejects.toMatchObject({
      verdict: { reason: 'provider-account-not-found' },
    });
  });

  it('of a suspended tenant hangs up its legs, and is deleted with the tenant', async () => {
    const deps = harness.deps.unified;
    const { id, number, credentials: own } = await createOwnAccount(deps);
    const meeting = await openRoom(deps, { numberWanted: { number } });
    await joinCaller(deps, meeting, number);
    await suspendTenant(deps, deps.tenantId);
    await expect(deleteTenant(deps, deps.tenantId)).rejects.toMatchObject({
      verdict: { reason: 'tenant-has-numbers' },
    });
    await reconcileUntilQuiet(harness, deps);
    expect((await harness.emulator.client.ledger({ accountKey: own.accountKey })).up).toBe(0);
    await deleteNumber(deps, number);
    await deleteTenant(deps, deps.tenantId);
    expect([
      await harness.store.prisma.provider_account.count(),
      await harness.store.prisma.tenant_data_key.count(),
    ]).toEqual([0, 0]);
    await expect(deps.providers(id)).rejects.toMatchObject({ verdict: { reason: 'provider-account-gone' } });
  });

  it('cannot be rotated, verified, deleted or assigned to a number by another tenant', async () => {
    const deps = harness.deps.unified;
    const { id, number } = await createOwnAccount(deps);
    await harness.store.prisma.tenant.create({ data: { id: 'ten_other', name: 'Other' } });
    const notFound = { verdict: { reason: 'provider-account-not-found' } };
    await expect(rotateAccount(deps, 'ten_other', id, { callbackSecret: 'n'.repeat(32) }, 60)).rejects.toMatchObject(
      notFound,
    );
    await expect(verifyAccount(deps, 'ten_other', id)).rejects.toMatchObject(notFound);
    await expect(deleteAccount(deps, 'ten_other', id)).rejects.toMatchObject(notFound);
    const otherNumber = { e164: '+442079460999', language: 'en-GB', country: 'GB', toll_free: false };
    await expect(
      createNumber(deps, {
        ...otherNumber,
        dedicated_to: 'ten_other',
        account_id: id,
        guarded: true,
        max_unadmitted: 10,
        max_per_caller_id: 5,
      }),
    ).rejects.toMatchObject(notFound);
    await expect(
      createNumber(deps, {
        ...otherNumber,
        dedicated_to: null,
        account_id: id,
        guarded: true,
        max_unadmitted: 10,
        max_per_caller_id: 5,
      }),
    ).rejects.toMatchObject({ verdict: { reason: 'number-not-dedicated' } });
    // A new tenant of the number does not get the account.
    expect(await updateNumber(deps, number, { dedicated_to: 'ten_other' })).toMatchObject({
      after: { dedicated_to: 'ten_other', account_id: null },
    });
  });

  it('counts against the maximum of ten, with concurrent requests', async () => {
    const deps = harness.deps.unified;
    const credentialSets = Array.from({ length: MAX_PROVIDER_ACCOUNTS + 1 }, () => createProviderCredentials());
    for (const own of credentialSets) await harness.emulator.client.addAccount(buildEmulatorAccount(own, []));
    const results = await Promise.allSettled(
      credentialSets.map((own) =>
        createAccount(deps, deps.tenantId, { label: 'One', ...toVonageCredentials('unified', own) }),
      ),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(MAX_PROVIDER_ACCOUNTS);
    expect(results.find((result) => result.status === 'rejected')?.reason).toMatchObject({
      verdict: { reason: 'too-many-provider-accounts' },
    });
  });
});
