import { VerdictError } from '@partyline/domain/verdict';
import type { AccountCredentials, PreviousSecrets } from '@partyline/provider-contract/account-credentials';
import type { ProviderDeps } from '@partyline/provider-contract/definition';
import type { VonageEnvironment } from './from-environment.ts';
import { createProviders, type Providers, type ProviderSettings } from './registry.ts';

/**
 * The provider's hosts. The platform sets them, never a tenant: a tenant could otherwise direct
 * requests into our own network. A tenant may choose one of the regions.
 */
type Hosts = Pick<VonageEnvironment, 'VONAGE_API_HOST' | 'VIDEO_API_HOST' | 'SIP_HOST' | 'VONAGE_REGION_HOSTS'>;

/** Returns the API host of an account: that of its region, or else the platform's. */
function selectApiHost(hosts: Hosts, region: AccountCredentials['voice']['region']): { apiHost?: string } {
  if (region === undefined) return hosts.VONAGE_API_HOST ? { apiHost: hosts.VONAGE_API_HOST } : {};
  const apiHost = hosts.VONAGE_REGION_HOSTS[region];
  if (apiHost === undefined)
    throw new VerdictError('client', 'region-not-available', `The region ${region} is not available here.`, {
      field: '/voice/region',
      fix: `Use ${Object.keys(hosts.VONAGE_REGION_HOSTS).join(', ') || 'no region'}, or leave the field out.`,
    });
  return { apiHost };
}

/**
 * Converts the credentials of a tenant's own account to the registry's settings.
 * @param previous secrets whose signatures are also accepted during a rotation
 */
function settingsFromAccount(
  hosts: Hosts,
  { voice, video, callbackSecret }: AccountCredentials,
  previous: PreviousSecrets | null,
): ProviderSettings {
  const { kind, apiKey, apiSecret, applicationId, privateKey, signatureSecret } = voice;
  const sip =
    voice.sip === undefined
      ? { username: apiKey, password: apiSecret, host: hosts.SIP_HOST }
      : { username: voice.sip.username, password: voice.sip.password, host: voice.sip.domain };
  const callbackSecrets = { callbackSecret, extraCallbackSecrets: previous === null ? [] : [previous.callbackSecret] };
  return {
    voice: {
      kind,
      account: {
        apiKey,
        applicationId,
        privateKey,
        signatureSecret,
        extraSignatureSecrets: previous === null ? [] : [previous.signatureSecret],
        ...selectApiHost(hosts, voice.region),
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
              ...callbackSecrets,
              ...(hosts.VIDEO_API_HOST ? { apiHost: hosts.VIDEO_API_HOST } : {}),
            },
          }
        : {
            kind: video.kind,
            account: {
              applicationId,
              privateKey,
              sip,
              ...callbackSecrets,
              ...(hosts.VIDEO_API_HOST ? { videoHost: hosts.VIDEO_API_HOST } : {}),
            },
          },
  };
}

/**
 * Returns a function that creates the providers of a tenant's own account. The platform's
 * application is rejected, because its calls belong to all tenants.
 * @throws VerdictError `application-taken` (409) for the platform's application,
 *   `region-not-available` (422), or the registry's error for invalid credentials
 */
export const createAccountBuilder =
  (platform: Hosts & Pick<VonageEnvironment, 'VONAGE_APPLICATION_ID'>, deps: ProviderDeps) =>
  (credentials: AccountCredentials, old: PreviousSecrets | null): Providers => {
    if (credentials.voice.applicationId.toLowerCase() === platform.VONAGE_APPLICATION_ID.toLowerCase()) {
      throw new VerdictError('client', 'application-taken', "This application is the platform's own.", {
        field: '/voice/applicationId',
        fix: 'Create a separate application for Partyline (docs/accounts.md).',
      });
    }
    return createProviders(settingsFromAccount(platform, credentials, old), deps);
  };
