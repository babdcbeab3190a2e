import { createHash, createHmac, randomUUID } from 'node:crypto';
import type { AccountCredentials } from '@partyline/provider-contract/account-credentials';
import { createVendor, type VendorCredentials } from '@partyline/dev/stack/credentials';
import { vendorAccount } from '@partyline/dev/stack/service-environment';
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
  alterRows,
  hangUpUntilDone,
  joinBrowser,
  openRoom,
  settleNow,
  until,
  untilLegs,
  type Meeting,
} from '../testing/meeting.ts';
import { bringAccount } from '../testing/own-account.ts';
import { reconcileUntilQuiet, startOver } from '../testing/pass-time.ts';
import { setStage, type MediaKind, type Stage, type World } from '../testing/test-harness.ts';

const PHONE = '+447946000123';

let stage: Stage;
beforeAll(async () => {
  stage = await setStage();
});
beforeEach(() => startOver(stage));
afterAll(() => stage.close());

const credentialsOf = (kind: MediaKind, vendor: VendorCredentials): AccountCredentials => ({
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

const ownAccount = async (world: World): Promise<{ id: string; number: string; vendor: VendorCredentials }> => {
  const { accountId: id, ...own } = await bringAccount(stage, world);
  return { id, ...own };
};

async function callerIn(world: World, meeting: Meeting, number: string): Promise<string> {
  const { client } = stage.emulator;
  const { id } = await client.dial({ from: '+447700900001', to: number });
  await client.awaitPrompt(id);
  await client.key(id, `${meeting.pin}#`);
  await client.awaitJoined(id);
  await untilLegs(stage, meeting, 'inbound', ['joined']);
  await settleNow(world, meeting);
  return id;
}

async function ring(world: World, meeting: Meeting): Promise<void> {
  const { legId } = await requestDialOut(world, meeting.tenantId, meeting.roomId, { phone: PHONE, name: 'Charles' });
  expect(await dialOut(world, meeting.tenantId, legId)).toBe('dialled');
  await untilLegs(stage, meeting, 'outbound', ['joined']);
}

describe('credentials that the provider refuses', () => {
  it.each<[string, (good: AccountCredentials, other: VendorCredentials) => AccountCredentials, string]>([
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
    const world = stage.worlds.opentok;
    const [vendor, other] = [createVendor(), createVendor()];
    await stage.emulator.client.addAccount(vendorAccount(vendor, []));
    await expect(
      createAccount(world, world.tenantId, { label: 'Own', ...change(credentialsOf('opentok', vendor), other) }),
    ).rejects.toMatchObject({ verdict: { outcome: 'client', reason: 'provider-account-rejected' }, field });
    expect(await stage.store.prisma.provider_account.count()).toBe(0);
  });

  it('are told apart from a provider that is away, or too busy', async () => {
    const world = stage.worlds.unified;
    const vendor = createVendor();
    await stage.emulator.client.addAccount(vendorAccount(vendor, []));
    for (const [fault, reason] of [
      ['429', 'vendor-429'],
      ['500', 'vendor-500'],
    ] as const) {
      await stage.emulator.client.setFaults({ rest: [{ route: 'list-calls', fault }] });
      await expect(
        createAccount(world, world.tenantId, { label: 'Own', ...credentialsOf('unified', vendor) }),
      ).rejects.toMatchObject({ verdict: { reason } });
    }
    expect(await stage.store.prisma.provider_account.count()).toBe(0);
  });

  it('are not the platform’s, nor another account’s, nor those of an application in which somebody else telephones', async () => {
    const world = stage.worlds.unified;
    const { vendor } = await ownAccount(world);
    await stage.store.prisma.tenant.create({ data: { id: 'ten_other', name: 'Other' } });
    const again = (tenantId: string, credentials = credentialsOf('unified', vendor)) =>
      createAccount(world, tenantId, { label: 'Again', ...credentials });
    for (const tenantId of [world.tenantId, 'ten_other'])
      await expect(again(tenantId)).rejects.toMatchObject({ verdict: { reason: 'application-taken' } });
    const busy = createVendor();
    // Somebody else's service answers there, in its own time.
    const answerUrl = `${stage.hooksUrl}/unified/v1/voice/answer`;
    await stage.emulator.client.addAccount({
      ...vendorAccount(busy, ['+442079460888']),
      callbacks: { answerUrl, eventUrl: answerUrl, videoUrl: answerUrl },
    });
    let answer = (): void => undefined;
    stage.answersHeld = new Promise((resolve) => {
      answer = resolve;
    });
    const { id: caller } = await stage.emulator.client.dial({ from: '+447700900001', to: '+442079460888' });
    await expect(again('ten_other', credentialsOf('unified', busy))).rejects.toMatchObject({
      verdict: { reason: 'application-in-use' },
      field: '/voice/applicationId',
    });
    await stage.emulator.client.hangUp(caller);
    answer();
    const platform =
      (await stage.emulator.client.config()).applications.find(({ account }) => account === undefined)?.id ?? '';
    const good = credentialsOf('unified', createVendor());
    await expect(
      again('ten_other', { ...good, voice: { ...good.voice, applicationId: platform } }),
    ).rejects.toMatchObject({ verdict: { reason: 'application-taken' } });
    expect(await stage.store.prisma.provider_account.count({ where: { tenant_id: 'ten_other' } })).toBe(0);
  });
});

/** A webhook as the vendor of an account signs it. */
function signed(vendor: VendorCredentials, secret: string, body: object): { authorization: string; rawBody: Buffer } {
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
    world: World,
    id: string,
    before: VendorCredentials,
    after: VendorCredentials,
  ): Promise<boolean[]> => {
    const { voice, media } = await world.providers(id);
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
    const world = stage.worlds.unified;
    const { id, number, vendor: before } = await ownAccount(world);
    const fresh = createVendor();
    // The vendor has the new key from now on and takes the old one no more; its webhooks are signed with the old secrets yet.
    await stage.emulator.client.addAccount({
      ...vendorAccount(before, []),
      application: { id: before.applicationId, publicKey: fresh.publicKey },
    });
    await expect(verifyAccount(world, world.tenantId, id)).rejects.toMatchObject({
      verdict: { reason: 'provider-account-rejected' },
    });
    const meeting = await (async () => {
      const row = await rotateAccount(
        world,
        world.tenantId,
        id,
        {
          voice: { privateKey: fresh.privateKey, signatureSecret: fresh.signatureSecret, apiSecret: 'new' },
          callbackSecret: fresh.callbackSecret,
        },
        60,
      );
      expect([row.version, row.old_until !== null]).toEqual([2, true]);
      return openRoom(world, { numberWanted: { number } });
    })();
    expect(await taken(world, id, before, fresh)).toEqual([true, true, true, true]);
    // Under load: a caller, a browser and the vendor's events while half of them are signed with either.
    await joinBrowser(stage, meeting);
    await callerIn(world, meeting, number);
    await stage.emulator.client.addAccount({
      ...vendorAccount({ ...before, signatureSecret: fresh.signatureSecret, callbackSecret: fresh.callbackSecret }, []),
      application: { id: before.applicationId, publicKey: fresh.publicKey },
    });
    await ring(world, meeting);
    expect(stage.failures).toEqual([]);

    expect(await dropOldCredentials(stage.store)).toBe(0);
    await alterRows(stage, `UPDATE provider_account SET old_until = old_until - interval '61 seconds'`);
    expect(await taken(world, id, before, fresh)).toEqual([false, true, false, true]);
    expect(await dropOldCredentials(stage.store)).toBe(1);
    expect(await taken(world, id, before, fresh)).toEqual([false, true, false, true]);
    expect(await stage.store.prisma.provider_account.findUniqueOrThrow({ where: { id } })).toMatchObject({
      old_sealed: null,
      old_version: null,
      old_until: null,
      version: 2,
    });
    await endRoom(world, meeting.tenantId, meeting.roomId);
    await hangUpUntilDone(stage, world, meeting);
  });

  it('without an overlap takes the new secrets alone at once', async () => {
    const world = stage.worlds.unified;
    const { id, vendor } = await ownAccount(world);
    const fresh = createVendor();
    expect(await taken(world, id, vendor, fresh)).toEqual([true, false, true, false]);
    await rotateAccount(
      world,
      world.tenantId,
      id,
      { voice: { signatureSecret: fresh.signatureSecret }, callbackSecret: fresh.callbackSecret },
      0,
    );
    expect(await taken(world, id, vendor, fresh)).toEqual([false, true, false, true]);
  });

  it('is of the same account: what lives there hangs on its application', async () => {
    const world = stage.worlds.opentok;
    const { id } = await ownAccount(world);
    for (const [change, field] of [
      [{ voice: { applicationId: randomUUID() } }, '/voice/applicationId'],
      [{ voice: { apiKey: 'other' } }, '/voice/apiKey'],
      [{ video: { apiKey: '1' } }, '/video/apiKey'],
      [{ video: { kind: 'unified' } }, '/video/kind'],
    ] as const) {
      await expect(
        rotateAccount(world, world.tenantId, id, { ...change, callbackSecret: 'n'.repeat(32) }, 60),
      ).rejects.toMatchObject({ verdict: { reason: 'provider-account-differs' }, field });
    }
    expect(await stage.store.prisma.provider_account.findUniqueOrThrow({ where: { id } })).toMatchObject({
      version: 1,
      old_sealed: null,
    });
  });

  it('that the provider refuses changes nothing, and of two at once one is told so', async () => {
    const world = stage.worlds.unified;
    const { id, vendor } = await ownAccount(world);
    await expect(
      rotateAccount(world, world.tenantId, id, { voice: { privateKey: createVendor().privateKey } }, 60),
    ).rejects.toMatchObject({ verdict: { reason: 'provider-account-rejected' } });
    expect(
      (await world.providers(id)).voice.verifyCallback(signed(vendor, vendor.signatureSecret, {}), new Date()).ok,
    ).toBe(true);
    const both = await Promise.allSettled(
      ['a', 'b'].map((letter) => rotateAccount(world, world.tenantId, id, { callbackSecret: letter.repeat(32) }, 60)),
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
    const world = stage.worlds.unified;
    const { id, number } = await ownAccount(world);
    const used = () => deleteAccount(world, world.tenantId, id);
    await expect(used()).rejects.toMatchObject({ verdict: { reason: 'provider-account-in-use' } });
    // Somebody who is asked for a PIN is nobody's yet.
    const meeting = await openRoom(world, { numberWanted: { number } });
    const { id: caller } = await stage.emulator.client.dial({ from: '+447700900001', to: number });
    await stage.emulator.client.awaitPrompt(caller);
    await expect(updateNumber(world, number, { account_id: null })).rejects.toMatchObject({
      verdict: { reason: 'number-has-rooms' },
    });
    await endRoom(world, meeting.tenantId, meeting.roomId);
    await hangUpUntilDone(stage, world, meeting);
    await updateNumber(world, number, { account_id: null });
    await expect(used()).rejects.toMatchObject({ verdict: { reason: 'provider-account-in-use' } });
    await suspendTenant(world, world.tenantId);
    await expect(deleteTenant(world, world.tenantId)).rejects.toMatchObject({
      verdict: { reason: 'tenant-has-numbers' },
    });
    await stage.emulator.client.hangUp(caller);
    await until(async () => stage.store.prisma.leg.count({ where: { state: { not: 'ended' } } }), 0);
    await used();
    expect(await stage.store.prisma.provider_account.findUniqueOrThrow({ where: { id } })).toMatchObject({
      sealed: null,
      old_sealed: null,
      deleted_at: expect.any(Date) as Date,
    });
    await expect(used()).rejects.toMatchObject({ verdict: { reason: 'provider-account-not-found' } });
    await expect(world.providers(id)).rejects.toMatchObject({ verdict: { reason: 'provider-account-gone' } });
    await expect(updateNumber(world, number, { account_id: id })).rejects.toMatchObject({
      verdict: { reason: 'provider-account-not-found' },
    });
  });

  it('of a suspended tenant hangs its legs up, and goes with it', async () => {
    const world = stage.worlds.unified;
    const { id, number, vendor } = await ownAccount(world);
    const meeting = await openRoom(world, { numberWanted: { number } });
    await callerIn(world, meeting, number);
    await suspendTenant(world, world.tenantId);
    await expect(deleteTenant(world, world.tenantId)).rejects.toMatchObject({
      verdict: { reason: 'tenant-has-numbers' },
    });
    await reconcileUntilQuiet(stage, world);
    expect((await stage.emulator.client.ledger({ accountKey: vendor.accountKey })).up).toBe(0);
    await deleteNumber(world, number);
    await deleteTenant(world, world.tenantId);
    expect([
      await stage.store.prisma.provider_account.count(),
      await stage.store.prisma.tenant_data_key.count(),
    ]).toEqual([0, 0]);
    await expect(world.providers(id)).rejects.toMatchObject({ verdict: { reason: 'provider-account-gone' } });
  });

  it('is another tenant’s for nobody: not to look at, rotate, try out, delete or lead a number to', async () => {
    const world = stage.worlds.unified;
    const { id, number } = await ownAccount(world);
    await stage.store.prisma.tenant.create({ data: { id: 'ten_other', name: 'Other' } });
    const gone = { verdict: { reason: 'provider-account-not-found' } };
    await expect(rotateAccount(world, 'ten_other', id, { callbackSecret: 'n'.repeat(32) }, 60)).rejects.toMatchObject(
      gone,
    );
    await expect(verifyAccount(world, 'ten_other', id)).rejects.toMatchObject(gone);
    await expect(deleteAccount(world, 'ten_other', id)).rejects.toMatchObject(gone);
    const another = { e164: '+442079460999', language: 'en-GB', country: 'GB', toll_free: false };
    await expect(
      createNumber(world, { ...another, dedicated_to: 'ten_other', account_id: id, guarded: true, max_unadmitted: 10 }),
    ).rejects.toMatchObject(gone);
    await expect(
      createNumber(world, { ...another, dedicated_to: null, account_id: id, guarded: true, max_unadmitted: 10 }),
    ).rejects.toMatchObject({ verdict: { reason: 'number-not-dedicated' } });
    // Who gets the number does not get the account.
    expect(await updateNumber(world, number, { dedicated_to: 'ten_other' })).toMatchObject({
      after: { dedicated_to: 'ten_other', account_id: null },
    });
  });

  it('is one of ten at most, however many are made at once', async () => {
    const world = stage.worlds.unified;
    const vendors = Array.from({ length: MAX_PROVIDER_ACCOUNTS + 1 }, () => createVendor());
    for (const vendor of vendors) await stage.emulator.client.addAccount(vendorAccount(vendor, []));
    const made = await Promise.allSettled(
      vendors.map((vendor) =>
        createAccount(world, world.tenantId, { label: 'One', ...credentialsOf('unified', vendor) }),
      ),
    );
    expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(MAX_PROVIDER_ACCOUNTS);
    expect(made.find((each) => each.status === 'rejected')?.reason).toMatchObject({
      verdict: { reason: 'too-many-provider-accounts' },
    });
  });
});
