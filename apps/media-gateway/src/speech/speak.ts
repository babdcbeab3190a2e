import { createHash } from 'node:crypto';
import { normalizeSpeech, speechLevel } from '../audio/loudness.ts';
import { resampleInSlices } from '../audio/resample.ts';
import { readWav, WavError, type Recording } from '../audio/wav.ts';
import { SpeechCache } from './speech-cache.ts';
import { SpeechError } from './speech-error.ts';
import type { SpeechProgram } from './speech-programs.ts';
import { TaskQueue } from './task-queue.ts';

/** Changes when the same text is to sound different: part of the key of the cache. */
const CACHE_VERSION = 1;
const SPEECH_DBFS = -18;
/** Half a minute of speech is about 500 characters. */
const MAX_TEXT_CHARACTERS = 2_000;
/** A program that failed is not tried again for this time, so that callers do not wait for it each time. */
const RETRY_FAILED_MS = 30_000;
/** Audio this much below the speech is silence. */
const TRIM_BELOW_SPEECH_DB = 35;
const KEPT_BEFORE_SECONDS = 0.04;
const KEPT_AFTER_SECONDS = 0.12;

export interface SpeakerOptions {
  /** The programs for a language, best first: see `chooseSpeechPrograms`. */
  readonly programsFor: (language: string) => readonly SpeechProgram[];
  /** Returns a WAV file: see `runSpeechProgram`. */
  readonly run: (program: SpeechProgram, text: string) => Promise<Buffer>;
  /** Shared by processes; made when it does not exist. */
  readonly cacheFolder: string;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Resolves after the work that waits for the event loop: `setImmediate` of `node:timers/promises`. */
  readonly yieldToCalls: () => Promise<unknown>;
  /** Receives each failure, also those that another program makes good. Never contains a text. */
  readonly onFailure: (error: unknown) => void;
  /** Programs that run at the same time. */
  readonly maxPrograms?: number;
  /** Texts that wait for a program. */
  readonly maxWaiting?: number;
  readonly maxMemoryBytes?: number;
}

export interface Speaker {
  /**
   * Returns a text as speech of -18 dBFS RMS. Never rejects: when nothing can speak the text, it
   * returns three beeps. Callers share the result and must not change it.
   * @param language BCP 47
   */
  speak(text: string, language: string, sampleRate: number): Promise<Int16Array>;
  /**
   * The same without the beeps, to fill the cache beforehand.
   * @throws SpeechError
   */
  render(text: string, language: string, sampleRate: number): Promise<Int16Array>;
}

/** Creates a speaker that caches what it spoke by text, program and sample rate. */
export function createSpeaker({
  programsFor,
  run,
  cacheFolder,
  now,
  yieldToCalls,
  onFailure,
  maxPrograms = 2,
  maxWaiting = 50,
  maxMemoryBytes = 32_000_000,
}: SpeakerOptions): Speaker {
  const cache = new SpeechCache(cacheFolder, maxMemoryBytes);
  const queue = new TaskQueue(maxPrograms);
  const inProgress = new Map<string, Promise<Int16Array>>();
  const failedUntil = new Map<string, number>();

  async function runAndCache(program: SpeechProgram, text: string, sampleRate: number, key: string) {
    if (queue.waiting >= maxWaiting) throw new SpeechError('busy', `${maxWaiting} texts wait to be spoken`);
    try {
      const pcm = await queue.run(async () => toSpeech(await run(program, text), sampleRate, yieldToCalls));
      failedUntil.delete(program.id);
      await cache.set(key, { pcm, sampleRate }).catch(onFailure);
      return pcm;
    } catch (error) {
      failedUntil.set(program.id, now() + RETRY_FAILED_MS);
      throw error;
    }
  }

  /** Two callers who need the same text share one program. */
  async function speakWith(program: SpeechProgram, text: string, sampleRate: number): Promise<Int16Array> {
    const key = keyOf(program, text, sampleRate);
    const running = inProgress.get(key);
    if (running) return running;
    const started = runAndCache(program, text, sampleRate, key).finally(() => inProgress.delete(key));
    inProgress.set(key, started);
    return started;
  }

  /** Tries the programs in order; those that failed a moment ago last. */
  async function render(text: string, language: string, sampleRate: number): Promise<Int16Array> {
    const clean = cleanText(text);
    const failed: SpeechProgram[] = [];
    let failure: unknown;
    const attempt = async (program: SpeechProgram): Promise<Int16Array | undefined> => {
      try {
        return await speakWith(program, clean, sampleRate);
      } catch (error) {
        if (failure !== undefined) onFailure(failure);
        failure = error;
        return undefined;
      }
    };
    for (const [isSecondRound, programs] of [
      [false, programsFor(language)],
      [true, failed],
    ] as const) {
      for (const program of programs) {
        const cached = await cache.get(keyOf(program, clean, sampleRate), sampleRate);
        if (cached) return cached;
        if (!isSecondRound && (failedUntil.get(program.id) ?? -Infinity) > now()) {
          failed.push(program);
          continue;
        }
        const pcm = await attempt(program);
        if (pcm && failure !== undefined) onFailure(failure);
        if (pcm) return pcm;
      }
    }
    throw failure ?? new SpeechError('failed', 'No speech program is installed');
  }

  return {
    render,
    async speak(text, language, sampleRate) {
      try {
        return await render(text, language, sampleRate);
      } catch (error) {
        onFailure(error);
        return beeps(sampleRate);
      }
    },
  };
}

