/** The fault document of `PUT /emulator/faults` (contract, emulator checklist). */
import { z } from 'zod';

/** A rule applies to the next N matching events, or to all; each time with `probability`. */
const frequencyFields = {
  next: z.int().positive().optional(),
  probability: z.number().min(0).max(1).optional(),
};

const webhookKinds = [
  'answer',
  'fallback',
  'event',
  'input',
  'transfer',
  'error',
  'notify',
  'record',
  'session-callback',
  'sip-callback',
] as const;

const webhookFaultSchema = z.strictObject({
  kind: z.enum([...webhookKinds, 'any']).default('any'),
  /** Narrows to one event: a voice status ('completed') or a video event ('streamCreated'). */
  event: z.string().optional(),
  fault: z.enum([
    'drop', // not sent, but counted as delivered
    'duplicate', // sent twice
    'reorder', // delayed until the next webhook of any kind has been sent
    'delay', // delayed by delayMs on the emulator's clock
    'timeout', // not sent and counted as timed out, so that retry and fallback follow
    'unsigned', // no Authorization header
    'wrong-payload-hash',
    'stale-iat', // 30 days old
    'replayed-jti', // the jti of the previous signed webhook
    'wrong-application-id',
    'wrong-secret',
  ]),
  delayMs: z.number().nonnegative().optional(),
  ...frequencyFields,
});

const restKinds = [
  'create-session',
  'dial',
  'disconnect',
  'list-connections',
  'play-dtmf',
  'signal',
  'mute-stream',
  'mute-all',
  'list-streams',
  'get-stream',
  'layout',
  'archive',
  'callback',
  'create-call',
  'get-call',
  'get-file',
  'list-calls',
  'hangup',
  'transfer',
  'call-mute',
  'call-dtmf',
  'call-talk',
  'call-stream',
  'call-input',
] as const;

const restFaultSchema = z.strictObject({
  route: z.enum([...restKinds, 'any']).default('any'),
  fault: z.enum([
    'hang', // no reply and no effect for delayMs, then normal; without delayMs: never a reply
    'reset', // no effect, the socket closes
    'refuse', // same as reset: a listening port cannot refuse one route
    'not-applied-silent', // no effect, no reply
    'applied-silent', // full effect, no reply
    'applied-reset', // full effect, then the socket closes
    'non-json', // full effect, an HTML body with status 200
    '204-no-effect', // no effect, status 204
    'html-no-effect', // no effect, an HTML body with status 200
    '400',
    '401',
    '403',
    '404',
    '409',
    '429',
    '500',
    '502',
    '503',
  ]),
  delayMs: z.number().nonnegative().optional(),
  ...frequencyFields,
});

/** Persistent deviations of the platform, in contrast to single faults. */
const switchesSchema = z.strictObject({
  /** PUT /v1/calls/:uuid returns 400 within this many ms of creation (contract §0.14). 0: off. */
  earlyPut400Ms: z.number().nonnegative().default(0),
  /** A hang-up returns 204 and the leg stays live. */
  hangupKeepsLegAlive: z.boolean().default(false),
  /** A hang-up of a live leg returns 404. */
  hangup404WhileLive: z.boolean().default(false),
  /** A GET of a live leg returns 404. */
  get404WhileLive: z.boolean().default(false),
  /** GET /v1/calls omits live legs. */
  listOmitsLive: z.boolean().default(false),
  /** The connection list of a video session omits live connections. */
  listOmitsConnections: z.boolean().default(false),
  /**
   * The connection list shows live connections as `Connected`, or also `Connecting` (no stream
   * yet, or a SIP call that rings) and those that have left as `Disconnected`.
   */
  connectionStates: z.enum(['connected', 'all']).default('connected'),
  /** The `completed` event is never sent. */
  neverSendsCompleted: z.boolean().default(false),
  /** Every answer webhook counts as timed out. */
  answerTimesOut: z.boolean().default(false),
  /** DTMF callback body: by the input's form, always new, or always legacy (contract §3). */
  dtmfForm: z.enum(['by-type', 'new', 'legacy']).default('by-type'),
  /** Leg uuids with or without dashes (contract §3). */
  uuidForm: z.enum(['dashed', 'undashed']).default('dashed'),
  /** Rate, price and duration as JSON numbers in place of texts. */
  numericFields: z.boolean().default(false),
  /** `count` of the lists of calls and connections: the total, the items on the page, or zero. */
  listCount: z.enum(['total', 'page', 'zero']).default('total'),
  /** HAL links of GET /v1/calls. The SDK's getAllCalls needs absolute ones (contract §0.9). */
  halLinks: z.enum(['absolute', 'relative']).default('absolute'),
  /** Whether the next event of a call waits for the reply to the one before. */
  eventDelivery: z.enum(['sequential', 'overlapping']).default('sequential'),
  /** An event within this time (ms) of the call's last one has its timestamp. 0: off. */
  simultaneousEventsMs: z.number().nonnegative().default(0),
  /** Overrides the method of every voice webhook. */
  webhookMethod: z.enum(['configured', 'GET', 'POST']).default('configured'),
});

export const faultsSchema = z.strictObject({
  webhooks: z.array(webhookFaultSchema).default([]),
  rest: z.array(restFaultSchema).default([]),
  switches: switchesSchema.prefault({}),
});

export type Faults = z.output<typeof faultsSchema>;
export type FaultsInput = z.input<typeof faultsSchema>;
export type WebhookKind = (typeof webhookKinds)[number];
export type RestKind = (typeof restKinds)[number];
export type WebhookFault = z.output<typeof webhookFaultSchema>;
export type RestFault = z.output<typeof restFaultSchema>;
