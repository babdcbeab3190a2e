import { MediaStreamTrack, RTCPeerConnection, RTCRtpCodecParameters, RtpHeader, RtpPacket } from 'werift';
import type { Jsep } from '../transport/core-event.ts';

/** One WebRTC peer in this process, for tests only. */
export interface WebrtcPeer {
  offer(): Promise<Jsep>;
  answer(offer: Jsep): Promise<Jsep>;
  acceptAnswer(answer: Jsep): Promise<void>;
  /** Packets that arrived. */
  received(): number;
  /** Bytes of their payloads. */
  receivedBytes(): number;
  /** Sends a packet every 20 ms until `close`: what `next` returns, or silence. */
  startSending(next?: () => Buffer): void;
  close(): Promise<void>;
}

const CODECS = {
  pcmu: [
    new RTCRtpCodecParameters({ mimeType: 'audio/PCMU', clockRate: 8000, channels: 1, payloadType: 0 }),
    new RTCRtpCodecParameters({ mimeType: 'audio/telephone-event', clockRate: 8000, channels: 1, payloadType: 101 }),
  ],
  opus: [new RTCRtpCodecParameters({ mimeType: 'audio/opus', clockRate: 48_000, channels: 2, payloadType: 111 })],
  vp8: [
    new RTCRtpCodecParameters({
      mimeType: 'video/VP8',
      clockRate: 90_000,
      payloadType: 96,
      rtcpFeedback: [{ type: 'nack', parameter: 'pli' }],
    }),
  ],
};
const FRAMES = {
  // 20 ms of a square wave in µ-law, and 20 ms of silence in Opus (a DTX frame would have 1 byte).
  pcmu: { payload: Buffer.alloc(160, 0x80), step: 160, payloadType: 0 },
  opus: { payload: Buffer.from([0xf8, 0xff, 0xfe]), step: 960, payloadType: 111 },
  // The start of a key frame of 16 x 16 pixels, which Janus reads and no decoder could show.
  vp8: { payload: Buffer.from('101002009d012a10001000', 'hex'), step: 1800, payloadType: 96 },
};

/**
 * Creates a peer with one line of audio or video.
 * @param onPayload takes the payload of each packet that arrives
 */
export function createWebrtcPeer(codec: keyof typeof CODECS, onPayload?: (payload: Buffer) => void): WebrtcPeer {
  const connection = new RTCPeerConnection({
    iceServers: [],
    iceUseIpv6: false,
    codecs: codec === 'vp8' ? { audio: [], video: CODECS.vp8 } : { audio: CODECS[codec], video: [] },
  });
  const track = new MediaStreamTrack({ kind: codec === 'vp8' ? 'video' : 'audio' });
  connection.addTransceiver(track, { direction: 'sendrecv' });
  let [received, receivedBytes] = [0, 0];
  connection.onTrack.subscribe((remote) =>
    remote.onReceiveRtp.subscribe(({ payload }) => {
      received += 1;
      receivedBytes += payload.length;
      onPayload?.(payload);
    }),
  );
  let sending: NodeJS.Timeout | undefined;
  const local = (type: Jsep['type']): Jsep => ({ type, sdp: connection.localDescription?.sdp ?? '' });

  return {
    async offer() {
      await connection.setLocalDescription(await connection.createOffer());
      return local('offer');
    },
    async answer(offer) {
      await connection.setRemoteDescription(offer);
      await connection.setLocalDescription(await connection.createAnswer());
      return local('answer');
    },
    acceptAnswer: (answer) => connection.setRemoteDescription(answer),
    received: () => received,
    receivedBytes: () => receivedBytes,
    startSending(next) {
      const { payload, step, payloadType } = FRAMES[codec];
      let count = 0;
      sending = setInterval(() => {
        count += 1;
        const header = new RtpHeader({ payloadType, sequenceNumber: count, timestamp: count * step, ssrc: 4711 });
        track.writeRtp(new RtpPacket(header, next?.() ?? payload));
      }, 20);
    },
    async close() {
      clearInterval(sending);
      await connection.close();
    },
  };
}
