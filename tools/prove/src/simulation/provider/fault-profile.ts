import type { Random } from '../runtime/random.ts';

/**
 * The current behaviour of the provider and the network. Single faults have a probability per
 * request or webhook. The fault schedule sets the modes.
 */
export class FaultProfile {
  /** The number of injected faults, by class. */
  readonly counts: Record<string, number> = {};
  /** Single faults are injected only while this is true. */
  isEnabled = true;
  /** The outcome of every REST request. */
  restMode: 'normal' | '500' | '503' | '429' | 'silent' = 'normal';
  /** Applies in addition to the single fault `webhook-lost`. */
  webhookLossProbability = 0;
  maxWebhookDelayMs = 0;
  readonly probabilities: FaultProbabilities;
  readonly #random: Random;

  constructor(random: Random, probabilities: Partial<FaultProbabilities> = {}) {
    this.#random = random;
    this.probabilities = { ...DEFAULT_PROBABILITIES, ...probabilities };
  }

  count(fault: string): void {
    this.counts[fault] = (this.counts[fault] ?? 0) + 1;
  }

  /** Decides whether this single fault is injected now, and counts it. */
  shouldInject(fault: keyof FaultProbabilities): boolean {
    if (!this.isEnabled || !this.#random.bool(this.probabilities[fault])) return false;
    this.count(fault);
    return true;
  }

  /** Decides whether this fault is to happen later. The caller counts it when it happens. */
  shouldSchedule(fault: keyof FaultProbabilities): boolean {
    return this.isEnabled && this.#random.bool(this.probabilities[fault]);
  }

  /** Decides whether a request takes effect although its answer is lost. */
  shouldApplyRequest(): boolean {
    return this.#random.bool(0.5);
  }
}

export interface FaultProbabilities {
  /** The request takes effect, but its answer is lost. */
  'timeout-applied': number;
  'timeout-not-applied': number;
  /** 500. The request may or may not take effect. */
  'upstream-500': number;
  /** The provider accepts a hang-up (204), but the call stays up. */
  'accepted-but-alive': number;
  /** 404 for a live call, from another region. */
  'wrong-region-404': number;
  /** 400 for a PUT on a call younger than two seconds. */
  'early-put-400': number;
  /** The list of live calls omits one. */
  'list-omits-call': number;
  /** The list of a video session's connections omits one. */
  'list-omits-connection': number;
  /** The list of live calls ends with an error. */
  'list-fails': number;
  'webhook-lost': number;
  'webhook-duplicate': number;
  'webhook-late': number;
  /** Ten minutes late. */
  'webhook-very-late': number;
  /** An event says that a live connection is gone. */
  'false-disconnected': number;
  /** An event says that a live call is over. */
  'false-completed': number;
  /** An event says of a connection that has ended that it is connected. */
  'false-connected': number;
  /** An event says of a call that has ended that it is answered. */
  'false-answered': number;
  /** The list of a video session's connections shows one that has ended. */
  'list-shows-ended-connection': number;
  /** The list of live calls shows one that has ended. */
  'list-shows-ended-call': number;
  /** A look-up of a call that has ended says that it is live. */
  'look-up-shows-ended-call': number;
  /** The event of a call's end has no price. Only the provider's record has it. */
  'price-missing': number;
  /** The self-hosted provider confirms a new deadline of a call, which keeps its old one. */
  'deadline-ignored': number;
  /** The self-hosted provider confirms a new deadline, which counts only some seconds later. */
  'deadline-late': number;
  /** A phone is silent from some time on, until the self-hosted provider ends its call. */
  'phone-silent': number;
  /** The answer to an answer webhook is lost, so the provider repeats the webhook. */
  'answer-repeated': number;
  /** A tenant's endpoint answers 500. */
  'receiver-fails': number;
  /** A tenant's endpoint does not answer. */
  'receiver-silent': number;
}

const DEFAULT_PROBABILITIES: FaultProbabilities = {
  'timeout-applied': 0.01,
  'timeout-not-applied': 0.01,
  'upstream-500': 0.01,
  'accepted-but-alive': 0.02,
  'wrong-region-404': 0.01,
  'early-put-400': 0.5,
  'list-omits-call': 0.002,
  'list-omits-connection': 0.01,
  'list-fails': 0.01,
  'webhook-lost': 0.02,
  'webhook-duplicate': 0.08,
  'webhook-late': 0.04,
  'webhook-very-late': 0.003,
  'false-disconnected': 0.01,
  'false-completed': 0.01,
  'false-connected': 0.01,
  'false-answered': 0.01,
  'list-shows-ended-connection': 0.01,
  'list-shows-ended-call': 0.01,
  'look-up-shows-ended-call': 0.02,
  'price-missing': 0.02,
  'deadline-ignored': 0.1,
  'deadline-late': 0.1,
  'phone-silent': 0.05,
  'answer-repeated': 0.02,
  'receiver-fails': 0.02,
  'receiver-silent': 0.005,
};
