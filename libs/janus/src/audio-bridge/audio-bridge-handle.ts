import type { JanusConnection } from '../connection.ts';
import { JanusError } from '../janus-error.ts';
import { readId, readNumber, readObject, readText, type JsonObject } from '../read-json.ts';
import { RoomHandle } from '../room-handle.ts';
import type { Jsep } from '../transport/core-event.ts';
import type { HandleChannel } from '../transport/handle.ts';
import {
  parseAudioBridgeEvent,
  parseParticipants,
  type AudioBridgeEvent,
  type AudioBridgeParticipant,
} from './audio-bridge-event.ts';

export const AUDIO_BRIDGE_PLUGIN = 'janus.plugin.audiobridge';

/** Codes of the AudioBridge in JanusError. */
export const AUDIO_BRIDGE_ERRORS = {
  noSuchRoom: 485,
  roomExists: 486,
  notJoined: 487,
  unauthorized: 489,
  idExists: 490,
  alreadyJoined: 491,
  noSuchParticipant: 492,
} as const;

export interface AudioRoom {
  readonly room: string;
  /** The plugin's `admin_key`, which creates rooms. */
  readonly adminKey: string;
  /** Whoever has it may end the room, mute and remove participants. */
  readonly secret: string;
  /** Whoever joins must send it. */
  readonly pin?: string;
  readonly description?: string;
  /** 8000, 12000, 16000, 24000 or 48000. A G.711 participant needs 8000: the plugin resamples without a filter. */
  readonly samplingRate: 8000 | 12_000 | 16_000 | 24_000 | 48_000;
  readonly allowRtpParticipants: boolean;
  /** Packets of 20 ms that are buffered before a participant is decoded. */
  readonly prebuffering?: number;
  /** Percentage of lost packets to expect, at most 20; above 0 switches forward error correction on. */
  readonly expectedLossPercent?: number;
  /** Sends `talking` events. */
  readonly reportsTalking?: boolean;
  /** Packets of 20 ms whose level decides whether a participant talks; 100 by default. */
  readonly talkingPackets?: number;
  /** Records the mix to this .wav file, as Janus sees the path. */
  readonly recordFile?: string;
}

export interface AudioSettings {
  readonly display?: string;
  readonly isMuted?: boolean;
  /** Complexity of the Opus encoder, 1 to 10. Janus rejects 0, against its documentation. */
  readonly quality?: number;
  /** Bits per second of the Opus stream. */
  readonly bitrate?: number;
  readonly expectedLossPercent?: number;
  /** Packets of 20 ms. */
  readonly prebuffering?: number;
  /** 100 leaves the volume as it is. */
  readonly volumePercent?: number;
}

export interface JoinAudioRoom extends AudioSettings {
  readonly room: string;
  /** Identifier of the participant in the room. */
  readonly id: string;
  readonly pin?: string;
  /** The room's secret: the participant cannot be muted with the whole room. */
  readonly secret?: string;
}

export interface JoinByRtp extends JoinAudioRoom {
  readonly codec: 'opus' | 'pcmu' | 'pcma';
  /** Where Janus sends the mix. `payloadType` is for Opus. */
  readonly rtp: { readonly ip: string; readonly port: number; readonly payloadType?: number; readonly fec?: boolean };
}

export interface JoinedAudioRoom {
  readonly id: string;
  /** The others in the room. */
  readonly participants: readonly AudioBridgeParticipant[];
}

/**
 * Attaches to Janus' AudioBridge, which mixes audio. A handle joins one room; requests about rooms
 * may be sent by any handle. Janus must be configured with `string_ids`.
 */
export function attachAudioBridge(connection: JanusConnection, opaqueId: string): Promise<AudioBridgeHandle> {
  return connection.attach(AUDIO_BRIDGE_PLUGIN, opaqueId, (channel) => new AudioBridgeHandle(channel));
}

export class AudioBridgeHandle extends RoomHandle<AudioBridgeEvent> {
  constructor(channel: HandleChannel) {
    super(channel, { name: 'audiobridge', parse: parseAudioBridgeEvent, emitsReplies: false }, AUDIO_BRIDGE_ERRORS);
  }

  /** Creates a room. Returns false if it exists: it then keeps its old settings. */
  createRoom(room: AudioRoom): Promise<{ isNew: boolean }> {
    return this.requestRoom({
      room: room.room,
      admin_key: room.adminKey,
      secret: room.secret,
      pin: room.pin,
      description: room.description,
      is_private: true,
      sampling_rate: room.samplingRate,
      allow_rtp_participants: room.allowRtpParticipants,
      default_prebuffering: room.prebuffering,
      default_expectedloss: room.expectedLossPercent,
      audiolevel_event: room.reportsTalking,
      audio_active_packets: room.talkingPackets,
      ...(room.recordFile === undefined ? {} : { record: true, record_file: room.recordFile }),
    });
  }

