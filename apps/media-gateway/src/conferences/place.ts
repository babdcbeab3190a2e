/** Where RTP is received. */
export interface RtpAddress {
  readonly ip: string;
  readonly port: number;
}

/** What a conference tells a call that has a place in it. Nothing is told after `leave`. */
export interface PlaceEvents {
  /** The conference has started: the call stops to wait. Called at once if it has. */
  onStarted(): void;
  /** A member whose exit ends the conference has left. */
  onEnded(): void;
  /** AudioBridge removed the call: the room was destroyed, or it was kicked. */
  onRemoved(): void;
  /** The gateway of the conference, or its Janus, is gone. The conference may go on elsewhere. */
  onHomeLost(): void;
}

/** Who takes a place, and in which conference. */
export interface PlaceRequest {
  readonly conference: string;
  readonly callId: string;
  /** Whether the conference starts with this call; others wait until then. */
  readonly starts: boolean;
}

/** The place of a call in a conference: of this gateway (`LocalPlace`) or of another one (`RemotePlace`). */
export interface Place {
  /**
   * Connects the audio with the AudioBridge room: Opus over plain RTP, 20 ms at 48 kHz.
   * @param rtp where the call receives the mix
   * @returns where AudioBridge receives the call; it sends nothing before the first packet
   */
  connect(rtp: RtpAddress, isMuted: boolean): Promise<RtpAddress>;
  setMuted(isMuted: boolean): Promise<void>;
  /** Gives the place up, once. @param ends whether all others must leave too */
  leave(ends: boolean): void;
}

/** The payload type of Opus between calls and AudioBridge. */
export const OPUS_PAYLOAD_TYPE = 100;
