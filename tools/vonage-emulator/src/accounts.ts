/** A further account of the vendor's, with all that usually belongs to it, as one thing to add. */
import type { EmulatorConfigPatch } from './config.ts';

/** Where the webhooks of an account's application and project go. All come by POST. */
export interface Callbacks {
  readonly answerUrl: string;
  readonly eventUrl: string;
  /** Session and SIP monitoring, of the OpenTok project and of the application's video. */
  readonly videoUrl: string;
}

/** An account, an application both of Voice and of unified Video, and an OpenTok project, whose it is. */
export interface NewAccount {
  readonly apiKey: string;
  readonly apiSecret: string;
  readonly signatureSecret: string;
  /** `publicKey`: PEM (SPKI). */
  readonly application: { readonly id: string; readonly publicKey: string };
  readonly project?: { readonly apiKey: string; readonly apiSecret: string };
  /** Signs the video callbacks; left out: they are unsigned. */
  readonly callbackSecret?: string;
  /** E.164: linked to the application. */
  readonly numbers?: readonly string[];
  /** May come later (`callbacksPatch`): whoever is called back may have to know the account first. */
  readonly callbacks?: Callbacks;
}

/** What adds an account, for `PUT /emulator/config`. */
export function accountPatch(added: NewAccount): EmulatorConfigPatch {
  const { apiKey, apiSecret, signatureSecret, application, project, callbackSecret, numbers = [], callbacks } = added;
  const signing = callbackSecret === undefined ? {} : { callbackSecret };
  const { applications: [addresses] = [], projects: [videoAddresses] = [] } =
    callbacks === undefined ? {} : callbacksPatch(added, callbacks);
  return {
    accounts: [{ apiKey, apiSecret, signatureSecret }],
    applications: [{ ...addresses, ...application, account: apiKey, video: { ...addresses?.video, ...signing } }],
    ...(project === undefined ? {} : { projects: [{ ...videoAddresses, ...project, account: apiKey, ...signing }] }),
    numbers: numbers.map((e164) => ({ e164, applicationId: application.id })),
  };
}

/** What sets (or moves) the addresses that an account's webhooks go to, for `PUT /emulator/config`. */
export function callbacksPatch(
  { application, project }: Pick<NewAccount, 'application' | 'project'>,
  { answerUrl, eventUrl, videoUrl }: Callbacks,
): EmulatorConfigPatch {
  const video = { sessionCallbackUrl: videoUrl, sipCallbackUrl: videoUrl };
  return {
    applications: [{ id: application.id, answerUrl, answerMethod: 'POST', eventUrl, eventMethod: 'POST', video }],
    ...(project === undefined ? {} : { projects: [{ apiKey: project.apiKey, ...video }] }),
  };
}
