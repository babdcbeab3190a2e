import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Logger } from './logging.ts';

/**
 * All counters of the services. Labels hold kinds and reasons, never ids. `owner` is `platform` or
 * `tenant`: the owner of the provider account.
 */
const COUNTERS = {
  webhook_ignored: {
    help: 'Callbacks that changed nothing: unknown call, unknown event, or no leg of ours.',
    labels: ['reason', 'owner'],
  },
  webhook_rejected: {
    help: 'Callbacks that failed verification, or exceed the limit of their account.',
    labels: ['reason'],
  },
  rpc_request_refused: {
    help: 'Requests to the orchestrator that were not signed with the secret of the deployment, or too old.',
    labels: ['reason'],
  },
  enqueue_failed: { help: 'Jobs that could not be sent. The reconciler does their work.', labels: ['job'] },
  hang_up_attempts: { help: 'Hang-up attempts sent to the provider.', labels: ['kind', 'owner'] },
  hang_up_failed: { help: 'Hang-up attempts that the provider rejected.', labels: ['kind', 'reason', 'owner'] },
  dial_unobserved: {
    help: 'Dials without any observation that expired after the ringing timer.',
    labels: ['kind', 'owner'],
  },
  orphans_found: {
    help: 'Orphan calls (live calls at the provider without a leg) for which a hang-up was requested.',
    labels: ['owner'],
  },
  account_sweep_failed: {
    help: 'Failed inventory sweeps of a provider account. The sweeps of other accounts continue.',
    labels: ['owner'],
  },
  false_kill: {
    help:
      'Calls and browsers of a running session that Partyline hung up because an event or a list of the provider was ' +
      'wrong.',
    labels: ['kind', 'owner'],
  },
  leg_reopened: {
    help: 'Legs that an event had ended and that a list or a look-up showed live in a running session.',
    labels: ['kind', 'owner'],
  },
  reconciled: { help: 'Due work that the reconciler did because no job had done it.', labels: ['kind'] },
  job_failed: { help: 'Jobs that failed with an error.', labels: ['job'] },
  events_delivered: { help: 'Events that an endpoint accepted.', labels: [] },
  event_delivery_failed: { help: 'Delivery attempts that an endpoint did not accept.', labels: ['reason'] },
  endpoint_disabled: {
    help: 'Endpoints that were disabled: they answered 410, or accepted no event for days.',
    labels: ['reason'],
  },
  caller_rejected: {
    help:
      'Callers rejected before the PIN prompt: too many at once (busy), or too many open or new calls at the ' +
      "tenant's account (account-busy).",
    labels: ['reason', 'owner'],
  },
  caller_slow_mode: {
    help: 'Callers asked slowly: the number is in slow mode, or wrong PINs were keyed with their caller id.',
    labels: ['owner'],
  },
  spend_limit: { help: 'Sessions warned or ended by a spend or minutes limit.', labels: ['action'] },
  charges_reconciled: {
    help: "Call records whose price was read from the provider's own record.",
    labels: ['owner'],
  },
} as const satisfies Record<string, { help: string; labels: readonly string[] }>;
type CounterName = keyof typeof COUNTERS;

const HISTOGRAMS = {
  hangup_confirm_seconds: {
    help: 'Seconds from the request of a hang-up to its confirmation.',
    labels: ['kind', 'owner'],
    buckets: [0.25, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 900],
  },
} as const satisfies Record<string, { help: string; labels: readonly string[]; buckets: readonly number[] }>;
type HistogramName = keyof typeof HISTOGRAMS;

/**
 * Values read from the database. Every replica reports the same value: take the maximum, not the
 * sum.
 */
const GAUGES = {
  legs_unconfirmed: { help: 'Legs with a requested and unconfirmed hang-up.', labels: ['owner'] },
  oldest_unconfirmed_seconds: { help: 'Age of the oldest unconfirmed hang-up, in seconds.', labels: ['owner'] },
  slow_numbers: {
    help: 'Dial-in numbers in slow mode, because too many wrong PINs were keyed.',
    labels: ['owner'],
  },
  guess_odds: {
    help: 'Odds that a wrong PIN of the last 30 days was right, of the number with the highest.',
    labels: ['owner'],
  },
  charges_open: { help: 'Call records older than an hour without a price from the provider.', labels: ['owner'] },
  reconciled_timestamp_seconds: {
    help: 'End of the last run of the reconciler, in seconds since 1970.',
    labels: [],
  },
} as const satisfies Record<string, { help: string; labels: readonly string[] }>;
type GaugeName = keyof typeof GAUGES;

export interface Metrics {
  readonly registry: Registry;
  count(name: CounterName, labels?: Record<string, string>, by?: number): void;
  observe(name: HistogramName, seconds: number, labels?: Record<string, string>): void;
  set(name: GaugeName, value: number, labels?: Record<string, string>): void;
  /** Records the duration of an HTTP request, in seconds. */
  observeRequest(route: string, status: number, seconds: number): void;
}

export function openMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const counters = new Map(
    Object.entries(COUNTERS).map(([name, { help, labels }]) => [
      name,
      new Counter({ name: `partyline_${name}_total`, help, labelNames: [...labels], registers: [registry] }),
    ]),
  );
  const histograms = new Map(
    Object.entries(HISTOGRAMS).map(([name, { help, labels, buckets }]) => [
      name,
      new Histogram({
        name: `partyline_${name}`,
        help,
        labelNames: [...labels],
        buckets: [...buckets],
        registers: [registry],
      }),
    ]),
  );
  // Created when first set: a service that never measures a gauge must not report 0.
  const gauges = new Map<GaugeName, Gauge>();
  const gauge = (name: GaugeName): Gauge => {
    const { help, labels } = GAUGES[name];
    const found =
      gauges.get(name) ??
      new Gauge({ name: `partyline_${name}`, help, labelNames: [...labels], registers: [registry] });
    gauges.set(name, found);
    return found;
  };
  const requests = new Histogram({
    name: 'partyline_http_request_seconds',
    help: 'HTTP requests by route and status.',
    labelNames: ['route', 'status'],
    buckets: [0.002, 0.01, 0.05, 0.2, 1, 5],
    registers: [registry],
  });
  return {
    registry,
    count: (name, labels = {}, by = 1) => counters.get(name)!.inc(labels, by),
    observe: (name, seconds, labels = {}) => histograms.get(name)!.observe(labels, seconds),
    set: (name, value, labels = {}) => gauge(name).set(labels, value),
    observeRequest: (route, status, seconds) => requests.observe({ route, status: String(status) }, seconds),
  };
}

/** The reporting interface of the use-cases: counts go to the metrics, warnings to the log. */
export const openReport = (metrics: Metrics, log: Logger) => ({
  count: (name: CounterName, labels?: Record<string, string>): void => metrics.count(name, labels),
  observe: (name: HistogramName, seconds: number, labels?: Record<string, string>): void =>
    metrics.observe(name, seconds, labels),
  warn: (message: string, fields: Record<string, unknown>): void => log.warn(fields, message),
});
