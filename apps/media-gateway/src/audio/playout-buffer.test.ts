import { seededRandomInt } from '@partyline/testing/seeded';
import { rmsOf, snr, tone } from '@partyline/testing/tones';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OpusCodecs } from './codecs/opus.ts';
import { PlayoutBuffer } from './playout-buffer.ts';

const FRAME = 160;
const DEPTH_FRAMES = 3;
const silence = new Int16Array(FRAME);

const openBuffer = (): PlayoutBuffer => new PlayoutBuffer({ sampleRate: 8_000, clockRate: 8_000 });

/** A frame whose samples all tell its number. */
const frame = (index: number, length = FRAME): Int16Array => new Int16Array(length).fill(index + 1);
/** The number of such a frame; undefined for silence and for a frame that is made up. */
const numberOf = (pcm: Int16Array): number | undefined =>
  pcm[0] && pcm.every((sample) => sample === pcm[0]) ? pcm[0] - 1 : undefined;
const pullMany = (buffer: PlayoutBuffer, count: number): Int16Array[] =>
  Array.from({ length: count }, () => buffer.pull());
const join = (frames: Int16Array[]): Int16Array => Int16Array.from(frames.flatMap((pcm) => [...pcm]));

interface Sent {
  /** When the packet arrives, in ms. */
  readonly at: number;
  readonly timestamp: number;
  readonly pcm: Int16Array;
}

/** Packets of a signal, each later by a random jitter and some lost. The first arrives. */
function send(pcm: Int16Array, { ptimeMs = 20, jitterMs = 0, lossPercent = 0, seed = 1, firstTimestamp = 0 }): Sent[] {
  const random = seededRandomInt(seed);
  const size = ptimeMs * 8;
  return Array.from({ length: Math.floor(pcm.length / size) }, (_, i) => ({
    at: (i + 1) * ptimeMs + (jitterMs * random(1_000)) / 1_000,
    timestamp: (firstTimestamp + i * size) >>> 0,
    pcm: pcm.subarray(i * size, (i + 1) * size),
  }))
    .filter((_, i) => random(100) >= lossPercent || i === 0)
    .toSorted((a, b) => a.at - b.at);
}

/** Plays packets on a 20 ms clock. Returns all that was pulled. */
function play(buffer: PlayoutBuffer, packets: Sent[], { clockMs = 20 } = {}): Int16Array {
  const frames: Int16Array[] = [];
  let next = 0;
  for (let now = 7; next < packets.length; now += clockMs) {
    for (let packet = packets[next]; packet && packet.at <= now; packet = packets[++next])
      buffer.push(packet.timestamp, packet.pcm);
    frames.push(buffer.pull());
  }
  return join(frames);
}

describe('the order of play', () => {
  it('is that of the timestamps, for any order of arrival within the depth and any start of the clock', () => {
    // A packet may arrive up to 60 ms late: after at most two that were sent later.
    const arrivals = fc.array(fc.integer({ min: 0, max: 59 }), { minLength: 10, maxLength: 60 });
    fc.assert(
      fc.property(arrivals, fc.nat(0xffff_ffff), (delays, firstTimestamp) => {
        const buffer = openBuffer();
        const packets = delays.map((delay, i) => ({ at: i * 20 + (i === 0 ? 0 : delay), pcm: frame(i), index: i }));
        const played: Int16Array[] = [];
        for (let pull = 0; pull < delays.length + DEPTH_FRAMES; pull++) {
          const arrived = packets.filter(({ at }) => at >= pull * 20 && at < (pull + 1) * 20);
          for (const { index, pcm } of arrived.toSorted((a, b) => a.at - b.at))
            buffer.push((firstTimestamp + index * FRAME) >>> 0, pcm);
          played.push(buffer.pull());
        }
        const before = Array.from({ length: DEPTH_FRAMES }, () => undefined);
        expect(played.map(numberOf)).toEqual([...before, ...delays.keys()]);
        expect(buffer.stats).toMatchObject({ late: 0, concealed: 0, resyncs: 0 });
      }),
    );
  });

  it.each([10, 20, 30, 40, 60])('holds for packets of %i ms', (ptimeMs) => {
    const pcm = Int16Array.from({ length: 24_000 }, (_, i) => i);
    const played = play(openBuffer(), send(pcm, { ptimeMs, jitterMs: 15 }));
    const start = played.indexOf(1) - 1;
    expect(start).toBeGreaterThan(0);
    expect(played.subarray(start)).toEqual(pcm.subarray(0, played.length - start));
  });

  it('ignores the second copy of a packet', () => {
    const buffer = openBuffer();
    for (const index of [0, 1, 1, 0, 2]) buffer.push(index * FRAME, frame(index));
    expect(pullMany(buffer, 6).slice(DEPTH_FRAMES).map(numberOf)).toEqual([0, 1, 2]);
  });

  it('follows timestamps of another clock than the samples (G.722 and Opus)', () => {
    for (const [sampleRate, clockRate] of [
      [16_000, 8_000],
      [8_000, 48_000],
      [16_000, 48_000],
    ] as const) {
      const buffer = new PlayoutBuffer({ sampleRate, clockRate });
      const frames = [0, 1, 2, 3].map((index) => frame(index, sampleRate / 50));
      for (const [i, pcm] of frames.entries()) buffer.push((0xffff_ff00 + (i * clockRate) / 50) >>> 0, pcm);
      expect(pullMany(buffer, 7).slice(DEPTH_FRAMES)).toEqual(frames);
    }
  });
});

