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
    const end = Math.min(pcm.length, (i + 1) * size);
    let sum = 0;
    for (let k = i * size; k < end; k++) sum += pcm[k]! * pcm[k]!;
    return sum / (end - i * size);
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
  const needed = new Float64Array(pcm.length);
  let isLoud = false;
  for (let i = 0; i < pcm.length; i++) {
    needed[i] = Math.min(1, ceiling / Math.max(1, Math.abs(pcm[i]!) * gain));
    if (needed[i]! < 1) isLoud = true;
  }
  // The mean of the lowest gains around a sample is never above the gain that the sample needs.
  const reach = Math.round(LIMITER_SECONDS * rate);
  const smooth = isLoud ? slidingMean(slidingMinimum(needed, reach), reach) : needed;
  const result = new Int16Array(pcm.length);
  for (let i = 0; i < pcm.length; i++) result[i] = Math.round(pcm[i]! * gain * smooth[i]!);
  return result;
}

/** Returns the lowest of the values up to `reach` before and after each one. */
function slidingMinimum(values: Float64Array, reach: number): Float64Array {
  const result = new Float64Array(values.length);
  // Positions whose values rise: a later lower value makes the earlier higher ones irrelevant.
  const rising = new Int32Array(values.length);
  let [head, tail] = [0, 0];
  for (let i = 0; i < values.length + reach; i++) {
    if (i < values.length) {
      while (tail > head && values[rising[tail - 1]!]! >= values[i]!) tail--;
      rising[tail++] = i;
    }
    const center = i - reach;
    if (center < 0) continue;
    while (rising[head]! < center - reach) head++;
    result[center] = values[rising[head]!]!;
  }
  return result;
}

function slidingMean(values: Float64Array, reach: number): Float64Array {
  const result = new Float64Array(values.length);
  let sum = 0;
  for (let i = 0; i < values.length + reach; i++) {
    if (i < values.length) sum += values[i]!;
    if (i > 2 * reach) sum -= values[i - 2 * reach - 1]!;
    const count = Math.min(values.length, i + 1) - Math.max(0, i - 2 * reach);
    if (i >= reach) result[i - reach] = sum / count;
  }
  return result;
}
