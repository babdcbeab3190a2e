import { tone } from '@partyline/testing/tones';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readWav, WavError, writeWav } from './wav.ts';

interface Header {
  code?: number;
  channels?: number;
  sampleRate?: number;
  bits?: number;
  size?: number;
  before?: Buffer;
}

const chunk = (name: string, body: Buffer, size = body.length): Buffer => {
  const header = Buffer.alloc(8);
  header.write(name, 'latin1');
  header.writeUInt32LE(size, 4);
  return Buffer.concat([header, body, Buffer.alloc(body.length % 2)]);
};

function wavOf(data: Buffer, { code = 1, channels = 1, sampleRate = 8_000, bits = 16, size, before }: Header = {}) {
  const format = Buffer.alloc(16);
  format.writeUInt16LE(code, 0);
  format.writeUInt16LE(channels, 2);
  format.writeUInt32LE(sampleRate, 4);
  format.writeUInt16LE(bits, 14);
  const chunks = [chunk('fmt ', format), before ?? Buffer.alloc(0), chunk('data', data, size)];
  return Buffer.concat([Buffer.from('RIFF\0\0\0\0WAVE', 'latin1'), ...chunks]);
}

const int16 = (...samples: number[]): Buffer => Buffer.from(Int16Array.from(samples).buffer);

describe('readWav', () => {
  it('reads what writeWav writes', () => {
    fc.assert(
      fc.property(fc.int16Array({ maxLength: 300 }), fc.integer({ min: 4_000, max: 192_000 }), (pcm, sampleRate) => {
        expect(readWav(writeWav({ pcm, sampleRate }))).toEqual({ pcm, sampleRate });
      }),
    );
  });

  it.each([
    ['8-bit PCM', Buffer.from([0, 128, 255]), { bits: 8 }, [-32_768, 0, 32_512]],
    ['24-bit PCM', Buffer.from([9, 0, 0x80, 9, 1, 0]), { bits: 24 }, [-32_768, 1]],
    ['32-bit PCM', Buffer.from([9, 9, 0, 0x80, 9, 9, 1, 0]), { bits: 32 }, [-32_768, 1]],
    [
      '32-bit float',
      Buffer.from(Float32Array.of(-1, 0.5, 2, NaN).buffer),
      { code: 3, bits: 32 },
      [-32_768, 16_384, 32_767, 0],
    ],
    ['mu-law', Buffer.from([0x00, 0xff]), { code: 7, bits: 8 }, [-32_124, 0]],
    ['A-law', Buffer.from([0x2a, 0xd5]), { code: 6, bits: 8 }, [-32_256, 8]],
    ['stereo', int16(100, 300, -100, -300), { channels: 2 }, [200, -200]],
    ['a cut-off last frame', int16(100, 300, 7), { channels: 2 }, [200]],
    ['an unknown size, as programs write to a pipe', int16(1, 2), { size: 0x7fff_f000 }, [1, 2]],
    ['other chunks before the sound', int16(1, 2), { before: chunk('LIST', Buffer.from('odd')) }, [1, 2]],
  ] as const)('reads %s', (_what, data, header, samples) => {
    expect(readWav(wavOf(data, header)).pcm).toEqual(Int16Array.from(samples));
  });

  it('reads the extensible form', () => {
    const format = Buffer.alloc(40);
    format.writeUInt16LE(0xfffe, 0);
    format.writeUInt16LE(1, 2);
    format.writeUInt32LE(44_100, 4);
    format.writeUInt16LE(16, 14);
    format.writeUInt16LE(1, 24);
    const file = Buffer.concat([Buffer.from('RIFF\0\0\0\0WAVE'), chunk('fmt ', format), chunk('data', int16(5))]);
    expect(readWav(file)).toEqual({ pcm: Int16Array.of(5), sampleRate: 44_100 });
  });

  it.each([
    ['an empty file', Buffer.alloc(0), 'not a WAV file'],
    ['another kind of file', Buffer.from('ID3 this is an MP3 file'), 'not a WAV file'],
    ['a file without audio', wavOf(Buffer.alloc(0)).subarray(0, 36), 'no audio'],
    ['a format that is cut off', wavOf(Buffer.alloc(0)).subarray(0, 30), 'cut off'],
    ['sound before the format', Buffer.concat([Buffer.from('RIFF\0\0\0\0WAVE'), chunk('data', int16(1))]), 'no format'],
    ['a compressed format', wavOf(int16(1), { code: 85, bits: 0 }), 'format 85 with 0 bits'],
    ['no channels', wavOf(int16(1), { channels: 0 }), '0 channels'],
    ['a rate of zero', wavOf(int16(1), { sampleRate: 0 }), '0 samples per second'],
  ])('rejects %s', (_what, file, message) => {
    expect(() => readWav(file)).toThrow(WavError);
    expect(() => readWav(file)).toThrow(message);
  });

  it('reads damaged files or throws a WavError', () => {
    const whole = writeWav({ pcm: tone(440, 0.01, 8_000, -18), sampleRate: 8_000 });
    const damaged = fc
      .record({ cut: fc.nat(whole.length), changes: fc.array(fc.tuple(fc.nat(60), fc.nat(255)), { maxLength: 6 }) })
      .map(({ cut, changes }) => {
        const file = Buffer.from(whole.subarray(0, cut));
        for (const [at, value] of changes) if (at < file.length) file[at] = value;
        return file;
      });
    fc.assert(
      fc.property(
        fc.oneof(
          damaged,
          fc.uint8Array().map((bytes) => Buffer.from(bytes)),
        ),
        (file) => {
          const outcome = ((): unknown => {
            try {
              return readWav(file).pcm;
            } catch (error) {
              return error;
            }
          })();
          expect(outcome instanceof Int16Array || outcome instanceof WavError).toBe(true);
        },
      ),
      { numRuns: 5_000 },
    );
  });
});
