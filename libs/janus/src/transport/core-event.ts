import { readBoolean, readNumber, readObject, readText, type JsonObject } from '../read-json.ts';

/** A session description, as WebRTC stacks exchange it. */
export interface Jsep {
  readonly type: 'offer' | 'answer';
  readonly sdp: string;
}

export interface IceCandidate {
  readonly candidate: string;
  readonly sdpMid?: string | undefined;
  readonly sdpMLineIndex?: number | undefined;
}

/** What Janus' core reports of a handle, whatever its plugin. */
export type CoreEvent =
  /** ICE and DTLS are established. */
  | { readonly type: 'webrtc-up' }
  /** Janus closed the peer connection: its core's `hangup`, 2 to 720 ms after the SIP plugin's `hangup`. */
  | { readonly type: 'webrtc-down'; readonly reason: string }
  /** Janus started or stopped to receive media from the peer. */
  | {
      readonly type: 'media';
      readonly kind: 'audio' | 'video';
      readonly isReceiving: boolean;
      readonly mid: string | undefined;
      readonly seconds: number | undefined;
    }
  /** Packets were lost lately; `uplink` is from the peer to Janus. */
  | {
      readonly type: 'slow-link';
      readonly isUplink: boolean;
      readonly kind: string | undefined;
      readonly lost: number | undefined;
    }
  | { readonly type: 'ice-failed' }
  /** A candidate of Janus; undefined after the last one. */
  | { readonly type: 'trickle'; readonly candidate: IceCandidate | undefined }
  /** The handle is gone: detached by us, by Janus, or with the connection. No event follows. */
  | { readonly type: 'detached' };

/** Parses a message that Janus' core sent to a handle. Returns undefined if it is none. Never throws. */
export function parseCoreEvent(message: JsonObject): CoreEvent | undefined {
  switch (message.janus) {
    case 'webrtcup':
      return { type: 'webrtc-up' };
    case 'hangup':
      return { type: 'webrtc-down', reason: readText(message, 'reason') ?? '' };
    case 'media':
      return {
        type: 'media',
        kind: message.type === 'video' ? 'video' : 'audio',
        isReceiving: readBoolean(message, 'receiving') ?? false,
        mid: readText(message, 'mid'),
        seconds: readNumber(message, 'seconds'),
      };
    case 'slowlink':
      return {
        type: 'slow-link',
        isUplink: readBoolean(message, 'uplink') ?? false,
        kind: readText(message, 'media'),
        lost: readNumber(message, 'lost'),
      };
    case 'ice-failed':
      return { type: 'ice-failed' };
    case 'trickle':
      return { type: 'trickle', candidate: parseCandidate(readObject(message, 'candidate')) };
    case 'detached':
      return { type: 'detached' };
    default:
      return undefined;
  }
}

function parseCandidate(from: JsonObject | undefined): IceCandidate | undefined {
  const candidate = from && readText(from, 'candidate');
  if (from === undefined || candidate === undefined) return undefined;
  return {
    candidate,
    sdpMid: readText(from, 'sdpMid'),
    sdpMLineIndex: readNumber(from, 'sdpMLineIndex'),
  };
}

/** Returns the session description of a message. */
export function parseJsep(message: JsonObject): Jsep | undefined {
  const jsep = readObject(message, 'jsep');
  const type = jsep?.type;
  const sdp = jsep && readText(jsep, 'sdp');
  return (type === 'offer' || type === 'answer') && sdp !== undefined ? { type, sdp } : undefined;
}
