import { toE164 } from '@partyline/domain/phone';
import { expect, it } from 'vitest';
import { toCallerId } from './caller-id.ts';

it.each([
  ['442079460018', '+442079460018'],
  ['+12025550100', '+12025550100'],
  ['447700900001', '+447700900001'],
])('accepts the number %s as the caller id %s', (sent, callerId) => {
  expect(toCallerId(toE164(sent))).toBe(callerId);
});

it.each([
  'anonymous',
  'Anonymous',
  'Restricted',
  'unavailable',
  'unknown',
  'private',
  '266696687',
  '+266696687',
  'sip:alice@example.com',
  'alice',
  '02079460018',
  '00442079460018',
  '+00442079460018',
  '0000000000',
  '1000',
  // A country code that no country has.
  '+210123456789',
  '',
  undefined,
])('does not accept %j as a caller id', (sent) => {
  expect(toCallerId(toE164(sent))).toBeNull();
});
