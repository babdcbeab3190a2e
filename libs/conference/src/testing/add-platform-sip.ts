import { buildEmulatorAccount } from '@partyline/dev/stack/service-environment';
import { PLATFORM_SIP } from '@partyline/domain/platform-account';
import { accountWebhookUrls } from '../providers/webhook-urls.ts';
import type { TestDeps, TestHarness } from './test-harness.ts';

/**
 * Creates the platform's SIP account in the emulator, which stands in for our own gateways, and a
 * shared number that uses it. Returns the number.
 */
export async function addPlatformSip(harness: TestHarness, deps: TestDeps): Promise<string> {
  const number = '+442079461999';
  const account = buildEmulatorAccount(harness.sipCredentials, [number]);
  await harness.emulator.client.addAccount(account);
  const { answer, events, videoEvents } = accountWebhookUrls(`${harness.webhooksUrl}/${deps.kind}`)(PLATFORM_SIP);
  await harness.emulator.client.setCallbacks(account, { answerUrl: answer, eventUrl: events, videoUrl: videoEvents });
  await harness.store.prisma.dial_in_number.create({
    data: { e164: number, guarded: false, account_id: PLATFORM_SIP },
  });
  return number;
}
