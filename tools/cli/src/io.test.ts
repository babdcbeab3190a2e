import { describe, expect, it } from 'vitest';
import { allowsColour, type Io } from './io.ts';
import { run } from './program.ts';

describe('allowsColour', () => {
  it.each<[boolean, string, boolean | undefined, Record<string, string>]>([
    [true, 'a terminal', true, {}],
    [false, 'a file', undefined, {}],
    [false, 'a dumb terminal', true, { TERM: 'dumb' }],
    [false, 'NO_COLOR', true, { NO_COLOR: '1' }],
    [true, 'an empty NO_COLOR', true, { NO_COLOR: '' }],
    [true, 'FORCE_COLOR', undefined, { FORCE_COLOR: '1' }],
    [false, 'FORCE_COLOR with NO_COLOR', undefined, { FORCE_COLOR: '1', NO_COLOR: '1' }],
    [false, 'FORCE_COLOR=0', undefined, { FORCE_COLOR: '0' }],
  ])('is %s for %s', (allowed, _what, isTTY, env) =>
    expect(allowsColour(isTTY === undefined ? {} : { isTTY }, env)).toBe(allowed),
  );
});

it.each([
  [true, 'a terminal', 'a file', { hasColour: false, hasErrorColour: true }],
  [false, 'a file', 'a terminal', { hasColour: true, hasErrorColour: false }],
] as const)(
  'an error has colours is %s when standard error is %s and standard output %s',
  async (hasColours, _err, _out, colours) => {
    const errors: string[] = [];
    const io: Io = {
      ...colours,
      env: { PARTYLINE_CONFIG: '/nonexistent/config.json' },
      home: '/nonexistent',
      out: () => undefined,
      err: (line) => errors.push(line),
      readInput: async () => '',
      now: () => 0,
      interrupted: new AbortController().signal,
    };
    expect(await run(io, ['rooms', 'list'])).toBe(2);
    expect(errors.join('').includes('\u001B[31m')).toBe(hasColours);
  },
);
