import type {
  ClientMessage,
  IceServer,
  JoinedState,
  PeerName,
  ServerEvent,
  ServerReply,
  VideoSource,
} from '@partyline/contracts/gateway-socket/messages';
import type { Clock } from '@partyline/domain/clock';
import type { AudioBridgeEvent } from '@partyline/janus/audio-bridge/audio-bridge-event';
import type { JanusConnection } from '@partyline/janus/connection';
import type { CoreEvent } from '@partyline/janus/transport/core-event';
import type { BrowserClaims, ConnectionWebhook } from '@partyline/provider-janus/wire';
import type { Timers } from '../audio/frame-clock.ts';
import type { Conferences, Member } from '../conferences/conferences.ts';
import { AudioPeer } from './audio-peer.ts';
import type { PeerDeps, PeerEvents } from './peer.ts';
import { Publication } from './publication.ts';
import type { Roster } from './roster.ts';
import { SocketError } from './socket-error.ts';
import { Subscription } from './subscription.ts';

/** A request about an existing connection. */
export type ConnectionRequest = Exclude<ClientMessage, { do: 'join' | 'resume' | 'ping' | 'leave' }>;

/** Why a connection is over. */
export type EndReason =
  /** The browser left. */
  | 'left'
  /** A control request disconnected it. */
  | 'kicked'
  /** Its socket broke, and no other resumed it. */
  | 'timeout'
  /** Its audio did not connect, or broke and did not connect again. */
  | 'media-failed'
  /** A member whose exit ends the conference has left. */
  | 'conference-ended'
  /** The connection to Janus is lost. */
  | 'gateway-lost'
  | 'gateway-stopping';

/** What does not change during a connection. */
export interface ConnectionFacts {
  readonly id: string;
  readonly claims: BrowserClaims;
  readonly name: string | null;
  /** Resumes the connection. */
  readonly secret: string;
  readonly receivesVideo: boolean;
}

/** The socket of a connection while it has one. */
export interface ConnectionSocket {
  send(message: ServerEvent): void;
  /** Closes the socket, with a reason that the browser can read. */
  close(reason: string): void;
}

export interface ConnectionDeps {
  readonly janus: { readonly connection: JanusConnection; readonly conferences: Conferences };
  readonly roster: Roster;
  readonly iceServers: (connectionId: string) => IceServer[];
  readonly sendEvent: (account: string, event: ConnectionWebhook) => void;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly sleep: PeerDeps['sleep'];
  readonly onError: (error: unknown, connectionId: string) => void;
  /** The connection is over: its handles are gone, and its event was sent. */
  readonly onOver: () => void;
}

/** A connection whose socket broke waits this long for another. */
const RESUME_MS = 10_000;
/** The audio of a new connection must be up within this time: a user may have to allow the microphone. */
const FIRST_MEDIA_MS = 30_000;
/** Audio that broke must be up again within this time. */
const MEDIA_RECOVERY_MS = 10_000;
/** Requests of one browser that wait for others of the same peer connection. */
const MAX_WAITING = 32;

/**
 * A browser in a conference. It is connected when its audio is up, and over when all its handles of
 * Janus are gone; both are reported exactly once. Its socket may be replaced in between.
 */
export class BrowserConnection {
  readonly facts: ConnectionFacts;
  readonly #deps: ConnectionDeps;
  readonly #peerDeps: PeerDeps;
  readonly #audio: AudioPeer;
  readonly #member: Member;
  readonly #publications = new Map<VideoSource, Publication>();
  /** Publications whose handles may exist. */
  readonly #openPublications = new Set<Publication>();
  readonly #subscription: Subscription;
  /** Requests are executed in order for each peer connection. */
  readonly #queues = new Map<string, Promise<unknown>>();
  #waiting = 0;
  #feeds = 0;
  #socket: ConnectionSocket | undefined;
  #isMuted = false;
  #isMutedByHost = false;
  #connectedAt: Date | undefined;
  #cancelResume: (() => void) | undefined;
  #cancelMedia: (() => void) | undefined;
  #stopListening: () => void;
  #ending: Promise<void> | undefined;
  #isJanusLost = false;

