import { toMicroUnits, type Charge } from '@partyline/domain/money';
import { toE164 } from '@partyline/domain/phone';
import { verdict, VerdictError, type Verdict } from '@partyline/domain/verdict';
import type { VoiceAnswer, VoiceEvent, VoiceInput } from '@partyline/provider-contract/provider-event';
import type { ObservedCall } from '@partyline/provider-contract/voice-provider';
import { asAmount, asDate, asName, asObject, asSeconds, asText, type Json } from '../untrusted-json.ts';

const LIVE: Readonly<Record<string, 'started' | 'ringing' | 'answered'>> = {
  started: 'started',
  ringing: 'ringing',
  answered: 'answered',
};

/**
 * Terminal statuses (contract section 3). `completed` is sent in addition to most of the others, in
 * any order.
 */
const OVER: Readonly<Record<string, Verdict>> = {
  completed: verdict('success', 'completed'),
  busy: verdict('client', 'busy'),
  unanswered: verdict('client', 'unanswered'),
  timeout: verdict('client', 'unanswered'),
  rejected: verdict('client', 'rejected'),
  cancelled: verdict('success', 'cancelled'),
  failed: verdict('upstream', 'failed'),
};

/**
 * Verdicts for a more specific `detail` (contract section 3). A number that cannot be called counts
 * as a client error.
 */
const BY_DETAIL: Readonly<Record<string, Verdict>> = {
  'failed/cannot_route': verdict('client', 'cannot-route'),
  'failed/number_out_of_service': verdict('client', 'number-out-of-service'),
  'rejected/invalid_number': verdict('client', 'invalid-number'),
  'rejected/restricted': verdict('client', 'restricted'),
  'unanswered/unavailable': verdict('client', 'unavailable'),
};

// Own properties only: a status named `constructor` must not match.
const findOwn = <T>(table: Readonly<Record<string, T>>, key: string): T | undefined =>
  Object.hasOwn(table, key) ? table[key] : undefined;

const verdictOfStatus = (status: string, detail: unknown): Verdict | undefined => {
  const by = findOwn(OVER, status);
  return by === undefined ? undefined : (findOwn(BY_DETAIL, `${status}/${asText(detail) ?? ''}`) ?? by);
};

function parseCallEvent(callId: string, status: string, body: Json, at: Date | null): VoiceEvent | undefined {
  const phase = findOwn(LIVE, status);
  if (phase !== undefined) return { kind: 'call', callId, phase, at };
  const ended = verdictOfStatus(status, body['detail']);
  if (ended === undefined) return undefined;
  const charge = parseCharge(body);
  return { kind: 'call', callId, phase: 'over', verdict: ended, ...(charge === undefined ? {} : { charge }), at };
}

/**
 * Prices are in euros with eight decimals (contract section 7), in `completed` events and in call
 * records alike. They are texts or numbers.
 */
const CURRENCY = 'EUR';

function parseCharge(body: Json): Charge | undefined {
  const priceMicro = toMicroUnits(asAmount(body['price']) ?? '') ?? null;
  const rateMicro = toMicroUnits(asAmount(body['rate']) ?? '') ?? null;
  const seconds = asSeconds(body['duration']) ?? null;
  if (priceMicro === null && rateMicro === null && seconds === null) return undefined;
  return {
    startedAt: asDate(body['start_time']),
    endedAt: asDate(body['end_time']),
    seconds,
    rateMicro,
    priceMicro,
    currency: CURRENCY,
  };
}

/**
 * Returns the reason of a problem for the log: short, and without runs of digits, which could be
 * numbers or PINs.
 */
const reasonText = (value: unknown): string =>
  (asText(value) ?? 'no reason given').slice(0, 200).replaceAll(/\d{3,}/g, '***');

