import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildCallbacksPatch } from '@partyline/vonage-emulator/accounts';
import type { ProviderCredentials } from './credentials.ts';
import type { Stoppable } from '../processes/processes.ts';
import { buildEmulatorAccount, type Mode } from './service-environment.ts';

/**
 * A number that is linked to the application of the account at the emulated provider, and not yet
 * added to Partyline.
 */
export const ownNumber = '+12025550177';
/**
 * Placeholder in `addressesFile` for the account id, which exists only after the account is saved.
 */
export const ID_PLACEHOLDER = 'ACCOUNT_ID';

/** An account at the emulated provider that a tenant can save in Partyline as its own. */
export interface OwnAccount {
  readonly provider: ProviderCredentials;
  /** E.164. */
  readonly number: string;
  /** The body of `POST /v1/provider-accounts`. */
  readonly body: ReturnType<typeof buildAccountBody>;
  /** Holds the body as JSON. */
  readonly bodyFile: string;
  /**
   * Holds the request that sets the webhook URLs of the account (`PUT /emulator/config`), with a
   * placeholder for its id.
   */
  readonly addressesFile: string;
}

/** Builds the body of `POST /v1/provider-accounts`, with the voice and the video account. */
export const buildAccountBody = (mode: Mode, provider: ProviderCredentials) => ({
  label: 'Our own account',
  voice: {
    kind: 'vonage' as const,
    apiKey: provider.accountKey,
    apiSecret: provider.accountSecret,
    applicationId: provider.applicationId,
    privateKey: provider.privateKey,
    signatureSecret: provider.signatureSecret,
  },
  video:
    mode === 'opentok'
      ? { kind: mode, apiKey: provider.projectKey, apiSecret: provider.projectSecret }
      : { kind: mode },
  callbackSecret: provider.callbackSecret,
});

/**
 * Writes both files to a folder that only this user can read. It is removed when the stack or this
 * process ends.
 */
export function writeOwnAccount({
  mode,
  provider,
  webhooksUrl,
}: {
  mode: Mode;
  provider: ProviderCredentials;
  webhooksUrl: string;
}): OwnAccount & Stoppable {
  const folder = mkdtempSync(join(tmpdir(), 'partyline-'));
  const write = (name: string, content: object): string => {
    const file = join(folder, name);
    writeFileSync(file, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
    return file;
  };
  const body = buildAccountBody(mode, provider);
  const at = `${webhooksUrl}/v1/accounts/${ID_PLACEHOLDER}`;
  const addresses = buildCallbacksPatch(buildEmulatorAccount(provider, []), {
    answerUrl: `${at}/voice/answer`,
    eventUrl: `${at}/voice/events`,
    videoUrl: `${at}/video/events`,
  });
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove);
  return {
    name: 'own account',
    provider,
    number: ownNumber,
    body,
    bodyFile: write('own-account.json', body),
    addressesFile: write('own-account-addresses.json', addresses),
    async stop() {
      process.off('exit', remove);
      remove();
    },
  };
}
