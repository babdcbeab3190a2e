import type { VideoSource } from '@partyline/contracts/gateway-socket/messages';
import type { JanusConnection } from '@partyline/janus/connection';
import type { IceCandidate } from '@partyline/janus/transport/core-event';
import { attachVideoRoom, type VideoRoomHandle } from '@partyline/janus/video-room/video-room-handle';
import { Peer, type PeerDeps, type PeerEvents } from './peer.ts';

export interface PublicationOptions {
  readonly connection: JanusConnection;
  readonly room: string;
  readonly connectionId: string;
  readonly source: VideoSource;
  /** The name of the publication in the VideoRoom, which no other publication ever had. */
  readonly feed: string;
  readonly deps: PeerDeps;
  readonly events: PeerEvents;
}

/** A camera or a screen that a browser publishes. Others can subscribe to it while it `isUp`. */
export class Publication {
  readonly #options: PublicationOptions;
  readonly #peer: Peer<VideoRoomHandle>;

  constructor(options: PublicationOptions) {
    const { connection, connectionId, source, deps, events } = options;
    this.#options = options;
    this.#peer = new Peer(() => attachVideoRoom(connection, `browser:${connectionId}:${source}`), deps, events);
  }

  get source(): VideoSource {
    return this.#options.source;
  }

  get feed(): string {
    return this.#options.feed;
  }

  get isUp(): boolean {
    return this.#peer.isUp;
  }

  get isNegotiated(): boolean {
    return this.#peer.isNegotiated;
  }

  /** Whether an offer renegotiates this publication; else it needs a new one. */
  isRenegotiation(offer: string): boolean {
    return this.#peer.isRenegotiation(offer);
  }

  /** Publishes, or renegotiates the peer connection. Returns Janus' answer. */
  async publish(offer: string): Promise<string> {
    const { room, feed } = this.#options;
    const handle = await this.#peer.open();
    const jsep = { type: 'offer', sdp: offer } as const;
    if (this.#peer.isRenegotiation(offer)) {
      const { answer } = await handle.configurePublisher({}, jsep);
      if (answer === undefined) throw new Error('The VideoRoom gave no answer.');
      return answer.sdp;
    }
    await handle.joinAsPublisher({ room, id: feed });
    const { answer } = await handle.publish(jsep);
    this.#peer.markNegotiated(offer);
    return answer.sdp;
  }

  trickle(candidates: readonly IceCandidate[]): Promise<void> {
    return this.#peer.trickle(candidates);
  }

  close(): Promise<void> {
    return this.#peer.close();
  }
}
