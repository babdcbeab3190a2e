import type { ServerEvent, SocketParticipant, VideoSource } from '@partyline/contracts/gateway-socket/messages';
import type { AudioBridgeEvent, AudioBridgeParticipant } from '@partyline/janus/audio-bridge/audio-bridge-event';
import type { CoreEvent } from '@partyline/janus/transport/core-event';

/** A change that the browsers of the conference are told. */
export type RosterChange = Extract<ServerEvent, { event: 'participant' | 'participant-left' }>;

/** A publication that others can subscribe to. `feed` is its name in the VideoRoom. */
export interface Feed {
  readonly participantId: string;
  readonly source: VideoSource;
  readonly feed: string;
}

export interface RosterListener {
  onChange(change: RosterChange): void;
  /** Publications started or stopped. */
  onFeeds(): void;
}

/** What a browser's connection says of itself. */
export type BrowserEntry = Omit<SocketParticipant, 'kind' | 'isTalking'>;

/**
 * Who is in one conference. Browsers are entered by their connections; telephones are known by the
 * events of the AudioBridge, which each browser's handle receives: an event that changes nothing is
 * told to nobody.
 */
export class Roster {
  readonly #participants = new Map<string, SocketParticipant>();
  readonly #feeds = new Map<string, readonly Feed[]>();
  readonly #listeners = new Set<RosterListener>();

  readonly #isBrowser: (id: string) => boolean;

  /** @param isBrowser whether a participant of the AudioBridge is a browser's connection */
  constructor(isBrowser: (id: string) => boolean) {
    this.#isBrowser = isBrowser;
  }

  list(): SocketParticipant[] {
    return [...this.#participants.values()];
  }

  /** The publications of all browsers except one. */
  feedsOfOthers(participantId: string): Feed[] {
    return [...this.#feeds].flatMap(([id, feeds]) => (id === participantId ? [] : feeds));
  }

  /** Calls the listener for each change until the returned function is called. */
  listen(listener: RosterListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Enters a browser, or changes its entry and its publications. */
  putBrowser(entry: BrowserEntry, feeds: readonly Feed[]): void {
    const isTalking = this.#participants.get(entry.id)?.isTalking ?? false;
    this.#put({ ...entry, kind: 'browser', isTalking: isTalking && !entry.isMuted });
    this.#setFeeds(entry.id, feeds);
  }

  remove(id: string): void {
    if (this.#participants.delete(id)) this.#emit({ event: 'participant-left', id });
    this.#setFeeds(id, []);
  }

  /** Takes the list of others that the AudioBridge returned to a browser that joined. */
  syncPhones(participants: readonly AudioBridgeParticipant[]): void {
    const present = new Set(participants.map(({ id }) => id));
    for (const { id, kind } of this.list()) if (kind === 'phone' && !present.has(id)) this.remove(id);
    for (const participant of participants) if (!this.#isBrowser(participant.id)) this.#putPhone(participant);
  }

  /** Takes an event of a browser's handle at the AudioBridge. */
  apply(event: AudioBridgeEvent | CoreEvent): void {
    switch (event.type) {
      case 'participant-joined':
      case 'participant-changed':
        if (!this.#isBrowser(event.participant.id)) this.#putPhone(event.participant);
        return;
      case 'participant-left':
      case 'participant-kicked':
        if (!this.#isBrowser(event.id)) this.remove(event.id);
        return;
      case 'talking': {
        const participant = this.#participants.get(event.id);
        if (participant !== undefined)
          this.#put({ ...participant, isTalking: event.isTalking && !participant.isMuted });
        return;
      }
      default:
    }
  }

  #putPhone({ id, display, isMuted, isTalking }: AudioBridgeParticipant): void {
    this.#put({
      id,
      kind: 'phone',
      name: display ?? null,
      isMuted,
      isMutedByHost: false,
      isTalking: !isMuted && (isTalking ?? this.#participants.get(id)?.isTalking ?? false),
      sources: [],
    });
  }

  #put(participant: SocketParticipant): void {
    const known = this.#participants.get(participant.id);
    if (known !== undefined && isEqual(known, participant)) return;
    this.#participants.set(participant.id, participant);
    this.#emit({ event: 'participant', participant });
  }

  #setFeeds(id: string, feeds: readonly Feed[]): void {
    const known = this.#feeds.get(id) ?? [];
    if (known.map(({ feed }) => feed).join() === feeds.map(({ feed }) => feed).join()) return;
    if (feeds.length === 0) this.#feeds.delete(id);
    else this.#feeds.set(id, feeds);
    for (const listener of this.#listeners) listener.onFeeds();
  }

  #emit(change: RosterChange): void {
    for (const listener of this.#listeners) listener.onChange(change);
  }
}

const isEqual = (a: SocketParticipant, b: SocketParticipant): boolean =>
  a.kind === b.kind &&
  a.name === b.name &&
  a.isMuted === b.isMuted &&
  a.isMutedByHost === b.isMutedByHost &&
  a.isTalking === b.isTalking &&
  a.sources.join() === b.sources.join();
