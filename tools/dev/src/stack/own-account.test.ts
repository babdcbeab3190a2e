import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { startEmulator, type RunningEmulator } from '@partyline/vonage-emulator/launch';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createVendor } from './credentials.ts';
import { ID_PLACEHOLDER, ownNumber, writeOwnAccount } from './own-account.ts';
import { vendorAccount } from './service-environment.ts';

const WEBHOOKS = 'http://127.0.0.1:8080';
const vendor = createVendor();
const kept = writeOwnAccount({ mode: 'opentok', vendor, webhooksUrl: WEBHOOKS });
let emulator: RunningEmulator;
beforeAll(async () => {
  emulator = await startEmulator();
  await emulator.client.addAccount(vendorAccount(vendor, [ownNumber]));
});
afterAll(async () => {
  await kept.stop();
  await emulator.stop();
});

describe('an account of a tenant’s own, in a development stack', () => {
  it('stands in a file that only its owner can read, until the stack ends', async () => {
    const account = writeOwnAccount({ mode: 'unified', vendor, webhooksUrl: WEBHOOKS });
    const { bodyFile, body } = account;
    expect(JSON.parse(readFileSync(bodyFile, 'utf8'))).toEqual(body);
    expect(body.video).toEqual({ kind: 'unified' });
    expect([statSync(bodyFile).mode & 0o077, statSync(dirname(bodyFile)).mode & 0o077]).toEqual([0, 0]);
    await account.stop();
    expect(existsSync(dirname(bodyFile))).toBe(false);
  });

  it('is the emulated vendor’s, and called back at the addresses of its id once it has one', async () => {
    const addresses = readFileSync(kept.addressesFile, 'utf8').replaceAll(ID_PLACEHOLDER, 'acct_1');
    const { accounts, applications, projects, numbers } = await emulator.client.putConfig(
      JSON.parse(addresses) as object,
    );
    const at = `${WEBHOOKS}/v1/accounts/acct_1`;
    const video = {
      sessionCallbackUrl: `${at}/video/events`,
      sipCallbackUrl: `${at}/video/events`,
      callbackSecret: kept.body.callbackSecret,
    };
    const { voice } = kept.body;
    expect(accounts).toEqual([
      { apiKey: voice.apiKey, apiSecret: voice.apiSecret, signatureSecret: voice.signatureSecret },
    ]);
    expect(applications).toMatchObject([
      {
        id: voice.applicationId,
        account: voice.apiKey,
        answerUrl: `${at}/voice/answer`,
        answerMethod: 'POST',
        eventUrl: `${at}/voice/events`,
        eventMethod: 'POST',
        video,
      },
    ]);
    expect(projects).toEqual([
      { ...video, apiKey: vendor.projectKey, apiSecret: vendor.projectSecret, account: voice.apiKey },
    ]);
    expect(numbers).toEqual([{ e164: kept.number, applicationId: voice.applicationId }]);
  });
});
