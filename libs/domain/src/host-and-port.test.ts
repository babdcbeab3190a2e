import { expect, it } from 'vitest';
import { HOST_AND_PORT } from './host-and-port.ts';

it.each([
  'sip.carrier.de',
  'SIP.Carrier.de:5060',
  '192.0.2.1',
  '192.0.2.1:1',
  'a:9999',
  'a:59999',
  'a:64999',
  'a:65535',
])('HOST_AND_PORT accepts %s', (text) => {
  expect(text).toMatch(HOST_AND_PORT);
});

it.each([
  '',
  'a:',
  'a:0',
  'a:05060',
  'a:65536',
  'a:99999',
  'a:655350',
  'sip:a',
  '-a',
  'a-',
  'a b',
  '[::1]:5060',
  'a:1\n',
])('HOST_AND_PORT rejects %j', (text) => {
  expect(text).not.toMatch(HOST_AND_PORT);
});
