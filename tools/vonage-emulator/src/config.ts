/**
 * What the emulator is told at start, and what `PUT /emulator/config` may change while it runs.
 * Every vendor fact that the contract marks as unverified ([GK], "not found") is a setting here.
 */
import { z } from 'zod';

const url = z.url();
const micros = z.int().nonnegative();
const ms = z.number().nonnegative();

/** Where a project's or application's video callbacks go (contract §6). */
const videoHooks = {
  /** connectionCreated/Destroyed, streamCreated/Destroyed. */
  sessionCallbackUrl: url.optional(),
  /** callCreated, callUpdated, callDestroyed, muteForced. May be the same address. */
  sipCallbackUrl: url.optional(),
  /** Turns on "secure callbacks": a JWT in Authorization, signed HS256 with this. */
  callbackSecret: z.string().optional(),
};

/** The first Vonage account: its key and secret are also the SIP digest credentials (contract §5). */
const accountSchema = z.strictObject({
  apiKey: z.string().default('abcd1234'),
  apiSecret: z.string().default('emulator-secret'),
  /** Signs voice webhooks (contract §3, signed webhooks). Not the API secret. */
  signatureSecret: z.string().default('emulator-signature-secret'),
});

/** A further account of the vendor's: nothing of it is made up. */
const furtherAccountSchema = z.strictObject({ apiKey: z.string(), apiSecret: z.string(), signatureSecret: z.string() });

/** Whose an application or project is: an account's `apiKey`. Left out: the first account's. */
const owner = { account: z.string().optional() };

/** A legacy OpenTok project (X-OPENTOK-AUTH). */
const projectSchema = z.strictObject({ apiKey: z.string(), apiSecret: z.string(), ...owner, ...videoHooks });

/** A Vonage application: Voice and, with the same id and key, unified Video. */
const applicationSchema = z.strictObject({
  id: z.string(),
  ...owner,
  /** PEM (SPKI) that verifies the RS256 Bearer tokens of both SDKs. */
  publicKey: z.string(),
  answerUrl: url.optional(),
  answerMethod: z.enum(['GET', 'POST']).default('GET'),
  eventUrl: url.optional(),
  eventMethod: z.enum(['GET', 'POST']).default('POST'),
  fallbackAnswerUrl: url.optional(),
  /** `capabilities.voice.signed_callbacks`. */
  signedCallbacks: z.boolean().default(true),
  video: z.strictObject(videoHooks).default({}),
});

/** A number linked to an application; written E.164, with or without "+". */
const numberSchema = z.strictObject({ e164: z.string(), applicationId: z.string() });

/** Contract §7: 3 new calls/s, 15 other requests/s, over is 429 and not queued. */
const limitsSchema = z.strictObject({
  enabled: z.boolean().default(true),
  callsPerSecond: z.int().positive().default(3),
  requestsPerSecond: z.int().positive().default(15),
  /** "Does an OpenTok dial to a linked number count against 3 CPS? Not stated." */
  sipDialCounts: z.boolean().default(false),
});

/** Integer micro-euros (contract §7, meter model). */
const ratesSchema = z.strictObject({
  voiceInboundPerMinute: micros.default(8_500),
  voiceOutboundPerMinute: micros.default(7_980),
  voiceSipPerMinute: micros.default(4_000),
  sipInterconnectPerMinute: micros.default(5_000),
  participantPerMinute: micros.default(4_000),
  /** "video granularity below a minute not documented": started minutes, or seconds. */
  videoGranularity: z.enum(['minute', 'second']).default('minute'),
});

/** How long things take, on the emulator's clock unless said otherwise. */
const timingsSchema = z.strictObject({
  talkMsPerCharacter: ms.default(5),
  streamMs: ms.default(500),
  /** A recording with no endOnKey and no hang-up lasts this long. */
  recordMs: ms.default(1_000),
  /** How long a phone rings when nothing was said about it. */
  phoneAnswerMs: ms.default(200),
  /** Dial -> DIALING -> RINGING (and the answer webhook) on the SIP interconnect leg. */
  sipDialMs: ms.default(20),
  sipRingMs: ms.default(20),
  /** How long an inbound call may ring before the platform gives up. */
  inboundRingingMs: ms.default(60_000),
  sipMediaTimeoutMs: ms.default(5 * 60_000),
  sipMaxDurationMs: ms.default(6 * 3_600_000),
  /** Max duration of an inbound leg: "not found"; off unless set. */
  inboundMaxMs: ms.optional(),
  /** Wall time: the network is real even when the clock is virtual (contract §3, 3 s and 5 s). */
  webhookConnectMs: ms.default(3_000),
  webhookResponseMs: ms.default(5_000),
  /** "which retry count (2 or 3 attempts) is live" is open. */
  webhookAttempts: z.int().positive().default(2),
  webhookRetryMs: ms.default(0),
  videoRetryFirstMs: ms.default(5_000),
  videoRetryMaxMs: ms.default(15 * 60_000),
  videoRetryForMs: ms.default(24 * 3_600_000),
  /** Unsigned legacy callbacks: four retries (contract §6). */
  legacyRetries: z.int().nonnegative().default(4),
});

