import { createHash, createHmac, randomUUID } from 'node:crypto';
import type { AccountCredentials } from '@partyline/provider-contract/account-credentials';
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

const credentialsOf = (kind: MediaKind, vendor: ProviderCredentials): AccountCredentials => ({
  voice: {
    kind: 'vonage',
    apiKey: vendor.accountKey,
    apiSecret: vendor.accountSecret,
    applicationId: vendor.applicationId,
    privateKey: vendor.privateKey,
    signatureSecret: vendor.signatureSecret,
  },
  video: kind === 'opentok' ? { kind, apiKey: vendor.projectKey, apiSecret: vendor.projectSecret } : { kind },
  callbackSecret: vendor.callbackSecret,
});

const ownAccount = async (
  deps: TestDeps,
): Promise<{ id: string; number: string; credentials: ProviderCredentials }> => {
  const { accountId: id, ...own } = await addOwnAccount(harness, deps);
  return { id, ...own };
};

async function callerIn(deps: TestDeps, meeting: Meeting, number: string): Promise<string> {
  const { client } = harness.emulator;
  const { id } = await client.dial({ from: '+447700900001', to: number });
  await client.awaitPrompt(id);
  await client.key(id, `${meeting.pin}#`);
  await client.awaitJoined(id);
  await untilLegs(harness, meeting, 'inbound', ['joined']);
  await settleNow(deps, meeting);
  return id;
}

async function ring(deps: TestDeps, meeting: Meeting): Promise<void> {
  const { legId } = await requestDialOut(deps, meeting.tenantId, meeting.roomId, { phone: PHONE, name: 'Charles' });
  expect(await dialOut(deps, meeting.tenantId, legId)).toBe('dialled');
  await untilLegs(harness, meeting, 'outbound', ['joined']);
}

describe('credentials that the provider refuses', () => {
  it.each<[string, (good: AccountCredentials, other: ProviderCredentials) => AccountCredentials, string]>([
    [
      'a private key of another application',
      (good, other) => ({ ...good, voice: { ...good.voice, privateKey: other.privateKey } }),
      '/voice',
    ],
    [
      'an application that there is not',
      (good) => ({ ...good, voice: { ...good.voice, applicationId: randomUUID() } }),
      '/voice',
    ],
    [
      'a wrong project secret',
      (good) => ({
        ...good,
        video: { kind: 'opentok', apiKey: (good.video as { apiKey: string }).apiKey, apiSecret: 'wrong' },
      }),
      '/video',
    ],
  ])('%s: the side is named, and nothing is kept', async (_what, change, field) => {
    const deps = harness.deps.opentok;
    const [vendor, other] = [createProviderCredentials(), createProviderCredentials()];
    await harness.emulator.client.addAccount(buildEmulatorAccount(vendor, []));
    await expect(
      createAccount(deps, deps.tenantId, { label: 'Own', ...change(credentialsOf('opentok', vendor), other) }),
    ).rejects.toMatchObject({ verdict: { outcome: 'client', reason: 'provider-account-rejected' }, field });
    expect(await harness.store.prisma.provider_account.count()).toBe(0);
  });

  it('are told apart from a provider that is away, or too busy', async () => {
    const deps = harness.deps.unified;
    const vendor = createProviderCredentials();
    await harness.emulator.client.addAccount(buildEmulatorAccount(vendor, []));
    for (const [fault, reason] of [
      ['429', 'upstream-429'],
      ['500', 'upstream-500'],
    ] as const) {
      await harness.emulator.client.setFaults({ rest: [{ route: 'list-calls', fault }] });
      await expect(
        createAccount(deps, deps.tenantId, { label: 'Own', ...credentialsOf('unified', vendor) }),
      ).rejects.toMatchObject({ verdict: { reason } });
    }
    expect(await harness.store.prisma.provider_account.count()).toBe(0);
  });

  it('are not the platform’s, nor another account’s, nor those of an application in which somebody else telephones', async () => {
    const deps = harness.deps.unified;
    const { credentials: vendor } = await ownAccount(deps);
    await harness.store.prisma.tenant.create({ data: { id: 'ten_other', name: 'Other' } });
    const again = (tenantId: string, credentials = credentialsOf('unified', vendor)) =>
      createAccount(deps, tenantId, { label: 'Again', ...credentials });
    for (const tenantId of [deps.tenantId, 'ten_other'])
      await expect(again(tenantId)).rejects.toMatchObject({ verdict: { reason: 'application-taken' } });
    const busy = createProviderCredentials();
    // Somebody else's service answers there, in its own time.
    const answerUrl = `${harness.webhooksUrl}/unified/v1/voice/answer`;
    await harness.emulator.client.addAccount({
      ...buildEmulatorAccount(busy, ['+442079460888']),
      callbacks: { answerUrl, eventUrl: answerUrl, videoUrl: answerUrl },
    });
    let answer = (): void => undefined;
    harness.answerGate = new Promise((resolve) => {
      answer = resolve;
    });
    const { id: caller } = await harness.emulator.client.dial({ from: '+447700900001', to: '+442079460888' });
    await expect(again('ten_other', credentialsOf('unified', busy))).rejects.toMatchObject({
      verdict: { reason: 'application-in-use' },
      field: '/voice/applicationId',
    });
    await harness.emulator.client.hangUp(caller);
    answer();
    const platform =
      (await harness.emulator.client.config()).applications.find(({ account }) => account === undefined)?.id ?? '';
    const good = credentialsOf('unified', createProviderCredentials());
    await expect(
      again('ten_other', { ...good, voice: { ...good.voice, applicationId: platform } }),
    ).rejects.toMatchObject({ verdict: { reason: 'application-taken' } });
    expect(await harness.store.prisma.provider_account.count({ where: { tenant_id: 'ten_other' } })).toBe(0);
  });
});

