import {
  attachAudioBridge,
  AUDIO_BRIDGE_ERRORS,
  type AudioBridgeHandle,
  type JoinByRtp,
} from '@partyline/janus/audio-bridge/audio-bridge-handle';
import type { JanusConnection } from '@partyline/janus/connection';
import { JanusError } from '@partyline/janus/janus-error';
import type { Timers } from '../audio/frame-clock.ts';
import type { Conferences, Member } from './conferences.ts';
import { OPUS_PAYLOAD_TYPE, type Place, type PlaceEvents, type PlaceRequest, type RtpAddress } from './place.ts';

/** A connection to Janus with its conferences: `JanusLink.current`. */
export interface HostingJanus {
  readonly connection: JanusConnection;
  readonly conferences: Conferences;
}

/**
 * Janus 1.1.2 crashes when it decodes or encodes a packet of a participant while it ends it: the audio
 * stops, the last packets are given time to arrive, and the participant leaves the room before its handle
 * ends.
 */
export const DRAIN_MS = 60;

/** A call that enters again is in the room until its earlier place is free. */
const JOIN_RETRY_MS = 50;
const JOIN_ATTEMPTS = 60;

/** The place of a call in a conference of this gateway. */
export class LocalPlace implements Place {
  readonly #janus: HostingJanus;
  readonly #request: PlaceRequest;
  readonly #member: Member;
  readonly #events: PlaceEvents;
  readonly #timers: Timers;
  #handle: AudioBridgeHandle | undefined;
  #isOpen = true;

  private constructor(janus: HostingJanus, request: PlaceRequest, member: Member, events: PlaceEvents, timers: Timers) {
    this.#janus = janus;
    this.#request = request;
    this.#member = member;
    this.#events = events;
    this.#timers = timers;
  }

  /**
   * Enters the conference, and creates its room if needed.
   * @throws JanusError when the room cannot be created; nothing is taken then
   */
  static async take(
    janus: HostingJanus,
    request: PlaceRequest,
    events: PlaceEvents,
    timers: Timers,
  ): Promise<LocalPlace> {
    const { conference, callId, starts } = request;
    const member: Member = { id: callId, onStarted: () => events.onStarted(), onEnded: () => events.onEnded() };
    await janus.conferences.enter(conference, member, starts);
    return new LocalPlace(janus, request, member, events, timers);
  }

  async connect(rtp: RtpAddress, isMuted: boolean): Promise<RtpAddress> {
    const { conference, callId } = this.#request;
    const handle = await attachAudioBridge(this.#janus.connection, `call:${callId}`);
    this.#handle = handle;
    try {
      const joined = await this.#join(handle, {
        room: conference,
        id: callId,
        codec: 'opus',
        isMuted,
        rtp: { ...rtp, payloadType: OPUS_PAYLOAD_TYPE },
      });
      handle.onEvent(({ type }) => {
        if (!this.#isOpen) return;
        if (type === 'room-destroyed' || type === 'left') this.#events.onRemoved();
        if (type === 'detached') this.#events.onHomeLost();
      });
      return joined.rtp;
    } finally {
      // It left while it was connected.
      if (!this.#isOpen) void this.#endHandle();
    }
  }

  async setMuted(isMuted: boolean): Promise<void> {
    await this.#handle?.configure({ isMuted });
  }

  leave(ends: boolean): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    const { conferences } = this.#janus;
    const { conference, callId } = this.#request;
    if (ends) conferences.end(conference, callId);
    // The audio has stopped before.
    this.#timers.setTimer(
      DRAIN_MS,
      () => void this.#endHandle().then(() => conferences.leave(conference, this.#member)),
    );
  }

  async #join(handle: AudioBridgeHandle, join: JoinByRtp): ReturnType<AudioBridgeHandle['joinByRtp']> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await handle.joinByRtp(join);
      } catch (error) {
        const isIn = error instanceof JanusError && error.code === AUDIO_BRIDGE_ERRORS.idExists;
        if (!isIn || attempt === JOIN_ATTEMPTS || !this.#isOpen) throw error;
        await new Promise<void>((resolve) => this.#timers.setTimer(JOIN_RETRY_MS, resolve));
      }
    }
  }

  /** Never rejects: a handle that cannot be ended ends with the connection to Janus. */
  async #endHandle(): Promise<void> {
    await this.#handle?.leave().catch(() => undefined);
    await this.#handle?.detach().catch(() => undefined);
  }
}
