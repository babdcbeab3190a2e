import { assertFrame, type VoiceCodec } from './voice-codec.ts';

// ITU-T G.722 at 64 kbit/s, mode 1. The names in comments are those of the blocks and tables of the
// standard. Two bands of 8 kHz: 6 bits for the lower, 2 bits for the higher one.

/** The quadrature mirror filter; the other 12 coefficients are these in reverse. */
const QMF = Int32Array.from([3, -11, 12, 32, -210, 951, 3_876, -805, 362, -156, 53, -11]);

/** Q6: decision levels of the lower band. */
const LOW_LEVELS = Int32Array.from([
  0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1_023, 1_121, 1_219, 1_339,
  1_458, 1_612, 1_765, 1_980, 2_195, 2_557, 2_919,
]);
/** QQ6: output of the 64-level quantizer, positive values. Codes count down from the largest. */
const LOW_OUTPUTS = [
  24_808, 21_904, 19_008, 16_704, 14_984, 13_512, 12_280, 11_192, 10_232, 9_360, 8_576, 7_856, 7_192, 6_576, 6_000,
  5_456, 4_944, 4_464, 4_008, 3_576, 3_168, 2_776, 2_400, 2_032, 1_688, 1_360, 1_040, 728,
];
/** Codes 0 to 3 do not occur in mode 1; 62 and 63 are the smallest negative values. */
const LOW_OUTPUT = Int32Array.from([
  -136,
  -136,
  -136,
  -136,
  ...LOW_OUTPUTS.map((value) => -value),
  ...LOW_OUTPUTS,
  432,
  136,
  -432,
  -136,
]);
/** QQ4: output of the 16-level quantizer, which the predictor uses. */
const LOW_COARSE = Int32Array.from([
  0, -20_456, -12_896, -8_968, -6_288, -4_240, -2_584, -1_200, 20_456, 12_896, 8_968, 6_288, 4_240, 2_584, 1_200, 0,
]);
/** WL by the coarse code (RIL): how the step size follows. */
const LOW_STEP_CHANGE = Int32Array.from([
  -60, 3_042, 1_198, 538, 334, 172, 58, -30, 3_042, 1_198, 538, 334, 172, 58, -30, -60,
]);
/** QQ2 and WH by the code of the higher band. */
const HIGH_OUTPUT = Int32Array.from([-7_408, -1_616, 7_408, 1_616]);
const HIGH_STEP_CHANGE = Int32Array.from([798, -214, 798, -214]);
/** Q2: the only decision level of the higher band. */
const HIGH_LEVEL = 564;
/** ILB: 2048 * 2^(k/32), the mantissas of the step sizes. */
const MANTISSAS = Int32Array.from([
  2_048, 2_093, 2_139, 2_186, 2_233, 2_282, 2_332, 2_383, 2_435, 2_489, 2_543, 2_599, 2_656, 2_714, 2_774, 2_834, 2_896,
  2_960, 3_025, 3_091, 3_158, 3_228, 3_298, 3_371, 3_444, 3_520, 3_597, 3_676, 3_756, 3_838, 3_922, 4_008,
]);

const clamp = (value: number, low: number, high: number): number => (value < low ? low : value > high ? high : value);
const saturate = (value: number): number => clamp(value, -32_768, 32_767);
/** Limits a reconstructed band to 15 bits (LIMIT). */
const limit = (value: number): number => clamp(value, -16_384, 16_383);

/** The adaptive predictor and the step size of one band; the same in encoder and decoder. */
class Band {
  /** The predicted sample (SL, SH). */
  predicted = 0;
  /** The step size (DETL, DETH). */
  step: number;
  readonly #stepShift: number;
  readonly #maxLogStep: number;
  #logStep = 0;
  /** The part of the prediction from the zeros (SZ). */
  #fromZeros = 0;
  /** The last two reconstructed samples (RLT) and the signs of partly reconstructed ones (PLT). */
  #last = 0;
  #beforeLast = 0;
  #lastSign = 0;
  #beforeLastSign = 0;
  /** Coefficients of the poles (AL). */
  #pole1 = 0;
  #pole2 = 0;
  /** Coefficients of the zeros (BL), and the last six differences (DLT). */
  readonly #zeros = new Int32Array(6);
  readonly #differences = new Int32Array(6);

  constructor(isLow: boolean) {
    this.step = isLow ? 32 : 8;
    this.#stepShift = isLow ? 8 : 10;
    this.#maxLogStep = isLow ? 18_432 : 22_528;
  }

  /** Adapts to a quantized difference, and predicts the next sample. */
  adapt(difference: number, stepChange: number): void {
    this.#adaptStep(stepChange);
    this.#predict(difference);
  }

