import { describe, expect, it } from 'vitest';
import { callsUp, callStates, headerOf, headersOf, parseSipMessage, type SipMessage } from './sip-message.ts';

function message(startLine: string, cseq: string, direction: SipMessage['direction'] = 'sent'): SipMessage {
  const parsed = parseSipMessage(`${startLine}\r\nCall-ID: a\r\nCSeq: ${cseq}\r\n\r\n`, { atMs: 0, direction });
  if (!parsed) throw new Error(`"${startLine}" was not parsed`);
  return parsed;
}

const INVITE = message('INVITE sip:ben@127.0.0.1 SIP/2.0', '1 INVITE');
const OK = message('SIP/2.0 200 OK', '1 INVITE', 'received');

describe('parseSipMessage', () => {
  it('reads the headers and the body of a request', () => {
    const text = 'INVITE sip:b@h SIP/2.0\r\nv: one\r\nVia: two\r\nSubject: a\r\n  b\r\ni: 7\r\n\r\nv=0\r\no=x\r\n';
    const parsed = parseSipMessage(text, { atMs: 5, direction: 'received' });

    expect(parsed).toMatchObject({ method: 'INVITE', atMs: 5, direction: 'received', body: 'v=0\no=x\n' });
    if (!parsed) return;
    expect(headersOf(parsed, 'Via')).toEqual(['one', 'two']);
    expect(headerOf(parsed, 'subject')).toBe('a b');
    expect(headerOf(parsed, 'Call-ID')).toBe('7');
  });

  it('ignores text that is no SIP message', () => {
    expect(parseSipMessage('hello\r\n\r\n', { atMs: 0, direction: 'sent' })).toBeUndefined();
  });
});

describe('callStates', () => {
  it('counts a call as up from the answer to the BYE', () => {
    expect(callsUp([INVITE])).toBe(0);
    expect(callsUp([INVITE, message('SIP/2.0 180 Ringing', '1 INVITE'), OK])).toBe(1);
    expect(callsUp([INVITE, OK, message('BYE sip:a@h SIP/2.0', '2 BYE', 'received')])).toBe(0);
  });

  it('keeps a call up that refuses a re-INVITE', () => {
    expect(
      callsUp([INVITE, OK, message('INVITE sip:a@h SIP/2.0', '2 INVITE'), message('SIP/2.0 488 No', '2 INVITE')]),
    ).toBe(1);
  });

  it('ends a refused call, but not a challenged one', () => {
    expect([...callStates([INVITE, message('SIP/2.0 486 Busy', '1 INVITE')]).values()]).toEqual(['ended']);
    expect([...callStates([INVITE, message('SIP/2.0 407 Who', '1 INVITE')]).values()]).toEqual(['trying']);
  });
});
