/** Quieter than speech, which is at -18 dBFS. */
export const MUSIC_DBFS = -24;
const CHORD_SECONDS = 4;
/** Semitones from A4 (440 Hz). Low notes are lost on a telephone line, high ones are not gentle. */
const CHORDS = [
  // C major 7, A minor 7, F major 7, G 6
  [-9, -5, -2, 2],
  [-12, -9, -5, -2],
  [-16, -12, -9, -5],
  [-14, -10, -7, -5],
];
/** One note each second, over the chords. */
const MELODY = [7, 5, 2, 3, 3, 0, 3, 5, 3, 0, -2, 0, 2, 5, 2, -2];
/** A soft sound: the strength of each harmonic. */
const HARMONICS = [1, 0.3, 0.1];

interface Note {
  readonly hz: number;
  readonly startSeconds: number;
  readonly seconds: number;
  readonly attackSeconds: number;
  readonly strength: number;
}

const hzOf = (semitones: number): number => 440 * 2 ** (semitones / 12);

function composeNotes(): Note[] {
  const chords = CHORDS.flatMap((chord, i) =>
    chord.map((semitones) => ({
      hz: hzOf(semitones),
      startSeconds: i * CHORD_SECONDS,
      // Longer than the chord lasts: one fades into the next.
      seconds: CHORD_SECONDS + 2,
      attackSeconds: 1,
      strength: 1,
    })),
  );
  const melody = MELODY.map((semitones, i) => ({
    hz: hzOf(semitones),
    startSeconds: i,
    seconds: 2.5,
    attackSeconds: 0.1,
    strength: 0.7,
  }));
  return [...chords, ...melody];
}

/** Rises smoothly to 1, and falls smoothly to 0 at the end. */
function envelope(seconds: number, { seconds: length, attackSeconds }: Note): number {
  const share = seconds < attackSeconds ? seconds / attackSeconds : (length - seconds) / (length - attackSeconds);
  return 0.5 - 0.5 * Math.cos(Math.PI * share);
}

/**
 * Composes the music that callers hear while they wait: 16 s, always the same. Notes that last beyond
 * the end go on at the beginning, so it loops without a seam. Takes about 0.1 s.
 */
export function composeHoldMusic(sampleRate: number): Int16Array {
  const sum = new Float64Array(CHORDS.length * CHORD_SECONDS * sampleRate);
  for (const note of composeNotes()) {
    const start = Math.round(note.startSeconds * sampleRate);
    const length = Math.round(note.seconds * sampleRate);
    for (let i = 0; i < length; i++) {
      const angle = (2 * Math.PI * note.hz * i) / sampleRate;
      let sample = 0;
      for (let k = 0; k < HARMONICS.length; k++) sample += HARMONICS[k]! * Math.sin(angle * (k + 1));
      sum[(start + i) % sum.length]! += sample * note.strength * envelope(i / sampleRate, note);
    }
  }
  const rms = Math.sqrt(sum.reduce((energy, sample) => energy + sample * sample, 0) / sum.length);
  const gain = (32_768 * 10 ** (MUSIC_DBFS / 20)) / rms;
  return Int16Array.from(sum, (sample) => Math.round(sample * gain));
}

/** The sample rates of phones. */
export const MUSIC_RATES = [8_000, 16_000];

/** Composes the music for each sample rate once. Callers share it and must not change it. */
export function createHoldMusic(sampleRates: readonly number[] = MUSIC_RATES): (sampleRate: number) => Int16Array {
  const music = new Map(sampleRates.map((rate) => [rate, composeHoldMusic(rate)]));
  return (sampleRate) => {
    const composed = music.get(sampleRate) ?? composeHoldMusic(sampleRate);
    music.set(sampleRate, composed);
    return composed;
  };
}
