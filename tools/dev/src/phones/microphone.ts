import { readFileSync } from 'node:fs';
import { tone } from '@partyline/testing/tones';
import { decodeWav, type Pcm } from './wav.ts';

/**
 * What a phone says: nothing, a tone (`dbfs` is its RMS level, -20 by default), or a WAV file with
 * 16-bit samples, which it repeats.
 */
export type Microphone = 'silence' | { readonly hz: number; readonly dbfs?: number } | { readonly wav: string };

const DEFAULT_DBFS = -20;
/** Of tones and files alike, so that they are repeated seldom: a repetition is audible as a click. */
export const MIN_MICROPHONE_SECONDS = 120;

/**
 * Returns at least two minutes of sound for a microphone.
 * @param rate the rate of silence and of tones, in Hz. A file has its own.
 */
export function soundOf(microphone: Microphone, rate: number): Pcm {
  if (microphone === 'silence') return { samples: new Int16Array(rate * MIN_MICROPHONE_SECONDS), rate };
  // One second holds whole periods of every whole frequency.
  if ('hz' in microphone)
    return repeat({ samples: tone(microphone.hz, 1, rate, microphone.dbfs ?? DEFAULT_DBFS), rate });
  return repeat(decodeWav(readFileSync(microphone.wav)));
}

function repeat({ samples, rate }: Pcm): Pcm {
  if (samples.length === 0) throw new Error('A microphone needs at least one sample of sound.');
  const times = Math.ceil((MIN_MICROPHONE_SECONDS * rate) / samples.length);
  const repeated = new Int16Array(samples.length * times);
  for (let index = 0; index < times; index += 1) repeated.set(samples, index * samples.length);
  return { samples: repeated, rate };
}
