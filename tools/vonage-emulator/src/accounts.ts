/** Configuration patches that add a complete Vonage account or change its callback addresses. */
import type { EmulatorConfigPatch } from './config.ts';

/** The addresses for the webhooks of an account's application and project. All use POST. */
export interface CallbackUrls {
  readonly answerUrl: string;
  readonly eventUrl: string;
  /** Session and SIP monitoring of the OpenTok project and of the application's video. */
  readonly videoUrl: string;
}

/**
 * An account with one application (Voice and unified Video) and, optionally, an OpenTok project.
 */
export interface NewAccount {
  readonly apiKey: string;
  readonly apiSecret: string;
  readonly signatureSecret: string;
  /** `publicKey`: PEM (SPKI). */
  readonly application: { readonly id: string; readonly publicKey: string };
  readonly project?: { readonly apiKey: string; readonly apiSecret: string };
  /** Signs the video callbacks. Without it they are unsigned. */
  readonly callbackSecret?: string;
  /** E.164 numbers to link to the application. */
  readonly numbers?: readonly string[];
  /** May be set later: the webhook server may need the account before it has addresses. */
  readonly callbacks?: CallbackUrls;
}

/** Builds the `PUT /emulator/config` body that adds an account, or updates one that exists. */
export function buildAccountPatch(added: NewAccount): EmulatorConfigPatch {
  const { apiKey, apiSecret, signatureSecret, application, project, callbackSecret, numbers = [], callbacks } = added;
  const signing = callbackSecret === undefined ? {} : { callbackSecret };
  const { applications: [addresses] = [], projects: [videoAddresses] = [] } =
    callbacks === undefined ? {} : buildCallbacksPatch(added, callbacks);
  return {
    accounts: [{ apiKey, apiSecret, signatureSecret }],
    applications: [{ ...addresses, ...application, account: apiKey, video: { ...addresses?.video, ...signing } }],
    ...(project === undefined ? {} : { projects: [{ ...videoAddresses, ...project, account: apiKey, ...signing }] }),
    numbers: numbers.map((e164) => ({ e164, applicationId: application.id })),
  };
}

/** Builds the `PUT /emulator/config` body that sets an account's webhook addresses. */
export function buildCallbacksPatch(
  { application, project }: Pick<NewAccount, 'application' | 'project'>,
  { answerUrl, eventUrl, videoUrl }: CallbackUrls,
): EmulatorConfigPatch {
  const video = { sessionCallbackUrl: videoUrl, sipCallbackUrl: videoUrl };
  return {
    applications: [{ id: application.id, answerUrl, answerMethod: 'POST', eventUrl, eventMethod: 'POST', video }],
    ...(project === undefined ? {} : { projects: [{ apiKey: project.apiKey, ...video }] }),
  };
}