/**
 * Removes what a program could read as anything but words: control characters, and the double
 * brackets around phonemes for eSpeak. Markup is spoken, because no program is told to interpret it.
 * @throws SpeechError
 */
function cleanText(text: string): string {
  const clean = text
    .replaceAll(/[\p{Cc}\p{Co}\p{Cs}\s]+/gu, ' ')
    .replaceAll(/([[\]])\1+/g, '$1')
    .trim();
  if (clean === '') throw new SpeechError('unspeakable', 'The text is empty');
  if (clean.length > MAX_TEXT_CHARACTERS)
    throw new SpeechError('unspeakable', `The text has more than ${MAX_TEXT_CHARACTERS} characters`);
  return clean;
}

const keyOf = (program: SpeechProgram, text: string, sampleRate: number): string =>
  createHash('sha256')
    .update(JSON.stringify([CACHE_VERSION, program.id, text, sampleRate]))
    .digest('hex');

/**
 * Makes a WAV file fit for a call: its rate, without silence at the ends, at one level.
 * @throws SpeechError for a file without audio
 */
export async function toSpeech(
  file: Buffer,
  sampleRate: number,
  yieldToCalls: () => Promise<unknown>,
): Promise<Int16Array> {
  const recording = readSpeech(file);
  const pcm = await resampleInSlices(recording.pcm, recording.sampleRate, sampleRate, yieldToCalls);
  return normalizeSpeech(trimSilence(pcm, sampleRate), sampleRate, SPEECH_DBFS);
}

function readSpeech(file: Buffer): Recording {
  try {
    return readWav(file);
  } catch (error) {
    if (!(error instanceof WavError)) throw error;
    throw new SpeechError('no-audio', error.message, { cause: error });
  }
}

function trimSilence(pcm: Int16Array, rate: number): Int16Array {
  const level = speechLevel(pcm, rate);
  if (level === undefined) throw new SpeechError('no-audio', 'The speech is silent');
  const limit = 32_768 * 10 ** ((level - TRIM_BELOW_SPEECH_DB) / 20);
  const isSound = (sample: number): boolean => Math.abs(sample) > limit;
  const first = pcm.findIndex(isSound);
  const last = pcm.findLastIndex(isSound);
  return pcm.slice(
    Math.max(0, first - Math.round(KEPT_BEFORE_SECONDS * rate)),
    last + 1 + Math.round(KEPT_AFTER_SECONDS * rate),
  );
}

/** Three short beeps, so that a caller knows that the line is alive. */
function beeps(sampleRate: number): Int16Array {
  const [beep, gap] = [Math.round(0.15 * sampleRate), Math.round(0.1 * sampleRate)];
  const peak = 32_768 * Math.SQRT2 * 10 ** (SPEECH_DBFS / 20);
  const edge = 0.01 * sampleRate;
  return Int16Array.from({ length: 3 * (beep + gap) }, (_, i) => {
    const at = i % (beep + gap);
    if (at >= beep) return 0;
    return Math.round(
      peak * Math.min(1, at / edge, (beep - at) / edge) * Math.sin((2 * Math.PI * 600 * i) / sampleRate),
    );
  });
}
