import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { parseRtp, RtpStream } from '../audio/rtp.ts';
import { OPUS_PAYLOAD_TYPE, type Place, type RtpAddress } from './place.ts';

/** 20 ms at 48 kHz. */
const TIMESTAMP_STEP = 960;

export interface ConferenceLegOptions {
  /** The call's place in the conference. */
  readonly place: Place;
  /** The address of this host that every Janus reaches. */
  readonly localIp: string;
  readonly isMuted: boolean;
  readonly random: () => number;
  /** One Opus packet of the others' mix. */
  readonly onAudio: (payload: Buffer) => void;
}

/** The audio between a call and the AudioBridge room of its conference: Opus over plain RTP. */
export class ConferenceLeg {
  readonly #socket: Socket;
  readonly #remote: RtpAddress;
  readonly #stream: RtpStream;
  #isOpen = true;

  private constructor(socket: Socket, remote: RtpAddress, random: () => number) {
    this.#socket = socket;
    this.#remote = remote;
    this.#stream = new RtpStream({
      ssrc: random(),
      sequenceNumber: random(),
      timestamp: random(),
      payloadType: OPUS_PAYLOAD_TYPE,
    });
  }

  /** Connects the audio of a place. AudioBridge sends nothing before it receives a packet: `send` at once. */
  static async connect({ place, localIp, isMuted, random, onAudio }: ConferenceLegOptions): Promise<ConferenceLeg> {
    const socket = createSocket('udp4');
    socket.bind(0, localIp);
    await once(socket, 'listening');
    try {
      const remote = await place.connect({ ip: localIp, port: socket.address().port }, isMuted);
      const leg = new ConferenceLeg(socket, remote, random);
      // Another sender's packets are ignored: ports are reused, and packets of an ended call can be late.
      socket.on('message', (packet, from) => {
        if (from.port !== remote.port || from.address !== remote.ip || !leg.#isOpen) return;
        const rtp = parseRtp(packet);
        if (rtp?.header.payloadType === OPUS_PAYLOAD_TYPE) onAudio(rtp.payload);
      });
      socket.on('error', () => undefined);
      return leg;
    } catch (error) {
      socket.close();
      throw error;
    }
  }

  /** Sends 20 ms of Opus. */
  send(payload: Buffer): void {
    if (!this.#isOpen) return;
    this.#socket.send(this.#stream.packet(payload).serialize(), this.#remote.port, this.#remote.ip);
    this.#stream.advance(TIMESTAMP_STEP);
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#socket.close();
  }
}
