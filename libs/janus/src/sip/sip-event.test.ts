import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseSipEvent } from './sip-event.ts';

const offer = { type: 'offer', sdp: 'v=0' } as const;

describe('parseSipEvent', () => {
  it('returns an event for any JSON', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (data) => {
        expect(parseSipEvent(data, undefined).type).toEqual(expect.any(String));
      }),
    );
  });

  it('returns an event for any fields of the events that Janus has', () => {
    const known = 'registered incomingcall accepted hangup transfer info dtmf notify message calling';
    const event = fc.constantFrom('__proto__', 'constructor', 'unheard-of', ...known.split(' '));
    const fields = fc.dictionary(
      fc.constantFrom(
        'username',
        'code',
        'reason',
        'refer_id',
        'refer_to',
        'type',
        'content',
        'signal',
        'headers',
        'call_id',
      ),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(event, fields, fc.jsonValue(), (name, result, callId) => {
        const parsed = parseSipEvent({ sip: 'event', result: { ...result, event: name }, call_id: callId }, offer);
        expect(parsed.type).toEqual(expect.any(String));
        expect(['string', 'undefined']).toContain(typeof parsed.callId);
      }),
    );
  });

  it('returns what it does not know as unknown, with the data', () => {
    const data = { sip: 'event', call_id: 'c1', result: { event: 'from-a-later-version' } };
    expect(parseSipEvent(data, undefined)).toEqual({ type: 'unknown', data, callId: 'c1' });
  });

  it('returns an incoming call with its headers and offer', () => {
    const result = {
      event: 'incomingcall',
      username: 'sip:anna@example.com',
      callee: 'sip:gw@example.com',
      displayname: 'Anna',
      headers: { 'X-Partyline-Leg': 'leg_1', 'X-Number': 1 },
      referred_by: '<sip:bob@example.com>',
      replaces: 'c0',
      srtp: 'sdes_optional',
    };
    expect(parseSipEvent({ result, call_id: 'c1' }, offer)).toEqual({
      type: 'incoming-call',
      caller: 'sip:anna@example.com',
      callee: 'sip:gw@example.com',
      displayName: 'Anna',
      headers: { 'X-Partyline-Leg': 'leg_1' },
      referredBy: '<sip:bob@example.com>',
      replaces: 'c0',
      srtp: 'sdes_optional',
      isFocus: false,
      jsep: offer,
      callId: 'c1',
    });
  });

  it('returns the hang-up of a missed call without a Call-ID', () => {
    const data = { sip: 'event', result: { event: 'hangup', code: 486, reason: 'Busy Here' } };
    expect(parseSipEvent(data, undefined)).toEqual({
      type: 'hangup',
      code: 486,
      reason: 'Busy Here',
      headers: {},
      reasonHeader: undefined,
      callId: undefined,
    });
  });

  it('returns the Reason header of a hang-up', () => {
    const result = { event: 'hangup', code: 200, reason_header_protocol: 'Q.850', reason_header_cause: '16' };
    expect(parseSipEvent({ result }, undefined)).toMatchObject({
      reason: '',
      reasonHeader: { protocol: 'Q.850', cause: '16', text: undefined },
    });
  });

  it('returns a digit that Janus found in RTP', () => {
    const result = { event: 'dtmf', signal: '#', duration: 800 };
    expect(parseSipEvent({ result }, undefined)).toMatchObject({ type: 'dtmf-rtp', digit: '#', duration: 800 });
  });

  it('returns the error of a request that had resolved', () => {
    const data = { sip: 'event', error_code: 447, error: 'Wrong state (no callee?)' };
    expect(parseSipEvent(data, undefined)).toEqual({
      type: 'request-failed',
      code: 447,
      reason: 'Wrong state (no callee?)',
      callId: undefined,
    });
  });
});