/** Vendor behaviour that the contract leaves open, or that differs between accounts. */
const behaviourSchema = z.strictObject({
  /** Hosts that mean "Vonage Voice" in a SIP URI. Only parsed, never resolved. */
  sipHosts: z
    .array(z.string())
    .default(['sip.nexmo.com', 'sip-us.vonage.com', 'sip-eu.vonage.com', 'sip-ap.vonage.com']),
  /** True: disconnecting the media connection also cancels a call that still rings. */
  disconnectCancelsRinging: z.boolean().default(false),
  /** "Every call gets completed at the end unless it was rejected" (contract §3). */
  completedAfterFailure: z.boolean().default(true),
  ringTimeoutStatus: z.enum(['timeout', 'unanswered']).default('timeout'),
  /** payload_hash on GET webhooks is not documented. */
  getPayloadHash: z.enum(['empty-body', 'absent']).default('empty-body'),
  /** Digits keyed while nothing listens. */
  digitsOutsideInput: z.enum(['discard', 'buffer']).default('discard'),
  maxParticipants: z.int().positive().default(50),
  /** sessionCreated/sessionDestroyed: bodies not read, so off by default (contract §6). */
  sessionLifecycleEvents: z.boolean().default(false),
  /** Time in tokens and in webhook `iat`: wall time, or the emulator's (virtual) clock. */
  credentialTime: z.enum(['wall', 'emulator']).default('wall'),
  regionUrl: z.string().default('https://api-eu-1.nexmo.com'),
});

const configFields = z.strictObject({
  port: z.int().min(0).max(65_535).default(0),
  clock: z.enum(['real', 'virtual']).default('real'),
  /** Seeds the draws behind fault probabilities, so that a run can be repeated. */
  seed: z.int().default(1),
  account: accountSchema.prefault({}),
  /** Other customers of the vendor, beside `account`. */
  accounts: z.array(furtherAccountSchema).default([]),
  projects: z.array(projectSchema).default([]),
  applications: z.array(applicationSchema).default([]),
  numbers: z.array(numberSchema).default([]),
  limits: limitsSchema.prefault({}),
  rates: ratesSchema.prefault({}),
  timings: timingsSchema.prefault({}),
  behaviour: behaviourSchema.prefault({}),
});

/** An account has one entry, and what belongs to an account belongs to one that there is. */
export const configSchema = configFields.superRefine(({ account, accounts, applications, projects }, context) => {
  const known = new Set([account.apiKey]);
  for (const [at, { apiKey }] of accounts.entries()) {
    if (known.has(apiKey))
      context.addIssue({
        code: 'custom',
        path: ['accounts', at, 'apiKey'],
        message: `${apiKey} is already an account`,
      });
    known.add(apiKey);
  }
  for (const [list, owned] of Object.entries({ applications, projects })) {
    for (const [at, one] of owned.entries()) {
      if (one.account !== undefined && !known.has(one.account))
        context.addIssue({
          code: 'custom',
          path: [list, at, 'account'],
          message: `${one.account} is no account's apiKey`,
        });
    }
  }
});

export type EmulatorConfig = z.output<typeof configSchema>;
/** What a caller writes: everything that has a default may be left out. */
export type EmulatorConfigInput = z.input<typeof configSchema>;
export type Account = z.output<typeof furtherAccountSchema>;

/** Body of `PUT /emulator/config`: list items merge by id, apiKey or e164; the rest merges by field. */
const configPatchSchema = z.strictObject({
  account: z.looseObject({}).optional(),
  accounts: z.array(z.looseObject({ apiKey: z.string() })).optional(),
  projects: z.array(z.looseObject({ apiKey: z.string() })).optional(),
  applications: z.array(z.looseObject({ id: z.string(), video: z.looseObject({}).optional() })).optional(),
  numbers: z.array(numberSchema).optional(),
  limits: z.looseObject({}).optional(),
  rates: z.looseObject({}).optional(),
  timings: z.looseObject({}).optional(),
  behaviour: z.looseObject({}).optional(),
});

type Raw = { [key: string]: unknown };

/** The type a client writes for `PUT /emulator/config`. */
export interface EmulatorConfigPatch {
  account?: Partial<EmulatorConfigInput['account']>;
  accounts?: ({ apiKey: string } & Partial<Account>)[];
  projects?: ({ apiKey: string } & Partial<z.input<typeof projectSchema>>)[];
  applications?: ({ id: string } & Partial<z.input<typeof applicationSchema>>)[];
  numbers?: z.input<typeof numberSchema>[];
  limits?: Partial<z.input<typeof limitsSchema>>;
  rates?: Partial<z.input<typeof ratesSchema>>;
  timings?: Partial<z.input<typeof timingsSchema>>;
  behaviour?: Partial<z.input<typeof behaviourSchema>>;
}

const mergeBy = (key: string, current: Raw[], changes: Raw[] = []): Raw[] => {
  const byKey = new Map(current.map((item) => [item[key], item]));
  for (const change of changes) byKey.set(change[key], { ...byKey.get(change[key]), ...change });
  return [...byKey.values()];
};

/** An application's video settings merge by field too: a new address must not take the callback secret away. */
const mergeVideo = (current: Raw[], changes: Raw[] = []): Raw[] =>
  changes.map((change) =>
    change.video === undefined
      ? change
      : {
          ...change,
          video: { ...(current.find((one) => one.id === change.id)?.video as Raw), ...(change.video as Raw) },
        },
  );

/** Applies a patch and validates the whole: an added item must be complete. */
export function patchConfig(current: EmulatorConfig, patch: unknown): EmulatorConfig {
  const change = configPatchSchema.parse(patch);
  return configSchema.parse({
    ...current,
    account: { ...current.account, ...change.account },
    accounts: mergeBy('apiKey', current.accounts, change.accounts),
    projects: mergeBy('apiKey', current.projects, change.projects),
    applications: mergeBy('id', current.applications, mergeVideo(current.applications, change.applications)),
    numbers: mergeBy('e164', current.numbers, change.numbers),
    limits: { ...current.limits, ...change.limits },
    rates: { ...current.rates, ...change.rates },
    timings: { ...current.timings, ...change.timings },
    behaviour: { ...current.behaviour, ...change.behaviour },
  });
}
