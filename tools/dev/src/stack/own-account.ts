import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildCallbacksPatch } from '@partyline/vonage-emulator/accounts';
import type { ProviderCredentials } from './credentials.ts';
import type { Stoppable } from '../processes/processes.ts';
import { buildEmulatorAccount, type Mode } from './service-environment.ts';
import { writePrivateFile } from '../workspace.ts';

/**
 * A number that is linked to the application of the account at the emulated provider, and not yet
 * added to Partyline.
 */
export const ownNumber = '+12025550177';
/**
 * Placeholder in `addressesFile` for the account id, which exists only after the account is saved.
 * docs/accounts.md replaces it.
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
 * Writes both files, which only this user can read, to the folder. They are removed when the stack
 * or this process ends, unless another stack has replaced them. docs/accounts.md, "Try it", uses
 * them.
 */
export function writeOwnAccount({
  folder,
  mode,
  provider,
  webhooksUrl,
}: {
  folder: string;
  mode: Mode;
  provider: ProviderCredentials;
  webhooksUrl: string;
}): OwnAccount & Stoppable {
  const bodyFile = join(folder, 'own-account.json');
  const addressesFile = join(folder, 'own-account-addresses.json');
  const written = new Map<string, string>();
  const write = (file: string, content: object): void => {
    const text = `${JSON.stringify(content, null, 2)}\n`;
    writePrivateFile(file, text);
    written.set(file, text);
  };
  const remove = (): void => {
    for (const [file, text] of written) if (existsSync(file) && readFileSync(file, 'utf8') === text) rmSync(file);
  };
  process.once('exit', remove);
  const body = buildAccountBody(mode, provider);
  const at = `${webhooksUrl}/v1/accounts/${ID_PLACEHOLDER}`;
  write(bodyFile, body);
  write(
    addressesFile,
    buildCallbacksPatch(buildEmulatorAccount(provider, []), {
      answerUrl: `${at}/voice/answer`,
      eventUrl: `${at}/voice/events`,
      videoUrl: `${at}/video/events`,
    }),
  );
  return {
    name: 'own account',
    provider,
    number: ownNumber,
    body,
    bodyFile,
    addressesFile,
    async stop() {
      process.off('exit', remove);
      remove();
    },
  };
}
