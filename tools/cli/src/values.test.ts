import { describe, expect, it } from 'vitest';
import { formatAmount, formatDuration, formatRelativeTime, formatValue, labelOf } from './values.ts';

const style = { hasColour: false, now: Date.parse('2026-05-04T12:00:00Z'), isLong: false };
const format = (path: string, value: unknown, owner: object = {}): string => formatValue({ path, value, owner }, style);

describe('formatValue', () => {
  it.each<[string, unknown, string, object?]>([
    ['createdAt', '2026-05-04T11:57:00.123Z', '3 min ago'],
    ['startsAt', '2026-05-04T14:00:00Z', 'in 2 hr'],
    ['priceMicro', '1350000', '€1.35', { currency: 'EUR' }],
    ['maxSpendMicroPerMonth', '500000000', '$500.00', { currency: 'USD' }],
    ['microPerMinute', '8500', '€0.0085', { currency: 'EUR' }],
    ['used', '1350000', '€1.35', { currency: 'EUR' }],
    ['price', '0.17850025', '€0.17850025', { currency: 'EUR' }],
    ['used', '12', '12', { currency: null }],
    ['maxDurationSeconds', 5_400, '1 h 30 min'],
    ['waitForHost', false, 'no'],
    ['endedAt', null, '-'],
    ['types', [], '-'],
    ['scopes', ['rooms:read', 'calls:write'], 'rooms:read, calls:write'],
    ['name', '2026', '2026'],
  ])('%s: %o is "%s"', (path, value, text, owner) => expect(format(path, value, owner)).toBe(text));

  it('has room for the full time of one object', () => {
    expect(formatValue({ path: 'at', value: '2026-05-04T11:59:00.5Z', owner: {} }, { ...style, isLong: true })).toBe(
      '2026-05-04 11:59:00 UTC (59 sec ago)',
    );
  });

  it('colours a state only where colours are wanted', () => {
    expect(formatValue({ path: 'state', value: 'live', owner: {} }, { ...style, hasColour: true })).toBe(
      '\u001B[32mlive\u001B[39m',
    );
    expect(format('state', 'live')).toBe('live');
  });
});

it.each([
  ['12345678901234567890', 'EUR', '€12,345,678,901,234.56789'],
  ['-1', 'EUR', '-€0.000001'],
  ['0', undefined, '0.00'],
  ['1000000', 'JPY', '¥1.00'],
])('formatAmount keeps every digit: %s %s', (micro, currency, text) =>
  expect(formatAmount(micro, currency)).toBe(text),
);

it.each([
  [0, 'now'],
  [-61, '1 min ago'],
  [3_600, 'in 1 hr'],
  [-90_000, '1 day ago'],
  [-40 * 86_400, '1 mo ago'],
])('formatRelativeTime: %i s is "%s"', (seconds, text) => expect(formatRelativeTime(seconds * 1000, 0)).toBe(text));

it.each([
  [0, '0 s'],
  [61, '1 min 1 s'],
  [86_400, '1 d'],
  [90_061, '1 d 1 h'],
])('formatDuration: %i is "%s"', (seconds, text) => expect(formatDuration(seconds)).toBe(text));

it.each([
  ['createdAt', false, 'Created'],
  ['roomId', true, 'Room'],
  ['room.id', false, 'Room ID'],
  ['pinSpaced', false, 'PIN'],
  ['hostPinSpaced', false, 'Host PIN'],
  ['hangUp.requestedAt', true, 'Requested'],
  ['microPerMinute', true, 'Per minute'],
  ['priceMicro', true, 'Price'],
  ['maxDurationSeconds', false, 'Max duration'],
  ['externalId', false, 'External ID'],
  ['actor.kind', true, 'By'],
])('labelOf: %s is "%s %s"', (path, isColumn, label) => expect(labelOf(path, isColumn)).toBe(label));
