import { decodeG711 } from './codecs/g711.ts';

/** The file is not a WAV that can be read. The message says why, and contains nothing of its audio. */
export class WavError extends Error {
  override readonly name = 'WavError';
}

/** Mono audio. */
export interface Recording {
  readonly pcm: Int16Array;
  /** Samples per second. */
  readonly sampleRate: number;
}

const HEADER_BYTES = 44;
const EXTENSIBLE = 0xfffe;
const MAX_CHANNELS = 8;
const MIN_RATE = 4_000;
const MAX_RATE = 192_000;

type ReadSample = (data: Buffer, offset: number) => number;

/** By format code and bits per sample. */
const ENCODINGS: Readonly<Record<string, ReadSample>> = {
  '1/8': (data, offset) => ((data[offset] ?? 128) - 128) << 8,
  '1/16': (data, offset) => data.readInt16LE(offset),
  '1/24': (data, offset) => data.readInt16LE(offset + 1),
  '1/32': (data, offset) => data.readInt16LE(offset + 2),
  '3/32': (data, offset) => {
    const sample = Math.round(data.readFloatLE(offset) * 32_768);
    return Number.isNaN(sample) ? 0 : Math.max(-32_768, Math.min(32_767, sample));
  },
  '6/8': (data, offset) => decodeG711('PCMA', data.subarray(offset, offset + 1))[0] ?? 0,
  '7/8': (data, offset) => decodeG711('PCMU', data.subarray(offset, offset + 1))[0] ?? 0,
};

interface Format {
  readonly channels: number;
  readonly sampleRate: number;
  readonly bytesPerSample: number;
  readonly readSample: ReadSample;
}

/**
 * Reads a WAV file: PCM of 8 to 32 bits, 32-bit float, mu-law, A-law; any rate. Several channels are
 * mixed to one.
 * @throws WavError for any other file, and for damaged ones
 */
export function readWav(file: Buffer): Recording {
  if (file.length < 12 || file.toString('latin1', 0, 4) !== 'RIFF' || file.toString('latin1', 8, 12) !== 'WAVE')
    throw new WavError('The file is not a WAV file');
  let format: Format | undefined;
  for (let offset = 12; offset + 8 <= file.length;) {
    const name = file.toString('latin1', offset, offset + 4);
    const size = file.readUInt32LE(offset + 4);
    const start = offset + 8;
    if (name === 'fmt ') format = readFormat(file.subarray(start, start + size));
    if (name === 'data') {
      if (!format) throw new WavError('The WAV file has no format before its audio');
      // Programs that write to a pipe do not know the size beforehand, and write a large one.
      const data = file.subarray(start, Math.min(file.length, start + size));
      return { pcm: readSamples(data, format), sampleRate: format.sampleRate };
    }
    // Chunks have an even number of bytes.
    offset = start + size + (size % 2);
  }
  throw new WavError('The WAV file has no audio');
}

function readFormat(chunk: Buffer): Format {
  if (chunk.length < 16) throw new WavError('The format of the WAV file is cut off');
  const outerCode = chunk.readUInt16LE(0);
  const code = outerCode === EXTENSIBLE && chunk.length >= 26 ? chunk.readUInt16LE(24) : outerCode;
  const channels = chunk.readUInt16LE(2);
  const sampleRate = chunk.readUInt32LE(4);
  const bits = chunk.readUInt16LE(14);
  const readSample = ENCODINGS[`${code}/${bits}`];
  if (!readSample) throw new WavError(`WAV files of format ${code} with ${bits} bits are not supported`);
  if (channels < 1 || channels > MAX_CHANNELS)
    throw new WavError(`WAV files of ${channels} channels are not supported`);
  if (sampleRate < MIN_RATE || sampleRate > MAX_RATE)
    throw new WavError(`WAV files of ${sampleRate} samples per second are not supported`);
  return { channels, sampleRate, bytesPerSample: bits / 8, readSample };
}

function readSamples(data: Buffer, { channels, bytesPerSample, readSample }: Format): Int16Array {
  const frameBytes = channels * bytesPerSample;
  const pcm = new Int16Array(Math.floor(data.length / frameBytes));
  for (let i = 0, offset = 0; i < pcm.length; i++) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++, offset += bytesPerSample) sum += readSample(data, offset);
    pcm[i] = Math.round(sum / channels);
  }
  return pcm;
}

/** Writes a mono WAV file of 16 bits. */
export function writeWav({ pcm, sampleRate }: Recording): Buffer {
  const data = Buffer.alloc(pcm.length * 2);
  for (let i = 0; i < pcm.length; i++) data.writeInt16LE(pcm[i] ?? 0, i * 2);
  const header = Buffer.alloc(HEADER_BYTES);
  header.write('RIFF', 0, 'latin1');
  header.writeUInt32LE(HEADER_BYTES - 8 + data.length, 4);
  header.write('WAVEfmt ', 8, 'latin1');
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(sampleRate, 24);
  header.writeUInt32LE(sampleRate * 2, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write('data', 36, 'latin1');
  header.writeUInt32LE(data.length, 40);
  return Buffer.concat([header, data]);
}
