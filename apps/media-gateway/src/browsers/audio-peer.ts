import { attachAudioBridge, type AudioBridgeHandle } from '@partyline/janus/audio-bridge/audio-bridge-handle';
import type { AudioBridgeEvent, AudioBridgeParticipant } from '@partyline/janus/audio-bridge/audio-bridge-event';
import type { JanusConnection } from '@partyline/janus/connection';
import type { CoreEvent, IceCandidate } from '@partyline/janus/transport/core-event';
import { DRAIN_MS } from '../conferences/local-place.ts';
import { Peer, type PeerDeps, type PeerEvents } from './peer.ts';

export interface AudioPeerOptions {
  readonly connection: JanusConnection;
  readonly room: string;
  readonly connectionId: string;
  readonly name: string | null;
  readonly deps: PeerDeps;
  readonly events: PeerEvents & {
    /** The others in the room, at a join. */
    onParticipants(participants: readonly AudioBridgeParticipant[]): void;
    /** An event of the handle: of the AudioBridge, about this browser or others, or of Janus' core. */
    onEvent(event: AudioBridgeEvent | CoreEvent): void;
  };
}

/** The audio of a browser: a participant of the AudioBridge, while it has a peer connection. */
export class AudioPeer {
  readonly #options: AudioPeerOptions;
  #peer: Peer<AudioBridgeHandle>;
  /** Resolves when the peer that this one replaces has left. */
  #replaced: Promise<void> | undefined;
  #isMuted = false;

  constructor(options: AudioPeerOptions) {
    this.#options = options;
    this.#peer = this.#createPeer();
  }

  get isNegotiated(): boolean {
    return this.#peer.isNegotiated;
  }

  /** Whether an offer renegotiates the peer connection that Janus has; else it is for a new one. */
  isRenegotiation(offer: string): boolean {
    return this.#peer.isRenegotiation(offer);
  }

  /**
   * Joins the room, or renegotiates the peer connection. An offer of another peer connection replaces
   * the one that Janus has. Returns Janus' answer.
   */
  async connect(offer: string): Promise<string> {
    const { room, connectionId, name, events } = this.#options;
    const jsep = { type: 'offer', sdp: offer } as const;
    if (this.#peer.isRenegotiation(offer)) {
      const { answer } = await (await this.#peer.open()).configure({}, jsep);
      if (answer === undefined) throw new Error('The AudioBridge gave no answer.');
      return answer.sdp;
    }
    this.#replaced = this.#peer.close();
    this.#peer = this.#createPeer();
    // Its place in the room must be free.
    await this.#replaced;
    const peer = this.#peer;
    const handle = await peer.open();
    peer.markJoining();
    const joined = await handle.joinByWebrtc({
      room,
      id: connectionId,
      offer: jsep,
      isMuted: this.#isMuted,
      ...(name === null ? {} : { display: name }),
    });
    peer.markNegotiated(offer);
    events.onParticipants(joined.participants);
    return joined.answer.sdp;
  }

  /** Mutes the browser for all others. The AudioBridge drops its audio, whatever the browser does. */
  async setMuted(isMuted: boolean): Promise<void> {
    this.#isMuted = isMuted;
    if (this.#peer.isNegotiated) await (await this.#peer.open()).configure({ isMuted });
  }

  trickle(candidates: readonly IceCandidate[]): Promise<void> {
    return this.#peer.trickle(candidates);
  }

  async close(): Promise<void> {
    await Promise.all([this.#replaced, this.#peer.close()]);
  }

  #createPeer(): Peer<AudioBridgeHandle> {
    const { connection, connectionId, deps, events } = this.#options;
    const attach = async (): Promise<AudioBridgeHandle> => {
      const handle = await attachAudioBridge(connection, `browser:${connectionId}:audio`);
      handle.onEvent((event) => events.onEvent(event));
      return handle;
    };
    // As in `LocalPlace`: the browser may send until its peer connection ends. It leaves also if it cannot be muted.
    return new Peer(attach, deps, events, async (handle) => {
      await handle.configure({ isMuted: true }).catch(() => undefined);
      await deps.sleep(DRAIN_MS);
      await handle.leave();
    });
  }
}
