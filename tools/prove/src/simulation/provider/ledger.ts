import type { Scheduler } from '../runtime/scheduler.ts';

export type EndedBy = 'us' | 'door' | 'person' | 'timer' | 'peer' | 'vendor';

/** One billable side of a leg in the vendor's own books: a call, or a video connection. The oracle reads these and nothing else. */
export interface Entry {
  readonly id: string;
  readonly side: 'voice' | 'media';
  readonly kind: 'inbound' | 'outbound' | 'bridge' | 'webrtc';
  /** The video session of a connection, and of a bridge's call. */
  readonly media: string | null;
  /** Our leg id, where it travelled in the vendor's hands. */
  readonly legId: string | null;
  readonly createdAt: number;
  /** The voice conference it was put into. */
  conversation: string | null;
  answeredAt: number | null;
  endedAt: number | null;
  endedBy: EndedBy | null;
  /** Requests to end it, by API. */
  asks: number;
  firstAskAt: number | null;
  lastAskAt: number | null;
  /** Such requests without an answer at this moment, and the most there were. */
  inFlight: number;
  mostInFlight: number;
  /** Faults that hit it: requests and webhooks about it. */
  touched: Set<string> | null;
  /** How many attempts single faults have cost, and when the last of them was. */
  wasted: number;
  wastedAt: number;
  /** The webhook of its end was lost or late: our seconds are more than the vendor's. */
  toldLate: boolean;
  /** The other side of a bridge. */
  peer: Entry | null;
  /** What happened to it, when that is recorded. */
  history: string[] | null;
}

/** Single faults that cost an attempt to end a leg; the next comes after a back-off of up to fifteen seconds. */
const WASTES = new Set([
  'accepted-but-alive',
  'wrong-region-404',
  'timeout-not-applied',
  'upstream-500',
  'early-put-400',
]);

/** Stands in for a leg's own fault set, to spare one for each of a million. */
export const touch = (entry: Entry | null | undefined, fault: string): void => {
  if (!entry) return;
  (entry.touched ??= new Set()).add(fault);
  if (WASTES.has(fault)) entry.wasted += 1;
};

/** The vendor's books. */
export class Ledger {
  readonly entries: Entry[] = [];
  readonly live = new Map<string, Entry>();
  readonly byId = new Map<string, Entry>();
  onOpen: (() => void) | undefined = undefined;
  readonly #scheduler: Scheduler;
  readonly #keepHistory: boolean;

  constructor(scheduler: Scheduler, keepHistory: boolean) {
    this.#scheduler = scheduler;
    this.#keepHistory = keepHistory;
  }

  open(made: Pick<Entry, 'id' | 'side' | 'kind' | 'media' | 'legId'>): Entry {
    const entry: Entry = {
      ...made,
      createdAt: this.#scheduler.now,
      conversation: null,
      answeredAt: made.kind === 'webrtc' ? this.#scheduler.now : null,
      endedAt: null,
      endedBy: null,
      asks: 0,
      firstAskAt: null,
      lastAskAt: null,
      inFlight: 0,
      mostInFlight: 0,
      touched: null,
      wasted: 0,
      wastedAt: 0,
      toldLate: false,
      peer: null,
      history: this.#keepHistory ? [] : null,
    };
    this.entries.push(entry);
    this.live.set(entry.id, entry);
    this.byId.set(entry.id, entry);
    this.#scheduler.note(entry.id);
    this.tell(entry, 'begins');
    this.onOpen?.();
    return entry;
  }

  close(entry: Entry, by: EndedBy): void {
    entry.endedAt = this.#scheduler.now;
    entry.endedBy = by;
    this.live.delete(entry.id);
    this.#scheduler.note(`${entry.id}${by}`);
    this.tell(entry, `ends (${by})`);
  }

  tell(entry: Entry | null | undefined, what: string): void {
    if (entry?.history) entry.history.push(`${new Date(this.#scheduler.now).toISOString().slice(8, 23)} ${what}`);
  }
}
