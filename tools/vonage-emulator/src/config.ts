/**
 * The emulator's configuration, at start and for `PUT /emulator/config`. Every fact about Vonage
 * that the contract marks as unverified ([GK], "not found") is a setting here.
 */
import { z } from 'zod';

const urlSchema = z.url();
const microsSchema = z.int().nonnegative();
const msSchema = z.number().nonnegative();

/** Video callback addresses of a project or an application (contract §6). */
const videoHookFields = {
  /** Receives connectionCreated/Destroyed and streamCreated/Destroyed. */
  sessionCallbackUrl: urlSchema.optional(),
  /** Receives callCreated, callUpdated, callDestroyed and muteForced. May be the same address. */
  sipCallbackUrl: urlSchema.optional(),
  /** Enables "secure callbacks": a JWT in Authorization, signed with HS256 and this secret. */
  callbackSecret: z.string().optional(),
};

/**
 * The first Vonage account. Its key and secret are also the SIP digest credentials (contract §5).
 */
const accountSchema = z.strictObject({
  apiKey: z.string().default('abcd1234'),
  apiSecret: z.string().default('emulator-secret'),
  /** Signs voice webhooks (contract §3, signed webhooks). It is not the API secret. */
  signatureSecret: z.string().default('emulator-signature-secret'),
});

/** An additional Vonage account. It has no defaults. */
const additionalAccountSchema = z.strictObject({
  apiKey: z.string(),
  apiSecret: z.string(),
  signatureSecret: z.string(),
});

/** `apiKey` of the owning account. Without it the first account is the owner. */
const ownerFields = { account: z.string().optional() };

/** A legacy OpenTok project (X-OPENTOK-AUTH). */
const projectSchema = z.strictObject({ apiKey: z.string(), apiSecret: z.string(), ...ownerFields, ...videoHookFields });

/** A Vonage application: Voice and, with the same id and key, unified Video. */
const applicationSchema = z.strictObject({
  id: z.string(),
  ...ownerFields,
  /** PEM (SPKI) that verifies the RS256 Bearer tokens of both SDKs. */
  publicKey: z.string(),
  answerUrl: urlSchema.optional(),
  answerMethod: z.enum(['GET', 'POST']).default('GET'),
  eventUrl: urlSchema.optional(),
  eventMethod: z.enum(['GET', 'POST']).default('POST'),
  fallbackAnswerUrl: urlSchema.optional(),
  /** `capabilities.voice.signed_callbacks`. */
  signedCallbacks: z.boolean().default(true),
  video: z.strictObject(videoHookFields).default({}),
});

/** A number linked to an application: E.164, with or without "+". */
const numberSchema = z.strictObject({ e164: z.string(), applicationId: z.string() });

/**
 * An account's own SIP domain: every number at it reaches the application. Its users are separate
 * from the account's key and secret (contract §5).
 */
const sipDomainSchema = z.strictObject({
  domain: z.string().toLowerCase(),
  applicationId: z.string(),
  users: z.array(z.strictObject({ username: z.string(), password: z.string() })).default([]),
});

/** Contract §7: 3 new calls/s and 15 other requests/s. A request over the limit gets 429. */
const limitsSchema = z.strictObject({
  enabled: z.boolean().default(true),
  callsPerSecond: z.int().positive().default(3),
  requestsPerSecond: z.int().positive().default(15),
  /** Whether an OpenTok dial to a linked number counts against 3 CPS: not documented. */
  sipDialCounts: z.boolean().default(false),
});

/** Integer micro-euros (contract §7, meter model). */
const ratesSchema = z.strictObject({
  voiceInboundPerMinute: microsSchema.default(8_500),
  voiceOutboundPerMinute: microsSchema.default(7_980),
  voiceSipPerMinute: microsSchema.default(4_000),
  sipInterconnectPerMinute: microsSchema.default(5_000),
  participantPerMinute: microsSchema.default(4_000),
  /** Charge per started minute or per second: granularity below a minute is not documented. */
  videoGranularity: z.enum(['minute', 'second']).default('minute'),
});