  /** Lists the participants. Rejects with `AUDIO_BRIDGE_ERRORS.noSuchRoom`. */
  async listParticipants(room: string): Promise<AudioBridgeParticipant[]> {
    const { data } = await this.requestPlugin('listparticipants', { room });
    return parseParticipants(data);
  }

  /**
   * Joins with plain RTP. Returns the address that expects our packets. Janus sends nothing before
   * it has received the first packet, and hears only the address that sent it.
   */
  async joinByRtp(join: JoinByRtp): Promise<JoinedAudioRoom & { rtp: { ip: string; port: number } }> {
    const { ip, port, payloadType, fec } = join.rtp;
    const { data } = await this.requestPlugin('join', {
      ...joinFields(join),
      codec: join.codec,
      rtp: { ip, port, ...(payloadType && { payload_type: payloadType }), ...(fec !== undefined && { fec }) },
    });
    const rtp = readObject(data, 'rtp') ?? {};
    const rtpIp = readText(rtp, 'ip');
    const rtpPort = readNumber(rtp, 'port');
    if (rtpIp === undefined || rtpPort === undefined) throw unexpected('join', 'without an RTP address');
    return { ...readJoined('join', data), rtp: { ip: rtpIp, port: rtpPort } };
  }

  /** Joins with WebRTC and returns Janus' answer. */
  async joinByWebrtc(join: JoinAudioRoom & { readonly offer: Jsep }): Promise<JoinedAudioRoom & { answer: Jsep }> {
    const { data, jsep } = await this.requestPlugin('join', joinFields(join), { jsep: join.offer });
    if (!jsep) throw unexpected('join', 'without a session description');
    return { ...readJoined('join', data), answer: jsep };
  }

  /** Moves to another room and keeps the peer connection, or the RTP addresses. */
  async changeRoom(join: JoinAudioRoom): Promise<JoinedAudioRoom> {
    const { data } = await this.requestPlugin('changeroom', joinFields(join));
    return readJoined('changeroom', data);
  }

  /** Changes our settings; with an offer, renegotiates. Returns the answer to the offer. */
  async configure(settings: AudioSettings, offer?: Jsep): Promise<{ answer: Jsep | undefined }> {
    const { jsep } = await this.requestPlugin('configure', settingFields(settings), { jsep: offer });
    return { answer: jsep };
  }

  /** Leaves the room and keeps the handle. Rejects with `AUDIO_BRIDGE_ERRORS.notJoined`. */
  async leave(): Promise<void> {
    await this.requestPlugin('leave', {});
  }

  /** Removes a participant. Rejects with `AUDIO_BRIDGE_ERRORS.noSuchParticipant`. */
  async kick(room: string, secret: string, id: string): Promise<void> {
    await this.requestPlugin('kick', { room, secret, id });
  }

  /** Mutes or unmutes a participant for all others. */
  async setMuted(room: string, secret: string, id: string, isMuted: boolean): Promise<void> {
    await this.requestPlugin(isMuted ? 'mute' : 'unmute', { room, secret, id });
  }

  /** Plays an Ogg Opus file, whose path Janus sees, to the room. Returns the id that `stopFile` takes. */
  async playFile(play: {
    readonly room: string;
    readonly secret: string;
    /** Needed if the plugin is configured with `lock_play_file`. */
    readonly adminKey?: string;
    readonly filename: string;
    readonly fileId?: string;
    readonly isLoop?: boolean;
  }): Promise<{ fileId: string }> {
    const { data } = await this.requestPlugin('play_file', {
      room: play.room,
      secret: play.secret,
      admin_key: play.adminKey,
      filename: play.filename,
      file_id: play.fileId,
      loop: play.isLoop,
    });
    const fileId = readText(data, 'file_id');
    if (fileId === undefined) throw unexpected('play_file', 'without an id');
    return { fileId };
  }

  async stopFile(stop: {
    readonly room: string;
    readonly secret: string;
    readonly adminKey?: string;
    readonly fileId: string;
  }): Promise<void> {
    await this.requestPlugin('stop_file', {
      room: stop.room,
      secret: stop.secret,
      admin_key: stop.adminKey,
      file_id: stop.fileId,
    });
  }
}

function settingFields(settings: AudioSettings): JsonObject {
  return {
    display: settings.display,
    muted: settings.isMuted,
    quality: settings.quality,
    bitrate: settings.bitrate,
    expected_loss: settings.expectedLossPercent,
    prebuffer: settings.prebuffering,
    volume: settings.volumePercent,
  };
}

function joinFields(join: JoinAudioRoom): JsonObject {
  return { ...settingFields(join), room: join.room, id: join.id, pin: join.pin, secret: join.secret };
}

function readJoined(request: string, data: JsonObject): JoinedAudioRoom {
  const id = readId(data, 'id');
  if (id === undefined) throw unexpected(request, 'without a participant');
  return { id, participants: parseParticipants(data) };
}

function unexpected(request: string, problem: string): JanusError {
  return new JanusError('unexpected', `audiobridge.${request}`, `Janus answered audiobridge.${request} ${problem}`);
}
