import { readBoolean, readId, readNumber, readObject, readObjects, readText, type JsonObject } from '../read-json.ts';
import type { Jsep } from '../transport/core-event.ts';

export type MediaKind = 'audio' | 'video' | 'data';

/** A stream that a participant publishes. */
export interface PublishedStream {
  readonly mid: string;
  readonly kind: MediaKind;
  /** E.g. `opus`, `vp8` or `h264`. */
  readonly codec: string | undefined;
  readonly description: string | undefined;
  /** The stream was stopped. It cannot be subscribed to. */
  readonly isDisabled: boolean;
  readonly isSimulcast: boolean;
  /** The stream is muted by the secret of the room. */
  readonly isModerated: boolean;
}

/** A participant who publishes (a feed). */
export interface Publisher {
  readonly id: string;
  readonly display: string | undefined;
  readonly streams: readonly PublishedStream[];
}

/** A stream of a subscription. */
export interface SubscribedStream {
  readonly mid: string;
  readonly kind: MediaKind;
  /** Whether a published stream feeds it. */
  readonly isActive: boolean;
  /** Whether Janus forwards it. */
  readonly isSending: boolean;
  readonly feed: string | undefined;
  readonly feedMid: string | undefined;
  readonly codec: string | undefined;
}

/** An event of Janus' VideoRoom about the room of a publisher, or about a subscription. */
export type VideoRoomEvent =
  /** Participants started to publish, or changed their streams. */
  | { readonly type: 'published'; readonly room: string; readonly publishers: readonly Publisher[] }
  /** Only in rooms with `notifiesJoining`. */
  | {
      readonly type: 'participant-joined';
      readonly room: string;
      readonly id: string;
      readonly display: string | undefined;
    }
  | { readonly type: 'unpublished'; readonly room: string; readonly id: string }
  | { readonly type: 'participant-left'; readonly room: string; readonly id: string }
  | { readonly type: 'participant-kicked'; readonly room: string; readonly id: string }
  /** We were kicked. */
  | { readonly type: 'kicked'; readonly room: string }
  /** A stream was muted or unmuted by the secret of the room; ours included. */
  | {
      readonly type: 'moderated';
      readonly room: string;
      readonly id: string;
      readonly mid: string;
      readonly isMuted: boolean;
    }
  | { readonly type: 'talking'; readonly room: string; readonly id: string; readonly isTalking: boolean }
  /** The streams of our subscription changed. An offer must be answered by `start`. */
  | {
      readonly type: 'subscription-updated';
      readonly room: string;
      readonly streams: readonly SubscribedStream[];
      readonly offer: Jsep | undefined;
    }
  /** Janus forwards another layer of a simulcast stream. */
  | {
      readonly type: 'layer-changed';
      readonly room: string;
      readonly mid: string;
      readonly substream: number | undefined;
      readonly temporal: number | undefined;
    }
  /** Packets were lost; as a publisher, with the cap of the bitrate. */
  | { readonly type: 'slow-media'; readonly bitrate: number | undefined }
  | { readonly type: 'room-destroyed'; readonly room: string }
  /** The plugin rejected a request that had already resolved. */
  | { readonly type: 'request-failed'; readonly code: number | undefined; readonly reason: string }
  /** A message that this client does not know. */
  | { readonly type: 'unknown'; readonly data: JsonObject; readonly jsep: Jsep | undefined };

/** Parses a message of the VideoRoom. Never throws: what it does not know becomes `unknown`. */
export function parseVideoRoomEvent(data: JsonObject, jsep: Jsep | undefined): VideoRoomEvent {
  return parseKnown(data, jsep) ?? { type: 'unknown', data, jsep };
}

function parseKnown(data: JsonObject, jsep: Jsep | undefined): VideoRoomEvent | undefined {
  const reason = readText(data, 'error');
  if (reason !== undefined) return { type: 'request-failed', code: readNumber(data, 'error_code'), reason };
  const kind = readText(data, 'videoroom');
  if (kind === 'slow_link') return { type: 'slow-media', bitrate: readNumber(data, 'current-bitrate') };
  const room = readId(data, 'room');
  if (room === undefined) return undefined;
  switch (kind) {
    case 'destroyed':
      return { type: 'room-destroyed', room };
    case 'updated':
      return { type: 'subscription-updated', room, streams: parseSubscribedStreams(data), offer: jsep };
    case 'talking':
    case 'stopped-talking': {
      const id = readId(data, 'id');
      return id === undefined ? undefined : { type: 'talking', room, id, isTalking: kind === 'talking' };
    }
    case 'event':
      return parseRoomEvent(room, data);
    default:
      return undefined;
  }
}

/** The kind `event` tells its meaning by its fields. */
function parseRoomEvent(room: string, data: JsonObject): VideoRoomEvent | undefined {
  if (Array.isArray(data.publishers)) return { type: 'published', room, publishers: parsePublishers(data) };
  if (data.leaving === 'ok' && data.reason === 'kicked') return { type: 'kicked', room };
  const ends = { leaving: 'participant-left', kicked: 'participant-kicked', unpublished: 'unpublished' } as const;
  for (const [field, type] of Object.entries(ends)) {
    const id = readId(data, field);
    if (id !== undefined) return { type, room, id };
  }
  const joining = readObject(data, 'joining');
  const joined = joining && readId(joining, 'id');
  if (joining !== undefined && joined !== undefined) {
    return { type: 'participant-joined', room, id: joined, display: readText(joining, 'display') };
  }
  const mid = readText(data, 'mid');
  if (mid === undefined) return undefined;
  const id = readId(data, 'id');
  const moderation = readText(data, 'moderation');
  if (id !== undefined && moderation !== undefined) {
    return { type: 'moderated', room, id, mid, isMuted: moderation === 'muted' };
  }
  const substream = readNumber(data, 'substream');
  const temporal = readNumber(data, 'temporal');
  if (substream === undefined && temporal === undefined) return undefined;
  return { type: 'layer-changed', room, mid, substream, temporal };
}

/** Returns the list `publishers` of a message. */
export function parsePublishers(data: JsonObject): Publisher[] {
  return readObjects(data, 'publishers').flatMap((publisher) => {
    const id = readId(publisher, 'id');
    if (id === undefined) return [];
    const streams = readObjects(publisher, 'streams').flatMap((stream) => {
      const base = parseStream(stream);
      if (!base) return [];
      return [
        {
          ...base,
          description: readText(stream, 'description'),
          isDisabled: readBoolean(stream, 'disabled') ?? false,
          isSimulcast: readBoolean(stream, 'simulcast') ?? false,
          isModerated: readBoolean(stream, 'moderated') ?? false,
        },
      ];
    });
    return [{ id, display: readText(publisher, 'display'), streams }];
  });
}

/** Returns the list `streams` of a subscription. */
export function parseSubscribedStreams(data: JsonObject): SubscribedStream[] {
  return readObjects(data, 'streams').flatMap((stream) => {
    const base = parseStream(stream);
    if (!base) return [];
    return [
      {
        ...base,
        isActive: readBoolean(stream, 'active') ?? false,
        isSending: readBoolean(stream, 'send') ?? true,
        feed: readId(stream, 'feed_id'),
        feedMid: readText(stream, 'feed_mid'),
      },
    ];
  });
}

function parseStream(stream: JsonObject): { mid: string; kind: MediaKind; codec: string | undefined } | undefined {
  const mid = readText(stream, 'mid');
  const kind = stream.type;
  if (mid === undefined || (kind !== 'audio' && kind !== 'video' && kind !== 'data')) return undefined;
  return { mid, kind, codec: readText(stream, 'codec') };
}
