import { expect, it } from 'vitest';
import { closestWord } from './closest-word.ts';

const FIELDS = ['name', 'hostName', 'maxParticipants', 'waitForHost', 'aloneSeconds', 'externalId', 'metadata'];

it.each([
  ['nmae', 'name'],
  ['Name', 'name'],
  ['max_participants', 'maxParticipants'],
  ['maxParticipant', 'maxParticipants'],
  ['waitForhost', 'waitForHost'],
  ['alone', 'aloneSeconds'],
  ['external-id', 'externalId'],
  ['metdata', 'metadata'],
])('finds what %s means: %s', (word, meant) => expect(closestWord(word, FIELDS)).toBe(meant));

it.each(['colour', 'x', '', 'pin', 'n'.repeat(5_000), '__proto__'])('finds nothing for %s', (word) =>
  expect(closestWord(word, FIELDS)).toBeNull(),
);
