/** The events 0 to 15 of RFC 4733. */
const DIGITS = '0123456789*#ABCD';
/** RFC 4733: a longer event is split into segments, each this much later than the one before. */
const SEGMENT_UNITS = 0xffff;
/** An event that seems to be this much earlier is a new time line, not a late packet. */
const MAX_LATE_UNITS = 8_000 * 5;
const PACKET_MS = 20;
/** RFC 4733: the last packet is sent three times. */
const END_PACKETS = 3;
const END_BIT = 0x80;
/** -10 dBm0. */
const VOLUME = 10;

/** What the receiver reads of an RTP packet; `RtpPacket` is one. */
interface EventPacket {
  readonly header: { readonly timestamp: number; readonly ssrc: number };
  readonly payload: Uint8Array;
}

/**
 * Reads the digits of one call from its telephone events (RFC 4733). A new timestamp is a new digit:
 * it is counted at its first packet to arrive, whichever that is. The end bit is not needed, and some
 * senders set it wrongly. Pass only packets of the payload type that the SDP names.
 */
export class DtmfReceiver {
  #last: { event: number; timestamp: number; ssrc: number } | undefined;

  /** Returns the digit that this packet begins, or undefined. */
  receive({ header: { timestamp, ssrc }, payload }: EventPacket): string | undefined {
    const event = payload[0] ?? 0;
    const digit = DIGITS[event];
    if (payload.length < 4 || digit === undefined) return undefined;
    const last = this.#last;
    if (last?.ssrc === ssrc) {
      const later = (timestamp - last.timestamp) | 0;
      if (later <= 0 && later > -MAX_LATE_UNITS) return undefined;
      if (later === SEGMENT_UNITS && event === last.event) {
        this.#last = { ...last, timestamp };
        return undefined;
      }
    }
    this.#last = { event, timestamp, ssrc };
    return digit;
  }
}

/** One packet of a digit that we send. All packets of a digit have the timestamp of its start. */
export interface DtmfPacket {
  readonly marker: boolean;
  readonly payload: Buffer;
}

/**
 * Plans the packets of one digit (RFC 4733), one for each 20 ms: the duration grows, and the last
 * packet is repeated. Send no voice in between, and leave a gap of 40 ms or more before the next digit.
 * @param durationMs at least 40; phones expect 60 or more
 * @param clockRate of the telephone-event payload type
 * @throws RangeError for a character that is not a digit
 */
export function planDigit(digit: string, { durationMs = 100, clockRate = 8_000 } = {}): DtmfPacket[] {
  const event = digit.length === 1 ? DIGITS.indexOf(digit) : -1;
  if (event < 0) throw new RangeError('A DTMF digit is one of 0-9, *, #, A-D');
  const unitsPerPacket = (PACKET_MS * clockRate) / 1_000;
  const updates = Math.max(2, Math.ceil(durationMs / PACKET_MS));
  return Array.from({ length: updates + END_PACKETS - 1 }, (_, i) => {
    const payload = Buffer.alloc(4);
    payload[0] = event;
    payload[1] = VOLUME | (i >= updates - 1 ? END_BIT : 0);
    payload.writeUInt16BE(Math.min(SEGMENT_UNITS, Math.min(i + 1, updates) * unitsPerPacket), 2);
    return { marker: i === 0, payload };
  });
}

/** How a digit came: as a telephone event in RTP, or in a SIP INFO request. */
export type DigitPath = 'rtp' | 'info';

/**
 * Counts a digit once when it comes by both paths. A digit is a duplicate only of one that came by
 * the other path and has no duplicate yet, so that fast repeats by one path all count.
 */
export class DigitMerger {
  readonly #now: () => number;
  readonly #windowMs: number;
  /** Counted, and not yet seen by the other path. */
  #unmatched: { digit: string; path: DigitPath; at: number }[] = [];

  /**
   * @param now milliseconds
   * @param windowMs the longest time between the two arrivals of one digit
   */
  constructor({ now, windowMs = 400 }: { now: () => number; windowMs?: number }) {
    this.#now = now;
    this.#windowMs = windowMs;
  }

  /** Returns whether the digit counts. */
  accept(digit: string, path: DigitPath): boolean {
    const at = this.#now();
    this.#unmatched = this.#unmatched.filter((earlier) => at - earlier.at <= this.#windowMs);
    const match = this.#unmatched.findIndex((earlier) => earlier.digit === digit && earlier.path !== path);
    if (match >= 0) this.#unmatched.splice(match, 1);
    else this.#unmatched.push({ digit, path, at });
    return match < 0;
  }
}
