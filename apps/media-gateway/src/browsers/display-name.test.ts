import { expect, it } from 'vitest';
import { sanitizeName } from './display-name.ts';

it.each([
  ['Ada Lovelace', 'Ada Lovelace'],
  ['  Ada \t\n Lovelace ', 'Ada Lovelace'],
  ['Zoe\u0301', 'Zo\u00e9'],
  ['\u202EadA\u202C', 'adA'],
  ['A\u0000d\u0007a\u200B', 'Ada'],
  ['\uD800Ada', 'Ada'],
  ['می‌خواهم', 'می‌خواهم'],
  ['👩‍🔬', '👩‍🔬'],
  ['<b>Ada</b>', '<b>Ada</b>'],
  ['\u200F \u2069', null],
  ['', null],
  [undefined, null],
])('shows %j as %j', (name, shown) => expect(sanitizeName(name)).toBe(shown));
