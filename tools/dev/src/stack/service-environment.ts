import { assertCountryOfNumber } from '@partyline/domain/describe-number';
import { countryCode, languageTag } from '@partyline/contracts/iso';
import type { NewAccount } from '@partyline/vonage-emulator/accounts';
import type { Credentials, ProviderCredentials } from './credentials.ts';

/** The video product of Vonage that the stack uses. */
export type Mode = 'opentok' | 'unified';

/** The services of the stack, in the order they start. */
export const serviceNames = ['dial-orchestrator', 'voice-webhooks', 'cleanup-worker', 'room-api'] as const;
export type ServiceName = (typeof serviceNames)[number];

/** Path on the management port that answers 2xx when a service is ready. */
export const readyPath = '/readyz';

/** Settings of a stack from which the environment of a service is built. */
export interface ServiceContext {
  databaseUrl: string;
  redisUrl: string;
  /** Environment variables of the provider account: the emulator's, or a real account's. */
  provider: Record<string, string>;
  /** The URL at which the provider reaches voice-webhooks. */
  publicWebhookUrl: string;
  /** The URL of each service. */
  urls: Record<ServiceName, string>;
  /** The port of `readyPath`. `0`: a free port. */
  managementPort: string;
  credentials: Credentials;
  /** Further variables, for example to change the services' intervals. */
  extra?: Record<string, string>;
}

/** Builds the environment variables of a service (libs/runtime/src/config.ts). */
export function serviceEnvironment(service: ServiceName, context: ServiceContext): Record<string, string> {
  const { credentials, urls } = context;
  return {
    NODE_ENV: 'development',
    LOG_LEVEL: process.env.LOG_LEVEL ?? 'info',
    HOST: '127.0.0.1',
    PORT: new URL(urls[service]).port,
    MANAGEMENT_PORT: context.managementPort,
    DATABASE_URL: context.databaseUrl,
    REDIS_URL: context.redisUrl,
    PUBLIC_WEBHOOK_URL: context.publicWebhookUrl,
    RPC_SECRET: credentials.rpcSecret,
    PIN_KEYS: `dev:${credentials.pinKey}`,
    MASTER_KEYS: credentials.masterKeys,
    OPERATOR_KEYS: credentials.operator.entry,
    KEY_ENV: 'dev',
    // The endpoints are on this machine.
    EVENTS_ALLOW_PRIVATE: 'on',
    ...context.provider,
    ...context.extra,
  };
}

/** Returns the variables of the emulated provider account. */
export const emulatorEnvironment = (
  mode: Mode,
  emulatorUrl: string,
  { provider }: Credentials,
): Record<string, string> => ({
  VIDEO_MODE: mode,
  VONAGE_API_HOST: emulatorUrl,
  VIDEO_API_HOST: emulatorUrl,
  VONAGE_REGION_HOSTS: `us=${emulatorUrl},eu=${emulatorUrl},ap=${emulatorUrl}`,
  VONAGE_API_KEY: provider.accountKey,
  VONAGE_API_SECRET: provider.accountSecret,
  VONAGE_SIGNATURE_SECRET: provider.signatureSecret,
  VONAGE_APPLICATION_ID: provider.applicationId,
  VONAGE_PRIVATE_KEY: provider.privateKey,
  OPENTOK_API_KEY: provider.projectKey,
  OPENTOK_API_SECRET: provider.projectSecret,
  VIDEO_CALLBACK_SECRET: provider.callbackSecret,
});

/** A dial-in number with what was given; the seed infers the rest for a new number. */
export interface LinkedNumber {
  readonly e164: string;
  /** Language of the prompts. */
  readonly language?: string | undefined;
  /** ISO 3166-1 alpha-2. */
  readonly country?: string | undefined;
  readonly tollFree?: boolean | undefined;
}

export const NUMBERS_FORMAT =
  'Write numbers like +12025550100=en-US,+4930555010=de-DE:DE,+18005550100=en-US:US:toll-free.';

/**
 * Parses numbers with language, optional country and optional toll-free flag, for example
 * `+12025550100=en-US,+4930555010=de-DE:DE,+18005550100=en-US:US:toll-free`.
 */
export function parseNumbers(text: string): LinkedNumber[] {
  return text.split(',').map((entry) => {
    const [, e164, language, country, tollFree] =
      /^\s*(\+[1-9]\d{6,14})(?:=([A-Za-z\d-]+)(?::([A-Z]{2}))?(:toll-free)?)?\s*$/.exec(entry) ?? [];
    const reject = (problem: string): never => {
      throw new Error(`Invalid number "${entry}". ${problem}${NUMBERS_FORMAT}`);
    };
    if (e164 === undefined) return reject('');
    const fields = {
      language: languageTag().optional().safeParse(language),
      country: countryCode().optional().safeParse(country),
    };
    for (const [name, { error }] of Object.entries(fields))
      if (error !== undefined) reject(`Its ${name} ${error.issues[0]!.message}. `);
    try {
      assertCountryOfNumber(e164, country ?? null);
    } catch (error) {
      reject(`${(error as Error).message} `);
    }
    return { e164, language, country, tollFree: tollFree === undefined ? undefined : true };
  });
}

/** The dial-in numbers of a development stack. */
export const numbers = [
  { e164: '+12025550100', language: 'en-US', country: 'US' },
  { e164: '+4930555010', language: 'de-DE', country: 'DE' },
] as const;

/** Builds the configuration of the emulator: our account, and its webhook URLs. */
export function buildEmulatorConfig(webhooksUrl: string, { provider }: Credentials) {
  const video = {
    sessionCallbackUrl: `${webhooksUrl}/v1/video/events`,
    sipCallbackUrl: `${webhooksUrl}/v1/video/events`,
    callbackSecret: provider.callbackSecret,
  };
  return {
    account: {
      apiKey: provider.accountKey,
      apiSecret: provider.accountSecret,
      signatureSecret: provider.signatureSecret,
    },
    projects: [{ apiKey: provider.projectKey, apiSecret: provider.projectSecret, ...video }],
    applications: [
      {
        id: provider.applicationId,
        publicKey: provider.publicKey,
        answerUrl: `${webhooksUrl}/v1/voice/answer`,
        answerMethod: 'POST' as const,
        fallbackAnswerUrl: `${webhooksUrl}/v1/voice/fallback`,
        eventUrl: `${webhooksUrl}/v1/voice/events`,
        eventMethod: 'POST' as const,
        video,
      },
    ],
    numbers: numbers.map(({ e164 }) => ({ e164, applicationId: provider.applicationId })),
  };
}

/** Builds an account for `addAccount` of the emulator's control client, without webhook URLs. */
export const buildEmulatorAccount = (provider: ProviderCredentials, linked: readonly string[]) =>
  ({
    apiKey: provider.accountKey,
    apiSecret: provider.accountSecret,
    signatureSecret: provider.signatureSecret,
    application: { id: provider.applicationId, publicKey: provider.publicKey },
    project: { apiKey: provider.projectKey, apiSecret: provider.projectSecret },
    callbackSecret: provider.callbackSecret,
    numbers: linked,
  }) satisfies NewAccount;