/** Parses an event webhook. Never throws; an unknown event gives `unknown`. */
export function parseEvent(input: unknown): VoiceEvent {
  const body = asObject(input);
  const callId = asText(body['uuid']);
  const status = asText(body['status']);
  const at = asDate(body['timestamp']);
  if (status === undefined) {
    // A transfer has no status. It is sent when a call enters a named conversation (contract
    // section 3).
    const moved = body['type'] === 'transfer' || asText(body['conversation_uuid_to']) !== undefined;
    if (moved && callId !== undefined) return { kind: 'moved', callId, at };
    if (asText(body['reason']) !== undefined)
      return { kind: 'problem', ...(callId === undefined ? {} : { callId }), reason: reasonText(body['reason']) };
    return { kind: 'unknown', name: asText(body['recording_url']) === undefined ? asName(body['type']) : 'record' };
  }
  return (
    (callId === undefined ? undefined : parseCallEvent(callId, status, body, at)) ?? {
      kind: 'unknown',
      name: asName(status),
    }
  );
}

/**
 * Parses a call from `GET /v1/calls`; `undefined` if it is invalid. A call with an unknown status
 * counts as live.
 */
export function parseCall(input: unknown): ObservedCall | undefined {
  const body = asObject(input);
  const callId = asText(body['uuid']);
  const status = asText(body['status']);
  if (callId === undefined || status === undefined) return undefined;
  // Machine detection: the call was answered (contract section 3).
  const effectiveStatus = status === 'machine' || status === 'human' ? 'answered' : status;
  const event = parseCallEvent(callId, effectiveStatus, body, asDate(body['end_time'] ?? body['start_time']));
  const calledNumber = body['direction'] === 'outbound' ? toE164(asText(asObject(body['to'])['number'])) : null;
  return {
    callId,
    over: event?.kind === 'call' && event.phase === 'over',
    calledNumber,
    event: event ?? { kind: 'unknown', name: asName(status) },
  };
}

function readCallId(body: Json): string {
  const callId = asText(body['uuid']);
  if (callId === undefined || callId.length > 255) {
    throw new VerdictError('client', 'no-call-id', 'The webhook has no call id.', {
      field: '/uuid',
      fix: 'Use this URL only for the webhooks of the voice provider.',
    });
  }
  return callId;
}

const HEADER_PREFIX = 'sipheader_';

/**
 * Reads the custom SIP headers, sent as `SipHeader_X-...` in the case that the sender used
 * (contract section 3).
 */
function readSipHeaders(body: Json): Readonly<Record<string, string>> {
  const found: [string, string][] = [];
  for (const [name, value] of Object.entries(body)) {
    const lower = name.toLowerCase();
    if (lower.length > HEADER_PREFIX.length && lower.startsWith(HEADER_PREFIX) && typeof value === 'string')
      found.push([lower.slice(HEADER_PREFIX.length), value]);
  }
  // fromEntries defines own properties, so that a header named `__proto__` is harmless.
  return Object.fromEntries(found);
}

/**
 * Parses an answer webhook.
 * @throws VerdictError (client) when it has no call id
 */
export function parseAnswer(input: unknown): VoiceAnswer {
  const body = asObject(input);
  const callId = readCallId(body);
  const headers = readSipHeaders(body);
  const endpoint = asText(body['endpoint_type']);
  return {
    callId,
    from: toE164(asText(body['from'])),
    to: toE164(asText(body['to'])),
    // Only a SIP call has SIP headers. They decide when the field is missing.
    viaSip: endpoint === undefined ? Object.keys(headers).length > 0 : endpoint === 'sip',
    headers,
  };
}

/** Vonage accepts up to twenty digits (contract section 4). Other characters count as no input. */
const DIGITS = /^[0-9*#]{1,20}$/;
const isTrue = (value: unknown): boolean => value === true || value === 'true';

/**
 * Parses an input webhook: `dtmf: { digits, timed_out }`, or `dtmf: "1234"` as before May 2020
 * (contract section 0.12).
 * @throws VerdictError (client) when it has no call id
 */
export function parseInput(input: unknown): VoiceInput {
  const body = asObject(input);
  const callId = readCallId(body);
  const legacy = typeof body['dtmf'] === 'string';
  const form = asObject(body['dtmf']);
  const digits = legacy ? body['dtmf'] : form['digits'];
  return {
    callId,
    digits: typeof digits === 'string' && DIGITS.test(digits) ? digits : '',
    timedOut: isTrue(legacy ? body['timed_out'] : (form['timed_out'] ?? body['timed_out'])),
  };
}
