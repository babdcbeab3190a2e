/** Mono sound. */
export interface Pcm {
  readonly samples: Int16Array;
  /** In Hz. */
  readonly rate: number;
}

const HEADER_BYTES = 44;
const BYTES_PER_SAMPLE = 2;
const PCM_FORMAT = 1;

/** Returns a WAV file with 16-bit samples in one channel. */
export function encodeWav({ samples, rate }: Pcm): Buffer {
  const data = Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
  const header = Buffer.alloc(HEADER_BYTES);
  header.write('RIFF', 0);
  header.writeUInt32LE(HEADER_BYTES - 8 + data.length, 4);
  header.write('WAVEfmt ', 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(PCM_FORMAT, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(rate, 24);
  header.writeUInt32LE(rate * BYTES_PER_SAMPLE, 28);
  header.writeUInt16LE(BYTES_PER_SAMPLE, 32);
  header.writeUInt16LE(BYTES_PER_SAMPLE * 8, 34);
  header.write('data', 36);
  header.writeUInt32LE(data.length, 40);
  return Buffer.concat([header, data]);
}

export interface WavLayout {
  readonly rate: number;
  readonly channels: number;
  /** Where the samples begin, in bytes. */
  readonly dataStart: number;
  /** The length of the samples as the header states it, in bytes. 0 while a program still writes. */
  readonly dataLength: number;
}

/**
 * Reads the header of a WAV file with 16-bit samples. Returns undefined if the header is incomplete.
 * Throws if the file is no such WAV file.
 */
export function readWavLayout(file: Buffer): WavLayout | undefined {
  if (file.length < 12) return undefined;
  if (file.toString('latin1', 0, 4) !== 'RIFF' || file.toString('latin1', 8, 12) !== 'WAVE')
    throw new Error('This is no WAV file.');
  let format: { rate: number; channels: number } | undefined;
  for (let at = 12; at + 8 <= file.length;) {
    const id = file.toString('latin1', at, at + 4);
    const length = file.readUInt32LE(at + 4);
    if (id === 'data') {
      if (!format) throw new Error('This WAV file states no format before its samples.');
      return { ...format, dataStart: at + 8, dataLength: length };
    }
    if (id === 'fmt ') {
      if (at + 24 > file.length) return undefined;
      const bits = file.readUInt16LE(at + 22);
      if (bits !== BYTES_PER_SAMPLE * 8) throw new Error(`This WAV file has samples of ${bits} bits instead of 16.`);
      format = { channels: file.readUInt16LE(at + 10), rate: file.readUInt32LE(at + 12) };
    }
    at += 8 + length + (length % 2);
  }
  return undefined;
}

/** Returns the first channel of raw little-endian 16-bit samples. */
export function firstChannel(data: Buffer, channels: number): Int16Array {
  const frames = Math.floor(data.length / BYTES_PER_SAMPLE / channels);
  return Int16Array.from({ length: frames }, (_, index) => data.readInt16LE(index * channels * BYTES_PER_SAMPLE));
}

/** Reads a WAV file with 16-bit samples. Of several channels it returns the first. */
export function decodeWav(file: Buffer): Pcm {
  const layout = readWavLayout(file);
  if (!layout) throw new Error('This WAV file has no samples.');
  const data = file.subarray(layout.dataStart, layout.dataStart + layout.dataLength);
  return { samples: firstChannel(data, layout.channels), rate: layout.rate };
}
