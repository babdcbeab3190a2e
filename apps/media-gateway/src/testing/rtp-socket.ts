import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { renderRtp } from '@partyline/dev/phones/rtp-script';
import { levelOf } from '@partyline/testing/tones';
import { decodeG711 } from '../audio/codecs/g711.ts';

const PACKET_MS = 20;
const RATE = 8_000;
const PCMU = 0;
const RTP_HEADER_BYTES = 12;
const WINDOW_MS = 300;
const SILENCE_DBFS = -144;
const TONE_SECONDS = 60;

/** A UDP port that sends a tone as PCMU, and hears: the audio of a phone apart from its SIP. */
export class RtpSocket {
  readonly #socket: Socket;
  readonly #heard: { atMs: number; samples: Int16Array }[] = [];
  #sending: NodeJS.Timeout | undefined;
  #sent = 0;
  #received = 0;

  private constructor(socket: Socket) {
    this.#socket = socket.on('message', (packet) => {
      this.#received += 1;
      if (((packet[1] ?? 0) & 0x7f) !== PCMU) return;
      this.#heard.push({ atMs: performance.now(), samples: decodeG711('PCMU', packet.subarray(RTP_HEADER_BYTES)) });
    });
  }

  /** Opens a free port of a loopback address. */
  static async open(address = '127.0.0.1'): Promise<RtpSocket> {
    const socket = createSocket('udp4');
    socket.bind(0, address);
    await once(socket, 'listening');
    return new RtpSocket(socket);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  /** Packets that it has sent. */
  get sent(): number {
    return this.#sent;
  }

  /** Packets that it has got. */
  get received(): number {
    return this.#received;
  }

  /** Sends a tone until it is closed, for a minute at most. */
  send(hz: number, to: { readonly host: string; readonly port: number }): void {
    clearInterval(this.#sending);
    const { packets } = renderRtp([{ hz, ms: TONE_SECONDS * 1_000 }], { ssrc: this.port });
    let next = 0;
    this.#sending = setInterval(() => {
      const packet = packets[(next += 1)];
      if (packet === undefined) return;
      this.#socket.send(packet.bytes, to.port, to.host);
      this.#sent += 1;
    }, PACKET_MS);
  }

  /** The level of a tone in what it has just heard, in dBFS. */
  levelOf(hz: number): number {
    const since = performance.now() - WINDOW_MS;
    const samples = this.#heard.flatMap((one) => (one.atMs < since ? [] : [...one.samples]));
    return samples.length === 0 ? SILENCE_DBFS : levelOf(Int16Array.from(samples), hz, RATE);
  }

  close(): void {
    clearInterval(this.#sending);
    this.#socket.close();
  }
}
