import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { callbacksPatch } from '@partyline/vonage-emulator/accounts';
import type { VendorCredentials } from './credentials.ts';
import type { Stoppable } from '../processes/processes.ts';
import { vendorAccount, type Mode } from './service-environment.ts';

/** Linked to the account's application at the emulated vendor; Partyline is not told of it. */
export const ownNumber = '+12025550177';
/** Stands in `addressesFile` for the account's id, which is known once it is saved. */
export const ID_PLACEHOLDER = 'ACCOUNT_ID';

/** An account at the emulated vendor that a tenant can bring as its own: made there, and not yet saved with Partyline. */
export interface OwnAccount {
  readonly vendor: VendorCredentials;
  /** E.164. */
  readonly number: string;
  /** The body of `POST /v1/provider-accounts`. */
  readonly body: ReturnType<typeof accountBody>;
  /** Holds the body as JSON. */
  readonly bodyFile: string;
  /** What tells the emulated vendor where the account's webhooks go (`PUT /emulator/config`), with a placeholder for its id. */
  readonly addressesFile: string;
}

/** The body of `POST /v1/provider-accounts`: both sides of the account, as the vendor's console shows them. */
export const accountBody = (mode: Mode, vendor: VendorCredentials) => ({
  label: 'Our own account',
  voice: {
    kind: 'vonage' as const,
    apiKey: vendor.accountKey,
    apiSecret: vendor.accountSecret,
    applicationId: vendor.applicationId,
    privateKey: vendor.privateKey,
    signatureSecret: vendor.signatureSecret,
  },
  video:
    mode === 'opentok' ? { kind: mode, apiKey: vendor.projectKey, apiSecret: vendor.projectSecret } : { kind: mode },
  callbackSecret: vendor.callbackSecret,
});

/** Writes what saves the account into a folder that only this user can read, gone when the stack or this process ends. */
export function writeOwnAccount({
  mode,
  vendor,
  webhooksUrl,
}: {
  mode: Mode;
  vendor: VendorCredentials;
  webhooksUrl: string;
}): OwnAccount & Stoppable {
  const folder = mkdtempSync(join(tmpdir(), 'partyline-'));
  const write = (name: string, content: object): string => {
    const file = join(folder, name);
    writeFileSync(file, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
    return file;
  };
  const body = accountBody(mode, vendor);
  const at = `${webhooksUrl}/v1/accounts/${ID_PLACEHOLDER}`;
  const addresses = callbacksPatch(vendorAccount(vendor, []), {
    answerUrl: `${at}/voice/answer`,
    eventUrl: `${at}/voice/events`,
    videoUrl: `${at}/video/events`,
  });
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove);
  return {
    name: 'own account',
    vendor,
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
