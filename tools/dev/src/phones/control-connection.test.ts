import { expect, it } from 'vitest';
import { netstringReader, toNetstring } from './control-connection.ts';

it('reads netstrings that arrive in parts and in one piece', () => {
  const payloads: string[] = [];
  const read = netstringReader((payload) => payloads.push(payload));
  const bytes = Buffer.concat([toNetstring('{"a":"ü"}'), toNetstring(''), toNetstring('two')]);
  for (const byte of bytes.subarray(0, 8)) read(Buffer.from([byte]));
  read(bytes.subarray(8));

  expect(payloads).toEqual(['{"a":"ü"}', '', 'two']);
});
