import { createProviderCredentials, type ProviderCredentials } from '@partyline/dev/stack/credentials';
import { buildEmulatorAccount } from '@partyline/dev/stack/service-environment';
import { createAccount } from '../provider-accounts/create-account.ts';
import { accountWebhookUrls } from '../providers/webhook-urls.ts';
import type { TestHarness, TestDeps } from './test-harness.ts';

/**
 * A tenant's own provider account, which also exists in the emulator, and a dedicated number that
 * uses it.
 */
export interface OwnAccount {
  readonly accountId: string;
  readonly number: string;
  readonly credentials: ProviderCredentials;
}

let accountCount = 0;

/**
 * Creates a provider account as a tenant does, and sets the webhook URLs of its application in the
 * emulator.
 */
export async function addOwnAccount(harness: TestHarness, deps: TestDeps): Promise<OwnAccount> {
  const credentials = createProviderCredentials();
  const number = `+44207946${String(2_000 + (accountCount += 1))}`;
  const emulatorAccount = buildEmulatorAccount(credentials, [number]);
  await harness.emulator.client.addAccount(emulatorAccount);
  const {
    accountKey: apiKey,
    accountSecret: apiSecret,
    applicationId,
    privateKey,
    signatureSecret,
    projectKey,
    projectSecret,
    callbackSecret,
  } = credentials;
  const { id: accountId } = await createAccount(deps, deps.tenantId, {
    label: 'Own',
    callbackSecret,
    voice: { kind: 'vonage', apiKey, apiSecret, applicationId, privateKey, signatureSecret },
    video:
      deps.kind === 'opentok' ? { kind: 'opentok', apiKey: projectKey, apiSecret: projectSecret } : { kind: 'unified' },
  });
  const { answer, events, videoEvents } = accountWebhookUrls(`${harness.webhooksUrl}/${deps.kind}`)(accountId);
  await harness.emulator.client.setCallbacks(emulatorAccount, {
    answerUrl: answer,
    eventUrl: events,
    videoUrl: videoEvents,
  });
  await harness.store.prisma.dial_in_number.create({
    data: { e164: number, guarded: false, dedicated_to: deps.tenantId, account_id: accountId },
  });
  return { accountId, number, credentials };
}
