import type { JanusConnection } from '../connection.ts';
import { JanusError } from '../janus-error.ts';
import { definedFields, readBoolean, readId, readNumber, readObjects, readText } from '../read-json.ts';
import { RoomHandle } from '../room-handle.ts';
import type { Jsep } from '../transport/core-event.ts';
import type { HandleChannel } from '../transport/handle.ts';
import {
  parsePublishers,
  parseSubscribedStreams,
  parseVideoRoomEvent,
  type Publisher,
  type SubscribedStream,
  type VideoRoomEvent,
} from './video-room-event.ts';

export const VIDEO_ROOM_PLUGIN = 'janus.plugin.videoroom';

/** Codes of the VideoRoom in JanusError. */
export const VIDEO_ROOM_ERRORS = {
  notJoined: 424,
  alreadyJoined: 425,
  noSuchRoom: 426,
  roomExists: 427,
  /** No such participant, or nothing is published yet. */
  noSuchFeed: 428,
  tooManyPublishers: 432,
  unauthorized: 433,
  alreadyPublished: 434,
  notPublished: 435,
  idExists: 436,
} as const;

export interface VideoRoom {
  readonly room: string;
  /** The plugin's `admin_key`, which creates rooms. */
  readonly adminKey: string;
  /** Whoever has it may end the room, moderate and remove participants. */
  readonly secret: string;
  /** Whoever joins must send it. */
  readonly pin?: string;
  readonly description?: string;
  readonly maxPublishers: number;
  /** Cap of each publisher's video, in bits per second. */
  readonly bitrate?: number;
  /** Whether publishers cannot raise the cap. */
  readonly isBitrateFixed?: boolean;
  /** In order of preference. */
  readonly audioCodecs?: readonly ('opus' | 'g722' | 'pcmu' | 'pcma')[];
  readonly videoCodecs?: readonly ('vp8' | 'vp9' | 'h264' | 'av1' | 'h265')[];
  /** E.g. `42e01f`. */
  readonly h264Profile?: string;
  /** Sends `participant-joined` for those who do not publish yet. */
  readonly notifiesJoining?: boolean;
  /** Sends `talking` events. */
  readonly reportsTalking?: boolean;
  /** Subscribers must send the private id of a publisher, and are kicked with it. */
  readonly requiresPrivateId?: boolean;
}

export interface VideoRoomParticipant {
  readonly id: string;
  readonly display: string | undefined;
  readonly isPublishing: boolean;
}

export interface JoinAsPublisher {
  readonly room: string;
  readonly id: string;
  readonly display?: string;
  readonly pin?: string;
}

export interface JoinedVideoRoom {
  readonly id: string;
  /** Names us in subscriptions. It is a secret of the participant. */
  readonly privateId: number | undefined;
  readonly publishers: readonly Publisher[];
}

export interface PublishSettings {
  readonly display?: string;
  /** Cap of the video, in bits per second. */
  readonly bitrate?: number;
  readonly audioCodec?: string;
  readonly videoCodec?: string;
  /** Texts that name streams, e.g. camera and screen. */
  readonly descriptions?: readonly { readonly mid: string; readonly description: string }[];
}

export interface PublisherSettings extends Omit<PublishSettings, 'audioCodec' | 'videoCodec'> {
  readonly streams?: readonly { readonly mid: string; readonly isSending?: boolean; readonly asksKeyframe?: boolean }[];
}

/** A stream to subscribe to; without `mid`, all streams of the publisher. */
export interface StreamToSubscribe {
  readonly feed: string;
  readonly mid?: string;
  /** Layers of a simulcast stream, from 0 (lowest) to 2. */
  readonly substream?: number;
  readonly temporal?: number;
}

/** By the publisher, by one of its streams, or by the stream of the subscription. */
export interface StreamToUnsubscribe {
  readonly feed?: string;
  readonly mid?: string;
  readonly subscriptionMid?: string;
}

export interface JoinAsSubscriber {
  readonly room: string;
  readonly streams: readonly StreamToSubscribe[];
  readonly privateId?: number;
  readonly pin?: string;
  /** Names the publishers in the media lines (`msid`). */
  readonly usesMsid?: boolean;
  /** Sends an offer when a publisher leaves (default). */
  readonly autoUpdates?: boolean;
}

