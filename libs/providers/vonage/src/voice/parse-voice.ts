import { toMicroUnits, type Charge } from '@partyline/domain/money';
import { toE164 } from '@partyline/domain/phone';
import { verdict, VerdictError, type Verdict } from '@partyline/domain/verdict';
import type { VoiceAnswer, VoiceEvent, VoiceInput } from '@partyline/provider-contract/provider-event';
import type { ObservedCall } from '@partyline/provider-contract/voice-provider';
import { asDate, asName, asObject, asSeconds, asText, type Json } from '../untrusted-json.ts';

const LIVE: Readonly<Record<string, 'started' | 'ringing' | 'answered'>> = {
  started: 'started',
  ringing: 'ringing',
  answered: 'answered',
};

/** The statuses after which a call is over (contract section 3). `completed` follows most of the others, in any order. */
const OVER: Readonly<Record<string, Verdict>> = {
  completed: verdict('success', 'completed'),
  busy: verdict('client', 'busy'),
  unanswered: verdict('client', 'unanswered'),
  timeout: verdict('client', 'unanswered'),
  rejected: verdict('client', 'rejected'),
  cancelled: verdict('success', 'cancelled'),
  failed: verdict('upstream', 'failed'),
};

/** Where `detail` says more than the status (contract section 3). A number that cannot be rung is the caller's doing, not the carrier's. */
const BY_DETAIL: Readonly<Record<string, Verdict>> = {
  'failed/cannot_route': verdict('client', 'cannot-route'),
  'failed/number_out_of_service': verdict('client', 'number-out-of-service'),
  'rejected/invalid_number': verdict('client', 'invalid-number'),
  'rejected/restricted': verdict('client', 'restricted'),
  'unanswered/unavailable': verdict('client', 'unavailable'),
};

// own entries only: a status called `constructor` must find nothing
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

/** In euros, as text with eight decimals (contract section 7); the same fields in a `completed` event and in the record of a call. */
const CURRENCY = 'EUR';

function parseCharge(body: Json): Charge | undefined {
  const priceMicro = toMicroUnits(asText(body['price']) ?? '') ?? null;
  const rateMicro = toMicroUnits(asText(body['rate']) ?? '') ?? null;
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

/** The vendor's reason for a problem, fit for a log: short, and without runs of digits, which could be numbers or PINs. */
const reasonText = (value: unknown): string =>
  (asText(value) ?? 'no reason given').slice(0, 200).replaceAll(/\d{3,}/g, '***');

/** An event webhook. Never throws; what it does not know is `unknown`. */
export function parseEvent(input: unknown): VoiceEvent {
  const body = asObject(input);
  const callId = asText(body['uuid']);
  const status = asText(body['status']);
  const at = asDate(body['timestamp']);
  if (status === undefined) {
    // a transfer has no status, and fires when a call enters a named conversation (contract section 3)
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

/** A call as `GET /v1/calls` shows it, or undefined when it is none. A status that is not known counts as live. */
export function parseCall(input: unknown): ObservedCall | undefined {
  const body = asObject(input);
  const callId = asText(body['uuid']);
  const status = asText(body['status']);
  if (callId === undefined || status === undefined) return undefined;
  // machine detection: picked up, by something (contract section 3)
  const seen = status === 'machine' || status === 'human' ? 'answered' : status;
  const event = parseCallEvent(callId, seen, body, asDate(body['end_time'] ?? body['start_time']));
  const rings = body['direction'] === 'outbound' ? toE164(asText(asObject(body['to'])['number'])) : null;
  return {
    callId,
    over: event?.kind === 'call' && event.phase === 'over',
    calledNumber: rings,
    event: event ?? { kind: 'unknown', name: asName(status) },
  };
}

function readCallId(body: Json): string {
  const callId = asText(body['uuid']);
  if (callId === undefined || callId.length > 255) {
    throw new VerdictError('client', 'no-call-id', 'The webhook names no call.', {
      field: '/uuid',
      fix: 'Point only the voice vendor’s webhooks at this address.',
    });
  }
  return callId;
}

const HEADER_PREFIX = 'sipheader_';

/** Custom SIP headers come as `SipHeader_X-…`, in whatever case the sender wrote them (contract section 3). */
function readSipHeaders(body: Json): Readonly<Record<string, string>> {
  const found: [string, string][] = [];
  for (const [name, value] of Object.entries(body)) {
    const lower = name.toLowerCase();
    if (lower.length > HEADER_PREFIX.length && lower.startsWith(HEADER_PREFIX) && typeof value === 'string')
      found.push([lower.slice(HEADER_PREFIX.length), value]);
  }
  // fromEntries defines own properties, so that a header called `__proto__` is only a header
  return Object.fromEntries(found);
}

/** An answer webhook. @throws VerdictError (client) when it names no call */
export function parseAnswer(input: unknown): VoiceAnswer {
  const body = asObject(input);
  const callId = readCallId(body);
  const headers = readSipHeaders(body);
  const endpoint = asText(body['endpoint_type']);
  return {
    callId,
    from: toE164(asText(body['from'])),
    to: toE164(asText(body['to'])),
    // only a SIP call has SIP headers; they tell where the field is missing
    viaSip: endpoint === undefined ? Object.keys(headers).length > 0 : endpoint === 'sip',
    headers,
  };
}

/** The vendor takes up to twenty digits (contract section 4). What is no keypad's is treated as not keyed. */
const DIGITS = /^[0-9*#]{1,20}$/;
const isTrue = (value: unknown): boolean => value === true || value === 'true';

/** An input webhook: `dtmf: { digits, timed_out }`, or `dtmf: "1234"` as before May 2020 (contract section 0.12). @throws VerdictError as `parseAnswer` */
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
