import type {
  IceServer,
  JoinedState,
  ServerEvent,
  SocketParticipant,
} from '@partyline/contracts/gateway-socket/messages';
import { Emitter } from './emitter.ts';
import { listDevices, openCamera, openMicrophone, openScreen, type Devices, type TrackSource } from './local-media.ts';
import { ReceivingPeer, type ReceivedTrack } from './receiving-peer.ts';
import { RoomError } from './room-error.ts';
import { SendingPeer } from './sending-peer.ts';
import { Signaling } from './signaling.ts';

export type VideoSource = 'camera' | 'screen';

/** A member of the room: a browser, or a telephone. */
export interface Participant {
  readonly id: string;
  readonly kind: 'browser' | 'phone';
  /** Null: it gave none. */
  readonly name: string | null;
  readonly isMuted: boolean;
  readonly isMutedByHost: boolean;
  readonly isTalking: boolean;
  /** The video that it publishes. */
  readonly sources: readonly VideoSource[];
}

/** What to receive of a video: layers from 0 (lowest) to 2 of a camera, or nothing. */
export interface Quality {
  readonly substream?: 0 | 1 | 2;
  readonly temporal?: 0 | 1 | 2;
  readonly paused?: boolean;
}

/** A video of another participant. */
export interface RemoteTrack {
  readonly participantId: string;
  readonly source: VideoSource;
  /** For a video element: `element.srcObject = new MediaStream([track])`. */
  readonly track: MediaStreamTrack;
  /** Chooses what to receive. @throws RoomError */
  setQuality(quality: Quality): Promise<void>;
}

/** Why the room is over: `left`, `kicked`, `timeout`, `media-failed`, `conference-ended`, `gateway-lost`, ... */
export type EndReason = string;

export interface RoomEvents {
  'participant-joined': Participant;
  'participant-changed': Participant;
  'participant-left': Participant;
  'track-added': RemoteTrack;
  'track-removed': RemoteTrack;
  /** The own microphone was muted or unmuted. */
  muted: { readonly isMuted: boolean; readonly isMutedByHost: boolean };
  /** A local track ended without a request: a device was unplugged, or the user stopped sharing. */
  'local-track-ended': 'microphone' | VideoSource;
  reconnecting: undefined;
  reconnected: undefined;
  ended: EndReason;
}

export interface JoinOptions {
  /** The socket of the gateway: `clientConfig.application` of Partyline, `wss://.../v1/socket`. */
  readonly url: string;
  /** The token of the participant. */
  readonly token: string;
  /** Shown to the others; at most 64 characters. */
  readonly name?: string;
  /** The microphone; default true. False: only listen. */
  readonly audio?: TrackSource;
  /** The camera; default false. */
  readonly video?: TrackSource;
  /** Whether to receive the video of the others; default true. */
  readonly receivesVideo?: boolean;
  /** Sends the camera in three sizes, so that others can choose; default true. */
  readonly simulcast?: boolean;
  /** Replaces the browser's WebSocket. */
  readonly WebSocket?: typeof WebSocket;
}

/** From high to low: Janus numbers the layers in the reverse order. */
const SIMULCAST: RTCRtpEncodingParameters[] = [
  { rid: 'h', maxBitrate: 1_500_000 },
  { rid: 'm', maxBitrate: 500_000, scaleResolutionDownBy: 2 },
  { rid: 'l', maxBitrate: 150_000, scaleResolutionDownBy: 4 },
];

