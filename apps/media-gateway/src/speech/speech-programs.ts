/** A program that speaks, and how it takes its text and gives its audio. */
export interface SpeechProgram {
  /** Names the program and voice, not its place: part of the key of the cache. */
  readonly id: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Variables to add to the environment. */
  readonly env: NodeJS.ProcessEnv;
  /**
   * `pipes`: text on standard input, WAV on standard output. `files`: the program runs in a folder
   * with the text in the file `text`, and writes `speech.wav`.
   */
  readonly exchange: 'pipes' | 'files';
}

/** A program of this machine. */
export interface InstalledProgram {
  readonly path: string;
  readonly env?: NodeJS.ProcessEnv;
}

export interface InstalledPrograms {
  /** A shell command of the operator, which is tried first. It gets the language in TTS_LANGUAGE. */
  readonly command?: string | undefined;
  readonly flite?: InstalledProgram;
  readonly espeak?: InstalledProgram;
}

/** A language tag is an argument of a program: it must not look like an option or a path. */
export const LANGUAGE_TAG = /^[a-z]{2,3}(-[a-z0-9]{1,8})*$/i;

/**
 * Where the names of eSpeak's voices differ from BCP 47, and where regions share a voice, so that prompts
 * are rendered once for all of them. It finds the nearest region of other languages by itself.
 */
const ESPEAK_VOICES: readonly (readonly [RegExp, string])[] = [
  [/^(yue|zh-(hk|mo|hant-(hk|mo))|zh-yue)\b/, 'yue'],
  [/^(zh|cmn)\b/, 'cmn'],
  [/^(no|nn)\b/, 'nb'],
  [/^iw\b/, 'he'],
  [/^in\b/, 'id'],
  [/^(tl|fil)\b/, 'en-us'],
  [/^de\b/, 'de'],
  [/^fr-(?!be\b|ch\b)[a-z0-9]/, 'fr'],
  [/^es-es\b/, 'es'],
  // Spanish of Latin America.
  [/^es-(?!es\b)[a-z0-9]/, 'es-419'],
  [/^en-(us|ca|ph)\b/, 'en-us'],
  [/^en\b/, 'en-gb'],
];

/** Words per minute; the default of 175 is fast for a telephone. */
const ESPEAK_SPEED = '155';

const espeakVoice = (tag: string): string => ESPEAK_VOICES.find(([pattern]) => pattern.test(tag))?.[1] ?? tag;

/**
 * Returns the programs for a language, in the order in which they are tried: the operator's command;
 * flite for English, because its voice loses least on a telephone line; eSpeak NG; its English voice
 * for languages that it does not know.
 * @param language BCP 47; an invalid tag counts as English
 */
export function chooseSpeechPrograms({ command, flite, espeak }: InstalledPrograms, language: string): SpeechProgram[] {
  const isTag = LANGUAGE_TAG.test(language);
  const tag = isTag ? language.toLowerCase() : 'en';
  const programs: SpeechProgram[] = [];
  if (command !== undefined)
    programs.push({
      id: `command:${tag}:${command}`,
      command: '/bin/sh',
      args: ['-c', command],
      env: { TTS_LANGUAGE: isTag ? language : 'en' },
      exchange: 'pipes',
    });
  if (flite && /^en\b/.test(tag))
    // flite can neither read from nor write to a socket, which is what Node's pipes are.
    programs.push({
      id: 'flite:slt',
      command: flite.path,
      args: ['-voice', 'slt', '-f', 'text', '-o', 'speech.wav'],
      env: flite.env ?? {},
      exchange: 'files',
    });
  if (espeak) {
    const voices = new Set([espeakVoice(tag), 'en-gb']);
    for (const voice of voices)
      programs.push({
        id: `espeak:${voice}:${ESPEAK_SPEED}`,
        command: espeak.path,
        // -z: no pause at the end. -b 1: the text is UTF-8.
        args: ['-v', voice, '-s', ESPEAK_SPEED, '-b', '1', '-z', '--stdin', '--stdout'],
        env: espeak.env ?? {},
        exchange: 'pipes',
      });
  }
  return programs;
}
