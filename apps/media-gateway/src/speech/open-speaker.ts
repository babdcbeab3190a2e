import type { Config } from '@partyline/runtime/config';
import type { Timers } from '../audio/frame-clock.ts';
import { withRecordings } from './recordings.ts';
import { runSpeechProgram } from './run-speech-program.ts';
import { createSpeaker, type Speaker, type SpeakerOptions } from './speak.ts';
import { chooseSpeechPrograms } from './speech-programs.ts';

/** A prompt takes a program less than a second. */
const SPEECH_TIMEOUT_MS = 10_000;

const definedVariables = (variables: Record<string, string | undefined>): Record<string, string> =>
  Object.fromEntries(Object.entries(variables).flatMap(([name, value]) => (value ? [[name, value]] : [])));

/** Opens the speaker that the settings describe. */
export function openSpeaker(
  settings: Config<'speech'>['speech'],
  { timers, ...deps }: { readonly timers: Timers } & Pick<SpeakerOptions, 'yieldToCalls' | 'onFailure'>,
): Speaker {
  const env = definedVariables({
    LD_LIBRARY_PATH: settings.SPEECH_LIBRARY_PATH,
    ESPEAK_DATA_PATH: settings.ESPEAK_DATA_PATH,
  });
  const installed = {
    command: settings.TTS_COMMAND,
    flite: { path: settings.FLITE_BIN, env },
    espeak: { path: settings.ESPEAK_BIN, env },
  };
  const speaker = createSpeaker({
    programsFor: (language) => chooseSpeechPrograms(installed, language),
    run: (program, text) =>
      runSpeechProgram(program, text, {
        setTimer: (ms, callback) => timers.setTimer(ms, callback),
        timeoutMs: SPEECH_TIMEOUT_MS,
      }),
    cacheFolder: settings.SPEECH_CACHE,
    now: () => timers.now(),
    ...deps,
  });
  return settings.PROMPT_RECORDINGS === undefined ? speaker : withRecordings(speaker, settings.PROMPT_RECORDINGS, deps);
}
