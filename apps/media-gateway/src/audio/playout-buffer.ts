import { FRAME_MS } from './codecs/voice-codec.ts';
import { LossConcealer } from './conceal.ts';

/** A packet that is further away from what is played now belongs to another time line. */
const MAX_DISTANCE_MS = 500;
/** So many packets in a row outside the buffer move it: packets that are only late, or of another time line. */
const LATE_TO_RESYNC = 5;
const FOREIGN_TO_RESYNC = 2;
/** A second source is heard only after so many pulls without a packet of the first. */
const PULLS_TO_CHANGE_SOURCE = 5;
/** The delay is judged over 5 s. */
const JUDGED_PULLS = 250;
/** It grows by a frame as soon as so many packets were late, */
const LATE_TO_GROW = 3;
/** and shrinks by a frame when every packet came this much earlier than the depth asks for. */
const SPARE_TO_SHRINK_MS = 40;
const MAX_DELAY_MS = 240;

/** Counts since the start of the call. */
export interface PlayoutStats {
  packets: number;
  /** Came after their time, or twice. */
  late: number;
  /** Frames of which a part was made up. */
  concealed: number;
  /** Jumps to another time line or source. */
  resyncs: number;
  /** Frames added to and removed from the delay, for jitter and for the drift of the clocks. */
  stretched: number;
  shortened: number;
}

interface Packet {
  /** The place of the first sample, counted in samples from the start of the time line. */
  readonly start: number;
  readonly pcm: Int16Array;
}

/**
 * Turns the packets of one call into one frame each 20 ms. The depth delays the first packet, and so
 * absorbs the jitter. Packets are placed by their RTP timestamp, because telephone events share the
 * sequence numbers. Without timers: the caller pulls on its own clock.
 */
export class PlayoutBuffer {
  readonly stats: PlayoutStats = { packets: 0, late: 0, concealed: 0, resyncs: 0, stretched: 0, shortened: 0 };
  readonly #samplesPerUnit: number;
  readonly #frame: number;
  readonly #depth: number;
  readonly #samplesPerMs: number;
  readonly #concealer: LossConcealer;
  /** Without overlaps, in the order of play. */
  #packets: Packet[] = [];
  /** The RTP timestamp at sample 0 of the time line. Undefined before the first packet. */
  #origin: number | undefined;
  #ssrc = 0;
  /** The next sample to play. */
  #next = 0;
  #outside = { count: 0, timestamp: 0 };
  #pullsSincePacket = 0;
  #judged = { pulls: 0, late: 0, least: Infinity };

  /**
   * @param sampleRate of the PCM
   * @param clockRate RTP timestamp units per second, see `VoiceCodec.payloadClockRate`
   * @param depthMs delay of the first packet, a multiple of 20
   */
  constructor({ sampleRate, clockRate, depthMs = 60 }: { sampleRate: number; clockRate: number; depthMs?: number }) {
    this.#samplesPerUnit = sampleRate / clockRate;
    this.#samplesPerMs = sampleRate / 1_000;
    this.#frame = FRAME_MS * this.#samplesPerMs;
    this.#depth = depthMs * this.#samplesPerMs;
    this.#concealer = new LossConcealer(sampleRate, this.#frame);
  }

