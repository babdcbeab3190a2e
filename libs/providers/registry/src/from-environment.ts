import { PLATFORM_SIP } from '@partyline/domain/platform-account';
import type { ProviderRegion } from '@partyline/domain/provider-region';
import { VONAGE_REGION_HOSTS } from '@partyline/provider-vonage/account';
import type { ProviderDeps } from '@partyline/provider-contract/definition';
import { createProviders, type Providers, type ProviderSettings } from './registry.ts';

/**
 * The environment variables of our own gateways. The platform's first account uses them with
 * `VIDEO_MODE=janus`; its SIP account and tenants' trunk accounts with every mode. All are set, or
 * none.
 */
export interface GatewayEnvironment {
  readonly MEDIA_GATEWAYS?: readonly { readonly id: string; readonly url: string }[] | undefined;
  readonly GATEWAY_SECRET?: string | undefined;
  readonly GATEWAY_OTHER_SECRET?: string | undefined;
  readonly GATEWAY_SOCKET_URL?: string | undefined;
  readonly KAMAILIO_RPC_URL?: string | undefined;
  readonly KAMAILIO_RPC_SECRET?: string | undefined;
}

/**
 * The environment variables (libs/runtime/src/config.ts, group `provider`) of the platform's
 * provider accounts. That schema requires those of the mode.
 */
export interface ProviderEnvironment extends GatewayEnvironment {
  readonly VIDEO_MODE: 'opentok' | 'unified' | 'janus';
  readonly SIP_TRUNK?: string | undefined;
  readonly SIP_TRUNK_TRANSPORT?: 'udp' | 'tcp' | 'tls';
  readonly SIP_TRUNK_USERNAME?: string | undefined;
  readonly SIP_TRUNK_PASSWORD?: string | undefined;
  readonly VONAGE_API_KEY?: string | undefined;
  readonly VONAGE_API_SECRET?: string | undefined;
  readonly VONAGE_SIGNATURE_SECRET?: string | undefined;
  /** Like `VIDEO_OTHER_CALLBACK_SECRET`: the other secret during a rotation, accepted too. */
  readonly VONAGE_OTHER_SIGNATURE_SECRET?: string | undefined;
  readonly VONAGE_APPLICATION_ID?: string | undefined;
  readonly VONAGE_PRIVATE_KEY?: string | undefined;
  readonly VIDEO_CALLBACK_SECRET?: string | undefined;
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

const other = (secret: string | undefined): string[] => (secret === undefined ? [] : [secret]);

/**
 * Converts the platform's variables to the registry's settings of its first account. The registry
 * validates them.
 */
export const settingsFromEnvironment = (env: ProviderEnvironment): ProviderSettings =>
  env.VIDEO_MODE === 'janus' ? janusSettings(env, 'platform') : vonageSettings(env);

/**
 * Creates the providers of the platform's accounts: the first one, of `VIDEO_MODE`, and the one at
 * its own SIP trunk, or null without gateways.
 */
export const createPlatformProviders = (
  env: ProviderEnvironment,
  deps: ProviderDeps,
): { readonly platform: Providers; readonly platformSip: Providers | null } => ({
  platform: createProviders(settingsFromEnvironment(env), deps),
  platformSip: env.MEDIA_GATEWAYS === undefined ? null : createProviders(janusSettings(env, PLATFORM_SIP), deps),
});

/** The part of an account at our own gateways that all accounts share. */
export const gatewaySettings = (env: GatewayEnvironment) => ({
  gateways: env.MEDIA_GATEWAYS,
  secret: env.GATEWAY_SECRET,
  extraSecrets: other(env.GATEWAY_OTHER_SECRET),
  kamailio: { url: env.KAMAILIO_RPC_URL, secret: env.KAMAILIO_RPC_SECRET },
  socketUrl: env.GATEWAY_SOCKET_URL,
});

/** Our own gateways, for calls and browsers. @param name the account's at the gateways */
function janusSettings(env: ProviderEnvironment, name: 'platform' | typeof PLATFORM_SIP): ProviderSettings {
  const account = {
    account: name,
    ...gatewaySettings(env),
    ...(env.SIP_TRUNK === undefined
      ? {}
      : {
          trunk: {
            host: env.SIP_TRUNK,
            transport: env.SIP_TRUNK_TRANSPORT,
            username: env.SIP_TRUNK_USERNAME,
            password: env.SIP_TRUNK_PASSWORD,
          },
        }),
  };
  return { media: { kind: 'janus', account }, voice: { kind: 'janus', account } };
}

function vonageSettings(env: ProviderEnvironment): ProviderSettings {
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
