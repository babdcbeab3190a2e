import { HOST_AND_PORT } from '@partyline/domain/host-and-port';
import { z } from 'zod';

/**
 * The messages between Partyline and media-gateway. Partyline sends control requests over HTTP;
 * media-gateway sends webhooks to the URLs that it was given. Both are JSON, signed over the raw
 * body (sign-request.ts). Times are ISO 8601 in UTC.
 */

/** A call or a connection: the id of its gateway, a dot, and random characters. */
export const partId = z
  .string()
  .regex(/^[a-z0-9-]{1,40}\.[A-Za-z0-9_-]{16,64}$/, 'must be the id of a gateway, a dot, and random characters');

/** The name of a conference: what calls and browsers of one session join. */
export const conferenceId = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,100}$/, 'must have 1 to 100 letters, digits, dashes and underscores');

/** `platform` or `platform-sip`, an account of the platform, or the id of a tenant's provider account. */
export const accountTag = z
  .string()
  .regex(
    /^(platform|platform-sip|acct_[A-Za-z0-9_-]{1,60})$/,
    'must be platform, platform-sip or the id of an account',
  );

const httpUrl = z.url({ protocol: /^https?$/ });
const e164 = z.string().regex(/^\+[1-9]\d{6,14}$/, 'must be in E.164 form');
const time = z.iso.datetime();

/** A step of a call plan: `CallStep` of the contract, with the rest of the time instead of a deadline. */
export const callStep = z.discriminatedUnion('do', [
  z.strictObject({
    do: z.literal('reject'),
    reason: z.enum(['unknown-number', 'unavailable', 'busy']),
    text: z.string().max(2_000),
    language: z.string().max(35),
  }),
  z.strictObject({
    do: z.literal('say'),
    text: z.string().max(2_000),
    language: z.string().max(35),
    bargeIn: z.boolean().optional(),
  }),
  z.strictObject({
    do: z.literal('ask-digits'),
    maxDigits: z.number().int().min(1).max(20),
    timeoutS: z.number().min(1).max(60),
    replyUrl: httpUrl,
  }),
  z.strictObject({
    do: z.literal('join'),
    conversation: conferenceId,
    eventUrl: httpUrl,
    startOnEnter: z.boolean().optional(),
    endOnExit: z.boolean().optional(),
    muted: z.boolean().optional(),
    /** Kamailio ends the call after so many seconds, also without the gateway. */
    lengthTimerS: z.number().int().min(1).max(86_400).optional(),
  }),
]);

/**
 * The reply to an answer or digits webhook, and `POST /v1/calls/{id}/transfer`, which replaces the plan of an
 * answered call. A plan without steps ends the call.
 */
export const planReply = z.strictObject({ steps: z.array(callStep).max(20) });