export interface SubscriptionUpdate {
  /** Undefined if nothing must be negotiated, or not yet. Answer it by `start`. */
  readonly offer: Jsep | undefined;
  readonly streams: readonly SubscribedStream[];
  /** The last offer is not answered yet. A `subscription-updated` event follows the answer. */
  readonly isPostponed: boolean;
}

/**
 * Attaches to Janus' VideoRoom, which forwards video. A handle publishes or subscribes, never both;
 * requests about rooms may be sent by any handle. Janus must be configured with `string_ids`.
 */
export function attachVideoRoom(connection: JanusConnection, opaqueId: string): Promise<VideoRoomHandle> {
  return connection.attach(VIDEO_ROOM_PLUGIN, opaqueId, (channel) => new VideoRoomHandle(channel));
}

export class VideoRoomHandle extends RoomHandle<VideoRoomEvent> {
  constructor(channel: HandleChannel) {
    super(channel, { name: 'videoroom', parse: parseVideoRoomEvent, emitsReplies: false }, VIDEO_ROOM_ERRORS);
  }

  /** Creates a room. Returns false if it exists: it then keeps its old settings. */
  createRoom(room: VideoRoom): Promise<{ isNew: boolean }> {
    return this.requestRoom({
      room: room.room,
      admin_key: room.adminKey,
      secret: room.secret,
      pin: room.pin,
      description: room.description,
      is_private: true,
      publishers: room.maxPublishers,
      bitrate: room.bitrate,
      bitrate_cap: room.isBitrateFixed,
      audiocodec: room.audioCodecs?.join(','),
      videocodec: room.videoCodecs?.join(','),
      h264_profile: room.h264Profile,
      notify_joining: room.notifiesJoining,
      audiolevel_event: room.reportsTalking,
      require_pvtid: room.requiresPrivateId,
    });
  }

  /** Lists those who joined as publishers. Subscribers are no participants. */
  async listParticipants(room: string): Promise<VideoRoomParticipant[]> {
    const { data } = await this.requestPlugin('listparticipants', { room });
    return readObjects(data, 'participants').flatMap((each) => {
      const id = readId(each, 'id');
      if (id === undefined) return [];
      return [{ id, display: readText(each, 'display'), isPublishing: readBoolean(each, 'publisher') ?? false }];
    });
  }

  /** Removes a participant, and its subscriptions in rooms with `requiresPrivateId`. */
  async kick(room: string, secret: string, id: string): Promise<void> {
    await this.requestPlugin('kick', { room, secret, id });
  }

  /** Mutes or unmutes one stream of a participant for all others. */
  async moderate(stream: {
    readonly room: string;
    readonly secret: string;
    readonly id: string;
    readonly mid: string;
    readonly isMuted: boolean;
  }): Promise<void> {
    const { room, secret, id, mid, isMuted } = stream;
    await this.requestPlugin('moderate', { room, secret, id, mid, mute: isMuted });
  }

  /** Joins as a participant who may publish, and who receives the events of the room. */
  async joinAsPublisher(join: JoinAsPublisher): Promise<JoinedVideoRoom> {
    const { room, id, display, pin } = join;
    const { data } = await this.requestPlugin('join', { ptype: 'publisher', room, id, display, pin });
    const joinedId = readId(data, 'id');
    if (joinedId === undefined) throw unexpected('join', 'without a participant');
    return { id: joinedId, privateId: readNumber(data, 'private_id'), publishers: parsePublishers(data) };
  }

  /** Publishes the streams of the offer. The others learn of them when the peer connection is up. */
  async publish(offer: Jsep, settings: PublishSettings = {}): Promise<{ answer: Jsep }> {
    const { display, bitrate, audioCodec, videoCodec, descriptions } = settings;
    const { jsep } = await this.requestPlugin(
      'publish',
      { display, bitrate, audiocodec: audioCodec, videocodec: videoCodec, descriptions },
      { jsep: offer },
    );
    if (!jsep) throw unexpected('publish', 'without a session description');
    return { answer: jsep };
  }

