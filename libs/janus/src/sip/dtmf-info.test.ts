import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseDtmfInfo } from './dtmf-info.ts';

it.each([
  ['application/dtmf-relay', 'Signal=5\r\nDuration=160', '5', 160],
  ['application/dtmf-relay', 'Signal= *\r\nDuration= 250\r\n', '*', 250],
  ['Application/DTMF-Relay; charset=utf-8', 'signal=d', 'D', undefined],
  ['application/dtmf-relay', 'Signal=11\r\nDuration=100', '#', 100],
  ['application/dtmf', '#', '#', undefined],
  ['application/dtmf', ' 0\r\n', '0', undefined],
  ['application/dtmf', '10', '*', undefined],
])('returns the digit of %s %j', (contentType, content, digit, durationMs) => {
  expect(parseDtmfInfo(contentType, content)).toEqual({ digit, durationMs });
});

it.each([
  ['application/json', '5'],
  ['application/dtmf', ''],
  ['application/dtmf', '16'],
  ['application/dtmf', '55'],
  ['application/dtmf-relay', 'Signal=\r\nDuration=160'],
  ['application/dtmf-relay', 'Duration=160'],
])('returns nothing for %s %j', (contentType, content) => {
  expect(parseDtmfInfo(contentType, content)).toBeUndefined();
});

it('never throws', () => {
  const contentType = fc.oneof(fc.constantFrom('application/dtmf', 'application/dtmf-relay'), fc.string());
  fc.assert(
    fc.property(contentType, fc.string(), (type, content) => {
      expect(parseDtmfInfo(type, content)?.digit ?? '0').toHaveLength(1);
    }),
  );
});
