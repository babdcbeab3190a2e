import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { attachAudioBridge, type AudioBridgeHandle } from '@partyline/janus/audio-bridge/audio-bridge-handle';
import type { JanusConnection } from '@partyline/janus/connection';
import { parseRtp, RtpStream } from '../audio/rtp.ts';

/** RTP of Opus between the gateway and AudioBridge: 20 ms at 48 kHz. */
const PAYLOAD_TYPE = 100;
const TIMESTAMP_STEP = 960;

export interface ConferenceLegOptions {
  readonly connection: JanusConnection;
  readonly room: string;
  readonly callId: string;
  /** The address of this host that Janus reaches. */
  readonly localIp: string;
  readonly isMuted: boolean;
  readonly random: () => number;
  /** One Opus packet of the others' mix. */
  readonly onAudio: (payload: Buffer) => void;
  /** AudioBridge removed the leg: the room was destroyed, or it was kicked. */
  readonly onRemoved: () => void;
}

/** A call in an AudioBridge room: Opus over plain RTP. */
export class ConferenceLeg {
  readonly #handle: AudioBridgeHandle;
  readonly #socket: Socket;
  readonly #remote: { readonly ip: string; readonly port: number };
  readonly #stream: RtpStream;
  #isOpen = true;

  private constructor(
    handle: AudioBridgeHandle,
    socket: Socket,
    remote: { readonly ip: string; readonly port: number },
    random: () => number,
  ) {
    this.#handle = handle;
    this.#socket = socket;
    this.#remote = remote;
    this.#stream = new RtpStream({
      ssrc: random(),
      sequenceNumber: random(),
      timestamp: random(),
      payloadType: PAYLOAD_TYPE,
    });
  }

  /** Joins the room, which must exist. AudioBridge sends nothing before it receives a packet: `send` at once. */
  static async join(options: ConferenceLegOptions): Promise<ConferenceLeg> {
    const socket = createSocket('udp4');
    socket.bind(0, options.localIp);
    await once(socket, 'listening');
    const handle = await attachAudioBridge(options.connection, `call:${options.callId}`).catch((error: unknown) => {
      socket.close();
      throw error;
    });
    try {
      const { rtp } = await handle.joinByRtp({
        room: options.room,
        id: options.callId,
        codec: 'opus',
        isMuted: options.isMuted,
        rtp: { ip: options.localIp, port: socket.address().port, payloadType: PAYLOAD_TYPE },
      });
      const leg = new ConferenceLeg(handle, socket, rtp, options.random);
      // Another sender's packets are ignored: ports are reused, and packets of an ended call can be late.
      socket.on('message', (packet, from) => {
        if (from.port !== rtp.port || !leg.#isOpen) return;
        const rtpPacket = parseRtp(packet);
        if (rtpPacket?.header.payloadType === PAYLOAD_TYPE) options.onAudio(rtpPacket.payload);
      });
      socket.on('error', () => undefined);
      handle.onEvent((event) => {
        if (event.type === 'room-destroyed' || event.type === 'left' || event.type === 'detached') {
          if (leg.#isOpen) options.onRemoved();
        }
      });
      return leg;
    } catch (error) {
      socket.close();
      await handle.detach().catch(() => undefined);
      throw error;
    }
  }

  /** Sends 20 ms of Opus. */
  send(payload: Buffer): void {
    if (!this.#isOpen) return;
    this.#socket.send(this.#stream.packet(payload).serialize(), this.#remote.port, this.#remote.ip);
    this.#stream.advance(TIMESTAMP_STEP);
  }

  async setMuted(isMuted: boolean): Promise<void> {
    await this.#handle.configure({ isMuted });
  }

  /** Leaves the room. Never rejects. */
  async leave(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#socket.close();
    await this.#handle.detach().catch(() => undefined);
  }
}