/** Durations, on the emulator's clock unless stated otherwise. */
const timingsSchema = z.strictObject({
  talkMsPerCharacter: msSchema.default(5),
  streamMs: msSchema.default(500),
  /** Length of a recording without endOnKey and without hang-up. */
  recordMs: msSchema.default(1_000),
  /** Time until a phone without `afterMs` answers. */
  phoneAnswerMs: msSchema.default(200),
  /** From the dial (DIALING) until the SIP INVITE reaches the voice side. */
  sipDialMs: msSchema.default(20),
  /** From the INVITE until RINGING and the answer webhook. */
  sipRingMs: msSchema.default(20),
  /** Ringing time after which the platform ends an inbound call. */
  inboundRingingMs: msSchema.default(60_000),
  sipMediaTimeoutMs: msSchema.default(5 * 60_000),
  sipMaxDurationMs: msSchema.default(6 * 3_600_000),
  /** Maximum duration of an inbound leg. Not documented, so off by default. */
  inboundMaxMs: msSchema.optional(),
  /** Wall time, also with a virtual clock: the network is real (contract §3, 3 s and 5 s). */
  webhookConnectMs: msSchema.default(3_000),
  webhookResponseMs: msSchema.default(5_000),
  /** Attempts per voice webhook. The live value (2 or 3) is not verified. */
  webhookAttempts: z.int().positive().default(2),
  webhookRetryMs: msSchema.default(0),
  videoRetryFirstMs: msSchema.default(5_000),
  videoRetryMaxMs: msSchema.default(15 * 60_000),
  videoRetryForMs: msSchema.default(24 * 3_600_000),
  /** Retries of unsigned legacy callbacks (contract §6). */
  legacyRetries: z.int().nonnegative().default(4),
});

/** Vonage behaviour that the contract leaves open or that differs between accounts. */
const behaviourSchema = z.strictObject({
  /** Hosts that address Vonage Voice in a SIP URI. They are never resolved. */
  sipHosts: z
    .array(z.string())
    .default(['sip.nexmo.com', 'sip-us.vonage.com', 'sip-eu.vonage.com', 'sip-ap.vonage.com']),
  /** True: disconnecting the media connection also cancels a ringing call. */
  disconnectCancelsRinging: z.boolean().default(false),
  /** "Every call gets completed at the end unless it was rejected" (contract §3). */
  completedAfterFailure: z.boolean().default(true),
  ringTimeoutStatus: z.enum(['timeout', 'unanswered']).default('timeout'),
  /** payload_hash of GET webhooks: not documented. */
  getPayloadHash: z.enum(['empty-body', 'absent']).default('empty-body'),
  /** Handling of digits that are keyed while no input action runs. */
  digitsOutsideInput: z.enum(['discard', 'buffer']).default('discard'),
  maxParticipants: z.int().positive().default(50),
  /** Send sessionCreated and sessionDestroyed. Their bodies are not verified (contract §6). */
  sessionLifecycleEvents: z.boolean().default(false),
  /** Clock for token expiry and webhook `iat`: wall time, or the emulator's clock. */
  credentialTime: z.enum(['wall', 'emulator']).default('wall'),
  regionUrl: z.string().default('https://api-eu-1.nexmo.com'),
});

const configFields = z.strictObject({
  /**
   * The address to listen on. With another than loopback, everybody in the network can reach
   * `/emulator`, which has no authentication.
   */
  host: z.string().default('127.0.0.1'),
  port: z.int().min(0).max(65_535).default(0),
  clock: z.enum(['real', 'virtual']).default('real'),
  /** Seed of the randomness behind fault probabilities, so that a run can be repeated. */
  seed: z.int().default(1),
  account: accountSchema.prefault({}),
  /** Additional Vonage accounts besides `account`. */
  accounts: z.array(additionalAccountSchema).default([]),
  projects: z.array(projectSchema).default([]),
  applications: z.array(applicationSchema).default([]),
  numbers: z.array(numberSchema).default([]),
  sipDomains: z.array(sipDomainSchema).default([]),
  limits: limitsSchema.prefault({}),
  rates: ratesSchema.prefault({}),
  timings: timingsSchema.prefault({}),
  behaviour: behaviourSchema.prefault({}),
});