  /** Changes what we publish; with an offer, renegotiates. */
  async configurePublisher(settings: PublisherSettings, offer?: Jsep): Promise<{ answer: Jsep | undefined }> {
    const { display, bitrate, descriptions } = settings;
    const streams = settings.streams?.map(({ mid, isSending, asksKeyframe }) =>
      definedFields({ mid, send: isSending, keyframe: asksKeyframe }),
    );
    const fields = { display, bitrate, descriptions, streams };
    const { jsep } = await this.requestPlugin('configure', fields, { jsep: offer });
    return { answer: jsep };
  }

  /** Stops publishing and closes the peer connection. We stay in the room. */
  async unpublish(): Promise<void> {
    await this.requestPlugin('unpublish', {});
  }

  /**
   * Leaves the room, or ends the subscription. A publisher must `unpublish` before, or detach:
   * Janus 1.1 else keeps the peer connection, and does not update subscriptions.
   */
  async leave(): Promise<void> {
    await this.requestPlugin('leave', {});
  }

  /**
   * Subscribes and returns Janus' offer, which `start` must answer. Rejects with
   * `VIDEO_ROOM_ERRORS.noSuchFeed` before the `published` event of a publisher.
   */
  async joinAsSubscriber(join: JoinAsSubscriber): Promise<{ offer: Jsep; streams: readonly SubscribedStream[] }> {
    const { data, jsep } = await this.requestPlugin('join', {
      ptype: 'subscriber',
      room: join.room,
      streams: join.streams.map(definedFields),
      private_id: join.privateId,
      pin: join.pin,
      use_msid: join.usesMsid,
      autoupdate: join.autoUpdates,
    });
    if (!jsep) throw unexpected('join', 'without a session description');
    return { offer: jsep, streams: parseSubscribedStreams(data) };
  }

  /** Answers an offer of a subscription; without an answer, resumes it after `pause`. */
  async start(answer?: Jsep): Promise<void> {
    await this.requestPlugin('start', {}, { jsep: answer });
  }

  /** Stops all streams of the subscription until `start`. */
  async pause(): Promise<void> {
    await this.requestPlugin('pause', {});
  }

  /** Adds and removes streams of the subscription. */
  async updateSubscription(update: {
    readonly subscribe?: readonly StreamToSubscribe[];
    readonly unsubscribe?: readonly StreamToUnsubscribe[];
  }): Promise<SubscriptionUpdate> {
    const { data, jsep } = await this.requestPlugin('update', {
      subscribe: update.subscribe?.map(definedFields),
      unsubscribe: update.unsubscribe?.map(({ feed, mid, subscriptionMid }) =>
        definedFields({ feed, mid, sub_mid: subscriptionMid }),
      ),
    });
    return { offer: jsep, streams: parseSubscribedStreams(data), isPostponed: data.videoroom === 'updating' };
  }

  /** Feeds streams of the subscription from others of the same codec, without a negotiation. */
  async switchStreams(
    streams: readonly { readonly feed: string; readonly mid: string; readonly subscriptionMid: string }[],
  ): Promise<{ changes: number; streams: readonly SubscribedStream[] }> {
    const { data } = await this.requestPlugin('switch', {
      streams: streams.map(({ feed, mid, subscriptionMid }) => ({ feed, mid, sub_mid: subscriptionMid })),
    });
    return { changes: readNumber(data, 'changes') ?? 0, streams: parseSubscribedStreams(data) };
  }

  /** Chooses layers of simulcast streams, or pauses streams; with `restartsIce`, returns a new offer. */
  async configureSubscription(settings: {
    readonly streams?: readonly {
      readonly mid: string;
      readonly isSending?: boolean;
      readonly substream?: number;
      readonly temporal?: number;
    }[];
    readonly restartsIce?: boolean;
  }): Promise<{ offer: Jsep | undefined }> {
    const { jsep } = await this.requestPlugin('configure', {
      streams: settings.streams?.map(({ mid, isSending, substream, temporal }) =>
        definedFields({ mid, send: isSending, substream, temporal }),
      ),
      restart: settings.restartsIce,
    });
    return { offer: jsep };
  }
}

function unexpected(request: string, problem: string): JanusError {
  return new JanusError('unexpected', `videoroom.${request}`, `Janus answered videoroom.${request} ${problem}`);
}
