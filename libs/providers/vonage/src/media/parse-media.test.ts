import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseMediaCallback } from './parse-media.ts';

const at = new Date(1_470_257_688_309);
const base = { sessionId: '2_MX4', projectId: '46000001', timestamp: at.getTime() };
const since = new Date(1_470_257_000_000);
const connection = { connection: { id: 'c-1', createdAt: since.getTime(), data: 'TOKENDATA' } };
const call = { call: { id: 'conf-1', connectionId: 'c-1', createdAt: 1 } };
const connected = { mediaSessionId: '2_MX4', connectionId: 'c-1', data: 'TOKENDATA', at };
const sip = { kind: 'sip-call', mediaSessionId: '2_MX4', connectionId: 'c-1', sipCallId: 'conf-1', at };
const unknown = (name: string): object => ({ kind: 'unknown', name });
const ended = (outcome: string, reason: string): object => ({ ...sip, phase: 'over', verdict: { outcome, reason } });

const TABLE: [string, object, object][] = [
  ['a connection', { event: 'connectionCreated', ...connection }, { kind: 'connected', ...connected, since }],
  [
    'a connection without data',
    { event: 'connectionCreated', connection: { id: 'c-1' } },
    { kind: 'connected', ...connected, data: '', since: null },
  ],
  [
    'a connection without a time',
    { event: 'connectionCreated', ...connection, timestamp: undefined },
    { kind: 'connected', ...connected, at: null, since },
  ],
  [
    'a connection created at 0, as in the documentation',
    { event: 'connectionCreated', connection: { id: 'c-1', createdAt: 0, data: 'TOKENDATA' } },
    { kind: 'connected', ...connected, since: null },
  ],
  [
    'a connection with a time in seconds',
    { event: 'connectionCreated', connection: { id: 'c-1', createdAt: 1_470_257_000, data: 'TOKENDATA' } },
    { kind: 'connected', ...connected, since: null },
  ],
  [
    'the end of a connection',
    { event: 'connectionDestroyed', reason: 'networkDisconnected', ...connection },
    { kind: 'disconnected', ...connected, reason: 'networkDisconnected', since },
  ],
  [
    'the end of a connection without a reason',
    { event: 'connectionDestroyed', ...connection },
    { kind: 'disconnected', ...connected, reason: 'unnamed', since },
  ],
  ['a connection without an id', { event: 'connectionCreated', connection: {} }, unknown('connectionCreated')],
  ['a stream', { event: 'streamCreated', stream: { id: 's' } }, unknown('streamCreated')],
  ['the end of a stream', { event: 'streamDestroyed', stream: { id: 's' } }, unknown('streamDestroyed')],
  ['the end of a session', { event: 'sessionDestroyed' }, unknown('sessionDestroyed')],
  ['a SIP call', { event: 'callCreated', ...call }, { ...sip, phase: 'ringing' }],
  ['dialling', { event: 'callUpdated', state: 'DIALING', ...call }, { ...sip, phase: 'ringing' }],
  ['ringing', { event: 'callUpdated', state: 'RINGING', ...call }, { ...sip, phase: 'ringing' }],
  ['active', { event: 'callUpdated', state: 'ACTIVE', ...call }, { ...sip, phase: 'active' }],
  ['on hold', { event: 'callUpdated', state: 'ON_HOLD', ...call }, { ...sip, phase: 'active' }],
  ['HANGUP, which is not terminal', { event: 'callUpdated', state: 'HANGUP', ...call }, unknown('callUpdated')],
  [
    'a state named like a method of Object',
    { event: 'callUpdated', state: 'constructor', ...call },
    unknown('callUpdated'),
  ],
  ['a forced mute', { event: 'muteForced', ...call }, unknown('muteForced')],
  ['over: normal clearing', { event: 'callDestroyed', reason_code: '700', ...call }, ended('success', 'completed')],
  ['over: media timeout', { event: 'callDestroyed', reason_code: '704', ...call }, ended('upstream', 'media-timeout')],
  ['over: six hours', { event: 'callDestroyed', reason_code: '705', ...call }, ended('upstream', 'max-duration')],
  ['over: wrong digest', { event: 'callDestroyed', reason_code: '403', ...call }, ended('client', 'sip-credentials')],
  ['over: cancelled', { event: 'callDestroyed', reason_code: '487', ...call }, ended('success', 'cancelled')],
  ['over: another SIP code', { event: 'callDestroyed', reason_code: '503', ...call }, ended('upstream', 'sip-503')],
  ['over: a code that is a number', { event: 'callDestroyed', reason_code: 486, ...call }, ended('upstream', 'busy')],
  ['over: no code', { event: 'callDestroyed', ...call }, ended('indeterminate', 'unexplained')],
  [
    'over: an invalid code',
    { event: 'callDestroyed', reason_code: 'toString', ...call },
    ended('indeterminate', 'unexplained'),
  ],
  ['no session', { event: 'connectionCreated', sessionId: 5, ...connection }, unknown('connectionCreated')],
  ['an event that is not a string', { event: 5 }, unknown('unnamed')],
];

describe('parseMediaCallback', () => {
  it.each(TABLE)('parses %s', (_what, body, event) => expect(parseMediaCallback({ ...base, ...body })).toEqual(event));

  it('never throws', () => {
    const names = fc.constantFrom(
      'connectionCreated',
      'connectionDestroyed',
      'callCreated',
      'callUpdated',
      'callDestroyed',
      '__proto__',
    );
    const bodies = fc.oneof(
      fc.jsonValue(),
      fc.record({
        sessionId: fc.string({ minLength: 1 }),
        event: names,
        connection: fc.jsonValue(),
        call: fc.jsonValue(),
        state: fc.jsonValue(),
        reason_code: fc.jsonValue(),
        timestamp: fc.jsonValue(),
      }),
    );
    fc.assert(
      fc.property(bodies, (body) => {
        expect(parseMediaCallback(body).kind).toEqual(expect.any(String));
      }),
    );
  });
});
