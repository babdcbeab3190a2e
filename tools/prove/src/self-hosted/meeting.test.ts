import type { SipMessage } from '@partyline/dev/phones/sip-message';
import { describe, expect, it } from 'vitest';
import type { Caller } from './caller.ts';
import { measureEnds } from './meeting.ts';

const message = (atMs: number, callId: string, startLine: string): SipMessage => ({
  atMs,
  direction: 'received',
  startLine,
  method: startLine.split(' ')[0]!,
  headers: [['Call-ID', callId]],
  body: '',
});

/** A caller whose phone has logged these messages. */
const caller = (sipCallId: string, messages: readonly SipMessage[]): Caller => ({
  number: '+442079460010',
  phone: {
    name: 'phone',
    uri: 'sip:phone@127.0.0.1',
    messages: () => messages,
    stop: () => Promise.resolve(),
    freeze: () => undefined,
    thaw: () => undefined,
    vanish: () => Promise.resolve(),
  },
  direction: 'inbound',
  sipCallId,
  gateway: 'gw-1',
});

const bye = (atMs: number, callId: string): SipMessage => message(atMs, callId, 'BYE sip:phone@127.0.0.1 SIP/2.0');

describe('measureEnds', () => {
  it('returns the longest time in seconds, of the call of each caller', () => {
    const log = [bye(900, 'other'), bye(1_500, 'a')];
    expect(measureEnds([caller('a', log), caller('b', [bye(3_000, 'b')])], () => 1_000)).toBe(2);
  });

  it('counts a call that ended before as at once', () => {
    expect(measureEnds([caller('a', [bye(500, 'a')])], () => 1_000)).toBe(0);
  });

  it('returns null while a call is up', () => {
    expect(measureEnds([caller('a', [bye(1_500, 'a')]), caller('b', [bye(1_500, 'a')])], () => 1_000)).toBeNull();
  });
});
