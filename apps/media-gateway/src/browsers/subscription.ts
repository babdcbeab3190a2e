import type { ServerEvent, SubscribedVideo } from '@partyline/contracts/gateway-socket/messages';
import type { JanusConnection } from '@partyline/janus/connection';
import type { IceCandidate } from '@partyline/janus/transport/core-event';
import type { SubscribedStream } from '@partyline/janus/video-room/video-room-event';
import { attachVideoRoom, type VideoRoomHandle } from '@partyline/janus/video-room/video-room-handle';
import { Peer, type PeerDeps } from './peer.ts';
import type { Feed } from './roster.ts';
import { SocketError } from './socket-error.ts';

export type SubscriptionEvent = Extract<ServerEvent, { event: 'subscription' | 'streams' }>;
type SubscriptionOffer = Extract<ServerEvent, { event: 'subscription' }>;

export interface SubscriptionOptions {
  readonly connection: JanusConnection;
  readonly room: string;
  readonly connectionId: string;
  readonly deps: PeerDeps;
  /** Sends an offer, or a change without one, to the browser. */
  readonly onEvent: (event: SubscriptionEvent) => void;
  /** Janus has closed the peer connection: `restart` makes a new one. */
  readonly onLost: () => void;
}

/** Layers of a received stream, or its pause. */
export interface StreamQuality {
  readonly mid: string;
  readonly substream?: number | undefined;
  readonly temporal?: number | undefined;
  readonly paused?: boolean | undefined;
}

/** The answer to an offer of more streams would not fit in a message of the browser. */
const MAX_STREAMS = 48;
const LAYER_REQUEST_MS = 700;
const MAX_LAYER_REQUESTS = 6;

/**
 * The video that a browser receives from the others: one subscriber of the VideoRoom. It follows the
 * wanted feeds, one negotiation at a time: Janus offers, and the next offer waits for the browser's
 * answer.
 */
