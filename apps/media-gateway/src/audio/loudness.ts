const FULL_SCALE = 32_768;
/** Speech is judged in windows of 20 ms. */
const WINDOW_SECONDS = 0.02;
/** Windows below this level are silence, */
const ABSOLUTE_GATE_DBFS = -60;
/** and so are windows that are this much below the mean of the others: the pauses between words. */
const RELATIVE_GATE_DB = 15;
/** The highest sample: the codecs of a phone overshoot a little. */
const PEAK_DBFS = -1;
/** The limiter turns down this long before a peak, and up again after it. */
const LIMITER_SECONDS = 0.005;
/** Noise stays noise. */
const MAX_GAIN_DB = 40;

const toDbfs = (meanSquare: number): number => 10 * Math.log10(meanSquare / FULL_SCALE ** 2);
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/**
 * Returns the RMS level of speech in dBFS, without its pauses; undefined for silence. A full-scale
 * square wave has 0 dBFS.
 */
export function speechLevel(pcm: Int16Array, rate: number): number | undefined {
  const size = Math.round(WINDOW_SECONDS * rate);
  const energies = Array.from({ length: Math.ceil(pcm.length / size) }, (_, i) => {
    const window = pcm.subarray(i * size, (i + 1) * size);
    return window.reduce((sum, sample) => sum + sample * sample, 0) / window.length;
  });
  const audible = energies.filter((energy) => toDbfs(energy) > ABSOLUTE_GATE_DBFS);
  if (audible.length === 0) return undefined;
  const gate = mean(audible) * 10 ** (-RELATIVE_GATE_DB / 10);
  return toDbfs(mean(audible.filter((energy) => energy > gate)));
}

/** Brings speech to a level, without clipping. Silence is returned as it is. */
export function normalizeSpeech(pcm: Int16Array, rate: number, targetDbfs = -18): Int16Array {
  let result = pcm;
  // Limited peaks take a little of the level, which a second round gives back.
  for (let round = 0; round < 4; round++) {
    const level = speechLevel(result, rate);
    if (level === undefined || Math.abs(level - targetDbfs) < 0.1) break;
    result = amplify(result, Math.min(MAX_GAIN_DB, targetDbfs - level), rate);
  }
  return result;
}

/** Changes the level, and turns down smoothly around the peaks that would be too high. */
function amplify(pcm: Int16Array, gainDb: number, rate: number): Int16Array {
  const gain = 10 ** (gainDb / 20);
  const ceiling = FULL_SCALE * 10 ** (PEAK_DBFS / 20);
  const needed = Float64Array.from(pcm, (sample) => Math.min(1, ceiling / Math.max(1, Math.abs(sample) * gain)));
  const smooth = needed.every((value) => value === 1) ? needed : smoothGains(needed, rate);
  return pcm.map((sample, i) => Math.round(sample * gain * (smooth[i] ?? 1)));
}

/** The mean of the lowest gains around each sample is never above the gain that the sample needs. */
function smoothGains(needed: Float64Array, rate: number): Float64Array {
  const reach = Math.round(LIMITER_SECONDS * rate);
  const lowest = needed.map((_, i) => Math.min(...needed.subarray(Math.max(0, i - reach), i + reach + 1)));
  return lowest.map((_, i) => {
    const window = lowest.subarray(Math.max(0, i - reach), i + reach + 1);
    return window.reduce((sum, value) => sum + value, 0) / window.length;
  });
}
