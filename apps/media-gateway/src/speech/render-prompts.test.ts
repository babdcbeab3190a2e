import { getPrompt, PROMPTS } from '@partyline/domain/prompts';
import { describe, expect, it } from 'vitest';
import { PROMPT_LANGUAGES, renderPrompts } from './render-prompts.ts';
import { chooseSpeechPrograms } from './speech-programs.ts';

const INSTALLED = { flite: { path: 'flite' }, espeak: { path: 'espeak-ng' } };
/** What the cache distinguishes: see `keyOf` in speak.ts. */
const keyOf = (text: string, language: string, sampleRate: number): string =>
  `${chooseSpeechPrograms(INSTALLED, language)[0]?.id} ${sampleRate} ${text}`;

describe('renderPrompts', () => {
  it.each(['en-US', 'en-AU', 'de-DE', 'de-AT', 'fr-FR', 'fr-CA', 'fr-CH', 'es-ES', 'es-MX'])(
    'renders every prompt of a number in %s',
    async (language) => {
      const rendered = new Set<string>();
      await renderPrompts(
        {
          render: async (text, of, sampleRate) => {
            rendered.add(keyOf(text, of, sampleRate));
            return new Int16Array(0);
          },
        },
        PROMPT_LANGUAGES,
      );
      const names = Object.keys(PROMPTS.en) as (keyof typeof PROMPTS.en)[];
      for (const sampleRate of [8_000, 16_000])
        for (const name of names) expect(rendered).toContain(keyOf(getPrompt(language, name), language, sampleRate));
    },
  );

  it('rejects when a prompt cannot be spoken', async () => {
    const failing = { render: () => Promise.reject(new Error('no program')) };
    await expect(renderPrompts(failing, ['de'])).rejects.toThrow('no program');
  });
});