/** A room that this browser has joined. `joinRoom` creates it. */
export class Room {
  readonly #options: JoinOptions;
  readonly #events = new Emitter<RoomEvents>();
  readonly #signaling: Signaling;
  readonly #audioPeer: SendingPeer;
  readonly #receiving: ReceivingPeer;
  readonly #publications = new Map<VideoSource, SendingPeer>();
  readonly #participants = new Map<string, Participant>();
  readonly #tracks = new Map<ReceivedTrack, RemoteTrack>();
  readonly #local: {
    microphone: MediaStreamTrack | null;
    camera: MediaStreamTrack | null;
    screen: MediaStreamTrack | null;
  };
  #iceServers: readonly IceServer[] = [];
  #id = '';
  #isMuted = false;
  #isMutedByHost = false;
  /** What `setMuted` requested while there was no socket. */
  #unsentMute: boolean | undefined;
  #state: 'joining' | 'joined' | 'reconnecting' | 'ended' = 'joining';

  /** The audio of all others. For an audio element: `element.srcObject = room.audio`. */
  readonly audio = new MediaStream();

  private constructor(options: JoinOptions, microphone: MediaStreamTrack | null) {
    this.#options = options;
    this.#local = { microphone, camera: null, screen: null };
    this.#watchTrack('microphone', microphone);
    this.#signaling = new Signaling(options.url, options.WebSocket ?? WebSocket, {
      onEvent: (event) => this.#receive(event),
      onInterrupted: () => this.#interrupted(),
      onResumed: (state) => this.#resumed(state),
      onEnded: (reason) => this.#end(reason),
    });
    this.#audioPeer = new SendingPeer(
      {
        name: 'audio',
        iceServers: () => this.#iceServers,
        prepare: (connection, track) => {
          connection.addTransceiver(track ?? 'audio', { direction: 'sendrecv' });
          connection.addEventListener('track', (event) => this.#playAudio(event.track));
        },
        negotiate: async (offer) => readAnswer(await this.#signaling.request({ do: 'connect-audio', offer })),
        sendCandidates: (request) => this.#signaling.request(request),
      },
      microphone,
    );
    this.#receiving = new ReceivingPeer({
      iceServers: () => this.#iceServers,
      send: (request) => this.#signaling.request(request),
      onAdded: (track) => this.#addTrack(track),
      onRemoved: (track) => this.#removeTrack(track),
    });
  }

  /** Joins; see `joinRoom`. */
  static async join(options: JoinOptions): Promise<Room> {
    const { token, name, receivesVideo } = options;
    const room = new Room(options, await openMicrophone(options.audio ?? true));
    try {
      const state = await room.#signaling.join({
        do: 'join',
        token,
        ...(name === undefined ? {} : { name }),
        ...(receivesVideo === undefined ? {} : { receivesVideo }),
      });
      room.#id = state.connectionId;
      room.#takeState(state);
      await room.#audioPeer.connect();
      room.#state = 'joined';
      globalThis.addEventListener?.('pagehide', room.#leaveWithPage);
      if (options.video !== undefined && options.video !== false) await room.setCamera(options.video);
      return room;
    } catch (error) {
      await room.leave();
      throw error;
    }
  }

  /** The id of this browser among the participants. */
  get id(): string {
    return this.#id;
  }

  get state(): 'joining' | 'joined' | 'reconnecting' | 'ended' {
    return this.#state;
  }

  /** The others. */
  get participants(): readonly Participant[] {
    return [...this.#participants.values()].filter(({ id }) => id !== this.#id);
  }

  /** This browser as the others see it; undefined until the gateway hears it. */
  get self(): Participant | undefined {
    return this.#participants.get(this.#id);
  }

  /** The videos of the others. */
  get tracks(): readonly RemoteTrack[] {
    return [...this.#tracks.values()];
  }

  get isMuted(): boolean {
    return this.#isMuted;
  }

  /** A host has muted the microphone: only a host can unmute it. */
  get isMutedByHost(): boolean {
    return this.#isMutedByHost;
  }

  get microphone(): MediaStreamTrack | null {
    return this.#local.microphone;
  }

  /** The own camera, for a preview. */
  get camera(): MediaStreamTrack | null {
    return this.#local.camera;
  }

  get screen(): MediaStreamTrack | null {
    return this.#local.screen;
  }

  /** Calls the listener for each event of this name until the returned function is called. */
  on<Name extends keyof RoomEvents>(name: Name, listener: (argument: RoomEvents[Name]) => void): () => void {
    return this.#events.on(name, listener);
  }

  /**
   * Mutes or unmutes the microphone, here and at the gateway. While the room reconnects, the others
   * learn of it afterwards.
   * @throws RoomError `muted-by-host` when a host has muted it
   */
  async setMuted(isMuted: boolean): Promise<void> {
    this.#unsentMute = undefined;
    // At once: nothing more leaves this browser.
    if (isMuted) this.#enableMicrophone(false);
    try {
      await this.#signaling.request({ do: 'mute', muted: isMuted });
    } catch (error) {
      if (!(error instanceof RoomError && error.reason === 'interrupted')) throw error;
      this.#unsentMute = isMuted;
    }
  }

  /** Speaks through another microphone, or none. Rejects as `getUserMedia` does. */
  async setMicrophone(source: TrackSource): Promise<void> {
    this.#assertLive();
    const track = await openMicrophone(source);
    if (this.#isOver()) return track?.stop();
    this.#local.microphone?.stop();
    this.#local.microphone = track;
    this.#watchTrack('microphone', track);
    this.#enableMicrophone(!this.#isMuted);
    await this.#audioPeer.replaceTrack(track);
  }

  /** Publishes a camera, changes to another one, or stops with `false`. Rejects as `getUserMedia` does. */
  async setCamera(source: TrackSource): Promise<void> {
    this.#assertLive();
    const track = await openCamera(source);
    if (track === null) return this.#unpublish('camera');
    const encodings = (this.#options.simulcast ?? true) ? SIMULCAST : [];
    await this.#publish('camera', track, encodings);
  }

  /** Publishes a screen that the user chooses. Rejects as `getDisplayMedia` does. */
  async shareScreen(source: MediaStreamTrack | DisplayMediaStreamOptions = {}): Promise<void> {
    this.#assertLive();
    await this.#publish('screen', await openScreen(source), []);
  }

  async stopSharing(): Promise<void> {
    await this.#unpublish('screen');
  }

  devices(): Promise<Devices> {
    return listDevices();
  }

  /** Leaves the room. Never rejects. */
  async leave(): Promise<void> {
    if (this.#isOver()) return;
    const left = this.#signaling.request({ do: 'leave' }).catch(() => undefined);
    this.#dispose();
    await Promise.race([left, new Promise((resolve) => setTimeout(resolve, LEAVE_TIMEOUT_MS))]);
    this.#signaling.close();
    this.#events.emit('ended', 'left');
  }

  /** A page that is kept for "back" has lost its socket when it comes back. */
  readonly #leaveWithPage = (event: PageTransitionEvent): void => {
    if (!event.persisted) void this.leave();
  };

  #isOver(): boolean {
    return this.#state === 'ended';
  }

  #assertLive(): void {
    if (this.#isOver()) throw new RoomError('ended', 'The room is over.');
  }

  async #publish(
    source: VideoSource,
    track: MediaStreamTrack,
    sendEncodings: RTCRtpEncodingParameters[],
  ): Promise<void> {
    if (this.#isOver()) return track.stop();
    const known = this.#publications.get(source);
    this.#local[source]?.stop();
    this.#local[source] = track;
    this.#watchTrack(source, track);
    if (known !== undefined) return known.replaceTrack(track);
    const peer = new SendingPeer(
      {
        name: source,
        iceServers: () => this.#iceServers,
        prepare: (connection, current) =>
          void connection.addTransceiver(current ?? 'video', {
            direction: 'sendonly',
            ...(sendEncodings.length === 0 ? {} : { sendEncodings }),
          }),
        negotiate: async (offer) => readAnswer(await this.#signaling.request({ do: 'publish', source, offer })),
        sendCandidates: (request) => this.#signaling.request(request),
      },
      track,
    );
    this.#publications.set(source, peer);
    try {
      await peer.connect();
    } catch (error) {
      if (this.#publications.get(source) === peer) await this.#unpublish(source).catch(() => undefined);
      throw error;
    }
  }

  async #unpublish(source: VideoSource): Promise<void> {
    const peer = this.#publications.get(source);
    this.#publications.delete(source);
    this.#local[source]?.stop();
    this.#local[source] = null;
    if (peer === undefined) return;
    peer.close();
    // Else the gateway has noticed the end of the peer connection.
    await this.#signaling.request({ do: 'unpublish', source }).catch(() => undefined);
  }

  #receive(event: Exclude<ServerEvent, { event: 'ended' }>): void {
    switch (event.event) {
      case 'participant':
        return this.#putParticipant(event.participant);
      case 'participant-left':
        return this.#removeParticipant(event.id);
      case 'muted':
        return this.#takeMuted(event.isMuted, event.isMutedByHost);
      case 'subscription':
        return this.#receiving.receive(event);
      case 'streams':
        return this.#receiving.receiveStreams(event.streams);
      case 'peer-lost':
        if (event.peer === 'audio') this.#audioPeer.renew();
        else if (event.peer === 'subscription') this.#receiving.renew();
        else this.#publications.get(event.peer)?.renew();
        return;
      default:
        // A newer gateway may have other events.
        event satisfies never;
    }
  }

  #interrupted(): void {
    if (this.#state !== 'joined') return;
    this.#state = 'reconnecting';
    this.#events.emit('reconnecting', undefined);
  }

  #resumed(state: JoinedState): void {
    this.#takeState(state);
    if (this.#unsentMute !== undefined) this.setMuted(this.#unsentMute).catch(() => undefined);
    // The network may be another one.
    if (state.peers.includes('audio')) this.#audioPeer.restart();
    else this.#audioPeer.renew();
    for (const [source, peer] of this.#publications) {
      if (state.peers.includes(source)) peer.restart();
      else peer.renew();
    }
    if (this.#receiving.exists) {
      if (state.peers.includes('subscription')) this.#receiving.restart();
      else this.#receiving.renew();
    }
    if (this.#state !== 'reconnecting') return;
    this.#state = 'joined';
    this.#events.emit('reconnected', undefined);
  }

  #takeState(state: JoinedState): void {
    this.#iceServers = state.iceServers;
    const present = new Set(state.participants.map(({ id }) => id));
    for (const id of this.#participants.keys()) if (!present.has(id)) this.#removeParticipant(id);
    for (const participant of state.participants) this.#putParticipant(participant);
    this.#takeMuted(state.isMuted, state.isMutedByHost);
  }

  #putParticipant(participant: SocketParticipant): void {
    const known = this.#participants.get(participant.id);
    this.#participants.set(participant.id, participant);
    if (known === undefined && participant.id !== this.#id) this.#events.emit('participant-joined', participant);
    else if (JSON.stringify(known) !== JSON.stringify(participant))
      this.#events.emit('participant-changed', participant);
  }

  #removeParticipant(id: string): void {
    const participant = this.#participants.get(id);
    if (participant === undefined) return;
    this.#participants.delete(id);
    this.#events.emit('participant-left', participant);
  }

  #takeMuted(isMuted: boolean, isMutedByHost: boolean): void {
    const isChange = isMuted !== this.#isMuted || isMutedByHost !== this.#isMutedByHost;
    this.#isMuted = isMuted;
    this.#isMutedByHost = isMutedByHost;
    this.#enableMicrophone(!isMuted);
    if (isChange) this.#events.emit('muted', { isMuted, isMutedByHost });
  }

  #enableMicrophone(isEnabled: boolean): void {
    if (this.#local.microphone !== null) this.#local.microphone.enabled = isEnabled && this.#unsentMute !== true;
  }

  #playAudio(track: MediaStreamTrack): void {
    for (const old of this.audio.getTracks()) this.audio.removeTrack(old);
    this.audio.addTrack(track);
  }

  #addTrack(received: ReceivedTrack): void {
    const { participantId, source, track, mid } = received;
    const remote: RemoteTrack = {
      participantId,
      source,
      track,
      setQuality: async (quality) => void (await this.#signaling.request({ do: 'choose-quality', mid, ...quality })),
    };
    this.#tracks.set(received, remote);
    this.#events.emit('track-added', remote);
  }

  #removeTrack(received: ReceivedTrack): void {
    const remote = this.#tracks.get(received);
    this.#tracks.delete(received);
    if (remote !== undefined) this.#events.emit('track-removed', remote);
  }

  #watchTrack(kind: 'microphone' | VideoSource, track: MediaStreamTrack | null): void {
    track?.addEventListener('ended', () => {
      if (this.#local[kind] !== track) return;
      this.#local[kind] = null;
      if (kind === 'microphone') void this.#audioPeer.replaceTrack(null);
      else void this.#unpublish(kind);
      this.#events.emit('local-track-ended', kind);
    });
  }

  #end(reason: EndReason): void {
    if (this.#isOver()) return;
    this.#dispose();
    this.#events.emit('ended', reason);
  }

  #dispose(): void {
    this.#state = 'ended';
    globalThis.removeEventListener?.('pagehide', this.#leaveWithPage);
    this.#audioPeer.close();
    this.#receiving.close();
    for (const peer of this.#publications.values()) peer.close();
    for (const track of Object.values(this.#local)) track?.stop();
  }
}

const LEAVE_TIMEOUT_MS = 2_000;

function readAnswer({ answer }: { readonly answer?: string | undefined }): string {
  if (answer === undefined) throw new RoomError('media-failed', 'The gateway gave no answer.');
  return answer;
}
