import { expect, it } from 'vitest';
import { toCsv } from './csv.ts';

it.each(['=1+1', '+1-202', '-2+3', '@SUM(A1)', '\t=1', '+442*******18', '=HYPERLINK("http://x","y")'])(
  'makes no formula of %j',
  (cell) => expect(toCsv([{ cell }], ['cell'], false)).toMatch(/^"?'/),
);

it.each(['+12025550100', '-5', '17000', 'Ada', 'a=b'])('leaves %s as it is', (cell) =>
  expect(toCsv([{ cell }], ['cell'], false)).toBe(`${cell}\n`),
);

it('quotes separators and writes nothing for null', () =>
  expect(toCsv([{ a: 'x,"y"\n', b: null }], ['a', 'b'])).toBe('a,b\n"x,""y""\n",\n'));
