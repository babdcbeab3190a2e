import { readBoolean, readId, readNumber, readObjects, readText, type JsonObject } from '../read-json.ts';
import type { Jsep } from '../transport/core-event.ts';

export interface AudioBridgeParticipant {
  readonly id: string;
  readonly display: string | undefined;
  readonly isMuted: boolean;
  /** Whether its peer connection is up or, with plain RTP, its addresses are set. */
  readonly isSetUp: boolean;
  /** Undefined unless the participant sends audio levels. */
  readonly isTalking: boolean | undefined;
}

/** An event of Janus' AudioBridge about the room that a handle has joined. */
export type AudioBridgeEvent =
  | { readonly type: 'participant-joined'; readonly room: string; readonly participant: AudioBridgeParticipant }
  /** A participant was muted or unmuted, renamed, or its peer connection came up. */
  | { readonly type: 'participant-changed'; readonly room: string; readonly participant: AudioBridgeParticipant }
  | { readonly type: 'participant-left'; readonly room: string; readonly id: string }
  /** The id may be our own. */
  | { readonly type: 'participant-kicked'; readonly room: string; readonly id: string }
  /** A participant with audio levels started or stopped to talk; ourselves included. */
  | { readonly type: 'talking'; readonly room: string; readonly id: string; readonly isTalking: boolean }
  | { readonly type: 'room-muted'; readonly room: string; readonly isMuted: boolean }
  | { readonly type: 'room-destroyed'; readonly room: string }
  /** A file of `playFile` started or stopped, at its end or by `stopFile`. */
  | { readonly type: 'file-started'; readonly room: string; readonly fileId: string }
  | { readonly type: 'file-stopped'; readonly room: string; readonly fileId: string }
  /** We left the room without having asked, e.g. because the peer connection was lost. */
  | { readonly type: 'left'; readonly room: string | undefined; readonly id: string | undefined }
  /** The plugin rejected a request that had already resolved. */
  | { readonly type: 'request-failed'; readonly code: number | undefined; readonly reason: string }
  /** A message that this client does not know. */
  | { readonly type: 'unknown'; readonly data: JsonObject; readonly jsep: Jsep | undefined };

/** Parses a message of the AudioBridge. Never throws: what it does not know becomes `unknown`. */
export function parseAudioBridgeEvent(data: JsonObject, jsep: Jsep | undefined): AudioBridgeEvent {
  return parseKnown(data) ?? { type: 'unknown', data, jsep };
}

function parseKnown(data: JsonObject): AudioBridgeEvent | undefined {
  const reason = readText(data, 'error');
  if (reason !== undefined) return { type: 'request-failed', code: readNumber(data, 'error_code'), reason };
  const room = readId(data, 'room');
  const id = readId(data, 'id');
  const kind = readText(data, 'audiobridge');
  if (kind === 'left') return { type: 'left', room, id };
  if (room === undefined) return undefined;
  switch (kind) {
    case 'joined':
      return ofParticipant('participant-joined', room, data);
    case 'talking':
    case 'stopped-talking':
      return id === undefined ? undefined : { type: 'talking', room, id, isTalking: kind === 'talking' };
    case 'destroyed':
      return { type: 'room-destroyed', room };
    case 'announcement-started':
    case 'announcement-stopped': {
      const fileId = readText(data, 'file_id');
      if (fileId === undefined) return undefined;
      return { type: kind === 'announcement-started' ? 'file-started' : 'file-stopped', room, fileId };
    }
    case 'event':
      return parseRoomEvent(room, data);
    default:
      return undefined;
  }
}

/** The kind `event` tells its meaning by its fields. */
function parseRoomEvent(room: string, data: JsonObject): AudioBridgeEvent | undefined {
  const leaving = readId(data, 'leaving');
  if (leaving !== undefined) return { type: 'participant-left', room, id: leaving };
  const kicked = readId(data, 'kicked');
  if (kicked !== undefined) return { type: 'participant-kicked', room, id: kicked };
  const isMuted = readBoolean(data, 'muted');
  if (isMuted !== undefined) return { type: 'room-muted', room, isMuted };
  return ofParticipant('participant-changed', room, data);
}

function ofParticipant(
  type: 'participant-joined' | 'participant-changed',
  room: string,
  data: JsonObject,
): AudioBridgeEvent | undefined {
  const [participant] = parseParticipants(data);
  return participant && { type, room, participant };
}

/** Returns the list `participants` of a message. */
export function parseParticipants(data: JsonObject): AudioBridgeParticipant[] {
  return readObjects(data, 'participants').flatMap((each) => {
    const id = readId(each, 'id');
    if (id === undefined) return [];
    return [
      {
        id,
        display: readText(each, 'display'),
        isMuted: readBoolean(each, 'muted') ?? false,
        isSetUp: readBoolean(each, 'setup') ?? false,
        isTalking: readBoolean(each, 'talking'),
      },
    ];
  });
}