  /** Stores a decoded packet of 1 sample to 120 ms; longer ones are damaged and ignored. */
  push(rtpTimestamp: number, pcm: Int16Array, ssrc = 0): void {
    if (pcm.length === 0 || pcm.length > 120 * this.#samplesPerMs) return;
    this.stats.packets++;
    if (this.#origin === undefined) this.#restart(rtpTimestamp, ssrc);
    else if (ssrc !== this.#ssrc) {
      if (this.#pullsSincePacket < PULLS_TO_CHANGE_SOURCE) return;
      this.#resync(rtpTimestamp, ssrc);
    }
    let start = this.#place(rtpTimestamp);
    const ahead = start - this.#next;
    const maxDistance = MAX_DISTANCE_MS * this.#samplesPerMs;
    if (ahead + pcm.length <= 0 || ahead > maxDistance) {
      const isForeign = Math.abs(ahead) > maxDistance;
      if (!this.#countOutside(rtpTimestamp, isForeign ? FOREIGN_TO_RESYNC : LATE_TO_RESYNC)) {
        this.stats.late++;
        this.#judged.late++;
        return;
      }
      this.#resync(rtpTimestamp, ssrc);
      start = this.#place(rtpTimestamp);
    }
    this.#outside.count = 0;
    this.#pullsSincePacket = 0;
    this.#judged.least = Math.min(this.#judged.least, start - this.#next);
    this.#insert({ start, pcm });
  }

  /** Returns the next 20 ms, always exactly one frame; silence before the first packet. */
  pull(): Int16Array {
    this.#pullsSincePacket++;
    if (this.#origin === undefined) return new Int16Array(this.#frame);
    const change = this.#judge();
    if (change === 'stretch') {
      this.stats.stretched++;
      const pcm = new Int16Array(this.#frame);
      this.#concealer.conceal(pcm, 0, this.#frame);
      return pcm;
    }
    const pcm = this.#take(change === 'shorten' ? 2 * this.#frame : this.#frame);
    if (change !== 'shorten') return pcm;
    this.stats.shortened++;
    // Two frames become one: the first turns into the second.
    return Int16Array.from({ length: this.#frame }, (_, i) =>
      Math.round(((pcm[i] ?? 0) * (this.#frame - i) + (pcm[i + this.#frame] ?? 0) * i) / this.#frame),
    );
  }

  #restart(timestamp: number, ssrc: number): void {
    this.#origin = timestamp;
    this.#ssrc = ssrc;
    this.#next = -this.#depth;
    this.#packets = [];
    this.#outside.count = 0;
    this.#judged = { pulls: 0, late: 0, least: Infinity };
  }

  #resync(timestamp: number, ssrc: number): void {
    this.stats.resyncs++;
    this.#restart(timestamp, ssrc);
  }

  /** Timestamps wrap at 32 bits: the place is the one that is nearest to what is played now. */
  #place(timestamp: number): number {
    const played = Math.round(this.#next / this.#samplesPerUnit);
    const ahead = (timestamp - (this.#origin ?? 0) - played) | 0;
    return Math.round((played + ahead) * this.#samplesPerUnit);
  }

  /** Returns whether enough packets in a row lay outside, close to each other. */
  #countOutside(timestamp: number, needed: number): boolean {
    const distance = Math.abs((timestamp - this.#outside.timestamp) | 0) * this.#samplesPerUnit;
    const isNear = distance <= MAX_DISTANCE_MS * this.#samplesPerMs;
    this.#outside = { count: isNear ? this.#outside.count + 1 : 1, timestamp };
    return this.#outside.count >= needed;
  }

  /** Inserts what no other packet covers: duplicates and overlaps keep the first. */
  #insert({ start, pcm }: Packet): void {
    let index = this.#packets.length;
    while (index > 0 && (this.#packets[index - 1]?.start ?? 0) > start) index--;
    const before = this.#packets[index - 1];
    const after = this.#packets[index];
    const from = Math.max(start, before ? before.start + before.pcm.length : start);
    const to = Math.min(start + pcm.length, after ? after.start : start + pcm.length);
    if (from >= to) {
      this.stats.late++;
      return;
    }
    this.#packets.splice(index, 0, { start: from, pcm: pcm.subarray(from - start, to - start) });
  }

  /** Takes the next samples; what is missing is concealed. */
  #take(length: number): Int16Array {
    const pcm = new Int16Array(length);
    const end = this.#next + length;
    let isConcealed = false;
    let filled = 0;
    const conceal = (until: number): void => {
      if (until <= filled) return;
      // Before the first packet nothing is missing.
      if (this.#next + filled >= 0) isConcealed = true;
      this.#concealer.conceal(pcm, filled, until);
      filled = until;
    };
    while (this.#packets[0] && this.#packets[0].start < end) {
      const packet = this.#packets[0];
      const offset = Math.max(0, this.#next - packet.start);
      const usable = packet.pcm.subarray(offset, Math.min(packet.pcm.length, end - packet.start));
      const at = packet.start + offset - this.#next;
      if (usable.length > 0) {
        conceal(at);
        pcm.set(usable, at);
        this.#concealer.accept(pcm, at, at + usable.length);
        filled = at + usable.length;
      }
      if (packet.start + packet.pcm.length > end) break;
      this.#packets.shift();
    }
    conceal(length);
    if (isConcealed) this.stats.concealed++;
    this.#next = end;
    return pcm;
  }

  /** Adapts the delay to jitter above the depth, and to a sender whose clock is faster or slower. */
  #judge(): 'stretch' | 'shorten' | 'keep' {
    const { late, least } = this.#judged;
    const mustGrow = late >= LATE_TO_GROW;
    if (++this.#judged.pulls < JUDGED_PULLS && !mustGrow) return 'keep';
    this.#judged = { pulls: 0, late: 0, least: Infinity };
    if (mustGrow) return this.#delay() < MAX_DELAY_MS * this.#samplesPerMs ? 'stretch' : 'keep';
    const spare = least - this.#depth;
    return Number.isFinite(spare) && spare > SPARE_TO_SHRINK_MS * this.#samplesPerMs ? 'shorten' : 'keep';
  }

  /** Samples from the next to the end of the last packet. */
  #delay(): number {
    const last = this.#packets.at(-1);
    return last ? last.start + last.pcm.length - this.#next : 0;
  }
}