it('returns exactly one frame for every pull, whatever is pushed', () => {
  const action = fc.oneof(
    fc.constant('pull' as const),
    fc.record({
      timestamp: fc.oneof(fc.nat(20_000), fc.nat(0xffff_ffff)),
      length: fc.nat(1_200),
      ssrc: fc.nat(1),
    }),
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 300 }), (actions) => {
      const buffer = openBuffer();
      const lengths = actions.map((step) => {
        if (step !== 'pull') buffer.push(step.timestamp, new Int16Array(step.length).fill(9), step.ssrc);
        return buffer.pull().length;
      });
      expect(new Set(lengths)).toEqual(new Set(actions.map(() => FRAME)));
    }),
  );
});

it('is silent before the first packet', () => {
  expect(openBuffer().pull()).toEqual(silence);
});

describe('losses', () => {
  it('never stall: what arrives is played at its place', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 100 }), (arrives) => {
        const buffer = openBuffer();
        buffer.push(0, frame(0));
        const played: Int16Array[] = [];
        for (const [i, isThere] of [...arrives, true, true, true, true].entries()) {
          if (isThere) buffer.push((i + 1) * FRAME, frame(i + 1));
          played.push(buffer.pull());
        }
        // The first 5 ms after a loss are blended with the substitute.
        const numbers = arrives.map((_, i) => numberOf((played[i + 1 + DEPTH_FRAMES] ?? silence).subarray(40)));
        expect(numbers.filter((_, i) => arrives[i])).toEqual(
          [...arrives.keys()].filter((i) => arrives[i]).map((i) => i + 1),
        );
      }),
    );
  });

  it('are filled with the sound before them, fading to silence', () => {
    const buffer = openBuffer();
    const pcm = tone(440, 0.2, 8_000, -18);
    for (let i = 0; i < 10; i++) buffer.push(i * FRAME, pcm.subarray(i * FRAME, (i + 1) * FRAME));
    const levels = pullMany(buffer, 25).slice(DEPTH_FRAMES).map(rmsOf);
    expect(levels[9]).toBeCloseTo(-18, 0);
    expect(levels[10]).toBeCloseTo(-19.5, 0);
    expect(levels[12]).toBeCloseTo(-25.5, 0);
    expect(levels.slice(20)).toEqual([-144, -144]);
  });

  it('leave no click in a tone', () => {
    const pcm = tone(440, 1, 8_000, -18);
    const buffer = openBuffer();
    const packets = send(pcm, {}).filter((_, i) => i !== 20);
    const played = play(buffer, packets);
    const steepest = (signal: Int16Array): number =>
      signal.reduce((most, sample, i) => Math.max(most, Math.abs(sample - (signal[i - 1] ?? sample))), 0);
    expect(buffer.stats.concealed).toBe(1);
    expect(steepest(played)).toBeLessThan(1.2 * steepest(pcm));
  });
});

describe('the measured figures', () => {
  const HZ = 440;
  const pcm = tone(HZ, 20, 8_000, -18);
  const measure = (network: Parameters<typeof send>[1]): number =>
    snr(play(openBuffer(), send(pcm, network)).subarray(8_000), HZ, 8_000);

  it.each([1, 2, 3, 4, 5])('jitter of 0 to 40 ms costs nothing (seed %i)', (seed) => {
    expect(measure({ jitterMs: 40, seed })).toBeGreaterThan(60);
  });

  it.each([1, 2, 3, 4, 5])('5 %% loss and jitter keep 23 dB (seed %i)', (seed) => {
    expect(measure({ jitterMs: 40, lossPercent: 5, seed })).toBeGreaterThan(23);
  });

  it('holds with Opus behind the buffer', () => {
    const codec = new OpusCodecs().open(8_000);
    const played = play(openBuffer(), send(pcm, { jitterMs: 40 }));
    const decoded = Array.from({ length: Math.floor(played.length / FRAME) }, (_, i) =>
      codec.decode(codec.encode(played.subarray(i * FRAME, (i + 1) * FRAME))),
    );
    expect(snr(join(decoded.map((frame_) => frame_ ?? silence)).subarray(8_000), HZ, 8_000)).toBeGreaterThan(25);
  });
});

