/** Zero crossings of the filter on each side. More make the transition between pass and stop narrower. */
const ZERO_CROSSINGS = 48;
/** The Kaiser window's shape: the stop band is below -80 dB. */
const KAISER_BETA = 8;
/** The pass band ends at 90 % of the highest frequency: 3.6 kHz at 8 kHz. The stop band begins at 100 %. */
const CUTOFF = 0.95;

/** The taps of each position between two input samples that an output sample can have. */
interface Filter {
  /** Output samples per `down` input samples, without a common factor. */
  readonly up: number;
  readonly down: number;
  /** Taps on each side. */
  readonly reach: number;
  readonly phases: readonly Float64Array[];
}

const filters = new Map<string, Filter>();

const greatestCommonDivisor = (a: number, b: number): number => (b === 0 ? a : greatestCommonDivisor(b, a % b));

/** The modified Bessel function of order 0. */
function bessel(x: number): number {
  let [sum, term] = [1, 1];
  for (let k = 1; term > sum * 1e-12; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function createFilter(from: number, to: number): Filter {
  const divisor = greatestCommonDivisor(from, to);
  const [up, down] = [to / divisor, from / divisor];
  // Relative to the input rate. The lower rate decides: nothing above its half may pass.
  const cutoff = CUTOFF * Math.min(1, to / from);
  const reach = Math.ceil(ZERO_CROSSINGS / cutoff);
  const tap = (distance: number): number => {
    const x = distance * cutoff;
    const sinc = x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
    const edge = 1 - (distance / reach) ** 2;
    return edge <= 0 ? 0 : (sinc * bessel(KAISER_BETA * Math.sqrt(edge))) / bessel(KAISER_BETA);
  };
  const phases = Array.from({ length: up }, (_, phase) => {
    const taps = Float64Array.from({ length: 2 * reach }, (_tap, k) => tap(k - reach + 1 - phase / up));
    // Every phase passes DC alike, or the output would hum.
    const gain = taps.reduce((sum, value) => sum + value, 0);
    return taps.map((value) => value / gain);
  });
  return { up, down, reach, phases };
}

function filterFor(from: number, to: number): Filter {
  const key = `${from}/${to}`;
  const filter = filters.get(key) ?? createFilter(from, to);
  filters.set(key, filter);
  return filter;
}

/** Of audio that is converted at a time: about 5 ms. */
const SLICE_SECONDS = 1;

/** Returns the number of samples of a recording at another sample rate. */
export function resampledLength(samples: number, from: number, to: number): number {
  return Math.round((samples * to) / from);
}

/**
 * Converts a whole recording to another sample rate (windowed sinc, without delay). Images and aliases
 * are below -60 dB. Costs about 5 ms for each second of audio.
 * @param from and `to` samples per second, integers
 * @param start and `end` limit the result to a part of it: long recordings can be converted in slices
 */
export function resample(
  pcm: Int16Array,
  from: number,
  to: number,
  { start = 0, end = resampledLength(pcm.length, from, to) } = {},
): Int16Array {
  if (from === to) return pcm.subarray(start, end);
  const { up, down, reach, phases } = filterFor(from, to);
  const result = new Int16Array(Math.max(0, end - start));
  for (let n = 0; n < result.length; n++) {
    const position = (start + n) * down;
    const taps = phases[position % up]!;
    const first = Math.floor(position / up) - reach + 1;
    const stop = Math.min(taps.length, pcm.length - first);
    let sum = 0;
    for (let k = Math.max(0, -first); k < stop; k++) sum += taps[k]! * pcm[first + k]!;
    result[n] = Math.max(-32_768, Math.min(32_767, Math.round(sum)));
  }
  return result;
}

/** Converts a recording as `resample` does, and lets calls have their turn after each second of audio. */
export async function resampleInSlices(
  pcm: Int16Array,
  from: number,
  to: number,
  yieldToCalls: () => Promise<unknown>,
): Promise<Int16Array> {
  const result = new Int16Array(resampledLength(pcm.length, from, to));
  for (let start = 0; start < result.length; start += SLICE_SECONDS * to) {
    const end = Math.min(result.length, start + SLICE_SECONDS * to);
    result.set(resample(pcm, from, to, { start, end }), start);
    await yieldToCalls();
  }
  return result;
}
