import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PROMPTS } from '@partyline/domain/prompts';
import { toSpeech, type Speaker, type SpeakerOptions } from './speak.ts';
import { LANGUAGE_TAG } from './speech-programs.ts';

const NAMES = new Map<string, string>(
  Object.values(PROMPTS).flatMap((prompts) => Object.entries(prompts).map(([name, text]) => [text, name] as const)),
);

/** The files that may have a prompt, best first: for `de-AT` those of the folders `de-AT` and `de`. */
function candidatesFor(folder: string, text: string, language: string): string[] {
  const name = NAMES.get(text);
  if (name === undefined || !LANGUAGE_TAG.test(language)) return [];
  return [...new Set([language, language.split('-')[0]!])].map((tag) => join(folder, tag, `${name}.wav`));
}

const isMissing = (error: unknown): boolean => (error as { code?: unknown }).code === 'ENOENT';

/**
 * Speaks prompts by the recordings of the operator where there are any, at the level of speech. Each
 * file is read once.
 * @param folder has `<language>/<prompt>.wav`
 */
export function withRecordings(
  speaker: Speaker,
  folder: string,
  { yieldToCalls, onFailure }: Pick<SpeakerOptions, 'yieldToCalls' | 'onFailure'>,
): Speaker {
  const known = new Map<string, Promise<Int16Array | undefined>>();

  async function read(text: string, language: string, sampleRate: number): Promise<Int16Array | undefined> {
    for (const path of candidatesFor(folder, text, language)) {
      try {
        return await toSpeech(await readFile(path), sampleRate, yieldToCalls);
      } catch (error) {
        if (!isMissing(error)) onFailure(new Error(`The recording ${path} cannot be used`, { cause: error }));
      }
    }
    return undefined;
  }

  function find(text: string, language: string, sampleRate: number): Promise<Int16Array | undefined> {
    // Other texts are many.
    if (!NAMES.has(text)) return Promise.resolve(undefined);
    const key = `${sampleRate} ${language} ${NAMES.get(text)} ${text}`;
    const found = known.get(key) ?? read(text, language, sampleRate);
    known.set(key, found);
    return found;
  }

  return {
    speak: async (text, language, sampleRate) =>
      (await find(text, language, sampleRate)) ?? speaker.speak(text, language, sampleRate),
    render: async (text, language, sampleRate) =>
      (await find(text, language, sampleRate)) ?? speaker.render(text, language, sampleRate),
  };
}
