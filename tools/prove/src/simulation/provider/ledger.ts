import type { Scheduler } from '../runtime/scheduler.ts';

/**
 * `platform`: by an API request. `plan`: by the call plan that the platform answered. `peer`: with
 * its other handle. `deadline`: by its deadline at the self-hosted provider. `failure`: because its
 * gateway was lost, or its phone was silent.
 */
export type EndedBy = 'platform' | 'plan' | 'user' | 'timer' | 'peer' | 'deadline' | 'failure';

/**
 * One billable handle in the provider's ledger: a call or a video connection. The oracle judges by
 * these.
 */
export interface LedgerEntry {
  readonly id: string;
  readonly handle: 'voice' | 'media';
  readonly kind: 'inbound' | 'outbound' | 'bridge' | 'webrtc';
  /** The video session of a connection, or of the call of a bridge leg. */
  readonly media: string | null;
  /** Our leg id, if the request that created the entry contained it. */
  readonly legId: string | null;
  readonly createdAt: number;
  /** The voice conference that the call joined, and when. */
  conversation: string | null;
  joinedAt: number | null;
  answeredAt: number | null;
  endedAt: number | null;
  endedBy: EndedBy | null;
  hangUpAttempts: number;
  firstAttemptAt: number | null;
  lastAttemptAt: number | null;
  /** Hang-up attempts without an answer yet. */
  attemptsInFlight: number;
  maxAttemptsInFlight: number;
  /** Faults of requests and webhooks about the entry. Null if there were none. */
  faults: Set<string> | null;
  /** When an event first said that the entry had ended although it was live. Null: none did. */
  saidOverAt: number | null;
  /** Whether an event after its end was lost. */
  isEndLost: boolean;
  /** When a list omitted the entry, in order. Null if none did. */
  omittedAt: number[] | null;
  /** When the provider last said that the entry is live although it had ended. Null: it did not. */
  saidLiveAt: number | null;
  /** Hang-up attempts that failed because of a single fault. */
  failedAttempts: number;
  lastFailedAttemptAt: number;
  /** The other handle of a bridge leg. */
  peer: LedgerEntry | null;
  isMuted: boolean;
  /** When a change of its deadline failed or was ignored, in order. Null: never. */
  failedMoves: number[] | null;
  /** Null unless the run keeps histories. */
  history: string[] | null;
}

/**
 * Single faults that make a hang-up attempt fail. The next attempt follows after at most fifteen
 * seconds.
 */
const ATTEMPT_FAULTS = new Set([
  'accepted-but-alive',
  'wrong-region-404',
  'timeout-not-applied',
  'upstream-500',
  'early-put-400',
]);

export const recordFault = (entry: LedgerEntry | null | undefined, fault: string): void => {
  if (!entry) return;
  // Most of a million entries have no fault and need no set.
  (entry.faults ??= new Set()).add(fault);
  if (ATTEMPT_FAULTS.has(fault)) entry.failedAttempts += 1;
};

/** The provider's ledger. */
export class Ledger {
  readonly entries: LedgerEntry[] = [];
  readonly live = new Map<string, LedgerEntry>();
  readonly byId = new Map<string, LedgerEntry>();
  /** How often something was used or reached that only the self-hosted provider has, by name. */
  readonly uses: Record<string, number> = {};
  onOpen: (() => void) | undefined = undefined;
  readonly #scheduler: Scheduler;
  readonly #keepHistory: boolean;

  constructor(scheduler: Scheduler, keepHistory: boolean) {
    this.#scheduler = scheduler;
    this.#keepHistory = keepHistory;
  }

  open(values: Pick<LedgerEntry, 'id' | 'handle' | 'kind' | 'media' | 'legId'>): LedgerEntry {
    const entry: LedgerEntry = {
      ...values,
      createdAt: this.#scheduler.now,
      conversation: null,
      joinedAt: null,
      answeredAt: values.kind === 'webrtc' ? this.#scheduler.now : null,
      endedAt: null,
      endedBy: null,
      hangUpAttempts: 0,
      firstAttemptAt: null,
      lastAttemptAt: null,
      attemptsInFlight: 0,
      maxAttemptsInFlight: 0,
      faults: null,
      saidOverAt: null,
      isEndLost: false,
      omittedAt: null,
      saidLiveAt: null,
      failedAttempts: 0,
      lastFailedAttemptAt: 0,
      peer: null,
      isMuted: false,
      failedMoves: null,
      history: this.#keepHistory ? [] : null,
    };
    this.entries.push(entry);
    this.live.set(entry.id, entry);
    this.byId.set(entry.id, entry);
    this.#scheduler.note(entry.id);
    this.recordHistory(entry, 'created');
    this.onOpen?.();
    return entry;
  }

  close(entry: LedgerEntry, by: EndedBy): void {
    entry.endedAt = this.#scheduler.now;
    entry.endedBy = by;
    this.live.delete(entry.id);
    this.#scheduler.note(`${entry.id}${by}`);
    this.recordHistory(entry, `ended by ${by}`);
  }

  /** An event says that the live entry has ended. */
  recordFalseEnd(entry: LedgerEntry, fault: 'false-disconnected' | 'false-completed'): void {
    recordFault(entry, fault);
    entry.saidOverAt ??= this.#scheduler.now;
    this.recordHistory(entry, 'an event says that it has ended');
  }

  /** The provider says that the entry is live although it has ended. */
  recordFalseLife(entry: LedgerEntry, fact: string): void {
    entry.saidLiveAt = this.#scheduler.now;
    this.recordHistory(entry, fact);
  }

  countUse(name: string): void {
    this.uses[name] = (this.uses[name] ?? 0) + 1;
  }

  recordFailedMove(entry: LedgerEntry, fact: string): void {
    (entry.failedMoves ??= []).push(this.#scheduler.now);
    this.recordHistory(entry, fact);
  }

  recordOmission(entry: LedgerEntry): void {
    (entry.omittedAt ??= []).push(this.#scheduler.now);
    this.recordHistory(entry, 'a list omits it');
  }

  recordHistory(entry: LedgerEntry | null | undefined, fact: string): void {
    if (entry?.history) entry.history.push(`${new Date(this.#scheduler.now).toISOString().slice(8, 23)} ${fact}`);
  }
}