describe('a new time line', () => {
  const steady = (): PlayoutBuffer => {
    const buffer = openBuffer();
    for (let i = 0; i < 20; i++) {
      buffer.push(i * FRAME, frame(i));
      buffer.pull();
    }
    return buffer;
  };
  const next = 20 * FRAME;

  it.each([
    ['forward', next + 1_000_000],
    ['back', next - 1_000_000],
    ['to the other end of the clock', next + 2 ** 31],
  ])('is followed from its second packet after a jump %s', (_where, start) => {
    const buffer = steady();
    const played: Int16Array[] = [];
    for (let i = 0; i < 10; i++) {
      buffer.push((start + i * FRAME) >>> 0, frame(100 + i));
      played.push(buffer.pull());
    }
    // The old sound fades out, and the first frame of the new one is blended in.
    expect(played.map(numberOf).slice(DEPTH_FRAMES + 2)).toEqual([102, 103, 104, 105, 106]);
    expect(buffer.stats.resyncs).toBe(1);
  });

  it('is not followed for one stray packet', () => {
    const buffer = steady();
    buffer.push(123_456_789, frame(500));
    for (let i = 20; i < 30; i++) {
      buffer.push(i * FRAME, frame(i));
      expect(numberOf(buffer.pull())).toBe(i - DEPTH_FRAMES);
    }
    expect(buffer.stats.resyncs).toBe(0);
  });

  it('is followed after five late packets in a row', () => {
    const buffer = steady();
    // The sender paused for 200 ms, its timestamps did not.
    pullMany(buffer, 10);
    const played: Int16Array[] = [];
    for (let i = 20; i < 40; i++) {
      buffer.push(i * FRAME, frame(i));
      played.push(buffer.pull());
    }
    expect(buffer.stats).toMatchObject({ late: 4, resyncs: 1 });
    expect(played.map(numberOf).at(-1)).toBe(39 - DEPTH_FRAMES);
  });

  it('begins with another source, once the first is quiet for 100 ms', () => {
    const buffer = steady();
    pullMany(buffer, 5);
    for (let i = 0; i < 5; i++) buffer.push(77 + i * FRAME, frame(200 + i), 2);
    expect(pullMany(buffer, 8).map(numberOf).slice(-4)).toEqual([201, 202, 203, 204]);
  });

  it('does not begin with a second source beside the first', () => {
    const buffer = steady();
    for (let i = 20; i < 40; i++) {
      buffer.push(i * FRAME, frame(i));
      buffer.push(77 + i * FRAME, frame(200 + i), 2);
      expect(numberOf(buffer.pull())).toBe(i - DEPTH_FRAMES);
    }
  });
});

describe('the delay', () => {
  /** Plays 5 minutes of a sender whose clock differs. Returns the stats and the delay at the end, in ms. */
  const drift = (clockMs: number): { buffer: PlayoutBuffer; delayMs: number } => {
    const buffer = openBuffer();
    const seconds = 300;
    const pcm = Int16Array.from({ length: seconds * 8_000 }, (_, i) => (i / 8) % 30_000);
    const played = play(buffer, send(pcm, { jitterMs: 10 }), { clockMs });
    return { buffer, delayMs: ((pcm.at(-1) ?? 0) - (played.at(-1) ?? 0) + 30_000) % 30_000 };
  };

  it.each([
    ['faster', 20.02],
    ['slower', 19.98],
  ])('stays below 150 ms for a sender whose clock is 0.1 %% %s', (_which, clockMs) => {
    const { buffer, delayMs } = drift(clockMs);
    expect(delayMs).toBeLessThan(150);
    expect(buffer.stats.resyncs).toBe(0);
    // 300 ms of drift are 15 frames.
    expect(buffer.stats.shortened + buffer.stats.stretched).toBeGreaterThan(10);
    expect(buffer.stats.shortened + buffer.stats.stretched).toBeLessThan(20);
    expect(buffer.stats.late).toBeLessThan(150);
  });

  it.each([1, 2, 3])('grows for a network whose jitter is larger than the depth (seed %i)', (seed) => {
    const buffer = openBuffer();
    play(buffer, send(tone(440, 60, 8_000, -18), { jitterMs: 150, seed }));
    // Of 3000 packets.
    expect(buffer.stats.late).toBeLessThan(60);
    expect(buffer.stats.resyncs).toBe(0);
    expect(buffer.stats.stretched).toBeLessThan(6);
  });

  it('is not changed by losses', () => {
    const buffer = openBuffer();
    play(buffer, send(tone(440, 60, 8_000, -18), { jitterMs: 30, lossPercent: 10 }));
    expect(buffer.stats).toMatchObject({ stretched: 0, shortened: 0, late: 0, resyncs: 0 });
  });
});
