import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmulator, type RunningEmulator } from '@partyline/vonage-emulator/launch';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProviderCredentials } from './credentials.ts';
import { ID_PLACEHOLDER, ownNumber, writeOwnAccount } from './own-account.ts';
import { buildEmulatorAccount } from './service-environment.ts';

const WEBHOOKS = 'http://127.0.0.1:8080';
const provider = createProviderCredentials();
const folder = mkdtempSync(join(tmpdir(), 'partyline-'));
const ownAccount = writeOwnAccount({ folder, mode: 'opentok', provider, webhooksUrl: WEBHOOKS });
let emulator: RunningEmulator;
beforeAll(async () => {
  emulator = await startEmulator();
  await emulator.client.addAccount(buildEmulatorAccount(provider, [ownNumber]));
});
afterAll(async () => {
  await ownAccount.stop();
  rmSync(folder, { recursive: true });
  await emulator.stop();
});

describe('writeOwnAccount', () => {
  it('writes files that only the user can read, and removes them at the end', async () => {
    const other = mkdtempSync(join(tmpdir(), 'partyline-'));
    writeFileSync(join(other, 'own-account.json'), 'left by an earlier stack', { mode: 0o644 });
    const account = writeOwnAccount({ folder: other, mode: 'unified', provider, webhooksUrl: WEBHOOKS });
    const files = [account.bodyFile, account.addressesFile];
    expect(JSON.parse(readFileSync(account.bodyFile, 'utf8'))).toEqual(account.body);
    expect(account.body.video).toEqual({ kind: 'unified' });
    expect(files.map((file) => statSync(file).mode & 0o077)).toEqual([0, 0]);
    await account.stop();
    expect(files.filter((file) => existsSync(file))).toEqual([]);
    rmSync(other, { recursive: true });
  });

  it('leaves the files of another stack of the same checkout', async () => {
    const other = mkdtempSync(join(tmpdir(), 'partyline-'));
    const first = writeOwnAccount({ folder: other, mode: 'unified', provider, webhooksUrl: WEBHOOKS });
    const second = writeOwnAccount({
      folder: other,
      mode: 'unified',
      provider: createProviderCredentials(),
      webhooksUrl: 'http://127.0.0.1:8081',
    });
    await first.stop();
    expect(JSON.parse(readFileSync(second.bodyFile, 'utf8'))).toEqual(second.body);
    expect(existsSync(second.addressesFile)).toBe(true);
    await second.stop();
    expect(existsSync(second.bodyFile)).toBe(false);
    rmSync(other, { recursive: true });
  });

  it('writes the request that sets the webhook URLs of the account at the emulator', async () => {
    const addresses = readFileSync(ownAccount.addressesFile, 'utf8').replaceAll(ID_PLACEHOLDER, 'acct_1');
    const { accounts, applications, projects, numbers } = await emulator.client.putConfig(
      JSON.parse(addresses) as object,
    );
    const at = `${WEBHOOKS}/v1/accounts/acct_1`;
    const video = {
      sessionCallbackUrl: `${at}/video/events`,
      sipCallbackUrl: `${at}/video/events`,
      callbackSecret: ownAccount.body.callbackSecret,
    };
    const { voice } = ownAccount.body;
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
      { ...video, apiKey: provider.projectKey, apiSecret: provider.projectSecret, account: voice.apiKey },
    ]);
    expect(numbers).toEqual([{ e164: ownAccount.number, applicationId: voice.applicationId }]);
  });
});
