import { createVendor, type VendorCredentials } from '@partyline/dev/stack/credentials';
import { vendorAccount } from '@partyline/dev/stack/service-environment';
import { createAccount } from '../provider-accounts/create-account.ts';
import { accountWebhookUrls } from '../providers/webhook-urls.ts';
import type { Stage, World } from './test-harness.ts';

/** An account of a tenant's own, at the vendor and with us, and a number that leads to it. */
export interface OwnAccount {
  readonly accountId: string;
  readonly number: string;
  readonly vendor: VendorCredentials;
}

let made = 0;

/** Brings an account as a tenant does, its application's addresses set at the vendor. */
export async function bringAccount(stage: Stage, world: World): Promise<OwnAccount> {
  const vendor = createVendor();
  const number = `+44207946${String(2_000 + (made += 1))}`;
  const there = vendorAccount(vendor, [number]);
  await stage.emulator.client.addAccount(there);
  const {
    accountKey: apiKey,
    accountSecret: apiSecret,
    applicationId,
    privateKey,
    signatureSecret,
    projectKey,
    projectSecret,
    callbackSecret,
  } = vendor;
  const { id: accountId } = await createAccount(world, world.tenantId, {
    label: 'Own',
    callbackSecret,
    voice: { kind: 'vonage', apiKey, apiSecret, applicationId, privateKey, signatureSecret },
    video:
      world.kind === 'opentok'
        ? { kind: 'opentok', apiKey: projectKey, apiSecret: projectSecret }
        : { kind: 'unified' },
  });
  const { answer, events, videoEvents } = accountWebhookUrls(`${stage.hooksUrl}/${world.kind}`)(accountId);
  await stage.emulator.client.setCallbacks(there, { answerUrl: answer, eventUrl: events, videoUrl: videoEvents });
  await stage.store.prisma.dial_in_number.create({
    data: { e164: number, guarded: false, dedicated_to: world.tenantId, account_id: accountId },
  });
  return { accountId, number, vendor };
}
