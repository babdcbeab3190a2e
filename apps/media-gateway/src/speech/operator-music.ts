import { createHash } from 'node:crypto';
import { normalizeSpeech, speechLevel } from '../audio/loudness.ts';
import { resampleInSlices } from '../audio/resample.ts';
import { readWav, type Recording } from '../audio/wav.ts';
import { MUSIC_DBFS, MUSIC_RATES } from './hold-music.ts';
import { SpeechCache } from './speech-cache.ts';

export interface OperatorMusicDeps {
  /** Keeps the music for a start at which the server does not answer. */
  readonly cacheFolder: string;
  /** Of the whole download. */
  readonly timeoutMs: number;
  readonly yieldToCalls: () => Promise<unknown>;
  /** Receives why the music could not be fetched or used. */
  readonly onFailure: (error: unknown) => void;
}

/** Music by sample rate. Callers share it and must not change it. */
type Music = ReadonlyMap<number, Int16Array>;

const MAX_BYTES = 30_000_000;
/** The rest of a longer recording is not played. */
const MAX_SECONDS = 300;

/**
 * Fetches the hold music of the operator, a WAV file, and brings it to the level and the sample rates
 * of calls. Takes about 10 ms for each second of music.
 * @returns that of an earlier start when it fails now; undefined when there is none
 */
export async function loadOperatorMusic(url: string, deps: OperatorMusicDeps): Promise<Music | undefined> {
  const cache = new SpeechCache(deps.cacheFolder, Infinity);
  const keyOf = (sampleRate: number): string =>
    createHash('sha256').update(`music ${MUSIC_DBFS} ${sampleRate} ${url}`).digest('hex');
  try {
    const recording = readMusic(await download(url, deps.timeoutMs));
    const music = new Map<number, Int16Array>();
    for (const sampleRate of MUSIC_RATES)
      music.set(sampleRate, await convert(recording, sampleRate, deps.yieldToCalls));
    for (const [sampleRate, pcm] of music)
      await cache.set(keyOf(sampleRate), { pcm, sampleRate }).catch((error: unknown) => deps.onFailure(error));
    return music;
  } catch (error) {
    deps.onFailure(error);
  }
  const earlier = new Map<number, Int16Array>();
  for (const sampleRate of MUSIC_RATES) {
    const pcm = await cache.get(keyOf(sampleRate), sampleRate);
    if (pcm === undefined) return undefined;
    earlier.set(sampleRate, pcm);
  }
  return earlier;
}

/** @throws when the server does not answer with a file of the allowed size in time */
async function download(url: string, timeoutMs: number): Promise<Buffer> {
  const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
  if (!response.ok) throw new Error(`The server of the hold music answered ${response.status}`);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > MAX_BYTES) throw new Error(`The hold music has more than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** @throws WavError, or an error for silence */
function readMusic(file: Buffer): Recording {
  const { pcm, sampleRate } = readWav(file);
  const music = pcm.subarray(0, MAX_SECONDS * sampleRate);
  if (speechLevel(music, sampleRate) === undefined) throw new Error('The hold music is silent');
  return { pcm: music, sampleRate };
}

async function convert(
  { pcm, sampleRate }: Recording,
  to: number,
  yieldToCalls: () => Promise<unknown>,
): Promise<Int16Array> {
  const converted = await resampleInSlices(pcm, sampleRate, to, yieldToCalls);
  return normalizeSpeech(converted, to, MUSIC_DBFS);
}