/** Account keys must be unique, and every owner must be a configured account. */
export const configSchema = configFields.superRefine(({ account, accounts, applications, projects }, context) => {
  const known = new Set([account.apiKey]);
  for (const [at, { apiKey }] of accounts.entries()) {
    if (known.has(apiKey))
      context.addIssue({
        code: 'custom',
        path: ['accounts', at, 'apiKey'],
        message: `The account ${apiKey} is configured twice. Use a unique apiKey.`,
      });
    known.add(apiKey);
  }
  for (const [list, owned] of Object.entries({ applications, projects })) {
    for (const [at, one] of owned.entries()) {
      if (one.account !== undefined && !known.has(one.account))
        context.addIssue({
          code: 'custom',
          path: [list, at, 'account'],
          message: `${one.account} is not the apiKey of a configured account.`,
        });
    }
  }
});

export type EmulatorConfig = z.output<typeof configSchema>;
/** The configuration as a client writes it: fields with a default are optional. */
export type EmulatorConfigInput = z.input<typeof configSchema>;
export type Account = z.output<typeof additionalAccountSchema>;
export type Application = EmulatorConfig['applications'][number];

/** Returns the application with the id. */
export const findApplication = (config: EmulatorConfig, id: unknown): Application | undefined =>
  config.applications.find((application) => application.id === id);

/**
 * Body of `PUT /emulator/config`. List items merge by id, apiKey, e164 or domain, other settings by
 * field.
 */
const configPatchSchema = z.strictObject({
  account: z.looseObject({}).optional(),
  accounts: z.array(z.looseObject({ apiKey: z.string() })).optional(),
  projects: z.array(z.looseObject({ apiKey: z.string() })).optional(),
  applications: z.array(z.looseObject({ id: z.string(), video: z.looseObject({}).optional() })).optional(),
  numbers: z.array(numberSchema).optional(),
  sipDomains: z.array(sipDomainSchema).optional(),
  limits: z.looseObject({}).optional(),
  rates: z.looseObject({}).optional(),
  timings: z.looseObject({}).optional(),
  behaviour: z.looseObject({}).optional(),
});

type RawItem = { [key: string]: unknown };

/** The body of `PUT /emulator/config` as a client writes it. */
export interface EmulatorConfigPatch {
  account?: Partial<EmulatorConfigInput['account']>;
  accounts?: ({ apiKey: string } & Partial<Account>)[];
  projects?: ({ apiKey: string } & Partial<z.input<typeof projectSchema>>)[];
  applications?: ({ id: string } & Partial<z.input<typeof applicationSchema>>)[];
  numbers?: z.input<typeof numberSchema>[];
  sipDomains?: z.input<typeof sipDomainSchema>[];
  limits?: Partial<z.input<typeof limitsSchema>>;
  rates?: Partial<z.input<typeof ratesSchema>>;
  timings?: Partial<z.input<typeof timingsSchema>>;
  behaviour?: Partial<z.input<typeof behaviourSchema>>;
}

const mergeBy = (key: string, current: RawItem[], changes: RawItem[] = []): RawItem[] => {
  const byKey = new Map(current.map((item) => [item[key], item]));
  for (const change of changes) byKey.set(change[key], { ...byKey.get(change[key]), ...change });
  return [...byKey.values()];
};

/** Merges video settings by field: a new address must not remove the callback secret. */
const mergeVideo = (current: RawItem[], changes: RawItem[] = []): RawItem[] =>
  changes.map((change) =>
    change.video === undefined
      ? change
      : {
          ...change,
          video: { ...(current.find((one) => one.id === change.id)?.video as RawItem), ...(change.video as RawItem) },
        },
  );

/** Applies a patch and validates the result. Throws a ZodError when an added item is incomplete. */
export function patchConfig(current: EmulatorConfig, patch: unknown): EmulatorConfig {
  const change = configPatchSchema.parse(patch);
  return configSchema.parse({
    ...current,
    account: { ...current.account, ...change.account },
    accounts: mergeBy('apiKey', current.accounts, change.accounts),
    projects: mergeBy('apiKey', current.projects, change.projects),
    applications: mergeBy('id', current.applications, mergeVideo(current.applications, change.applications)),
    numbers: mergeBy('e164', current.numbers, change.numbers),
    sipDomains: mergeBy('domain', current.sipDomains, change.sipDomains),
    limits: { ...current.limits, ...change.limits },
    rates: { ...current.rates, ...change.rates },
    timings: { ...current.timings, ...change.timings },
    behaviour: { ...current.behaviour, ...change.behaviour },
  });
}
