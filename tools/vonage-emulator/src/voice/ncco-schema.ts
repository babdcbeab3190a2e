/**
 * NCCO schema (contract §4). Unknown options are accepted; unknown actions and wrong types are not.
 */
import { z } from 'zod';

/** Reason of the error event for an invalid NCCO (contract §3, error event). */
export const SYNTAX_ERROR = 'Syntax error in NCCO. Invalid value type or action.';

/** Every eventUrl must be an array (contract §4). */
const urls = z.array(z.string()).min(1);
const hook = { eventUrl: urls.optional(), eventMethod: z.enum(['GET', 'POST']).default('POST') };
/** A boolean. Older samples write it as a string. */
const flagSchema = z.union([z.boolean(), z.stringbool()]);
const loop = z.coerce.number().int().min(0).default(1);
const level = z.coerce.number().min(-1).max(1).optional();
const hear = { canSpeak: z.array(z.string()).optional(), canHear: z.array(z.string()).optional() };
const timeOut = z.coerce.number().min(0).max(10);
const maxDigits = z.coerce.number().int().min(1).max(20);
const dtmf = { timeOut: timeOut.default(3), maxDigits: maxDigits.default(4), submitOnHash: flagSchema.default(false) };

const MAX_TALK_CHARACTERS = 1_500;
/** A spoken text: at most 1,500 characters, without the tags of SSML (contract §4). */
export const talkText = z
  .string()
  .min(1)
  .refine((text) => text.replace(/<[^>]*>/g, '').length <= MAX_TALK_CHARACTERS, 'must have at most 1500 characters');

const talk = z.looseObject({
  action: z.literal('talk'),
  text: talkText,
  bargeIn: flagSchema.default(false),
  loop,
  level,
});
const stream = z.looseObject({
  action: z.literal('stream'),
  streamUrl: z.array(z.string()).min(1),
  bargeIn: flagSchema.default(false),
  loop,
  level,
});

const input = z.looseObject({
  action: z.literal('input'),
  /** Absent in the legacy form, which has its options at the top level (contract §3). */
  type: z
    .array(z.enum(['dtmf', 'speech']))
    .min(1)
    .optional(),
  dtmf: z.looseObject(dtmf).prefault({}),
  speech: z.looseObject({ startTimeout: z.coerce.number().min(1).max(60).default(10) }).prefault({}),
  timeOut: timeOut.optional(),
  maxDigits: maxDigits.optional(),
  submitOnHash: flagSchema.optional(),
  mode: z.enum(['synchronous', 'asynchronous']).default('synchronous'),
  ...hook,
});

const conversation = z.looseObject({
  action: z.literal('conversation'),
  name: z.string().min(1),
  /** The schema has a string, documents and SDK an array: both are accepted (contract §4). */
  musicOnHoldUrl: z.union([z.string(), z.array(z.string())]).optional(),
  startOnEnter: flagSchema.default(true),
  endOnExit: flagSchema.default(false),
  record: flagSchema.default(false),
  mute: flagSchema.default(false),
  ...hear,
  ...hook,
});

/** A SIP endpoint: a URI, or user and domain. */
export const sipEndpoint = z
  .looseObject({
    type: z.literal('sip'),
    uri: z.string().min(1).optional(),
    user: z.string().min(1).optional(),
    domain: z.string().min(1).optional(),
    headers: z.record(z.string(), z.unknown()).optional(),
  })
  .refine(
    ({ uri, user, domain }) => (uri === undefined) === (user !== undefined && domain !== undefined),
    'Set uri, or user and domain.',
  );

export const endpoint = z.discriminatedUnion('type', [
  z.looseObject({
    type: z.literal('phone'),
    number: z.coerce.string().min(1),
    dtmfAnswer: z.string().optional(),
    onAnswer: z.looseObject({ url: z.url(), ringbackTone: z.string().optional() }).optional(),
  }),
  sipEndpoint,
  z.looseObject({ type: z.literal('app'), user: z.string() }),
  z.looseObject({ type: z.literal('websocket'), uri: z.string() }),
  z.looseObject({ type: z.literal('vbc'), extension: z.coerce.string() }),
]);

