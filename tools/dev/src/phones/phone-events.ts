export type PhoneEventKind =
  'registered' | 'registration-failed' | 'incoming' | 'ringing' | 'established' | 'closed' | 'key';

/** What happened at a phone. */
export interface PhoneEvent {
  readonly kind: PhoneEventKind;
  /** In ms since the epoch. */
  readonly atMs: number;
  /** The Call-ID, for events of a call. */
  readonly callId?: string;
  /** The other party's URI, for events of a call. */
  readonly peer?: string;
  /** Why a call closed or a registration failed, e.g. `486 Busy Here`. */
  readonly reason?: string;
  /** The key that the other side pressed. */
  readonly key?: string;
}

const WAIT_MS = 30_000;

/** The events of a phone, in order, and the waits for further ones. */
export class PhoneEvents {
  readonly #all: PhoneEvent[] = [];
  readonly #unread: PhoneEvent[] = [];
  readonly #waits = new Set<{ kind: PhoneEventKind; resolve: (event: PhoneEvent) => void }>();

  all(): readonly PhoneEvent[] {
    return this.#all;
  }

  add(event: PhoneEvent): void {
    this.#all.push(event);
    for (const wait of this.#waits) {
      if (wait.kind !== event.kind) continue;
      this.#waits.delete(wait);
      return wait.resolve(event);
    }
    this.#unread.push(event);
  }

  /**
   * Returns the next event of a kind that no earlier wait has returned; it may have happened
   * already. Rejects after `withinMs`.
   * @param describe returns what the error says about the state of the phone
   */
  async next(kind: PhoneEventKind, describe: () => string, withinMs: number = WAIT_MS): Promise<PhoneEvent> {
    const index = this.#unread.findIndex((event) => event.kind === kind);
    const [found] = index < 0 ? [] : this.#unread.splice(index, 1);
    if (found) return found;
    return new Promise((resolve, reject) => {
      const wait = {
        kind,
        resolve: (event: PhoneEvent): void => {
          clearTimeout(timer);
          resolve(event);
        },
      };
      const timer = setTimeout(() => {
        this.#waits.delete(wait);
        const seen = this.#all.map((event) => event.kind).join(', ') || 'none';
        reject(new Error(`No event "${kind}" within ${withinMs / 1000} s. Events so far: ${seen}.\n${describe()}`));
      }, withinMs);
      this.#waits.add(wait);
    });
  }
}
