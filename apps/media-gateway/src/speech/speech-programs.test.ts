import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseSpeechPrograms } from './speech-programs.ts';

const INSTALLED = {
  flite: { path: '/bin/flite' },
  espeak: { path: '/bin/espeak-ng', env: { ESPEAK_DATA_PATH: '/d' } },
};

const voices = (language: string): string[] =>
  chooseSpeechPrograms(INSTALLED, language).map(({ id }) => id.split(':', 2).join(':'));

describe('chooseSpeechPrograms', () => {
  it.each([
    ['en-US', ['flite:slt', 'espeak:en-us', 'espeak:en-gb']],
    ['en-GB', ['flite:slt', 'espeak:en-gb']],
    ['de-DE', ['espeak:de', 'espeak:en-gb']],
    ['fr-CA', ['espeak:fr', 'espeak:en-gb']],
    ['fr-BE', ['espeak:fr-be', 'espeak:en-gb']],
    ['es-ES', ['espeak:es', 'espeak:en-gb']],
    ['es-MX', ['espeak:es-419', 'espeak:en-gb']],
    ['es', ['espeak:es', 'espeak:en-gb']],
    ['zh-CN', ['espeak:cmn', 'espeak:en-gb']],
    ['zh-HK', ['espeak:yue', 'espeak:en-gb']],
    ['no-NO', ['espeak:nb', 'espeak:en-gb']],
    // Not a language that begins with "en".
    ['enm', ['espeak:enm', 'espeak:en-gb']],
  ])('speaks %s', (language, expected) => expect(voices(language)).toEqual(expected));

  it('tries the command of the operator first, in every language', () => {
    const [first, second] = chooseSpeechPrograms({ ...INSTALLED, command: 'piper -o -' }, 'de-DE');
    expect(first).toMatchObject({ command: '/bin/sh', args: ['-c', 'piper -o -'], env: { TTS_LANGUAGE: 'de-DE' } });
    expect(second?.id).toMatch(/^espeak:/);
  });

  it('returns nothing when nothing is installed', () => {
    expect(chooseSpeechPrograms({}, 'en-US')).toEqual([]);
  });

  it('never makes an option, a path or shell code of a language', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.constantFrom('-v', '../x', 'de;id', 'de --x', '$(id)', 'de\n')),
        (language) => {
          for (const { args, env } of chooseSpeechPrograms({ ...INSTALLED, command: 'cat' }, language)) {
            const voice = args[args.indexOf('-v') + 1] ?? '';
            expect(args.includes('-v') ? voice : 'en').toMatch(/^[a-z0-9-]+$/);
            expect(env.TTS_LANGUAGE ?? 'en').toMatch(/^[a-zA-Z]{2,3}(-[a-zA-Z0-9]{1,8})*$/);
          }
        },
      ),
    );
  });
});