/** Where outbound calls of an account leave: a SIP trunk. */
const trunkSchema = z.strictObject({
  /** Host name or address, with or without a port. */
  host: z.string().regex(HOST_AND_PORT, 'must be a host name, with or without a port'),
  /** With `tls`, the audio is encrypted too (SRTP with keys in the SDP), or the call fails. */
  transport: z.enum(['udp', 'tcp', 'tls']).default('udp'),
  /** Digest credentials; absent: the trunk accepts the address of our edge. */
  username: z
    .string()
    .regex(/^[!#-[\]-~]{1,100}$/, 'must have 1 to 100 printable characters without quotes')
    .optional(),
  // Kamailio gets it in a SIP header, which Janus limits.
  password: z
    .string()
    .regex(/^[ -~]{1,120}$/, 'must have 1 to 120 printable ASCII characters')
    .optional(),
});

/** A trunk of the account settings. */
export const trunk = trunkSchema.refine(
  ({ username, password }) => (username === undefined) === (password === undefined),
  'must have both a username and a password, or neither',
);

/** `POST /v1/calls`: places a call. */
export const createCallRequest = z.strictObject({
  account: accountTag,
  to: e164,
  from: e164,
  trunk,
  answerUrl: httpUrl,
  eventUrl: httpUrl,
  ringingTimerS: z.number().int().min(1).max(300),
  lengthTimerS: z.number().int().min(1).max(86_400),
});

/** `POST /v1/calls/{id}/mute` and `POST /v1/conferences/{id}/connections/{id}/mute`. */
export const muteRequest = z.strictObject({ muted: z.boolean() });

/** `POST /v1/calls/{id}/digits`; `p` is a pause of half a second. */
export const digitsRequest = z.strictObject({
  digits: z.string().regex(/^[0-9*#p]{1,40}$/, 'must have 1 to 40 of 0-9 * # p'),
});

/** `POST /v1/calls/{id}/say`. */
export const sayRequest = z.strictObject({ text: z.string().min(1).max(2_000), language: z.string().min(2).max(35) });

/** `POST /v1/calls/{id}/deadline`: the gateway and kamailio end the call after so many seconds. */
export const deadlineRequest = z.strictObject({ seconds: z.number().int().min(1).max(86_400) });

/**
 * Why a call is over. `hung-up`: one side ended an answered call. `media-timeout`: no audio arrived
 * for 30 s. `failed`: `sipCode` states why.
 */
export const CALL_CAUSES = [
  'hung-up',
  'cancelled',
  'busy',
  'rejected',
  'unanswered',
  'unroutable',
  'media-timeout',
  'max-duration',
  'gateway-lost',
  'failed',
] as const;

const callCause = z.enum(CALL_CAUSES);
export type CallCause = z.output<typeof callCause>;

const PHASES = ['started', 'ringing', 'answered', 'over'] as const;

/** A call as media-gateway shows it: `GET /v1/calls/{id}`, `GET /v1/calls?account=...`. */
export const callView = z.object({
  callId: partId,
  account: accountTag,
  direction: z.enum(['inbound', 'outbound']),
  /** The called number, E.164; null when the caller's network sent none. */
  to: z.string().nullable(),
  phase: z.enum(PHASES),
  /** When it entered the phase; null: not known. */
  at: time.nullable(),
  cause: callCause.optional(),
  sipCode: z.number().int().optional(),
  /** When the gateway or kamailio ends it by itself; absent: not known. */
  endsAt: time.optional(),
});
export type CallView = z.output<typeof callView>;

export const callList = z.object({ calls: z.array(callView) });

/** The reply to `POST /v1/calls`. */
export const createdCall = z.object({ callId: partId });

/** A browser of a conference: `GET /v1/conferences/{id}/connections`. */
export const connectionView = z.object({ connectionId: partId, createdAt: time, data: z.string() });
export const connectionList = z.object({ connections: z.array(connectionView) });

/** The answer webhook: a call requests its plan. */
export const answerWebhook = z.object({
  callId: partId,
  from: z.string().nullable(),
  to: z.string().nullable(),
  headers: z.record(z.string(), z.string()).default({}),
});

/** The digits webhook. `digits` is empty when none was keyed in time. */
export const digitsWebhook = z.object({ callId: partId, digits: z.string(), timedOut: z.boolean() });

/** An event of a call. `moved`: the call entered its conference. */
export const callWebhook = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('call'),
    callId: partId,
    phase: z.enum(PHASES),
    at: time,
    cause: callCause.optional(),
    sipCode: z.number().int().optional(),
  }),
  z.object({ kind: z.literal('moved'), callId: partId, at: time }),
  z.object({ kind: z.literal('problem'), callId: partId, reason: z.string() }),
]);

/** An event of a browser. */
export const connectionWebhook = z.object({
  kind: z.enum(['connected', 'disconnected']),
  conference: conferenceId,
  connectionId: partId,
  data: z.string(),
  /** Why it disconnected; empty when it connected. */
  reason: z.string(),
  at: time,
  since: time,
});

/** The claims of a browser's token. */
export const browserClaims = z.object({
  aud: z.literal('browser'),
  conference: conferenceId,
  account: accountTag,
  data: z.string().max(1_000),
  /** Whether the conference starts when this browser joins; callers wait until then. */
  starts: z.boolean(),
  iat: z.number(),
  exp: z.number(),
});
export type BrowserClaims = z.output<typeof browserClaims>;

export type CallStepMessage = z.output<typeof callStep>;
export type PlanReply = z.output<typeof planReply>;
export type CreateCallRequest = z.output<typeof createCallRequest>;
export type CallWebhook = z.output<typeof callWebhook>;
export type ConnectionWebhook = z.output<typeof connectionWebhook>;
export type AnswerWebhook = z.output<typeof answerWebhook>;
export type DigitsWebhook = z.output<typeof digitsWebhook>;
