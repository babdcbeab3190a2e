/** Audio that a loss is filled with gets this much quieter in each frame, and is silent after 200 ms. */
const FADE_PER_FRAME = 0.7;
const SILENT_AFTER_FRAMES = 10;
/** One period of the highest voice, and two of the lowest. */
const MIN_PERIOD_SECONDS = 0.0025;
const MAX_PERIOD_SECONDS = 0.03;
/** How much of the end of the audio is compared with what went before. */
const COMPARED_SECONDS = 0.01;
/** The return of the real audio after a loss is blended in. */
const BLEND_SECONDS = 0.005;

/**
 * Fills losses in the audio of one call. It repeats the last period of the voice, so that a vowel or
 * a tone goes on without a click, and fades it out (the idea of ITU-T G.711, appendix I).
 */
export class LossConcealer {
  readonly #frame: number;
  readonly #rate: number;
  /** The last audio that was played, real or not: long enough to find a period in. */
  readonly #past: Int16Array;
  /** What is repeated in the current loss. */
  #period: Int16Array | undefined;
  #position = 0;
  #lostSamples = 0;
  #hasPast = false;

  /** @param frame samples of 20 ms */
  constructor(rate: number, frame: number) {
    this.#rate = rate;
    this.#frame = frame;
    this.#past = new Int16Array(Math.ceil((MAX_PERIOD_SECONDS + COMPARED_SECONDS) * rate));
  }

  /** Writes a substitute for lost samples into `pcm`, zeros so far, from `start` to `end`. */
  conceal(pcm: Int16Array, start: number, end: number): void {
    if (!this.#hasPast) return;
    this.#period ??= this.#lastPeriod();
    for (let i = start; i < end; i++) pcm[i] = this.#nextSample();
    this.#remember(pcm.subarray(start, end));
  }

  /** Blends real samples in `pcm`, from `start` to `end`, with the end of a loss before them. */
  accept(pcm: Int16Array, start: number, end: number): void {
    if (this.#period) {
      const blended = Math.min(end - start, Math.round(BLEND_SECONDS * this.#rate));
      for (let i = 0; i < blended; i++) {
        const weight = (i + 1) / (blended + 1);
        pcm[start + i] = Math.round((pcm[start + i] ?? 0) * weight + this.#nextSample() * (1 - weight));
      }
      this.#period = undefined;
      this.#lostSamples = 0;
      this.#position = 0;
    }
    this.#hasPast = true;
    this.#remember(pcm.subarray(start, end));
  }

  #nextSample(): number {
    const period = this.#period;
    if (!period || this.#lostSamples >= SILENT_AFTER_FRAMES * this.#frame) return 0;
    const sample = (period[this.#position] ?? 0) * FADE_PER_FRAME ** (this.#lostSamples++ / this.#frame);
    this.#position = (this.#position + 1) % period.length;
    return Math.round(sample);
  }

  #remember(pcm: Int16Array): void {
    const recent = pcm.subarray(Math.max(0, pcm.length - this.#past.length));
    this.#past.copyWithin(0, recent.length);
    this.#past.set(recent, this.#past.length - recent.length);
  }

  /** The end of the past audio, as long as the shift at which it looks most like itself. */
  #lastPeriod(): Int16Array {
    const past = this.#past;
    const compared = Math.round(COMPARED_SECONDS * this.#rate);
    const tail = past.length - compared;
    let [best, bestLikeness] = [this.#frame, 0];
    for (let shift = Math.floor(MIN_PERIOD_SECONDS * this.#rate); shift <= tail; shift++) {
      let [product, energy] = [0, 1];
      for (let i = tail; i < past.length; i++) {
        const earlier = past[i - shift] ?? 0;
        product += (past[i] ?? 0) * earlier;
        energy += earlier * earlier;
      }
      const likeness = product / Math.sqrt(energy);
      if (likeness > bestLikeness) [best, bestLikeness] = [shift, likeness];
    }
    return past.slice(past.length - best);
  }
}
