import { readFileSync } from 'node:fs';
import type { PartylineEvent } from '@partyline/sdk/event';
import { describe, expect, it } from 'vitest';
import {
  formatAmount,
  formatDuration,
  formatEvent,
  formatRelativeTime,
  formatValue,
  labelOf,
  labelsOf,
  paint,
} from './values.ts';

const style = { hasColour: false, now: Date.parse('2026-05-04T12:00:00Z'), times: 'relative' as const };
const format = (path: string, value: unknown, owner: object = {}): string => formatValue({ path, value, owner }, style);

describe('formatValue', () => {
  it.each<[string, unknown, string, object?]>([
    ['createdAt', '2026-05-04T11:57:00.123Z', '3 min ago'],
    ['startsAt', '2026-05-04T14:00:00Z', 'in 2 hr'],
    ['priceMicro', '1350000', '€1.35', { currency: 'EUR' }],
    ['maxSpendMicroPerMonth', '500000000', '$500.00', { currency: 'USD' }],
    ['microPerMinute', '8500', '€0.0085', { currency: 'EUR' }],
    ['used', '1350000', '€1.35', { scope: 'tenant-spend', currency: 'EUR' }],
    ['allowed', '5000000', '€5.00', { scope: 'room-spend', currency: 'EUR' }],
    ['price', '0.17850025', '€0.17850025', { currency: 'EUR' }],
    // The API sends a currency with every limit, and minutes as seconds.
    ['used', '0', '0 min', { scope: 'tenant-minutes', currency: 'EUR' }],
    ['used', '5999', '99.9 min', { scope: 'tenant-minutes', currency: 'EUR' }],
    ['allowed', '6000000', '100,000 min', { scope: 'tenant-minutes', currency: 'EUR' }],
    ['used', '12', '12', { limit: 20 }],
    ['maxDurationSeconds', 5_400, '1 h 30 min'],
    ['waitForHost', false, 'no'],
    ['endedAt', null, '-'],
    ['endpoint.types', [], 'all'],
    ['allowedCountries', [], '-'],
    ['scopes', ['rooms:read', 'calls:write'], 'rooms:read, calls:write'],
    ['name', '2026', '2026'],
  ])('%s: %o is "%s"', (path, value, text, owner) => expect(format(path, value, owner)).toBe(text));

  it.each([
    ['relative', '59 sec ago'],
    ['exact', '2026-05-04 11:59:00 UTC'],
    ['both', '2026-05-04 11:59:00 UTC (59 sec ago)'],
  ] as const)('shows times as %s: "%s"', (times, text) => {
    expect(formatValue({ path: 'at', value: '2026-05-04T11:59:00.5Z', owner: {} }, { ...style, times })).toBe(text);
  });

  it('colours a state only where colours are wanted', () => {
    expect(formatValue({ path: 'state', value: 'live', owner: {} }, { ...style, hasColour: true })).toBe(
      '\u001B[32mlive\u001B[39m',
    );
    expect(format('state', 'live')).toBe('live');
  });

  it('leaves the texts of metadata as the tenant wrote them', () => {
    expect(format('room.metadata.costMicro', '1350000', { currency: 'EUR' })).toBe('1350000');
    expect(formatValue({ path: 'metadata.state', value: 'live', owner: {} }, { ...style, hasColour: true })).toBe(
      'live',
    );
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
  ['voice.apiKey', false, 'Voice API key'],
  ['video.kind', false, 'Video kind'],
  ['video.kind', true, 'Kind'],
  ['hangUp.requestedAt', false, 'Hang up requested'],
  ['fraudLimits.concurrent', false, 'Fraud limits concurrent'],
  ['fraudLimits.toOneNumber.warn', false, 'Fraud limits to one number warn'],
  ['old.expiresAt', false, 'Old key expires'],
  ['room.metadata.costCentre', false, 'Metadata costCentre'],
])('labelOf: %s is "%s %s"', (path, isColumn, label) => expect(labelOf(path, isColumn)).toBe(label));

it.each([
  [
    ['room.state', 'room.number', 'session.state'],
    ['Room state', 'Number', 'Session state'],
  ],
  [
    ['apiKey.id', 'apiKey.expiresAt', 'old.id', 'old.expiresAt'],
    ['Key ID', 'Expires', 'Old key ID', 'Old key expires'],
  ],
  [
    ['apiKey.label', 'label'],
    ['API key label', 'Label'],
  ],
  [
    ['room.metadata.team', 'session.metadata.team'],
    ['Room metadata team', 'Session metadata team'],
  ],
])('labelsOf names the object of a label that would repeat: %s', (paths, labels) =>
  expect(labelsOf(paths)).toEqual(labels),
);

/** The values of every field of the API that is called `state` or `outcome`. */
function listStates(value: unknown, name = ''): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const isState = /^(state|outcome)$/.test(name);
  return Object.entries(value).flatMap(([key, inner]): string[] => {
    if (key === 'enum') return isState ? (inner as string[]) : [];
    if (key === 'properties')
      return Object.entries(inner as object).flatMap(([field, each]) => listStates(each, field));
    // Alternatives and items are values of the same field.
    return listStates(inner, /^(anyOf|oneOf|items|\d+)$/.test(key) ? name : '');
  });
}

it('every state of the API and of doctor has a colour', () => {
  const { components } = JSON.parse(readFileSync(new URL('../../../docs/openapi.json', import.meta.url), 'utf8')) as {
    components: { schemas: object };
  };
  const states = [...new Set([...listStates(components.schemas), 'ok', 'warn', 'fail', 'unknown'])];
  expect(states).toEqual(expect.arrayContaining(['invited', 'spent', 'already-closed']));
  expect(states.filter((state) => paint(state, true) === state)).toEqual([]);
});

it('formatEvent shows the date and the time in UTC, whatever the time zone', () => {
  const event = {
    id: 'evt_1',
    type: 'leg.ended',
    at: '2026-05-04T23:59:00.5Z',
    sessionId: 'ses_1',
    roomId: 'room_1',
    data: { legId: 'leg_1', name: 'Grace', dueAt: '2026-05-05T00:00:00Z', reason: 'alone', number: null },
  } as unknown as PartylineEvent;
  expect(formatEvent(event, false)).toBe(
    '2026-05-04 23:59:00 UTC  leg.ended            ses_1  name Grace, due 2026-05-05 00:00:00 UTC, reason alone',
  );
});
