import type { ProviderRegion } from '@partyline/domain/provider-region';
import { VONAGE_REGION_HOSTS } from '@partyline/provider-vonage/account';
import type { ProviderSettings } from './registry.ts';

/**
 * The environment variables (libs/runtime/src/config.ts, group `vonage`) of the platform's provider
 * account.
 */
export interface VonageEnvironment {
  readonly VIDEO_MODE: 'opentok' | 'unified';
  readonly VONAGE_API_KEY: string;
  readonly VONAGE_API_SECRET: string;
  readonly VONAGE_SIGNATURE_SECRET: string;
  /** Like `VIDEO_OTHER_CALLBACK_SECRET`: the other secret during a rotation, accepted too. */
  readonly VONAGE_OTHER_SIGNATURE_SECRET?: string | undefined;
  readonly VONAGE_APPLICATION_ID: string;
  readonly VONAGE_PRIVATE_KEY: string;
  readonly VIDEO_CALLBACK_SECRET: string;
  readonly VIDEO_OTHER_CALLBACK_SECRET?: string | undefined;
  readonly OPENTOK_API_KEY?: string | undefined;
  readonly OPENTOK_API_SECRET?: string | undefined;
  readonly VONAGE_API_HOST?: string | undefined;
  readonly VIDEO_API_HOST?: string | undefined;
  /** The regions that accounts may choose, with their API hosts. Absent: all of the provider. */
  readonly VONAGE_REGION_HOSTS?: Readonly<Partial<Record<ProviderRegion, string>>> | undefined;
  readonly VONAGE_REGION?: ProviderRegion | undefined;
  readonly SIP_HOST: string;
  readonly SIP_USERNAME?: string | undefined;
  readonly SIP_PASSWORD?: string | undefined;
}

/** Converts the platform's variables to the registry's settings. The registry validates them. */
export function settingsFromEnvironment(env: VonageEnvironment): ProviderSettings {
  // The SIP gateway accepts the account's key and secret as digest credentials (contract section
  // 5); an own SIP domain has users of its own.
  const sip = {
    username: env.SIP_USERNAME ?? env.VONAGE_API_KEY,
    password: env.SIP_PASSWORD ?? env.VONAGE_API_SECRET,
    host: env.SIP_HOST,
  };
  const apiHost =
    env.VONAGE_API_HOST ??
    (env.VONAGE_REGION === undefined ? undefined : (env.VONAGE_REGION_HOSTS ?? VONAGE_REGION_HOSTS)[env.VONAGE_REGION]);
  const other = (secret: string | undefined): string[] => (secret === undefined ? [] : [secret]);
  const callbackSecrets = {
    callbackSecret: env.VIDEO_CALLBACK_SECRET,
    extraCallbackSecrets: other(env.VIDEO_OTHER_CALLBACK_SECRET),
  };
  return {
    voice: {
      kind: 'vonage',
      account: {
        apiKey: env.VONAGE_API_KEY,
        applicationId: env.VONAGE_APPLICATION_ID,
        privateKey: env.VONAGE_PRIVATE_KEY,
        signatureSecret: env.VONAGE_SIGNATURE_SECRET,
        extraSignatureSecrets: other(env.VONAGE_OTHER_SIGNATURE_SECRET),
        ...(apiHost ? { apiHost } : {}),
      },
    },
    media:
      env.VIDEO_MODE === 'opentok'
        ? {
            kind: 'opentok',
            account: {
              apiKey: env.OPENTOK_API_KEY,
              apiSecret: env.OPENTOK_API_SECRET,
              sip,
              ...callbackSecrets,
              ...(env.VIDEO_API_HOST ? { apiHost: env.VIDEO_API_HOST } : {}),
            },
          }
        : {
            kind: 'unified',
            account: {
              applicationId: env.VONAGE_APPLICATION_ID,
              privateKey: env.VONAGE_PRIVATE_KEY,
              sip,
              ...callbackSecrets,
              ...(env.VIDEO_API_HOST ? { videoHost: env.VIDEO_API_HOST } : {}),
            },
          },
  };
}
