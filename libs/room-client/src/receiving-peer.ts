import type { IceServer, ServerEvent, SubscribedVideo } from '@partyline/contracts/gateway-socket/messages';
import { trickle } from './candidates.ts';
import type { Request } from './signaling.ts';

type Offer = Extract<ServerEvent, { event: 'subscription' }>;

/** A video of another participant, as the gateway names it. */
export interface ReceivedTrack extends SubscribedVideo {
  readonly track: MediaStreamTrack;
}

export interface ReceivingPeerOptions {
  readonly iceServers: () => readonly IceServer[];
  readonly send: (request: Request) => Promise<unknown>;
  readonly onAdded: (track: ReceivedTrack) => void;
  readonly onRemoved: (track: ReceivedTrack) => void;
}

/** A peer connection that is disconnected so long gets an ICE restart, and then is made anew. */
const DISCONNECTED_MS = 3_000;
const RESTART_MS = 5_000;

/** The peer connection with the video of the others. The gateway offers, also after `restart`. */
export class ReceivingPeer {
  readonly #options: ReceivingPeerOptions;
  #connection: RTCPeerConnection | undefined;
  #tracks: readonly ReceivedTrack[] = [];
  #pending: Promise<void> = Promise.resolve();
  #repair: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  constructor(options: ReceivingPeerOptions) {
    this.#options = options;
  }

  get exists(): boolean {
    return this.#connection !== undefined;
  }

  /** Takes an offer of the gateway. */
  receive(offer: Offer): void {
    this.#pending = this.#pending.then(() => this.#answer(offer)).catch(() => this.#checkAfter(RESTART_MS));
  }

  /** Takes a change of the streams that needs no negotiation. */
  receiveStreams(streams: readonly SubscribedVideo[]): void {
    this.#pending = this.#pending.then(() => this.#followStreams(streams));
  }

  /** Requests an ICE restart, because the network or the socket has changed. */
  restart(): void {
    if (this.#connection === undefined) return;
    this.#request(false);
    this.#checkAfter(RESTART_MS);
  }

  /** Requests an offer for a new peer connection, in place of a lost one. */
  renew(): void {
    this.#request(true);
    this.#checkAfter(RESTART_MS);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#repair);
    this.#connection?.close();
    this.#setTracks([]);
  }

  #request(isLost: boolean): void {
    // Without a socket, the repair follows its resumption.
    this.#options.send({ do: 'restart-subscription', isLost }).catch(() => undefined);
  }

  async #answer(offer: Offer): Promise<void> {
    if (this.#isClosed) return;
    if (offer.isNew || this.#connection === undefined) {
      this.#connection?.close();
      this.#setTracks([]);
      this.#connection = this.#create();
    }
    const connection = this.#connection;
    await connection.setRemoteDescription({ type: 'offer', sdp: offer.offer });
    await connection.setLocalDescription();
    this.#followStreams(offer.streams);
    await this.#options.send({
      do: 'answer-subscription',
      revision: offer.revision,
      answer: connection.localDescription?.sdp ?? '',
    });
  }

  #followStreams(streams: readonly SubscribedVideo[]): void {
    const transceivers = this.#connection?.getTransceivers() ?? [];
    const byMid = new Map(transceivers.map(({ mid, receiver }) => [mid, receiver.track]));
    this.#setTracks(
      streams.flatMap((stream) => {
        const track = byMid.get(stream.mid);
        return track === undefined ? [] : [{ ...stream, track }];
      }),
    );
  }

  #create(): RTCPeerConnection {
    const connection = new RTCPeerConnection({ iceServers: this.#options.iceServers().map((each) => ({ ...each })) });
    trickle(connection, 'subscription', this.#options.send);
    connection.addEventListener('connectionstatechange', () => {
      if (connection !== this.#connection) return;
      if (connection.connectionState === 'connected') clearTimeout(this.#repair);
      if (connection.connectionState === 'disconnected') this.#checkAfter(DISCONNECTED_MS, () => this.restart());
      if (connection.connectionState === 'failed') this.restart();
    });
    return connection;
  }

  #checkAfter(ms: number, repair = (): void => this.renew()): void {
    clearTimeout(this.#repair);
    this.#repair = setTimeout(() => {
      const state = this.#connection?.connectionState;
      if (!this.#isClosed && state !== undefined && state !== 'connected') repair();
    }, ms);
  }

  /** A track that stays keeps its object. */
  #setTracks(wanted: readonly ReceivedTrack[]): void {
    const before = this.#tracks;
    const after = wanted.map((one) => before.find((known) => isSame(known, one)) ?? one);
    this.#tracks = after;
    for (const track of before) if (!after.includes(track)) this.#options.onRemoved(track);
    for (const track of after) if (!before.includes(track)) this.#options.onAdded(track);
  }
}

const isSame = (a: ReceivedTrack, b: ReceivedTrack): boolean =>
  a.mid === b.mid && a.participantId === b.participantId && a.source === b.source && a.track === b.track;