  /** LOGSCL and SCALEL, LOGSCH and SCALEH. */
  #adaptStep(change: number): void {
    this.#logStep = clamp(((this.#logStep * 127) >> 7) + change, 0, this.#maxLogStep);
    const mantissa = MANTISSAS[(this.#logStep >> 6) & 31]!;
    const shift = this.#stepShift - (this.#logStep >> 11);
    this.step = (shift < 0 ? mantissa << -shift : mantissa >> shift) << 2;
  }

  /** PARREC, RECONS, UPPOL2, UPPOL1, UPZERO, DELAYA, FILTEP, FILTEZ, PREDIC. */
  #predict(difference: number): void {
    const sign = saturate(this.#fromZeros + difference) >> 15;
    const reconstructed = saturate(this.predicted + difference);
    const isLikeLast = sign === this.#lastSign;

    const slope = saturate(this.#pole1 << 2);
    const pole2 = clamp(
      (sign === this.#beforeLastSign ? 128 : -128) +
        ((isLikeLast ? Math.min(32_767, -slope) : slope) >> 7) +
        ((this.#pole2 * 32_512) >> 15),
      -12_288,
      12_288,
    );
    const bound = saturate(15_360 - pole2);
    const pole1 = saturate((isLikeLast ? 192 : -192) + ((this.#pole1 * 32_640) >> 15));
    this.#pole1 = clamp(pole1, -bound, bound);
    this.#pole2 = pole2;

    const differenceSign = difference >> 15;
    let fromZeros = 0;
    let incoming = difference;
    for (let i = 0; i < 6; i++) {
      const earlier = this.#differences[i]!;
      const change = difference === 0 ? 0 : earlier >> 15 === differenceSign ? 128 : -128;
      const zero = saturate(change + ((this.#zeros[i]! * 32_640) >> 15));
      this.#zeros[i] = zero;
      fromZeros += (zero * saturate(incoming * 2)) >> 15;
      this.#differences[i] = incoming;
      incoming = earlier;
    }
    this.#fromZeros = saturate(fromZeros);

    this.#beforeLast = this.#last;
    this.#last = reconstructed;
    this.#beforeLastSign = this.#lastSign;
    this.#lastSign = sign;
    const fromPoles = saturate(
      ((this.#pole1 * saturate(this.#last * 2)) >> 15) + ((this.#pole2 * saturate(this.#beforeLast * 2)) >> 15),
    );
    this.predicted = saturate(fromPoles + this.#fromZeros);
  }
}

const absolute = (value: number): number => (value < 0 ? -(value + 1) : value);

class G722Encoder {
  readonly #low = new Band(true);
  readonly #high = new Band(false);
  /** The last 24 samples, in pairs. */
  readonly #history = new Int32Array(24);

  /** Encodes two samples as one byte. */
  encode(first: number, second: number): number {
    const history = this.#history;
    history.copyWithin(0, 2);
    history[22] = first;
    history[23] = second;
    let [even, odd] = [0, 0];
    for (let i = 0; i < 12; i++) {
      odd += history[2 * i]! * QMF[i]!;
      even += history[2 * i + 1]! * QMF[11 - i]!;
    }
    return (this.#encodeHigh((even - odd) >> 14) << 6) | this.#encodeLow((even + odd) >> 14);
  }

  #encodeLow(sample: number): number {
    const band = this.#low;
    const difference = saturate(sample - band.predicted);
    const magnitude = absolute(difference);
    let level = 1;
    while (level < 30 && magnitude >= (LOW_LEVELS[level]! * band.step) >> 12) level++;
    // Negative codes: 63, 62, then 31 down to 4. Positive codes: 61 down to 32.
    const code = difference < 0 ? (level < 3 ? 64 - level : 34 - level) : 62 - level;
    const coarse = code >> 2;
    band.adapt((band.step * LOW_COARSE[coarse]!) >> 15, LOW_STEP_CHANGE[coarse]!);
    return code;
  }

  #encodeHigh(sample: number): number {
    const band = this.#high;
    const difference = saturate(sample - band.predicted);
    const isLarge = absolute(difference) >= (HIGH_LEVEL * band.step) >> 12;
    const code = (difference < 0 ? 1 : 3) - (isLarge ? 1 : 0);
    band.adapt((band.step * HIGH_OUTPUT[code]!) >> 15, HIGH_STEP_CHANGE[code]!);
    return code;
  }
}

class G722Decoder {
  readonly #low = new Band(true);
  readonly #high = new Band(false);
  readonly #history = new Int32Array(24);

  /** Decodes one byte to two samples, written at `at`. */
  decode(code: number, pcm: Int16Array, at: number): void {
    const low = this.#decodeLow(code & 63);
    const high = this.#decodeHigh(code >> 6);
    const history = this.#history;
    history.copyWithin(0, 2);
    history[22] = low + high;
    history[23] = low - high;
    let [first, second] = [0, 0];
    for (let i = 0; i < 12; i++) {
      second += history[2 * i]! * QMF[i]!;
      first += history[2 * i + 1]! * QMF[11 - i]!;
    }
    pcm[at] = saturate(first >> 11);
    pcm[at + 1] = saturate(second >> 11);
  }

  #decodeLow(code: number): number {
    const band = this.#low;
    const sample = limit(band.predicted + ((band.step * LOW_OUTPUT[code]!) >> 15));
    const coarse = code >> 2;
    band.adapt((band.step * LOW_COARSE[coarse]!) >> 15, LOW_STEP_CHANGE[coarse]!);
    return sample;
  }

  #decodeHigh(code: number): number {
    const band = this.#high;
    const difference = (band.step * HIGH_OUTPUT[code]!) >> 15;
    const sample = limit(band.predicted + difference);
    band.adapt(difference, HIGH_STEP_CHANGE[code]!);
    return sample;
  }
}

/** Opens G.722 (RFC 3551): 16 kHz, 64 kbit/s. Every payload but the empty one is valid. */
export function openG722(): VoiceCodec {
  const encoder = new G722Encoder();
  const decoder = new G722Decoder();
  return {
    name: 'G722',
    payloadClockRate: 8_000,
    sampleRate: 16_000,
    encode(pcm) {
      assertFrame(pcm, 16_000);
      const payload = Buffer.allocUnsafe(pcm.length / 2);
      for (let i = 0; i < payload.length; i++) payload[i] = encoder.encode(pcm[2 * i]!, pcm[2 * i + 1]!);
      return payload;
    },
    decode(payload) {
      if (payload.length === 0) return null;
      const pcm = new Int16Array(payload.length * 2);
      for (let i = 0; i < payload.length; i++) decoder.decode(payload[i]!, pcm, 2 * i);
      return pcm;
    },
    close: () => undefined,
  };
}
