/** Every fault the emulator can play, as one document: `PUT /emulator/faults` (contract, emulator checklist). */
import { z } from 'zod';

/** How often a rule bites: the next N matching times, or always; each time with `probability`. */
const often = {
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
  /** Which webhooks; 'any' is all of them. */
  kind: z.enum([...webhookKinds, 'any']).default('any'),
  /** Narrows to one event: a voice status ('completed') or a video event ('streamCreated'). */
  event: z.string().optional(),
  fault: z.enum([
    'drop', // never sent; we believe it was
    'duplicate', // sent twice
    'reorder', // held back until the next webhook of any kind has gone
    'delay', // held for delayMs on the clock
    'timeout', // sent nowhere and counted as timed out, so retry and fallback follow
    'unsigned', // no Authorization header
    'wrong-payload-hash',
    'stale-iat', // 30 days old
    'replayed-jti', // the jti of the webhook signed before
    'wrong-application-id',
    'wrong-secret',
  ]),
  delayMs: z.number().nonnegative().optional(),
  ...often,
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
    'hang', // no reply and no effect for delayMs, then as usual; no delayMs: for ever
    'reset', // socket closed, no effect
    'refuse', // the same on the wire as reset: a listening port cannot refuse one route
    'not-applied-silent', // no effect, no reply
    'applied-silent', // full effect, no reply
    'applied-reset', // full effect, then the socket closes
    'non-json', // full effect, an HTML body with status 200
    '204-no-effect', // 204, and nothing happens
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
  ...often,
});

/** Lasting habits of the vendor, as opposed to accidents. */
const switchesSchema = z.strictObject({
  /** PUT /v1/calls/:uuid is 400 within this many ms of creation (contract §0.14); 0 is off. */
  earlyPut400Ms: z.number().nonnegative().default(0),
  /** 204 to a hang-up, and the leg stays alive. */
  hangupKeepsLegAlive: z.boolean().default(false),
  /** 404 to a hang-up of a live leg. */
  hangup404WhileLive: z.boolean().default(false),
  /** 404 to a GET of a live leg. */
  get404WhileLive: z.boolean().default(false),
  /** GET /v1/calls leaves live legs out. */
  listOmitsLive: z.boolean().default(false),
  /** The list of a video session's connections leaves live ones out. */
  listOmitsConnections: z.boolean().default(false),
  /** The `completed` event is never sent. */
  neverSendsCompleted: z.boolean().default(false),
  /** The answer URL counts as timed out, whatever it says. */
  answerTimesOut: z.boolean().default(false),
  /** DTMF callback body: as the input was written, always new, or always legacy (contract §3). */
  dtmfForm: z.enum(['by-type', 'new', 'legacy']).default('by-type'),
  /** Leg uuids with or without dashes (contract §3). */
  uuidForm: z.enum(['dashed', 'undashed']).default('dashed'),
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
