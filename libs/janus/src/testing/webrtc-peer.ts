import { MediaStreamTrack, RTCPeerConnection, RTCRtpCodecParameters, RtpHeader, RtpPacket } from 'werift';
import type { Jsep } from '../transport/core-event.ts';

/** One WebRTC peer in this process, for tests only. */
export interface WebrtcPeer {
  offer(): Promise<Jsep>;
  answer(offer: Jsep): Promise<Jsep>;
  acceptAnswer(answer: Jsep): Promise<void>;
  /** Packets that arrived. */
  received(): number;
  /** Sends 20 ms of sound every 20 ms until `close`. */
  startSending(): void;
  close(): Promise<void>;
}

const AUDIO = {
  pcmu: [
    new RTCRtpCodecParameters({ mimeType: 'audio/PCMU', clockRate: 8000, channels: 1, payloadType: 0 }),
    new RTCRtpCodecParameters({ mimeType: 'audio/telephone-event', clockRate: 8000, channels: 1, payloadType: 101 }),
  ],
  opus: [new RTCRtpCodecParameters({ mimeType: 'audio/opus', clockRate: 48_000, channels: 2, payloadType: 111 })],
};
const FRAMES = {
  // 20 ms of a square wave in µ-law, and 20 ms of silence in Opus (a DTX frame would have 1 byte).
  pcmu: { payload: Buffer.alloc(160, 0x80), step: 160, payloadType: 0 },
  opus: { payload: Buffer.from([0xf8, 0xff, 0xfe]), step: 960, payloadType: 111 },
};

/** Creates a peer with one audio line. */
export function createWebrtcPeer(codec: 'pcmu' | 'opus'): WebrtcPeer {
  const connection = new RTCPeerConnection({ iceServers: [], codecs: { audio: AUDIO[codec], video: [] } });
  const track = new MediaStreamTrack({ kind: 'audio' });
  connection.addTransceiver(track, { direction: 'sendrecv' });
  let received = 0;
  connection.onTrack.subscribe((remote) => remote.onReceiveRtp.subscribe(() => (received += 1)));
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
    startSending() {
      const { payload, step, payloadType } = FRAMES[codec];
      let count = 0;
      sending = setInterval(() => {
        count += 1;
        const header = new RtpHeader({ payloadType, sequenceNumber: count, timestamp: count * step, ssrc: 4711 });
        track.writeRtp(new RtpPacket(header, payload));
      }, 20);
    },
    async close() {
      clearInterval(sending);
      await connection.close();
    },
  };
}