  constructor(facts: ConnectionFacts, deps: ConnectionDeps) {
    const { id, claims, name } = facts;
    const { connection } = deps.janus;
    this.facts = facts;
    this.#deps = deps;
    this.#member = { id, onStarted: () => undefined, onEnded: () => void this.end('conference-ended') };
    this.#peerDeps = { sleep: deps.sleep, onError: (error) => deps.onError(error, id) };
    this.#audio = new AudioPeer({
      connection,
      room: claims.conference,
      connectionId: id,
      name,
      deps: this.#peerDeps,
      events: {
        onUp: () => this.#audioUp(),
        onDown: () => this.#audioDown(),
        // After `loseJanus`, if the connection to Janus is lost too.
        onGone: () => void deps.timers.setTimer(0, () => void this.end('media-failed')),
        onParticipants: (participants) => deps.roster.syncPhones(participants),
        onEvent: (event) => this.#audioEvent(event),
      },
    });
    this.#subscription = new Subscription({
      connection,
      room: claims.conference,
      connectionId: id,
      deps: this.#peerDeps,
      onEvent: (event) => this.#socket?.send(event),
      onLost: () => this.#socket?.send({ event: 'peer-lost', peer: 'subscription' }),
    });
    this.#stopListening = deps.roster.listen({
      onChange: (change) => this.#socket?.send(change),
      onFeeds: () => this.#followFeeds(),
    });
    this.#awaitMedia(FIRST_MEDIA_MS);
  }

  get isOver(): boolean {
    return this.#ending !== undefined;
  }

  /** When its audio came up; undefined before. */
  get connectedAt(): Date | undefined {
    return this.#connectedAt;
  }

  /** Enters the conference, and creates its rooms if needed. @throws JanusError when they cannot be created */
  async enter(): Promise<void> {
    const { conferences } = this.#deps.janus;
    const { claims } = this.facts;
    // Callers wait until the browser can be heard.
    await conferences.enter(claims.conference, this.#member, false);
    if (!this.isOver) await conferences.openVideoRoom(claims.conference);
  }

  /** Gives the connection a socket; one that it has is closed. Returns the state for the reply. */
  attachSocket(socket: ConnectionSocket): JoinedState {
    const replaced = this.#socket;
    this.#socket = socket;
    replaced?.close('resumed-elsewhere');
    this.#cancelResume?.();
    const { id, secret } = this.facts;
    return {
      connectionId: id,
      secret,
      iceServers: this.#deps.iceServers(id),
      isMuted: this.#isMuted || this.#isMutedByHost,
      isMutedByHost: this.#isMutedByHost,
      peers: this.#peers(),
      participants: this.#deps.roster.list(),
    };
  }

  /** Starts the events to the socket, after the reply with the state. */
  startEvents(): void {
    this.#followFeeds();
    this.#subscription.resend();
  }

  /** The socket broke. The connection waits for another. */
  detachSocket(socket: ConnectionSocket): void {
    if (this.#socket !== socket || this.isOver) return;
    this.#socket = undefined;
    this.#cancelResume = this.#deps.timers.setTimer(RESUME_MS, () => void this.end('timeout'));
  }

  /**
   * Executes a request of the browser.
   * @throws SocketError, or JanusError when Janus rejects it
   */
  request(message: ConnectionRequest): Promise<Omit<ServerReply, 're'>> {
    return this.#inOrder(queueOf(message), () => this.#execute(message));
  }

  /** Mutes the browser for all others, or allows it to speak again, if it has not muted itself. */
  async muteByHost(isMuted: boolean): Promise<void> {
    await this.#inOrder('audio', () => this.#setMuted(this.#isMuted, isMuted));
  }

  /** The connection to Janus is lost, and all handles with it. */
  loseJanus(): void {
    this.#isJanusLost = true;
    void this.end('gateway-lost');
  }

  /** Ends the connection, for the first reason that is given. Resolves when it is over. Never rejects. */
  end(reason: EndReason): Promise<void> {
    this.#ending ??= this.#finish(reason);
    return this.#ending;
  }

  async #finish(reason: EndReason): Promise<void> {
    const { janus, roster, onOver, onError } = this.#deps;
    const { id, claims } = this.facts;
    this.#cancelResume?.();
    this.#cancelMedia?.();
    this.#stopListening();
    this.#socket?.send({ event: 'ended', reason });
    this.#socket?.close(reason);
    this.#socket = undefined;
    roster.remove(id);
    const peers = [this.#audio, this.#subscription, ...this.#openPublications];
    await Promise.all(peers.map((peer) => peer.close()));
    try {
      // The rooms of a lost connection cannot be destroyed.
      if (!this.#isJanusLost) janus.conferences.leave(claims.conference, this.#member);
      if (this.#connectedAt !== undefined)
        this.#report('disconnected', reason, this.#connectedAt, this.#deps.clock.now());
    } catch (error) {
      onError(error, id);
    } finally {
      onOver();
    }
  }

  async #execute(message: ConnectionRequest): Promise<Omit<ServerReply, 're'>> {
    switch (message.do) {
      case 'connect-audio':
        if (this.#connectedAt !== undefined && !this.#audio.isRenegotiation(message.offer))
          this.#awaitMedia(MEDIA_RECOVERY_MS);
        return { answer: await this.#audio.connect(message.offer) };
      case 'publish':
        return { answer: await this.#publish(message.source, message.offer) };
      case 'unpublish':
        await this.#unpublish(message.source);
        return {};
      case 'answer-subscription':
        await this.#subscription.answer(message.revision, message.answer);
        return {};
      case 'restart-subscription':
        this.#subscription.restart(message.isLost);
        return {};
      case 'add-candidates':
        await this.#peerOf(message.peer)?.trickle(message.candidates);
        return {};
      case 'mute':
        if (!message.muted && this.#isMutedByHost)
          throw new SocketError('muted-by-host', 'A host has muted you, and only a host can unmute you.');
        await this.#setMuted(message.muted, this.#isMutedByHost);
        return {};
      case 'choose-quality':
        await this.#subscription.chooseQuality(message);
        return {};
      default:
        return message satisfies never;
    }
  }

  async #publish(source: VideoSource, offer: string): Promise<string> {
    const known = this.#publications.get(source);
    if (known?.isRenegotiation(offer) === true) return known.publish(offer);
    await this.#unpublish(source);
    const { id, claims } = this.facts;
    const lose = (): void => {
      if (this.#publications.get(source) !== publication) return;
      this.#socket?.send({ event: 'peer-lost', peer: source });
      void this.#inOrder(source, async () => {
        if (this.#publications.get(source) === publication) await this.#unpublish(source);
      }).catch(() => undefined);
    };
    const events: PeerEvents = { onUp: () => this.#enterRoster(), onDown: lose, onGone: lose };
    const publication = new Publication({
      connection: this.#deps.janus.connection,
      room: claims.conference,
      connectionId: id,
      source,
      feed: `${id}:${(this.#feeds += 1)}`,
      deps: this.#peerDeps,
      events,
    });
    this.#publications.set(source, publication);
    this.#openPublications.add(publication);
    try {
      return await publication.publish(offer);
    } catch (error) {
      await this.#unpublish(source);
      throw error;
    }
  }

  async #unpublish(source: VideoSource): Promise<void> {
    const publication = this.#publications.get(source);
    if (publication === undefined) return;
    this.#publications.delete(source);
    this.#enterRoster();
    await publication.close();
    this.#openPublications.delete(publication);
  }

  async #setMuted(isMuted: boolean, isMutedByHost: boolean): Promise<void> {
    await this.#audio.setMuted(isMuted || isMutedByHost);
    this.#isMuted = isMuted;
    this.#isMutedByHost = isMutedByHost;
    this.#socket?.send({ event: 'muted', isMuted: isMuted || isMutedByHost, isMutedByHost });
    this.#enterRoster();
  }

  #audioUp(): void {
    this.#cancelMedia?.();
    if (this.isOver || this.#connectedAt !== undefined) return;
    const { clock, janus } = this.#deps;
    const { id, claims } = this.facts;
    this.#connectedAt = clock.now();
    this.#report('connected', '', this.#connectedAt, this.#connectedAt);
    this.#enterRoster();
    janus.conferences
      .enter(claims.conference, this.#member, claims.starts)
      .catch((error: unknown) => this.#deps.onError(error, id));
  }

  #audioDown(): void {
    this.#socket?.send({ event: 'peer-lost', peer: 'audio' });
    this.#awaitMedia(MEDIA_RECOVERY_MS);
  }

  #awaitMedia(ms: number): void {
    this.#cancelMedia?.();
    this.#cancelMedia = this.#deps.timers.setTimer(ms, () => void this.end('media-failed'));
  }

  #audioEvent(event: AudioBridgeEvent | CoreEvent): void {
    if (event.type === 'room-destroyed') return void this.end('conference-ended');
    if (event.type === 'participant-kicked' && event.id === this.facts.id) return void this.end('kicked');
    this.#deps.roster.apply(event);
  }

  /** Shows the others this browser, once its audio is up, and its publications. */
  #enterRoster(): void {
    if (this.isOver || this.#connectedAt === undefined) return;
    const { id, name } = this.facts;
    const live = [...this.#publications.values()].filter(({ isUp }) => isUp);
    this.#deps.roster.putBrowser(
      {
        id,
        name,
        isMuted: this.#isMuted || this.#isMutedByHost,
        isMutedByHost: this.#isMutedByHost,
        sources: live.map(({ source }) => source).toSorted(),
      },
      live.map(({ source, feed }) => ({ participantId: id, source, feed })),
    );
  }

  #followFeeds(): void {
    if (this.facts.receivesVideo && !this.isOver)
      this.#subscription.setFeeds(this.#deps.roster.feedsOfOthers(this.facts.id));
  }

  #peers(): PeerName[] {
    return [
      ...(this.#audio.isNegotiated ? (['audio'] as const) : []),
      ...[...this.#publications.values()].filter(({ isNegotiated }) => isNegotiated).map(({ source }) => source),
      ...(this.#subscription.isNegotiated ? (['subscription'] as const) : []),
    ];
  }

  #peerOf(name: PeerName): Pick<Publication, 'trickle'> | undefined {
    if (name === 'audio') return this.#audio;
    return name === 'subscription' ? this.#subscription : this.#publications.get(name);
  }

  #report(kind: ConnectionWebhook['kind'], reason: string, since: Date, at: Date): void {
    const { id, claims } = this.facts;
    this.#deps.sendEvent(claims.account, {
      kind,
      conference: claims.conference,
      connectionId: id,
      data: claims.data,
      reason,
      at: at.toISOString(),
      since: since.toISOString(),
    });
  }

  /** Runs the works of one queue in their order. */
  async #inOrder<Result>(queue: string, work: () => Promise<Result>): Promise<Result> {
    if (this.#waiting >= MAX_WAITING) throw new SocketError('busy', 'Too many requests wait. Wait for the replies.');
    this.#waiting += 1;
    const done = (this.#queues.get(queue) ?? Promise.resolve())
      .catch(() => undefined)
      .then(() => {
        if (this.isOver) throw new SocketError('ended', 'The connection is over.');
        return work();
      });
    this.#queues.set(queue, done);
    try {
      return await done;
    } finally {
      this.#waiting -= 1;
      if (this.#queues.get(queue) === done) this.#queues.delete(queue);
    }
  }
}

/** The peer connection that a request is about. */
function queueOf(message: ConnectionRequest): PeerName {
  switch (message.do) {
    case 'connect-audio':
    case 'mute':
      return 'audio';
    case 'publish':
    case 'unpublish':
      return message.source;
    case 'answer-subscription':
    case 'restart-subscription':
    case 'choose-quality':
      return 'subscription';
    case 'add-candidates':
      return message.peer;
    default:
      return message satisfies never;
  }
}
