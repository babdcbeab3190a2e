import { attachAudioBridge, type AudioBridgeHandle } from '@partyline/janus/audio-bridge/audio-bridge-handle';
import type { JanusConnection } from '@partyline/janus/connection';
import type { Conferences } from './conferences.ts';
import { OPUS_PAYLOAD_TYPE, type Place, type PlaceEvents, type PlaceRequest, type RtpAddress } from './place.ts';

/** A connection to Janus with its conferences: `JanusLink.current`. */
export interface HostingJanus {
  readonly connection: JanusConnection;
  readonly conferences: Conferences;
}

/** The place of a call in a conference of this gateway. */
export class LocalPlace implements Place {
  readonly #janus: HostingJanus;
  readonly #request: PlaceRequest;
  readonly #events: PlaceEvents;
  #handle: AudioBridgeHandle | undefined;
  #isOpen = true;

  private constructor(janus: HostingJanus, request: PlaceRequest, events: PlaceEvents) {
    this.#janus = janus;
    this.#request = request;
    this.#events = events;
  }

  /**
   * Enters the conference, and creates its room if needed.
   * @throws JanusError when the room cannot be created; nothing is taken then
   */
  static async take(janus: HostingJanus, request: PlaceRequest, events: PlaceEvents): Promise<LocalPlace> {
    const { conference, callId, starts } = request;
    await janus.conferences.enter(
      conference,
      { id: callId, onStarted: () => events.onStarted(), onEnded: () => events.onEnded() },
      starts,
    );
    return new LocalPlace(janus, request, events);
  }

  async connect(rtp: RtpAddress, isMuted: boolean): Promise<RtpAddress> {
    const { conference, callId } = this.#request;
    const handle = await attachAudioBridge(this.#janus.connection, `call:${callId}`);
    this.#handle = handle;
    try {
      const joined = await handle.joinByRtp({
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
      if (!this.#isOpen) this.#detach();
    }
  }

  async setMuted(isMuted: boolean): Promise<void> {
    await this.#handle?.configure({ isMuted });
  }

  leave(ends: boolean): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#detach();
    this.#janus.conferences.leave(this.#request.conference, this.#request.callId, ends);
  }

  #detach(): void {
    this.#handle?.detach().catch(() => undefined);
  }
}