/** Options of advanced machine detection. REST and NCCO differ only in the name of the last. */
export const machineOptions = {
  behavior: z.enum(['continue', 'hangup']).default('continue'),
  mode: z.enum(['default', 'detect', 'detect_beep']).default('detect'),
};
export const beepTimeout = z.coerce.number().int().min(45).max(120).default(45);

const connect = z.looseObject({
  action: z.literal('connect'),
  endpoint: z.array(endpoint).length(1),
  from: z.coerce.string().optional(),
  randomFromNumber: flagSchema.optional(),
  eventType: z.literal('synchronous').optional(),
  timeout: z.coerce.number().min(1).max(120).default(60),
  limit: z.coerce.number().min(1).max(7200).default(7200),
  machineDetection: z.enum(['continue', 'hangup']).optional(),
  advancedMachineDetection: z.looseObject({ ...machineOptions, beepTimeout }).optional(),
  ...hook,
});

const record = z.looseObject({
  action: z.literal('record'),
  format: z.enum(['mp3', 'wav', 'ogg']).default('mp3'),
  endOnKey: z.coerce.string().optional(),
  endOnSilence: z.coerce.number().min(3).max(10).optional(),
  timeOut: z.coerce.number().min(3).max(7200).optional(),
  ...hook,
});
const notify = z.looseObject({
  action: z.literal('notify'),
  payload: z.unknown(),
  eventUrl: urls,
  eventMethod: hook.eventMethod,
});
const wait = z.looseObject({
  action: z.literal('wait'),
  timeout: z.coerce
    .number()
    .default(10)
    .transform((s) => Math.min(7200, Math.max(0.1, s))),
});
const transfer = z.looseObject({
  action: z.literal('transfer'),
  conversationId: z.string().min(1),
  mute: flagSchema.default(false),
  ...hear,
});
const pay = z.looseObject({ action: z.literal('pay') });

/** A caller id, or a random own number: not both (contract §4). */
const hasOneCallerId = (actions: { action: string; from?: unknown; randomFromNumber?: unknown }[]): boolean =>
  actions.every(({ from, randomFromNumber }) => from === undefined || randomFromNumber !== true);

/** `bargeIn` "requires a later `input`" (contract §4). */
const isBargeInFollowedByInput = (actions: { action: string; bargeIn?: unknown }[]): boolean =>
  actions.every(
    (action, at) => action.bargeIn !== true || actions.slice(at + 1).some((later) => later.action === 'input'),
  );

export const nccoSchema = z
  .array(
    z.discriminatedUnion('action', [talk, stream, input, conversation, connect, record, notify, wait, transfer, pay]),
  )
  .min(1)
  .refine(isBargeInFollowedByInput, 'bargeIn needs a later input action')
  .refine(hasOneCallerId, 'Set either from or randomFromNumber.');

export type Ncco = z.output<typeof nccoSchema>;
export type Action = Ncco[number];
export type ActionOf<K extends Action['action']> = Extract<Action, { action: K }>;

/** Parses a webhook's reply: a valid NCCO, no NCCO, or an invalid one. */
export function parseNccoReply(
  text: string,
): { is: 'ncco'; ncco: Ncco } | { is: 'none' } | { is: 'invalid'; reason: string } {
  if (text.trim() === '') return { is: 'none' };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // A plain reply such as "OK" or HTML is not an NCCO and not an invalid one.
    return { is: 'none' };
  }
  if (!Array.isArray(json)) return { is: 'none' };
  const parsed = nccoSchema.safeParse(json);
  return parsed.success ? { is: 'ncco', ncco: parsed.data } : { is: 'invalid', reason: SYNTAX_ERROR };
}
