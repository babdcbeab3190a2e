import type { Random } from '../runtime/random.ts';

/**
 * How the vendor and the network behave at this moment. Chances are per request or per webhook; the modes are switched on and off by the
 * fault schedule. `counts` is what was done, by class.
 */
export class FaultProfile {
  readonly counts: Record<string, number> = {};
  /** Single faults happen only while this is on; the liveness phase turns it off. */
  isEnabled = true;
  /** A REST outage: what every request meets. */
  restMode: 'fair' | '500' | '503' | '429' | 'silent' = 'fair';
  /** Chance that a webhook is lost, while such a fault lasts. */
  webhookLossProbability = 0;
  maxWebhookDelayMs = 0;
  readonly probabilities: FaultProbabilities;
  readonly #random: Random;

  constructor(random: Random, chances: Partial<FaultProbabilities> = {}) {
    this.#random = random;
    this.probabilities = { ...DEFAULT_PROBABILITIES, ...chances };
  }

  count(fault: string, by = 1): void {
    this.counts[fault] = (this.counts[fault] ?? 0) + by;
  }

  /** Does this single fault happen now? Counted when it does. */
  shouldInject(fault: keyof FaultProbabilities): boolean {
    if (!this.isEnabled || !this.#random.bool(this.probabilities[fault])) return false;
    this.count(fault);
    return true;
  }

  /** For an outage that is on, whether the request was done before its answer was lost. */
  shouldApplyRequest(): boolean {
    return this.#random.bool(0.5);
  }
}

export interface FaultProbabilities {
  /** REST: done, and the answer is lost. */
  'timeout-applied': number;
  'timeout-not-applied': number;
  /** REST: 500, in doubt. */
  'upstream-500': number;
  /** A hang-up is taken (204) and nothing happens. */
  'accepted-but-alive': number;
  /** A live call is not found: another region. */
  'wrong-region-404': number;
  /** A PUT on a call younger than two seconds is a 400. */
  'early-put-400': number;
  /** The list of live calls leaves one out. */
  'list-omits': number;
  /** The list of a video session's connections leaves one out. */
  'list-omits-connection': number;
  /** The list of live calls breaks off: an error. */
  'list-fails': number;
  'webhook-lost': number;
  'webhook-doubled': number;
  'webhook-late': number;
  /** Ten minutes late. */
  'webhook-very-late': number;
  /** The event that a call is over says nothing of its price: that is in the vendor's record alone. */
  'price-missing': number;
  /** The answer webhook's reply is lost, so it is asked again. */
  'answer-repeated': number;
  /** A tenant's own server fails, or says nothing. */
  'receiver-fails': number;
  'receiver-silent': number;
}

const DEFAULT_PROBABILITIES: FaultProbabilities = {
  'timeout-applied': 0.01,
  'timeout-not-applied': 0.01,
  'upstream-500': 0.01,
  'accepted-but-alive': 0.02,
  'wrong-region-404': 0.01,
  'early-put-400': 0.5,
  'list-omits': 0.002,
  'list-omits-connection': 0.01,
  'list-fails': 0.01,
  'webhook-lost': 0.02,
  'webhook-doubled': 0.08,
  'webhook-late': 0.04,
  'webhook-very-late': 0.003,
  'price-missing': 0.02,
  'answer-repeated': 0.02,
  'receiver-fails': 0.02,
  'receiver-silent': 0.005,
};
