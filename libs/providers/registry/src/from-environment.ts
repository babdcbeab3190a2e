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
  readonly VONAGE_APPLICATION_ID: string;
  readonly VONAGE_PRIVATE_KEY: string;
  readonly VIDEO_CALLBACK_SECRET: string;
  readonly OPENTOK_API_KEY?: string | undefined;
  readonly OPENTOK_API_SECRET?: string | undefined;
  readonly VONAGE_API_HOST?: string | undefined;
  readonly VIDEO_API_HOST?: string | undefined;
  readonly SIP_HOST: string;
}

/** Converts the platform's variables to the registry's settings. The registry validates them. */
export function settingsFromEnvironment(env: VonageEnvironment): ProviderSettings {
  // The SIP gateway accepts the account's key and secret as digest credentials (contract section
  // 5).
  const sip = { username: env.VONAGE_API_KEY, password: env.VONAGE_API_SECRET, host: env.SIP_HOST };
  const callbackSecret = env.VIDEO_CALLBACK_SECRET;
  return {
    voice: {
      kind: 'vonage',
      account: {
        apiKey: env.VONAGE_API_KEY,
        applicationId: env.VONAGE_APPLICATION_ID,
        privateKey: env.VONAGE_PRIVATE_KEY,
        signatureSecret: env.VONAGE_SIGNATURE_SECRET,
        ...(env.VONAGE_API_HOST ? { apiHost: env.VONAGE_API_HOST } : {}),
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
              callbackSecret,
              ...(env.VIDEO_API_HOST ? { apiHost: env.VIDEO_API_HOST } : {}),
            },
          }
        : {
            kind: 'unified',
            account: {
              applicationId: env.VONAGE_APPLICATION_ID,
              privateKey: env.VONAGE_PRIVATE_KEY,
              sip,
              callbackSecret,
              ...(env.VIDEO_API_HOST ? { videoHost: env.VIDEO_API_HOST } : {}),
            },
          },
  };
}
