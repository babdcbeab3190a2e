import { levelOf } from '@partyline/testing/tones';
import { describe, expect, it } from 'vitest';
import { encodePcap } from './pcap.ts';
import { renderRtp, type RtpPacket } from './rtp-script.ts';

const type = ({ bytes }: RtpPacket): number => (bytes[1] ?? 0) & 0x7f;
const sequence = ({ bytes }: RtpPacket): number => bytes.readUInt16BE(2);
const timestamp = ({ bytes }: RtpPacket): number => bytes.readUInt32BE(4);

/** G.711 µ-law, as its recommendation defines the decoder. */
function decodeUlaw(byte: number): number {
  const code = ~byte & 0xff;
  const magnitude = ((((code & 0x0f) << 3) + 0x84) << ((code >> 4) & 7)) - 0x84;
  return code & 0x80 ? -magnitude : magnitude;
}

describe('renderRtp', () => {
  it('sends sound as packets with the length of the packet time', () => {
    const { packets, durationMs } = renderRtp([{ hz: 1000, ms: 120, dbfs: -20 }], { ptimeMs: 40 });

    expect(durationMs).toBe(120);
    expect(packets.map(({ atMs, bytes }) => [atMs, bytes.length])).toEqual([
      [0, 332],
      [40, 332],
      [80, 332],
    ]);
    expect(packets.map(timestamp)).toEqual([0, 320, 640]);
    const sound = Int16Array.from(
      packets.flatMap(({ bytes }) => [...bytes.subarray(12)]),
      decodeUlaw,
    );
    expect(levelOf(sound, 1000, 8000)).toBeCloseTo(-20, 0);
  });

  it('sends a key as events of one timestamp within the sequence of the sound', () => {
    const { packets } = renderRtp([{ silenceMs: 20 }, { keys: '#', keyMs: 60, gapMs: 20 }], { eventType: 96 });

    expect(packets.map(type)).toEqual([0, 96, 96, 96, 96, 96, 96, 0]);
    expect(packets.map(sequence)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(packets.map(timestamp)).toEqual([0, 160, 160, 160, 160, 160, 160, 1120]);
    const events = packets.slice(1, 7).map(({ bytes }) => bytes.subarray(12).toString('hex'));
    expect(events).toEqual(['0b0a00a0', '0b0a0140', '0b0a01e0', '0b8a01e0', '0b8a01e0', '0b8a01e0']);
  });

  it('sends comfort noise in the time of the sound', () => {
    const { packets } = renderRtp([{ silenceMs: 20 }, { comfortNoiseMs: 40 }, { silenceMs: 20 }]);

    expect(packets.map(type)).toEqual([0, 13, 13, 0]);
    expect(packets.map(timestamp)).toEqual([0, 160, 320, 480]);
  });

  it('loses and delays packets', () => {
    const { packets } = renderRtp([{ silenceMs: 80 }], {
      isLost: (index) => index === 1,
      delayMs: (index) => (index === 0 ? 50 : 0),
    });

    expect(packets.map(sequence)).toEqual([2, 0, 3]);
    expect(packets.map(({ atMs }) => atMs)).toEqual([40, 50, 60]);
  });
});

describe('encodePcap', () => {
  it('writes one UDP packet of IPv4 for each packet', () => {
    const { packets } = renderRtp([{ silenceMs: 40 }]);
    const file = encodePcap(packets);
    const record = 16 + 42 + 172;

    expect(file).toHaveLength(24 + 2 * record);
    expect(file.readUInt32LE(24 + record + 4)).toBe(20_000);
    expect(file.subarray(24 + record + 16 + 42)).toEqual(packets[1]?.bytes);
  });
});