/** A webhook as the vendor of an account signs it. */
function signed(vendor: ProviderCredentials, secret: string, body: object): { authorization: string; rawBody: Buffer } {
  const rawBody = Buffer.from(JSON.stringify(body));
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = {
    iat: Math.floor(Date.now() / 1000),
    jti: randomUUID(),
    iss: 'Vonage',
    payload_hash: createHash('sha256').update(rawBody).digest('hex'),
    api_key: vendor.accountKey,
    application_id: vendor.applicationId,
  };
  const head = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  return { authorization: `Bearer ${head}.${createHmac('sha256', secret).update(head).digest('base64url')}`, rawBody };
}

describe('a rotation', () => {
  /** Which signatures an account's two sides take now: voice with the old and the new secret, video the same. */
  const taken = async (
    deps: TestDeps,
    id: string,
    before: ProviderCredentials,
    after: ProviderCredentials,
  ): Promise<boolean[]> => {
    const { voice, media } = await deps.providers(id);
    const holds = (provider: Pick<typeof voice, 'verifyCallback'>, secret: string): boolean =>
      provider.verifyCallback(signed(before, secret, {}), new Date()).ok;
    return [
      holds(voice, before.signatureSecret),
      holds(voice, after.signatureSecret),
      holds(media, before.callbackSecret),
      holds(media, after.callbackSecret),
    ];
  };

  it('takes webhooks of both secrets for the overlap, asks with the new key at once, and then takes the new secrets alone', async () => {
    const deps = harness.deps.unified;
    const { id, number, credentials: before } = await ownAccount(deps);
    const fresh = createProviderCredentials();
    // The vendor has the new key from now on and takes the old one no more; its webhooks are signed with the old secrets yet.
    await harness.emulator.client.addAccount({
      ...buildEmulatorAccount(before, []),
      application: { id: before.applicationId, publicKey: fresh.publicKey },
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
          voice: { privateKey: fresh.privateKey, signatureSecret: fresh.signatureSecret, apiSecret: 'new' },
          callbackSecret: fresh.callbackSecret,
        },
        60,
      );
      expect([row.version, row.old_until !== null]).toEqual([2, true]);
      return openRoom(deps, { numberWanted: { number } });
    })();
    expect(await taken(deps, id, before, fresh)).toEqual([true, true, true, true]);
    // Under load: a caller, a browser and the vendor's events while half of them are signed with either.
    await joinBrowser(harness, meeting);
    await callerIn(deps, meeting, number);
    await harness.emulator.client.addAccount({
      ...buildEmulatorAccount(
        { ...before, signatureSecret: fresh.signatureSecret, callbackSecret: fresh.callbackSecret },
        [],
      ),
      application: { id: before.applicationId, publicKey: fresh.publicKey },
    });
    await ring(deps, meeting);
    expect(harness.webhookErrors).toEqual([]);

    expect(await dropOldCredentials(harness.store)).toBe(0);
    await executeSql(harness, `UPDATE provider_account SET old_until = old_until - interval '61 seconds'`);
    expect(await taken(deps, id, before, fresh)).toEqual([false, true, false, true]);
    expect(await dropOldCredentials(harness.store)).toBe(1);
    expect(await taken(deps, id, before, fresh)).toEqual([false, true, false, true]);
    expect(await harness.store.prisma.provider_account.findUniqueOrThrow({ where: { id } })).toMatchObject({
      old_sealed: null,
      old_version: null,
      old_until: null,
      version: 2,
    });
    await endRoom(deps, meeting.tenantId, meeting.roomId);
    await hangUpUntilDone(harness, deps, meeting);
  });

  it('without an overlap takes the new secrets alone at once', async () => {
    const deps = harness.deps.unified;
    const { id, credentials: vendor } = await ownAccount(deps);
    const fresh = createProviderCredentials();
    expect(await taken(deps, id, vendor, fresh)).toEqual([true, false, true, false]);
    await rotateAccount(
      deps,
      deps.tenantId,
      id,
      { voice: { signatureSecret: fresh.signatureSecret }, callbackSecret: fresh.callbackSecret },
      0,
    );
    expect(await taken(deps, id, vendor, fresh)).toEqual([false, true, false, true]);
  });

  it('is of the same account: what lives there hangs on its application', async () => {
    const deps = harness.deps.opentok;
    const { id } = await ownAccount(deps);
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
      old_sealed: null,
    });
  });

  it('that the provider refuses changes nothing, and of two at once one is told so', async () => {
    const deps = harness.deps.unified;
    const { id, credentials: vendor } = await ownAccount(deps);
    await expect(
      rotateAccount(deps, deps.tenantId, id, { voice: { privateKey: createProviderCredentials().privateKey } }, 60),
    ).rejects.toMatchObject({ verdict: { reason: 'provider-account-rejected' } });
    expect(
      (await deps.providers(id)).voice.verifyCallback(signed(vendor, vendor.signatureSecret, {}), new Date()).ok,
    ).toBe(true);
    const both = await Promise.allSettled(
      ['a', 'b'].map((letter) => rotateAccount(deps, deps.tenantId, id, { callbackSecret: letter.repeat(32) }, 60)),
    );
    const versions = both.map((each) =>
      each.status === 'fulfilled'
        ? each.value.version
        : (each.reason as { verdict: { reason: string } }).verdict.reason,
    );
    // One after the other is as good.
    expect([
      [2, 'provider-account-changed'],
      ['provider-account-changed', 2],
      [2, 3],
      [3, 2],
    ]).toContainEqual(versions);
  });
});

