import type { Scheduler } from '../runtime/scheduler.ts';

export type EndedBy = 'us' | 'door' | 'person' | 'timer' | 'peer' | 'vendor';

/** One billable side of a leg in the vendor's own books: a call, or a video connection. The oracle reads these and nothing else. */
export interface LedgerEntry {
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
  hangUpAttempts: number;
  firstAttemptAt: number | null;
  lastAttemptAt: number | null;
  /** Such requests without an answer at this moment, and the most there were. */
  attemptsInFlight: number;
  maxAttemptsInFlight: number;
  /** Faults that hit it: requests and webhooks about it. */
  faults: Set<string> | null;
  /** How many attempts single faults have cost, and when the last of them was. */
  failedAttempts: number;
  lastFailedAttemptAt: number;
  /** The webhook of its end was lost or late: our seconds are more than the vendor's. */
  toldLate: boolean;
  /** The other side of a bridge. */
  peer: LedgerEntry | null;
  /** What happened to it, when that is recorded. */
  history: string[] | null;
}

/** Single faults that cost an attempt to end a leg; the next comes after a back-off of up to fifteen seconds. */
const ATTEMPT_FAULTS = new Set([
  'accepted-but-alive',
  'wrong-region-404',
  'timeout-not-applied',
  'upstream-500',
  'early-put-400',
]);

/** Stands in for a leg's own fault set, to spare one for each of a million. */
export const recordFault = (entry: LedgerEntry | null | undefined, fault: string): void => {
  if (!entry) return;
  (entry.faults ??= new Set()).add(fault);
  if (ATTEMPT_FAULTS.has(fault)) entry.failedAttempts += 1;
};

/** The vendor's books. */
export class Ledger {
  readonly entries: LedgerEntry[] = [];
  readonly live = new Map<string, LedgerEntry>();
  readonly byId = new Map<string, LedgerEntry>();
  onOpen: (() => void) | undefined = undefined;
  readonly #scheduler: Scheduler;
  readonly #keepHistory: boolean;

  constructor(scheduler: Scheduler, keepHistory: boolean) {
    this.#scheduler = scheduler;
    this.#keepHistory = keepHistory;
  }

  open(made: Pick<LedgerEntry, 'id' | 'side' | 'kind' | 'media' | 'legId'>): LedgerEntry {
    const entry: LedgerEntry = {
      ...made,
      createdAt: this.#scheduler.now,
      conversation: null,
      answeredAt: made.kind === 'webrtc' ? this.#scheduler.now : null,
      endedAt: null,
      endedBy: null,
      hangUpAttempts: 0,
      firstAttemptAt: null,
      lastAttemptAt: null,
      attemptsInFlight: 0,
      maxAttemptsInFlight: 0,
      faults: null,
      failedAttempts: 0,
      lastFailedAttemptAt: 0,
      toldLate: false,
      peer: null,
      history: this.#keepHistory ? [] : null,
    };
    this.entries.push(entry);
    this.live.set(entry.id, entry);
    this.byId.set(entry.id, entry);
    this.#scheduler.note(entry.id);
    this.recordHistory(entry, 'begins');
    this.onOpen?.();
    return entry;
  }

  close(entry: LedgerEntry, by: EndedBy): void {
    entry.endedAt = this.#scheduler.now;
    entry.endedBy = by;
    this.live.delete(entry.id);
    this.#scheduler.note(`${entry.id}${by}`);
    this.recordHistory(entry, `ends (${by})`);
  }

  recordHistory(entry: LedgerEntry | null | undefined, what: string): void {
    if (entry?.history) entry.history.push(`${new Date(this.#scheduler.now).toISOString().slice(8, 23)} ${what}`);
  }
}
