import type { ProviderRegion } from '@partyline/domain/provider-region';
import { sipNotConfigured } from '@partyline/domain/sip-not-configured';
import { VerdictError } from '@partyline/domain/verdict';
import {
  isSip,
  type AccountCredentials,
  type PreviousSecrets,
  type SipCredentials,
  type VonageCredentials,
} from '@partyline/provider-contract/account-credentials';
import type { ProviderDeps } from '@partyline/provider-contract/definition';
import { VONAGE_REGION_HOSTS } from '@partyline/provider-vonage/account';
import { gatewaySettings, type GatewayEnvironment, type ProviderEnvironment } from './from-environment.ts';
import { createProviders, type Providers, type ProviderSettings } from './registry.ts';

/**
 * The provider's hosts. The platform sets them, never a tenant: a tenant could otherwise direct
 * requests into our own network. A tenant may choose one of the regions.
 */
type Hosts = Pick<ProviderEnvironment, 'VONAGE_API_HOST' | 'VIDEO_API_HOST' | 'SIP_HOST' | 'VONAGE_REGION_HOSTS'>;

/** The platform's variables that tenants' accounts share. */
type Platform = Hosts & GatewayEnvironment;

/** The log line for a stored account with a region that `VONAGE_REGION_HOSTS` does not list. */
export const UNLISTED_REGION =
  'an account has a region that VONAGE_REGION_HOSTS does not list: its requests go to the default host of the region';

/** Whose account it is. */
interface Owner {
  readonly tenantId: string;
  readonly accountId: string;
  /** Secrets whose signatures are also accepted during a rotation. */
  readonly old: PreviousSecrets | null;
  /** The account is not stored yet. */
  readonly isNew: boolean;
}

type OnUnlistedRegion = (account: { readonly tenantId: string; readonly region: ProviderRegion }) => void;

/**
 * Returns the API host of an account: that of its region, or else the platform's. A stored account
 * keeps its region, because its live calls are there and must be hung up.
 */
function selectApiHost(
  hosts: Hosts,
  region: ProviderRegion | undefined,
  { tenantId, isNew }: Owner,
  onUnlistedRegion: OnUnlistedRegion,
): { apiHost?: string } {
  if (region === undefined) return hosts.VONAGE_API_HOST ? { apiHost: hosts.VONAGE_API_HOST } : {};
  const listed: Partial<Record<ProviderRegion, string>> = hosts.VONAGE_REGION_HOSTS ?? VONAGE_REGION_HOSTS;
  const apiHost = listed[region];
  if (apiHost !== undefined) return { apiHost };
  if (isNew)
    throw new VerdictError('client', 'region-not-available', `The region ${region} is not available here.`, {
      field: '/voice/region',
      fix: `Use ${Object.keys(listed).join(', ') || 'no region'}, or leave the field out.`,
    });
  onUnlistedRegion({ tenantId, region });
  return { apiHost: VONAGE_REGION_HOSTS[region] };
}

/**
 * Converts the credentials of a tenant's own account to the registry's settings.
 * @throws VerdictError `region-not-available` (422) for the region of a new account, and
 *   `sip-not-configured` (503) for a trunk account of a platform without gateways
 */
export const settingsFromAccount = (
  platform: Platform,
  credentials: AccountCredentials,
  owner: Owner,
  onUnlistedRegion: OnUnlistedRegion,
): ProviderSettings =>
  isSip(credentials)
    ? settingsFromSip(platform, credentials, owner)
    : settingsFromVonage(platform, credentials, owner, onUnlistedRegion);

/**
 * A trunk account is the platform's gateways and the trunk of the tenant. The id of the account is in
 * every signature of the gateways, so that a webhook is valid for this account alone.
 */
function settingsFromSip(
  platform: GatewayEnvironment,
  { voice: { trunk } }: SipCredentials,
  { accountId }: Owner,
): ProviderSettings {
  if (platform.MEDIA_GATEWAYS === undefined) throw sipNotConfigured();
  const account = { account: accountId, ...gatewaySettings(platform), ...(trunk !== undefined && { trunk }) };
  return { media: { kind: 'janus', account }, voice: { kind: 'janus', account } };
}

function settingsFromVonage(
  hosts: Hosts,
  { voice, video, callbackSecret }: VonageCredentials,
  owner: Owner,
  onUnlistedRegion: OnUnlistedRegion,
): ProviderSettings {
  const previous = owner.old;
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
        ...selectApiHost(hosts, voice.region, owner, onUnlistedRegion),
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
 * @param onUnlistedRegion warns of a stored account with a region that `VONAGE_REGION_HOSTS` does
 *   not list
 * @throws VerdictError `application-taken` (409) for the platform's application,
 *   the errors of `settingsFromAccount`, or the registry's error for invalid credentials
 */
export const createAccountBuilder =
  (
    platform: Platform & Pick<ProviderEnvironment, 'VONAGE_APPLICATION_ID'>,
    deps: ProviderDeps,
    onUnlistedRegion: OnUnlistedRegion,
  ) =>
  (credentials: AccountCredentials, owner: Owner): Providers => {
    if (
      !isSip(credentials) &&
      credentials.voice.applicationId.toLowerCase() === platform.VONAGE_APPLICATION_ID?.toLowerCase()
    ) {
      throw new VerdictError('client', 'application-taken', "This application is the platform's own.", {
        field: '/voice/applicationId',
        fix: 'Create a separate application for Partyline (docs/accounts.md).',
      });
    }
    return createProviders(settingsFromAccount(platform, credentials, owner, onUnlistedRegion), deps);
  };
