import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DigitMerger, DtmfReceiver, planDigit, type DigitPath } from './dtmf.ts';
import { parseRtp, type RtpPacket, RtpStream } from './rtp.ts';

const DIGITS = [...'0123456789*#ABCD'];

type EventPacket = Parameters<DtmfReceiver['receive']>[0];

/** The packets of digits as they leave a phone, grouped by digit. */
function dial(digits: string[], { durationMs = 100, gapMs = 100, timestamp = 0, ssrc = 1 } = {}): RtpPacket[][] {
  const stream = new RtpStream({ ssrc, sequenceNumber: 0, timestamp, payloadType: 101 });
  return digits.map((digit) => {
    const start = stream.timestamp;
    const packets = planDigit(digit, { durationMs }).map(({ payload, marker }) =>
      stream.packet(payload, { marker, timestamp: start }),
    );
    stream.advance((durationMs + gapMs) * 8);
    return packets;
  });
}

const read = (packets: EventPacket[], receiver = new DtmfReceiver()): string =>
  packets.map((packet) => receiver.receive(packet) ?? '').join('');

describe('planDigit', () => {
  it('grows the duration, and repeats the end three times', () => {
    const packets = planDigit('5', { durationMs: 100 });
    expect(packets.map(({ payload }) => payload.readUInt16BE(2))).toEqual([160, 320, 480, 640, 800, 800, 800]);
    expect(packets.map(({ payload }) => (payload[1] ?? 0) >> 7)).toEqual([0, 0, 0, 0, 1, 1, 1]);
    expect(packets.map(({ payload }) => payload[0])).toEqual(Array(7).fill(5));
    expect(packets.map(({ marker }) => marker)).toEqual([true, ...Array(6).fill(false)]);
  });

  it('counts the duration in units of the clock rate', () => {
    expect(planDigit('1', { durationMs: 40, clockRate: 48_000 }).map(({ payload }) => payload.readUInt16BE(2))).toEqual(
      [960, 1_920, 1_920, 1_920],
    );
  });

  it('rejects what is not a digit', () => {
    for (const digit of ['', 'E', '12', ' ', 'a']) expect(() => planDigit(digit)).toThrow(RangeError);
  });
});

describe('DtmfReceiver', () => {
  it('reads the digits in order when each loses all but one packet, and packets overtake each other', () => {
    const lossy = fc.array(
      fc.record({ digit: fc.constantFrom(...DIGITS), kept: fc.integer({ min: 1, max: 127 }), swap: fc.boolean() }),
      { minLength: 1, maxLength: 20 },
    );
    fc.assert(
      fc.property(lossy, fc.nat(0xffff_ffff), (pressed, timestamp) => {
        const packets = dial(
          pressed.map(({ digit }) => digit),
          { durationMs: 100, gapMs: 40, timestamp },
        ).flatMap((digit, i) => {
          const arrived = digit.filter((_, k) => ((pressed[i]?.kept ?? 0) >> k) & 1);
          return pressed[i]?.swap ? arrived.toReversed() : arrived;
        });
        expect(read(packets)).toBe(pressed.map(({ digit }) => digit).join(''));
      }),
    );
  });

  it('counts every one of fast repeats of 60 ms with gaps of 40 ms', () => {
    expect(read(dial([...'1112223334'], { durationMs: 60, gapMs: 40 }).flat())).toBe('1112223334');
  });

  it('ignores late packets of an earlier digit', () => {
    const [first = [], second = [], third = []] = dial(['1', '2', '1']);
    expect(read([...first.slice(0, 3), ...second.slice(0, 2), ...first.slice(3), ...second.slice(2), ...third])).toBe(
      '121',
    );
  });

  it('ignores the end bit', () => {
    const withEndBit = dial([...'77']).flatMap((digit) =>
      digit.map(({ header, payload }) => ({
        header,
        payload: Buffer.from([payload[0] ?? 0, 0x80, ...payload.subarray(2)]),
      })),
    );
    expect(read(withEndBit)).toBe('77');
  });

  it('counts a key that is held for 20 s once', () => {
    const payload = Buffer.from([3, 10, 0xff, 0xff]);
    const segments = [0, 0xffff, 2 * 0xffff].map((timestamp) => ({ header: { timestamp, ssrc: 1 }, payload }));
    expect(read(segments)).toBe('3');
  });

  it('counts the same digit again after the source or its clock starts anew', () => {
    const receiver = new DtmfReceiver();
    expect(read(dial(['9'], { timestamp: 1_000_000 }).flat(), receiver)).toBe('9');
    expect(read(dial(['9'], { timestamp: 1_000_000, ssrc: 2 }).flat(), receiver)).toBe('9');
    expect(read(dial(['9'], { timestamp: 5, ssrc: 2 }).flat(), receiver)).toBe('9');
  });

  it('never throws, and reports only digits', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(0xffff_ffff), fc.uint8Array({ maxLength: 8 }))), (packets) => {
        const receiver = new DtmfReceiver();
        for (const [timestamp, payload] of packets)
          expect([...DIGITS, undefined]).toContain(receiver.receive({ header: { timestamp, ssrc: 1 }, payload }));
      }),
    );
  });

  it('reads packets that went through the wire', () => {
    const packets = dial([...'407281#'])
      .flat()
      .map((packet) => parseRtp(packet.serialize()));
    expect(read(packets.filter((packet) => packet !== null))).toBe('407281#');
  });
});

describe('DigitMerger', () => {
  const merge = (arrivals: { digit: string; path: DigitPath; at: number }[], windowMs = 400): string => {
    let now = 0;
    const merger = new DigitMerger({ now: () => now, windowMs });
    return arrivals
      .toSorted((a, b) => a.at - b.at)
      .filter(({ digit, path, at }) => {
        now = at;
        return merger.accept(digit, path);
      })
      .map(({ digit }) => digit)
      .join('');
  };

  it('counts each digit once when both paths carry all, for any digits, speed and delay within the window', () => {
    const presses = fc.array(
      fc.record({
        digit: fc.constantFrom('1', '2'),
        gap: fc.integer({ min: 100, max: 1_000 }),
        // Each path keeps its order: the delays of neighbours differ by less than the shortest gap.
        rtp: fc.nat(90),
        info: fc.nat(90),
      }),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(presses, fc.nat(300), (list, infoDelay) => {
        let at = 0;
        const arrivals = list.flatMap(({ digit, gap, rtp, info }) => {
          at += gap;
          return [
            { digit, path: 'rtp' as const, at: at + rtp },
            { digit, path: 'info' as const, at: at + infoDelay + info },
          ];
        });
        expect(merge(arrivals)).toBe(list.map(({ digit }) => digit).join(''));
      }),
    );
  });

  it.each(['rtp', 'info'] as const)('counts every digit of a phone that uses only %s', (path) => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('1', '2')), fc.nat(300), (digits, gap) => {
        expect(merge(digits.map((digit, i) => ({ digit, path, at: i * gap })))).toBe(digits.join(''));
      }),
    );
  });

  it('counts a digit that comes by the other path after the window', () => {
    const arrivals = (at: number) => [
      { digit: '1', path: 'rtp' as const, at: 0 },
      { digit: '1', path: 'info' as const, at },
    ];
    expect(merge(arrivals(400))).toBe('1');
    expect(merge(arrivals(401))).toBe('11');
  });
});
