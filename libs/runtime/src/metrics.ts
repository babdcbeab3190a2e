import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Logger } from './logging.ts';

/** Every metric that a service gives, in one list. Labels hold kinds and reasons, never ids. */
const COUNTERS = {
  webhook_ignored: {
    help: 'Callbacks that changed nothing: unknown call, unknown event, nothing of ours.',
    labels: ['why'],
  },
  webhook_refused: { help: 'Callbacks that failed verification.', labels: ['why'] },
  enqueue_failed: { help: 'Jobs that could not be sent and were left to the sweep.', labels: ['job'] },
  hang_up_asked: { help: 'Hang-ups asked of the provider.', labels: ['kind'] },
  hang_up_failed: { help: 'Hang-ups that the provider did not take.', labels: ['kind', 'reason'] },
  leg_never_seen: { help: 'Dials without an answer that were given up after the ringing timer.', labels: ['kind'] },
  orphans_found: { help: 'Live calls at the provider that no row knew, asked to be hung up.', labels: [] },
  account_sweep_failed: {
    help: 'Inventories of a provider account that came to nothing; those of the other accounts go on.',
    labels: ['whose'],
  },
  false_kill: {
    help: 'Calls hung up as nobody’s that turned out to be a leg of a running session, and browsers disconnected because lists had left them out.',
    labels: ['kind'],
  },
  swept: { help: 'Things that were owed and had to be picked up by the sweep.', labels: ['what'] },
  job_failed: { help: 'Jobs that threw.', labels: ['job'] },
  events_delivered: { help: 'Events that a tenant’s endpoint took.', labels: [] },
  event_delivery_failed: { help: 'Attempts to send an event that the endpoint did not take.', labels: ['why'] },
  endpoint_disabled: {
    help: 'Endpoints that nothing is sent to any more: they said so, or took nothing for days.',
    labels: ['why'],
  },
  caller_refused: {
    help: 'Callers who were not asked for a PIN: too many at once (busy), or only wrong PINs lately (later).',
    labels: ['why'],
  },
  caller_slowed: { help: 'Callers who were asked in slow mode.', labels: [] },
  spend_guard: { help: 'Sessions that were warned or ended by a limit of money or minutes.', labels: ['what'] },
  charges_reconciled: { help: 'Call records whose price was had from the provider’s own record.', labels: [] },
} as const satisfies Record<string, { help: string; labels: readonly string[] }>;
type CounterName = keyof typeof COUNTERS;

const HISTOGRAMS = {
  hangup_confirm_seconds: {
    help: 'From a hang-up being owed to the provider being seen to have done it.',
    labels: ['kind'],
    buckets: [0.25, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 900],
  },
} as const satisfies Record<string, { help: string; labels: readonly string[]; buckets: readonly number[] }>;
type HistogramName = keyof typeof HISTOGRAMS;

/** What is read off the database: the same from every replica, so take the largest, not the sum. A service has only those that it sets. */
const GAUGES = {
  legs_unconfirmed: 'Legs that are owed a hang-up and not confirmed now.',
  oldest_unconfirmed_seconds: 'For how long the oldest of them has been owed.',
  slow_numbers: 'Dial-in numbers in slow mode now, since too many wrong PINs were keyed.',
  charges_open: 'Call records of more than an hour whose price the provider has not said.',
  reconciled_timestamp_seconds: 'When the last round of the reconciler was done, in seconds since 1970.',
} as const satisfies Record<string, string>;
type GaugeName = keyof typeof GAUGES;

export interface Metrics {
  readonly registry: Registry;
  count(name: CounterName, labels?: Record<string, string>, by?: number): void;
  observe(name: HistogramName, seconds: number, labels?: Record<string, string>): void;
  set(name: GaugeName, value: number): void;
  /** Seconds of an HTTP request. */
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
  // Made when first set: a gauge at 0 from a service that never measured it would be a lie.
  const gauges = new Map<GaugeName, Gauge>();
  const gauge = (name: GaugeName): Gauge => {
    const made =
      gauges.get(name) ?? new Gauge({ name: `partyline_${name}`, help: GAUGES[name], registers: [registry] });
    gauges.set(name, made);
    return made;
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
    set: (name, value) => gauge(name).set(value),
    observeRequest: (route, status, seconds) => requests.observe({ route, status: String(status) }, seconds),
  };
}

/** Where the use-cases report: metrics for what is counted, the log for what should be read. */
export const openReport = (metrics: Metrics, log: Logger) => ({
  count: (name: CounterName, labels?: Record<string, string>): void => metrics.count(name, labels),
  observe: (name: HistogramName, seconds: number, labels?: Record<string, string>): void =>
    metrics.observe(name, seconds, labels),
  warn: (message: string, fields: Record<string, unknown>): void => log.warn(fields, message),
});
