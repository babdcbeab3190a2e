import { verdict, type Verdict } from '@partyline/domain/verdict';
import type { MediaEvent } from '@partyline/provider-contract/provider-event';
import { asDate, asName, asObject, asText, type Json } from '../untrusted-json.ts';

/**
 * Verdicts of a bridge's SIP call by SIP response code, or by one of Vonage's codes from 700
 * (contract section 6). The far end is our own number, so few causes are the caller's. 401, 403 and
 * 407 mean wrong digest credentials of the account.
 */
const BY_CODE: Readonly<Record<string, Verdict>> = {
  '700': verdict('success', 'completed'),
  '703': verdict('upstream', 'unexpected-clearing'),
  '704': verdict('upstream', 'media-timeout'),
  '705': verdict('upstream', 'max-duration'),
  '706': verdict('upstream', 'max-inactive'),
  '401': verdict('client', 'sip-credentials'),
  '403': verdict('client', 'sip-credentials'),
  '407': verdict('client', 'sip-credentials'),
  '404': verdict('client', 'no-such-number'),
  '408': verdict('upstream', 'unanswered'),
  '480': verdict('upstream', 'unanswered'),
  '486': verdict('upstream', 'busy'),
  '600': verdict('upstream', 'busy'),
  '487': verdict('success', 'cancelled'),
  '603': verdict('upstream', 'rejected'),
};

function verdictOfSipCode(reasonCode: unknown): Verdict {
  const code = typeof reasonCode === 'number' ? String(reasonCode) : (asText(reasonCode) ?? '');
  if (Object.hasOwn(BY_CODE, code)) return BY_CODE[code] ?? verdict('indeterminate', 'unexplained');
  return /^[2-7]\d\d$/.test(code) ? verdict('upstream', `sip-${code}`) : verdict('indeterminate', 'unexplained');
}

/**
 * `HANGUP` is not terminal: only callDestroyed is, and it is sent at least once (contract section
 * 6).
 */
const PHASES: Readonly<Record<string, 'ringing' | 'active'>> = {
  DIALING: 'ringing',
  RINGING: 'ringing',
  ACTIVE: 'active',
  ON_HOLD: 'active',
};

function parseSipCall(body: Json, name: string, mediaSessionId: string): MediaEvent | undefined {
  const call = asObject(body['call']);
  const connectionId = asText(call['connectionId']);
  const sipCallId = asText(call['id']);
  if (connectionId === undefined || sipCallId === undefined) return undefined;
  const facts = { kind: 'sip-call', mediaSessionId, connectionId, sipCallId, at: asDate(body['timestamp']) } as const;
  if (name === 'callDestroyed') return { ...facts, phase: 'over', verdict: verdictOfSipCode(body['reason_code']) };
  const state = asText(body['state']);
  if (name === 'callCreated' && state === undefined) return { ...facts, phase: 'ringing' };
  const phase = state !== undefined && Object.hasOwn(PHASES, state) ? PHASES[state] : undefined;
  return phase === undefined ? undefined : { ...facts, phase };
}

function parseConnection(body: Json, name: string, mediaSessionId: string): MediaEvent | undefined {
  const found = asObject(body['connection']);
  const connectionId = asText(found['id']);
  if (connectionId === undefined) return undefined;
  const facts = {
    mediaSessionId,
    connectionId,
    data: asText(found['data']) ?? '',
    at: asDate(body['timestamp']),
    since: asDate(found['createdAt']),
  };
  return name === 'connectionCreated'
    ? { kind: 'connected', ...facts }
    : { kind: 'disconnected', ...facts, reason: asName(body['reason']) };
}

/**
 * Parses a session- or SIP-monitoring callback (contract section 6). Never throws; streams and
 * unknown events give `unknown`.
 */
export function parseMediaCallback(input: unknown): MediaEvent {
  const body = asObject(input);
  const name = asText(body['event']) ?? '';
  const mediaSessionId = asText(body['sessionId']);
  const unknown: MediaEvent = { kind: 'unknown', name: asName(name) };
  if (mediaSessionId === undefined) return unknown;
  switch (name) {
    case 'connectionCreated':
    case 'connectionDestroyed':
      return parseConnection(body, name, mediaSessionId) ?? unknown;
    case 'callCreated':
    case 'callUpdated':
    case 'callDestroyed':
      return parseSipCall(body, name, mediaSessionId) ?? unknown;
    default:
      return unknown;
  }
}
