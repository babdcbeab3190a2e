import { RtpHeader, RtpPacket } from 'werift';

export type { RtpPacket } from 'werift';

/** Parses a datagram. Returns null for anything that is not a whole RTP packet of version 2, never throws. */
export function parseRtp(datagram: Buffer): RtpPacket | null {
  if (datagram.length < 12 || (datagram[0] ?? 0) >> 6 !== 2) return null;
  try {
    return RtpPacket.deSerialize(datagram);
  } catch {
    return null;
  }
}

/** The state of one RTP stream that we send. Random starting values make it hard to inject into (RFC 3550). */
export interface RtpStreamStart {
  readonly ssrc: number;
  /** 0 to 65535 */
  readonly sequenceNumber: number;
  /** 0 to 2^32 - 1 */
  readonly timestamp: number;
  readonly payloadType: number;
}

/** Numbers the packets of one stream. Time passes with `advance`, whether or not packets are sent. */
export class RtpStream {
  readonly ssrc: number;
  readonly #payloadType: number;
  #sequenceNumber: number;
  #timestamp: number;

  constructor({ ssrc, sequenceNumber, timestamp, payloadType }: RtpStreamStart) {
    this.ssrc = ssrc >>> 0;
    this.#payloadType = payloadType;
    this.#sequenceNumber = sequenceNumber & 0xffff;
    this.#timestamp = timestamp >>> 0;
  }

  /** The timestamp of the next packet. */
  get timestamp(): number {
    return this.#timestamp;
  }

  /**
   * Makes the next packet. A telephone event keeps the timestamp of its first packet and has a payload
   * type of its own, but shares the sequence numbers.
   */
  packet(
    payload: Buffer,
    { marker = false, timestamp = this.#timestamp, payloadType = this.#payloadType } = {},
  ): RtpPacket {
    const sequenceNumber = this.#sequenceNumber;
    this.#sequenceNumber = (sequenceNumber + 1) & 0xffff;
    return new RtpPacket(new RtpHeader({ ssrc: this.ssrc, sequenceNumber, timestamp, payloadType, marker }), payload);
  }

  /** Moves on by the duration of a frame, in timestamp units. */
  advance(units: number): void {
    this.#timestamp = (this.#timestamp + units) >>> 0;
  }
}