describe('an account', () => {
  it('is deleted only when nothing leads to it and nothing lives there; its credentials are wiped', async () => {
    const deps = harness.deps.unified;
    const { id, number } = await ownAccount(deps);
    const used = () => deleteAccount(deps, deps.tenantId, id);
    await expect(used()).rejects.toMatchObject({ verdict: { reason: 'provider-account-in-use' } });
    // Somebody who is asked for a PIN is nobody's yet.
    const meeting = await openRoom(deps, { numberWanted: { number } });
    const { id: caller } = await harness.emulator.client.dial({ from: '+447700900001', to: number });
    await harness.emulator.client.awaitPrompt(caller);
    await expect(updateNumber(deps, number, { account_id: null })).rejects.toMatchObject({
      verdict: { reason: 'number-has-rooms' },
    });
    await endRoom(deps, meeting.tenantId, meeting.roomId);
    await hangUpUntilDone(harness, deps, meeting);
    await updateNumber(deps, number, { account_id: null });
    await expect(used()).rejects.toMatchObject({ verdict: { reason: 'provider-account-in-use' } });
    await suspendTenant(deps, deps.tenantId);
    await expect(deleteTenant(deps, deps.tenantId)).rejects.toMatchObject({
      verdict: { reason: 'tenant-has-numbers' },
    });
    await harness.emulator.client.hangUp(caller);
    await until(async () => harness.store.prisma.leg.count({ where: { state: { not: 'ended' } } }), 0);
    await used();
    expect(await harness.store.prisma.provider_account.findUniqueOrThrow({ where: { id } })).toMatchObject({
      sealed: null,
      old_sealed: null,
      deleted_at: expect.any(Date) as Date,
    });
    await expect(used()).rejects.toMatchObject({ verdict: { reason: 'provider-account-not-found' } });
    await expect(deps.providers(id)).rejects.toMatchObject({ verdict: { reason: 'provider-account-gone' } });
    await expect(updateNumber(deps, number, { account_id: id })).rejects.toMatchObject({
      verdict: { reason: 'provider-account-not-found' },
    });
  });

  it('of a suspended tenant hangs its legs up, and goes with it', async () => {
    const deps = harness.deps.unified;
    const { id, number, credentials: vendor } = await ownAccount(deps);
    const meeting = await openRoom(deps, { numberWanted: { number } });
    await callerIn(deps, meeting, number);
    await suspendTenant(deps, deps.tenantId);
    await expect(deleteTenant(deps, deps.tenantId)).rejects.toMatchObject({
      verdict: { reason: 'tenant-has-numbers' },
    });
    await reconcileUntilQuiet(harness, deps);
    expect((await harness.emulator.client.ledger({ accountKey: vendor.accountKey })).up).toBe(0);
    await deleteNumber(deps, number);
    await deleteTenant(deps, deps.tenantId);
    expect([
      await harness.store.prisma.provider_account.count(),
      await harness.store.prisma.tenant_data_key.count(),
    ]).toEqual([0, 0]);
    await expect(deps.providers(id)).rejects.toMatchObject({ verdict: { reason: 'provider-account-gone' } });
  });

  it('is another tenant’s for nobody: not to look at, rotate, try out, delete or lead a number to', async () => {
    const deps = harness.deps.unified;
    const { id, number } = await ownAccount(deps);
    await harness.store.prisma.tenant.create({ data: { id: 'ten_other', name: 'Other' } });
    const gone = { verdict: { reason: 'provider-account-not-found' } };
    await expect(rotateAccount(deps, 'ten_other', id, { callbackSecret: 'n'.repeat(32) }, 60)).rejects.toMatchObject(
      gone,
    );
    await expect(verifyAccount(deps, 'ten_other', id)).rejects.toMatchObject(gone);
    await expect(deleteAccount(deps, 'ten_other', id)).rejects.toMatchObject(gone);
    const another = { e164: '+442079460999', language: 'en-GB', country: 'GB', toll_free: false };
    await expect(
      createNumber(deps, { ...another, dedicated_to: 'ten_other', account_id: id, guarded: true, max_unadmitted: 10 }),
    ).rejects.toMatchObject(gone);
    await expect(
      createNumber(deps, { ...another, dedicated_to: null, account_id: id, guarded: true, max_unadmitted: 10 }),
    ).rejects.toMatchObject({ verdict: { reason: 'number-not-dedicated' } });
    // Who gets the number does not get the account.
    expect(await updateNumber(deps, number, { dedicated_to: 'ten_other' })).toMatchObject({
      after: { dedicated_to: 'ten_other', account_id: null },
    });
  });

  it('is one of ten at most, however many are made at once', async () => {
    const deps = harness.deps.unified;
    const vendors = Array.from({ length: MAX_PROVIDER_ACCOUNTS + 1 }, () => createProviderCredentials());
    for (const vendor of vendors) await harness.emulator.client.addAccount(buildEmulatorAccount(vendor, []));
    const made = await Promise.allSettled(
      vendors.map((vendor) =>
        createAccount(deps, deps.tenantId, { label: 'One', ...credentialsOf('unified', vendor) }),
      ),
    );
    expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(MAX_PROVIDER_ACCOUNTS);
    expect(made.find((each) => each.status === 'rejected')?.reason).toMatchObject({
      verdict: { reason: 'too-many-provider-accounts' },
    });
  });
});