export class Subscription {
  readonly #options: SubscriptionOptions;
  #peer: Peer<VideoRoomHandle> | undefined;
  #wanted: readonly Feed[] = [];
  /** Feeds that Janus did not give, until the wanted ones change. */
  readonly #failed = new Set<string>();
  /** What Janus sends, by `mid`. */
  #current = new Map<string, Feed>();
  /** The latest choice for each media line, and the layer that Janus forwards. */
  readonly #qualities = new Map<string, StreamQuality>();
  readonly #layers = new Map<string, number>();
  #pending: SubscriptionOffer | undefined;
  #revision = 0;
  #mustRestartIce = false;
  #mustReplace = false;
  #running: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: SubscriptionOptions) {
    this.#options = options;
  }

  get isNegotiated(): boolean {
    return this.#peer?.isNegotiated ?? false;
  }

  /** Subscribes to these feeds and no others. */
  setFeeds(feeds: readonly Feed[]): void {
    this.#wanted = feeds.slice(0, MAX_STREAMS);
    this.#failed.clear();
    this.#run();
  }

  /**
   * Takes the browser's answer to an offer.
   * @throws SocketError for an answer to another offer; JanusError when Janus rejects it
   */
  async answer(revision: number, sdp: string): Promise<void> {
    if (this.#pending?.revision !== revision || this.#peer === undefined)
      throw new SocketError('stale-answer', 'The answer belongs to no pending offer.');
    const handle = await this.#peer.open();
    await handle.start({ type: 'answer', sdp });
    if (this.#pending?.revision !== revision) return;
    this.#pending = undefined;
    this.#peer.markNegotiated(sdp);
    this.#run();
  }

  /** Makes a new offer: with an ICE restart, or for a new peer connection. */
  restart(isLost: boolean): void {
    if (isLost) {
      this.#mustReplace = true;
      this.#pending = undefined;
    } else this.#mustRestartIce = true;
    this.#run();
  }

  /** Tells a new socket the streams, by the offer that waits for an answer if there is one. */
  resend(): void {
    if (this.#pending !== undefined) this.#options.onEvent(this.#pending);
    else if (this.isNegotiated) this.#options.onEvent({ event: 'streams', streams: this.#listStreams() });
  }

  /** @throws SocketError for a stream that the browser does not receive */
  async chooseQuality(quality: StreamQuality): Promise<void> {
    const { mid } = quality;
    const feed = this.#current.get(mid)?.feed;
    if (feed === undefined || this.#peer === undefined)
      throw new SocketError('no-such-stream', 'The subscription has no such stream.');
    this.#qualities.set(mid, quality);
    await this.#configure(this.#peer, quality);
    if (quality.substream !== undefined)
      void this.#insist(this.#peer, quality, feed).catch((error: unknown) => this.#options.deps.onError(error));
  }

  async trickle(candidates: readonly IceCandidate[]): Promise<void> {
    await this.#peer?.trickle(candidates);
  }

  /** Ends the subscription. Never rejects. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#running;
    await this.#peer?.close();
  }

  async #configure(peer: Peer<VideoRoomHandle>, quality: StreamQuality): Promise<void> {
    const { mid, substream, temporal, paused } = quality;
    await (
      await peer.open()
    ).configureSubscription({
      streams: [
        {
          mid,
          ...(substream === undefined ? {} : { substream }),
          ...(temporal === undefined ? {} : { temporal }),
          ...(paused === undefined ? {} : { isSending: !paused }),
        },
      ],
    });
  }

  /**
   * Requests a layer until Janus forwards it. Janus needs a key frame for it and requests one with
   * each request of ours, but publishers ignore those that follow soon after another.
   */
  async #insist(peer: Peer<VideoRoomHandle>, quality: StreamQuality, feed: string): Promise<void> {
    const { mid, substream } = quality;
    for (let attempt = 1; attempt < MAX_LAYER_REQUESTS; attempt += 1) {
      await this.#options.deps.sleep(LAYER_REQUEST_MS);
      const isCurrent = this.#peer === peer && this.#current.get(mid)?.feed === feed && !this.#isClosed;
      if (!isCurrent || this.#qualities.get(mid) !== quality || this.#layers.get(mid) === substream) return;
      await this.#configure(peer, quality);
    }
  }

  #run(): void {
    this.#running ??= this.#negotiate()
      .catch((error: unknown) => {
        for (const { feed } of this.#missing()) this.#failed.add(feed);
        if (!this.#isClosed) this.#options.deps.onError(error);
      })
      .finally(() => {
        this.#running = undefined;
        // A change at the last moment.
        if (!this.#isClosed && this.#pending === undefined && this.#hasWork()) this.#run();
      });
  }

  async #negotiate(): Promise<void> {
    while (!this.#isClosed && this.#pending === undefined && this.#hasWork()) {
      if (this.#mustReplace) {
        this.#mustReplace = false;
        this.#mustRestartIce = false;
        const old = this.#peer;
        this.#peer = undefined;
        this.#current.clear();
        this.#failed.clear();
        this.#layers.clear();
        await old?.close();
        continue;
      }
      const missing = this.#missing();
      const obsolete = this.#obsolete();
      if (this.#peer === undefined) await this.#subscribe(missing);
      else if (missing.length > 0 || obsolete.length > 0) await this.#update(this.#peer, missing, obsolete);
      else await this.#restartIce(this.#peer);
      const given = new Set([...this.#current.values()].map(({ feed }) => feed));
      for (const { feed } of missing) if (!given.has(feed)) this.#failed.add(feed);
    }
  }

  #hasWork(): boolean {
    if (this.#mustReplace || this.#missing().length > 0) return true;
    return this.#peer !== undefined && (this.#mustRestartIce || this.#obsolete().length > 0);
  }

  #missing(): Feed[] {
    const current = new Set([...this.#current.values()].map(({ feed }) => feed));
    return this.#wanted.filter(({ feed }) => !current.has(feed) && !this.#failed.has(feed));
  }

  /** The media lines whose feed is not wanted any more. */
  #obsolete(): string[] {
    const wanted = new Set(this.#wanted.map(({ feed }) => feed));
    return [...this.#current].filter(([, { feed }]) => !wanted.has(feed)).map(([mid]) => mid);
  }

  async #subscribe(missing: readonly Feed[]): Promise<void> {
    const { connection, room, connectionId, deps, onLost } = this.#options;
    const peer: Peer<VideoRoomHandle> = new Peer(
      () => attachVideoRoom(connection, `browser:${connectionId}:subscription`),
      deps,
      {
        onUp: () => undefined,
        onDown: () => this.#peer === peer && onLost(),
        onGone: () => this.#peer === peer && onLost(),
      },
    );
    try {
      const handle = await peer.open();
      handle.onEvent((event) => {
        if (event.type === 'layer-changed' && event.substream !== undefined)
          this.#layers.set(event.mid, event.substream);
      });
      // Our own updates follow the feeds. Those of Janus would offer at the same time.
      const { offer, streams } = await handle.joinAsSubscriber({
        room,
        streams: missing.map(({ feed }) => ({ feed })),
        autoUpdates: false,
      });
      this.#peer = peer;
      this.#readStreams(streams);
      this.#offer(offer.sdp, true);
    } catch (error) {
      await peer.close();
      throw error;
    }
  }

  async #update(peer: Peer<VideoRoomHandle>, missing: readonly Feed[], obsolete: readonly string[]): Promise<void> {
    // Also if the request fails: it would fail again.
    for (const mid of obsolete) this.#current.delete(mid);
    const handle = await peer.open();
    const { offer, streams } = await handle.updateSubscription({
      ...(missing.length === 0 ? {} : { subscribe: missing.map(({ feed }) => ({ feed })) }),
      ...(obsolete.length === 0 ? {} : { unsubscribe: obsolete.map((subscriptionMid) => ({ subscriptionMid })) }),
    });
    if (streams.length > 0) this.#readStreams(streams);
    if (offer !== undefined) this.#offer(offer.sdp, false);
    // Janus has removed the stream of a publisher that left.
    else this.#options.onEvent({ event: 'streams', streams: this.#listStreams() });
  }

  async #restartIce(peer: Peer<VideoRoomHandle>): Promise<void> {
    this.#mustRestartIce = false;
    const { offer } = await (await peer.open()).configureSubscription({ restartsIce: true });
    if (offer !== undefined) this.#offer(offer.sdp, false);
  }

  #readStreams(streams: readonly SubscribedStream[]): void {
    const known = new Map([...this.#wanted, ...this.#current.values()].map((feed) => [feed.feed, feed]));
    this.#current = new Map(
      streams.flatMap(({ mid, isActive, feed }) => {
        const found = feed === undefined ? undefined : known.get(feed);
        return isActive && found !== undefined ? [[mid, found] as const] : [];
      }),
    );
  }

  #offer(sdp: string, isNew: boolean): void {
    this.#revision += 1;
    this.#pending = {
      event: 'subscription',
      revision: this.#revision,
      isNew,
      offer: sdp,
      streams: this.#listStreams(),
    };
    this.#options.onEvent(this.#pending);
  }

  #listStreams(): SubscribedVideo[] {
    return [...this.#current].map(([mid, { participantId, source }]) => ({ mid, participantId, source }));
  }
}
