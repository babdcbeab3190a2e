/** The RMS level of a full-scale square wave is 0 dBFS; a full-scale sine is -3 dBFS. */
const FULL_SCALE = 32_768;

/** Below every level that 16 bits can hold. */
const SILENCE_DBFS = -144;

const toDbfs = (rms: number): number => Math.max(SILENCE_DBFS, 20 * Math.log10(rms / FULL_SCALE + 1e-12));

/**
 * Makes a sine tone as 16-bit mono samples.
 * @param rate samples per second
 * @param dbfs RMS level, at most -3.02
 */
export function tone(hz: number, seconds: number, rate: number, dbfs: number): Int16Array {
  const peak = FULL_SCALE * Math.SQRT2 * 10 ** (dbfs / 20);
  return Int16Array.from({ length: Math.round(seconds * rate) }, (_, i) =>
    Math.round(peak * Math.sin((2 * Math.PI * hz * i) / rate)),
  );
}

/** Adds signals sample by sample, and limits the sum to 16 bits. The result has the length of the longest. */
export function mix(...signals: Int16Array[]): Int16Array {
  const length = Math.max(0, ...signals.map((signal) => signal.length));
  return Int16Array.from({ length }, (_, i) => {
    const sum = signals.reduce((total, signal) => total + (signal[i] ?? 0), 0);
    return Math.max(-FULL_SCALE, Math.min(FULL_SCALE - 1, sum));
  });
}

/** Returns the RMS level of all samples in dBFS. */
export function rmsOf(pcm: Int16Array): number {
  const energy = pcm.reduce((sum, sample) => sum + sample * sample, 0);
  return toDbfs(Math.sqrt(energy / Math.max(1, pcm.length)));
}

/**
 * Returns the RMS level of one frequency in dBFS (Goertzel with a Blackman-Harris window, whose side
 * lobes are below -92 dB). A full second separates frequencies that are 8 Hz apart.
 */
export function levelOf(pcm: Int16Array, hz: number, rate: number): number {
  const step = 2 * Math.cos((2 * Math.PI * hz) / rate);
  let [last, beforeLast, gain] = [0, 0, 0];
  for (let i = 0; i < pcm.length; i++) {
    const turn = (2 * Math.PI * i) / Math.max(1, pcm.length - 1);
    const weight = 0.35875 - 0.48829 * Math.cos(turn) + 0.14128 * Math.cos(2 * turn) - 0.01168 * Math.cos(3 * turn);
    gain += weight;
    [last, beforeLast] = [(pcm[i] ?? 0) * weight + step * last - beforeLast, last];
  }
  const power = Math.max(0, last * last + beforeLast * beforeLast - step * last * beforeLast);
  return toDbfs((Math.sqrt(power) * Math.SQRT2) / Math.max(1e-9, gain));
}

/**
 * Returns the power of one tone against everything else in the signal, in dB. The tone may have any
 * phase, but only one: a jump in time counts as noise.
 */
export function snr(pcm: Int16Array, hz: number, rate: number): number {
  // Least squares: the tone is the combination of sine and cosine that leaves the smallest rest.
  let [ss, cc, sc, xs, xc, energy] = [0, 0, 0, 0, 0, 0];
  for (let i = 0; i < pcm.length; i++) {
    const x = pcm[i] ?? 0;
    const angle = (2 * Math.PI * hz * i) / rate;
    const [sin, cos] = [Math.sin(angle), Math.cos(angle)];
    ss += sin * sin;
    cc += cos * cos;
    sc += sin * cos;
    xs += x * sin;
    xc += x * cos;
    energy += x * x;
  }
  const determinant = Math.max(1e-9, ss * cc - sc * sc);
  const a = (xs * cc - xc * sc) / determinant;
  const b = (xc * ss - xs * sc) / determinant;
  const signal = a * xs + b * xc;
  return 10 * Math.log10(Math.max(1e-9, signal) / Math.max(1e-9, energy - signal));
}
