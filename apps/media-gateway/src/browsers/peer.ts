import type { IceCandidate } from '@partyline/janus/transport/core-event';

/** The part of `JanusHandle` that has nothing of a plugin. */
interface PeerHandle {
  readonly isDetached: boolean;
  onEvent(listener: (event: { readonly type: string }) => void): void;
  trickle(candidates: readonly IceCandidate[]): Promise<void>;
  detach(): Promise<void>;
}

/** What a peer connection reports to its connection. */
export interface PeerEvents {
  /** ICE and DTLS are established. */
  onUp(): void;
  /** Janus has closed the peer connection. */
  onDown(): void;
  /** Janus has ended the handle without our request. */
  onGone(): void;
}

export interface PeerDeps {
  readonly sleep: (ms: number) => Promise<void>;
  readonly onError: (error: unknown) => void;
}

/** Janus is asked again after this time, until the handle is gone. */
const DETACH_RETRY_MS = 500;

/**
 * One handle of Janus with one peer connection of a browser. It is attached with the first use, and
 * is gone when `close` resolves: the detach is confirmed, or the connection to Janus is lost.
 */
export class Peer<H extends PeerHandle> {
  readonly #attach: () => Promise<H>;
  readonly #deps: PeerDeps;
  readonly #events: PeerEvents;
  readonly #leave: ((handle: H) => Promise<unknown>) | undefined;
  #handle: Promise<H> | undefined;
  #isClosed = false;
  #isNegotiated = false;
  #mayHaveJoined = false;
  #isUp = false;
  #session: string | undefined;

  /** @param leave prepares the end of a handle after `markJoining`. The handle ends also if it rejects */
  constructor(attach: () => Promise<H>, deps: PeerDeps, events: PeerEvents, leave?: (handle: H) => Promise<unknown>) {
    this.#attach = attach;
    this.#deps = deps;
    this.#events = events;
    this.#leave = leave;
  }

  /** Whether Janus has a peer connection, which may still be connecting. */
  get isNegotiated(): boolean {
    return this.#isNegotiated;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** Returns the handle, and attaches it first if needed. */
  open(): Promise<H> {
    if (this.#isClosed) return Promise.reject(new Error('The peer is closed.'));
    if (this.#handle === undefined) {
      const handle = this.#attach().then((attached) => {
        this.#watch(attached);
        return attached;
      });
      this.#handle = handle;
      // A failed attach is tried again with the next use.
      handle.catch(() => (this.#handle = undefined));
    }
    return this.#handle;
  }

  /** Whether an offer renegotiates the peer connection that Janus has. */
  isRenegotiation(offer: string): boolean {
    return this.#isNegotiated && readSession(offer) === this.#session;
  }

  /** A request to join is sent. Janus may have executed it, also if it is never answered. */
  markJoining(): void {
    this.#mayHaveJoined = true;
  }

  /** Janus has answered the offer of a browser, or a browser the offer of Janus. */
  markNegotiated(browserSdp: string): void {
    this.#isNegotiated = true;
    this.#session = readSession(browserSdp);
  }

  /** Passes candidates of the browser on. Candidates without a peer connection are dropped. */
  async trickle(candidates: readonly IceCandidate[]): Promise<void> {
    if (this.#handle === undefined || this.#isClosed) return;
    await (await this.#handle).trickle(candidates);
  }

  /** Ends the handle. Never rejects. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const handle = await this.#handle?.catch(() => undefined);
    if (handle === undefined) return;
    if (this.#mayHaveJoined) await this.#leave?.(handle).catch(() => undefined);
    await this.#detach(handle);
  }

  /** Asks until the handle is gone. */
  async #detach(handle: H): Promise<void> {
    for (;;) {
      try {
        return await handle.detach();
      } catch (error) {
        if (handle.isDetached) return;
        this.#deps.onError(error);
        await this.#deps.sleep(DETACH_RETRY_MS);
      }
    }
  }

  #watch(handle: H): void {
    handle.onEvent((event) => {
      switch (event.type) {
        case 'webrtc-up':
          this.#isUp = true;
          if (!this.#isClosed) this.#events.onUp();
          return;
        case 'webrtc-down':
          this.#isUp = false;
          this.#isNegotiated = false;
          this.#mayHaveJoined = false;
          if (!this.#isClosed) this.#events.onDown();
          return;
        case 'detached':
          this.#isUp = false;
          this.#isNegotiated = false;
          this.#mayHaveJoined = false;
          if (!this.#isClosed) this.#events.onGone();
          return;
        default:
      }
    });
  }
}

/** The session of a description (`o=`, RFC 8829 section 5.2.1): the same in all offers of a peer connection. */
const readSession = (sdp: string): string | undefined => /^o=(\S+ \S+)/m.exec(sdp)?.[1];
