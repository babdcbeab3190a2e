import { expect, it } from 'vitest';
import { accepts } from './accepts.ts';

it.each([
  'text/csv',
  'TEXT/CSV',
  ' text/csv ',
  'text/csv;charset=utf-8',
  'application/json, text/csv;q=0.5',
  'text/csv; q=0.001',
  'text/csv;q=1',
])('accepts CSV for "%s"', (accept) => expect(accepts(accept, 'text/csv')).toBe(true));

it.each([
  undefined,
  '',
  '*/*',
  'text/*',
  'application/json',
  'text/csv2',
  'x-text/csv',
  'text/csv;q=0',
  'Text/CSV; Q=0.000',
  'application/json;x="text/csv"',
])('does not accept CSV for "%s"', (accept) => expect(accepts(accept, 'text/csv')).toBe(false));
