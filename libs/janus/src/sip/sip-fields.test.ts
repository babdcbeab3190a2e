import { expect, it } from 'vitest';
import { checkContactParams, checkCredential, checkHeaders, checkUri } from './sip-fields.ts';

const invalid = expect.objectContaining({ kind: 'invalid', request: 'sip.call' });

it.each([
  ['a line break in a value', { 'X-A': 'a\r\nX-B: b' }],
  ['a line break in a name', { 'X-A\r\n': 'a' }],
  ['a name with a colon', { 'X:A': 'a' }],
  ['a header that Janus would cut', { 'X-A': 'a'.repeat(248) }],
  [
    'more headers than Janus can hold',
    Object.fromEntries(Array.from({ length: 9 }, (_, n) => [`X-${n}`, 'a'.repeat(240)])),
  ],
])('rejects headers with %s', (_, headers) => {
  expect(() => checkHeaders('sip.call', headers)).toThrow(invalid);
});

it('accepts the longest header that Janus does not cut', () => {
  const headers = { 'X-A': 'a'.repeat(247) };
  expect(checkHeaders('sip.call', headers)).toBe(headers);
});

it.each(['bob', 'tel:+123', 'sip:', 'sip:bob@a b', 'sip:bob@a>\r\nX: y', 'sip:a@b"'])(
  'rejects the SIP URI %j',
  (uri) => {
    expect(() => checkUri('sip.call', uri)).toThrow(invalid);
  },
);

it('rejects a Contact parameter that is no token', () => {
  expect(() => checkContactParams('sip.call', { a: 'b;c' })).toThrow(invalid);
});

it.each(['a\nb', 'a:"b', 'é'.repeat(46)])('rejects the credential %j without repeating it', (secret) => {
  expect(() => checkCredential('sip.call', secret)).toThrow(invalid);
  expect(() => checkCredential('sip.call', secret)).not.toThrow(secret);
});

it('accepts a password with a colon', () => {
  expect(checkCredential('sip.call', 'pass:word')).toBe('pass:word');
});
