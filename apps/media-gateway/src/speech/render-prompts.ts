import { PROMPTS } from '@partyline/domain/prompts';
import { TECHNICAL_DIFFICULTIES } from '../calls/run-plan.ts';
import type { Speaker } from './speak.ts';

/** A tag for each voice of the languages that have prompts (speech-programs.ts). */
export const PROMPT_LANGUAGES = ['en-US', 'en-GB', 'de', 'fr', 'fr-BE', 'fr-CH', 'es', 'es-419'];

/** Those of the codecs of phones. */
const SAMPLE_RATES = [8_000, 16_000];

/**
 * Speaks every prompt of these languages into the cache of a speaker, so that no caller waits for it.
 * @param languages BCP 47
 * @returns how many prompts
 * @throws SpeechError for the first one that cannot be spoken
 */
export async function renderPrompts(speaker: Pick<Speaker, 'render'>, languages: readonly string[]): Promise<number> {
  let rendered = 0;
  for (const language of languages) {
    const base = language.split('-')[0] as keyof typeof PROMPTS;
    // As for callers: a language without prompts is spoken in English.
    for (const text of Object.values(PROMPTS[base] ?? PROMPTS.en)) {
      for (const sampleRate of SAMPLE_RATES) await speaker.render(text, language, sampleRate);
      rendered += 1;
    }
  }
  const { text, language } = TECHNICAL_DIFFICULTIES;
  for (const sampleRate of SAMPLE_RATES) await speaker.render(text, language, sampleRate);
  return rendered + 1;
}
