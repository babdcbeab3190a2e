import { VerdictError } from '@partyline/domain/verdict';
import type { AccountCredentials, PreviousSecrets } from '@partyline/provider-contract/account-credentials';
import type { ProviderDeps } from '@partyline/provider-contract/definition';
import type { VonageEnvironment } from './from-environment.ts';
import { createProviders, type Providers, type ProviderSettings } from './registry.ts';

/** Where the vendor is: the platform's to say, never a tenant's, who could else have us ask addresses of our own network. */
type Hosts = Pick<VonageEnvironment, 'VONAGE_API_HOST' | 'VIDEO_API_HOST' | 'SIP_HOST'>;

/** A tenant's own account as the registry takes it. @param previous secrets whose signatures are believed too, while a rotation goes round */
function settingsFromAccount(
  hosts: Hosts,
  { voice, video, callbackSecret }: AccountCredentials,
  previous: PreviousSecrets | null,
): ProviderSettings {
  const { kind, apiKey, apiSecret, applicationId, privateKey, signatureSecret } = voice;
  const sip = { username: apiKey, password: apiSecret, host: hosts.SIP_HOST };
  const signed = { callbackSecret, extraCallbackSecrets: previous === null ? [] : [previous.callbackSecret] };
  return {
    voice: {
      kind,
      account: {
        apiKey,
        applicationId,
        privateKey,
        signatureSecret,
        extraSignatureSecrets: previous === null ? [] : [previous.signatureSecret],
        ...(hosts.VONAGE_API_HOST ? { apiHost: hosts.VONAGE_API_HOST } : {}),
      },
    },
    media:
      video.kind === 'opentok'
        ? {
            kind: video.kind,
            account: {
              apiKey: video.apiKey,
              apiSecret: video.apiSecret,
              sip,
              ...signed,
              ...(hosts.VIDEO_API_HOST ? { apiHost: hosts.VIDEO_API_HOST } : {}),
            },
          }
        : {
            kind: video.kind,
            account: {
              applicationId,
              privateKey,
              sip,
              ...signed,
              ...(hosts.VIDEO_API_HOST ? { videoHost: hosts.VIDEO_API_HOST } : {}),
            },
          },
  };
}

/**
 * Makes the providers of tenants' own accounts. The platform's application is none of them, since its calls are not one tenant's: that throws `application-taken` (409);
 * what is wrong with the credentials otherwise the registry says.
 */
export const createAccountBuilder =
  (platform: Hosts & Pick<VonageEnvironment, 'VONAGE_APPLICATION_ID'>, deps: ProviderDeps) =>
  (credentials: AccountCredentials, old: PreviousSecrets | null): Providers => {
    if (credentials.voice.applicationId.toLowerCase() === platform.VONAGE_APPLICATION_ID.toLowerCase()) {
      throw new VerdictError('client', 'application-taken', 'This application is the platform’s own.', {
        field: '/voice/applicationId',
        fix: 'Make an application of your own, used by nothing else: docs/accounts.md.',
      });
    }
    return createProviders(settingsFromAccount(platform, credentials, old), deps);
  };
