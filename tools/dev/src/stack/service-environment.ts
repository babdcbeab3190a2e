import type { NewAccount } from '@partyline/vonage-emulator/accounts';
import type { Credentials, VendorCredentials } from './credentials.ts';

/** Which of the vendor's two video products the stack uses. */
export type Mode = 'opentok' | 'unified';

/** The services of the stack, in the order they start. */
export const serviceNames = ['dial-orchestrator', 'voice-webhooks', 'cleanup-worker', 'room-api'] as const;
export type ServiceName = (typeof serviceNames)[number];

/** Answers 2xx when a service can do its work. */
export const readyPath = '/readyz';

/** All that a service is told about the world around it. */
export interface Surroundings {
  databaseUrl: string;
  redisUrl: string;
  /** The vendor's settings, as the services read them: the emulator's, or a real account's. */
  vendor: Record<string, string>;
  /** Where the vendor reaches voice-webhooks. */
  publicWebhookUrl: string;
  /** Where each service listens. */
  urls: Record<ServiceName, string>;
  credentials: Credentials;
  /** Further variables, for a run that wants other clocks than the services' defaults. */
  extra?: Record<string, string>;
}

/** The one place that turns a stack's surroundings into the environment variables a service reads (libs/runtime's config). */
export function serviceEnvironment(service: ServiceName, surroundings: Surroundings): Record<string, string> {
  const { credentials, urls } = surroundings;
  return {
    NODE_ENV: 'development',
    LOG_LEVEL: process.env.LOG_LEVEL ?? 'info',
    HOST: '127.0.0.1',
    PORT: new URL(urls[service]).port,
    DATABASE_URL: surroundings.databaseUrl,
    REDIS_URL: surroundings.redisUrl,
    PUBLIC_WEBHOOK_URL: surroundings.publicWebhookUrl,
    PIN_KEY: credentials.pinKey,
    MASTER_KEYS: credentials.masterKeys,
    OPERATOR_KEYS: credentials.operator.entry,
    KEY_ENV: 'dev',
    // Receivers of events are on this machine.
    EVENTS_ALLOW_PRIVATE: 'on',
    ...surroundings.vendor,
    ...surroundings.extra,
  };
}

/** The emulated vendor's settings. */
export const emulatedVendor = (mode: Mode, vendorUrl: string, { vendor }: Credentials): Record<string, string> => ({
  VIDEO_MODE: mode,
  VONAGE_API_HOST: vendorUrl,
  VIDEO_API_HOST: vendorUrl,
  VONAGE_API_KEY: vendor.accountKey,
  VONAGE_API_SECRET: vendor.accountSecret,
  VONAGE_SIGNATURE_SECRET: vendor.signatureSecret,
  VONAGE_APPLICATION_ID: vendor.applicationId,
  VONAGE_PRIVATE_KEY: vendor.privateKey,
  OPENTOK_API_KEY: vendor.projectKey,
  OPENTOK_API_SECRET: vendor.projectSecret,
  VIDEO_CALLBACK_SECRET: vendor.callbackSecret,
});

/** What a real account is described by (README, "With a real Vonage account"). */
const REAL = [
  'VIDEO_MODE',
  'VONAGE_API_KEY',
  'VONAGE_API_SECRET',
  'VONAGE_SIGNATURE_SECRET',
  'VONAGE_APPLICATION_ID',
  'VONAGE_PRIVATE_KEY',
  'VIDEO_CALLBACK_SECRET',
  'OPENTOK_API_KEY',
  'OPENTOK_API_SECRET',
  'VONAGE_API_HOST',
  'VIDEO_API_HOST',
  'SIP_HOST',
  'HOLD_MUSIC_URL',
  'PROVIDER_TIMEOUT_MS',
];

/** A real account's settings, from the environment; the services say what is missing in them. */
export const realVendor = (env: NodeJS.ProcessEnv): Record<string, string> =>
  Object.fromEntries(REAL.flatMap((name) => (env[name] ? [[name, env[name]]] : [])));

/** A number that callers dial. What is left out nobody said. */
export interface LinkedNumber {
  readonly e164: string;
  /** In which it answers. */
  readonly language: string;
  /** ISO 3166-1 alpha-2. */
  readonly country?: string | undefined;
  readonly tollFree?: boolean | undefined;
}

/** `+12025550100=en-US,+4930555010=de-DE:DE,+18005550100=en-US:US:toll-free`: numbers, the languages they answer in, and perhaps their countries and that callers pay nothing. */
export function readNumbers(text: string): LinkedNumber[] {
  return text.split(',').map((entry) => {
    const [, e164, language = 'en-US', country, tollFree] =
      /^\s*(\+[1-9]\d{6,14})(?:=([a-z]{2}(?:-[A-Z]{2})?)(?::([A-Z]{2}))?(:toll-free)?)?\s*$/.exec(entry) ?? [];
    if (e164 === undefined)
      throw new Error(
        `«${entry}» is no number with a language. Write numbers like +12025550100=en-US,+4930555010=de-DE:DE,+18005550100=en-US:US:toll-free.`,
      );
    return {
      e164,
      language,
      ...(country !== undefined && { country }),
      ...(tollFree !== undefined && { tollFree: true }),
    };
  });
}

/** The dial-in numbers of a development stack. */
export const numbers = [
  { e164: '+12025550100', language: 'en-US', country: 'US' },
  { e164: '+4930555010', language: 'de-DE', country: 'DE' },
] as const;

/** What the emulated vendor is told about us: the accounts we hold there and where it calls back. */
export function vendorConfiguration(webhooksUrl: string, { vendor }: Credentials) {
  const video = {
    sessionCallbackUrl: `${webhooksUrl}/v1/video/events`,
    sipCallbackUrl: `${webhooksUrl}/v1/video/events`,
    callbackSecret: vendor.callbackSecret,
  };
  return {
    account: { apiKey: vendor.accountKey, apiSecret: vendor.accountSecret, signatureSecret: vendor.signatureSecret },
    projects: [{ apiKey: vendor.projectKey, apiSecret: vendor.projectSecret, ...video }],
    applications: [
      {
        id: vendor.applicationId,
        publicKey: vendor.publicKey,
        answerUrl: `${webhooksUrl}/v1/voice/answer`,
        answerMethod: 'POST' as const,
        eventUrl: `${webhooksUrl}/v1/voice/events`,
        eventMethod: 'POST' as const,
        video,
      },
    ],
    numbers: numbers.map(({ e164 }) => ({ e164, applicationId: vendor.applicationId })),
  };
}

/** An account as the emulator's control client adds it (`addAccount`); its callbacks are for whoever knows where they go. */
export const vendorAccount = (vendor: VendorCredentials, linked: readonly string[]) =>
  ({
    apiKey: vendor.accountKey,
    apiSecret: vendor.accountSecret,
    signatureSecret: vendor.signatureSecret,
    application: { id: vendor.applicationId, publicKey: vendor.publicKey },
    project: { apiKey: vendor.projectKey, apiSecret: vendor.projectSecret },
    callbackSecret: vendor.callbackSecret,
    numbers: linked,
  }) satisfies NewAccount;
